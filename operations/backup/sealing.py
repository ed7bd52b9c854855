"""Encryption of a stream that is read once: what comes out was written by whoever has the key, in this order, whole."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger import ConfigurationError, DataError

__all__ = ["Key", "decrypted", "encrypted"]

#: So much is encrypted at once, and 16 bytes vouch for it: nothing is believed before they are checked.
_CHUNK, _TAG = 64 * 1024, 16
_SHORTEST = 32


class Key:
    """The key in a file: at least 32 bytes that chance made, as of `openssl rand -base64 32`."""

    def __init__(self, file: Path) -> None:
        try:
            self._secret, self.file = file.read_bytes().strip(), file
        except OSError as error:
            raise ConfigurationError(
                f"The key {file} cannot be read: {error.strerror}. Correct [backup] key_file."
            ) from error
        if len(self._secret) < _SHORTEST:
            raise ConfigurationError(
                f"The key in {file} is shorter than {_SHORTEST} bytes. Make one with: openssl rand -base64 32"
            )

    def derived(self, salt: bytes, purpose: bytes) -> bytes:
        """A key of 32 bytes for one purpose in one backup."""
        # What encrypts takes long to load, and few commands need it.
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), 32, salt, b"xdmod-cloud backup " + purpose).derive(self._secret)


def encrypted(chunks: Iterable[bytes], key: bytes) -> Iterator[bytes]:
    """Encrypt with ChaCha20-Poly1305, as the payload of age has it; `key` is for this stream alone.

    Each piece is numbered, and the last one marked, so that none can be moved, dropped or added.
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    cipher = ChaCha20Poly1305(key)
    for number, (piece, last) in enumerate(_pieces(chunks, _CHUNK)):
        yield cipher.encrypt(_nonce(number, last=last), piece, None)


def decrypted(chunks: Iterable[bytes], key: bytes, place: str) -> Iterator[bytes]:
    """Decrypt what `encrypted` gave. Raises DataError where that was altered or cut, before it gives it away."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    cipher = ChaCha20Poly1305(key)
    for number, (piece, last) in enumerate(_pieces(chunks, _CHUNK + _TAG)):
        try:
            yield cipher.decrypt(_nonce(number, last=last), piece, None)
        except InvalidTag as error:
            raise DataError(f"{place} was cut, altered, or made with another key. Use another backup.") from error


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _pieces(chunks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Cut a stream into pieces of one size, the last of which may be shorter; there is always one."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        whole = max(0, (len(held) - 1) // size) * size
        for start in range(0, whole, size):
            yield bytes(held[start : start + size]), False
        del held[:whole]
    yield bytes(held), True
