"""Published reports: kept as they were handed out, never changed, and found again by any of their files."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from ledger import ConfigurationError, DataError
from ledger.files import flush, put_whole, written_safely
from operations.reports.statements import Delivered
from operations.reports.usage import Reported
from reporter import By, Only, Period, Provenance
from reporter.charges.reckoning import Rates
from reporter.csvs import digest_of
from reporter.files import folder_of

__all__ = [
    "KeptFile",
    "Publication",
    "Request",
    "altered",
    "publication_of",
    "publications",
    "publish_statement",
    "publish_usage",
]

_RECORD = "report.json"
_SCHEMA = "published-report"


class Request(Struct, frozen=True):
    """What was asked for, so that it can be asked again.

    `source` is a cloud of the configuration, or a resource of an XDMoD where `xdmod` says so. A statement has its
    `subject`; one that is not restricted is one of those of all projects.
    """

    report: Literal["usage", "statement"]
    source: str
    resource: str
    period: Period
    only: Only = Only()
    by: tuple[By, ...] = ()
    subject: str | None = None
    xdmod: bool = False


class KeptFile(Struct, frozen=True):
    """A file of a published report: its name, its SHA-256 in hexadecimal, its size in bytes."""

    name: str
    sha256: str
    bytes: int


class Publication(Struct, frozen=True):
    """A report as it was published at `made` (UTC): what was asked for, what it was made of, and its files.

    `rates` names the rate card among the files, if it was charged by one. `corrects` is the id of the publication that
    this one takes the place of.
    """

    id: str
    made: datetime
    program: str
    request: Request
    provenance: Provenance
    files: tuple[KeptFile, ...]
    rates: str | None = None
    corrects: str | None = None

    @property
    def data(self) -> tuple[KeptFile, ...]:
        """The files that hold what the report says; the PDF also tells how new the data were."""
        return tuple(file for file in self.files if file.name.endswith(".csv") and file.name != self.rates)


def publish_usage(
    folder: Path, said: Reported, rates: Rates | None = None, *, xdmod: bool = False
) -> tuple[Publication, bool]:
    """Keep a usage report with its rate card; returns its record, and whether it is new.

    One that says the same as the last of the same request is not published again. Raises ConfigurationError where the
    folder cannot be written, SourceUnavailable for a full disk; then nothing is kept.
    """
    report = said.report
    asked = Request("usage", said.source, said.resource, report.period, report.only, report.by, xdmod=xdmod)
    card = rates.file if rates is not None and report.charges is not None else None
    return _publish(folder, asked, said.files, said.provenance, card)


def publish_statement(
    folder: Path, source: str, delivered: Delivered, rates: Rates | None = None, *, xdmod: bool = False
) -> tuple[Publication, bool]:
    """Keep a statement, as `publish_usage` does a report."""
    said = delivered.statement
    report = said.report
    asked = Request("statement", source, said.resource, report.period, report.only, subject=said.subject, xdmod=xdmod)
    return _publish(folder, asked, delivered.files, delivered.provenance, rates.file if rates else None)


def _publish(
    folder: Path, request: Request, files: Sequence[Path], provenance: Provenance, rates: Path | None
) -> tuple[Publication, bool]:
    if rates is not None and rates.name in (_RECORD, *(path.name for path in files)):
        raise ConfigurationError(
            f"The rate card {rates} is called what a file of the published report is, too. Give it another name."
        )
    before = [one for one in publications(folder) if one.request == request]
    last = before[-1] if before else None
    kept = tuple(
        KeptFile(path.name, digest_of(path), path.stat().st_size) for path in (*files, *([rates] if rates else ()))
    )
    number = len(before) + 1
    made = Publication(
        id=f"{request.resource}/{_stem(request)}.{number}",
        made=datetime.now(UTC).replace(microsecond=0),
        program=f"xdmod-cloud {version('xdmod-cloud')}",
        request=request,
        provenance=provenance,
        files=kept,
        rates=rates.name if rates else None,
        corrects=last.id if last else None,
    )
    if last is not None and last.data == made.data and _card(last) == _card(made):
        return last, False
    _keep(folder / made.id, made, (*files, *([rates] if rates else ())))
    return made, True


def _stem(request: Request) -> str:
    """A name for a folder; a digest keeps apart what is called alike."""
    words = [request.report, *request.by, request.subject or "", str(request.only), "xdmod" if request.xdmod else ""]
    named = " ".join(filter(None, words))
    zone = "" if request.period.zone == "UTC" else f" {request.period.zone}"
    plain = named in ("usage", "statement") and not zone
    return f"{request.report if plain else folder_of(named + zone)}-{request.period.file_name}"


def _card(one: Publication) -> KeptFile | None:
    return next((file for file in one.files if file.name == one.rates), None)


def _keep(place: Path, made: Publication, files: Sequence[Path]) -> None:
    with written_safely(place, "[reports] published"):
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(prefix=".", suffix=".part", dir=place.parent))
        try:
            for file in files:
                shutil.copyfile(file, part / file.name)
                flush(part / file.name)
            put_whole(part / _RECORD, [msgspec.json.format(_encoded(made), indent=2)])
            for path in part.iterdir():
                path.chmod(0o444)
            part.chmod(0o755)
            part.rename(place)
            flush(place.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _encoded(made: Publication) -> bytes:
    body = msgspec.json.encode(made)
    schemas.validator(_SCHEMA).validate(msgspec.json.decode(body))
    return body


def publications(folder: Path) -> list[Publication]:
    """Return all published reports, the oldest first. Raises DataError for a record that cannot be read."""
    return sorted((_read(path) for path in folder.glob(f"*/*/{_RECORD}")), key=lambda one: (one.made, one.id))


def _read(path: Path) -> Publication:
    try:
        body = path.read_bytes()
        schemas.validator(_SCHEMA).validate(msgspec.json.decode(body))
        return msgspec.json.decode(body, type=Publication)
    except (OSError, msgspec.MsgspecError, jsonschema_rs.ValidationError) as error:
        said = getattr(error, "message", None) or error
        raise DataError(f"{path} is no record of a published report: {said}. Put it back from a backup.") from error


def publication_of(folder: Path, file: Path) -> Publication:
    """Find the published report that a file is of, wherever it lies now.

    Raises ConfigurationError where there is no such file, DataError where no published report has it.
    """
    try:
        digest, known = digest_of(file), publications(folder)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    here = [one for one in known if file.resolve().parent == (folder / one.id).resolve()]
    if here and file.name == _RECORD:
        return here[0]
    for one in (*here, *reversed(known)):
        if digest in (kept.sha256 for kept in one.files):
            return one
    alike = [one.id for one in known if file.name in (kept.name for kept in one.files)]
    hint = f" Reports with a file of that name: {', '.join(alike)}." if alike else ""
    raise DataError(f"{file} is in no published report: it was never published, or was altered since.{hint}")


def altered(folder: Path, one: Publication) -> list[str]:
    """Return the names of the kept files that are not as they were published, or not there."""
    return [file.name for file in one.files if _digest(folder / one.id / file.name) != file.sha256]


def _digest(path: Path) -> str | None:
    return digest_of(path) if path.is_file() else None
