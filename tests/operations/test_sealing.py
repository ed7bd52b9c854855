"""Encrypted backups give nothing away, and nothing that was changed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger import ConfigurationError, DataError
from operations.backup.sealing import Key, decrypted, encrypted

KEY = bytes(range(32))
PIECE, SEALED = 65536, 65552


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    """A text as it may come from a pipe."""
    yield from (text[start : start + size] for start in range(0, len(text), size))


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 200_001])
@pytest.mark.parametrize("size", [1000, PIECE, SEALED, 1 << 20])
def test_what_goes_in_comes_out(length: int, size: int) -> None:
    """Of whatever length, and in whatever pieces it comes."""
    text = os.urandom(length)
    sealed = b"".join(encrypted(pieces(text, size), KEY))
    assert len(sealed) == length + 16 * max(1, -(-length // PIECE))
    assert b"".join(decrypted(pieces(sealed, size), KEY, "it")) == text


CHANGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("cut in a piece", lambda sealed: sealed[:-1]),
    ("cut between pieces", lambda sealed: sealed[:SEALED]),
    ("empty", lambda _: b""),
    ("a bit", lambda sealed: sealed[:70_000] + bytes([sealed[70_000] ^ 1]) + sealed[70_001:]),
    ("pieces exchanged", lambda sealed: sealed[SEALED : 2 * SEALED] + sealed[:SEALED] + sealed[2 * SEALED :]),
    ("a piece twice", lambda sealed: sealed[:SEALED] + sealed),
    ("something added", lambda sealed: sealed + b"x" * 20),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[what for what, _ in CHANGES])
def test_what_was_changed_is_refused(what: str, change: Callable[[bytes], bytes]) -> None:
    """No byte of a changed piece is given away."""
    text = os.urandom(150_000)
    sealed = b"".join(encrypted([text], KEY))
    given = bytearray()
    with pytest.raises(DataError, match="cut, altered"):
        given.extend(byte for piece in decrypted([change(sealed)], KEY, what) for byte in piece)
    assert text.startswith(given)


def test_another_key_opens_nothing() -> None:
    """Not even the first piece."""
    sealed = b"".join(encrypted([b"secret"], KEY))
    with pytest.raises(DataError, match="made with another key"):
        list(decrypted([sealed], KEY[::-1], "it"))


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """With how to make one."""
    (tmp_path / "key").write_text("secret\n")
    with pytest.raises(ConfigurationError, match="openssl rand"):
        Key(tmp_path / "key")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Key(tmp_path / "none")


def test_keys_of_two_purposes_differ(tmp_path: Path) -> None:
    """And of two backups."""
    (tmp_path / "key").write_bytes(b"k" * 32)
    key = Key(tmp_path / "key")
    assert len({key.derived(b"1", b"a"), key.derived(b"1", b"b"), key.derived(b"2", b"a")}) == 3
