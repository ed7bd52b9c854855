"""What XDMoD has been told of pods and must not be told differently: the ids of their intervals, and their form."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from ledger.cluster import PodKey
from ledger.database import reading, writing
from ledger.errors import DataError
from ledger.records import Kind
from ledger.store import Ledger, Seq
from ledger.tables import job, job_form, latest, record

__all__ = ["LAST_ID", "Form", "Jobs", "Told"]

#: XDMoD keeps ids in a signed integer of 32 bits.
LAST_ID = 2**31 - 1

#: An interval of a pod, told apart from all others of its cluster.
Told = tuple[PodKey, datetime]


class Form(NamedTuple):
    """How the pods of a cluster are told: in which unit their CPU is, and what one job is."""

    cpu: str
    per: str


class Jobs:
    """The jobs of one cluster. One process at a time may number them."""

    def __init__(self, ledger: Ledger, source: str) -> None:
        self._engine, self._source, self._id = ledger.engine, source, ledger.source_id(source)
        self._unkept = dict[Told, int]()

    def numbered(self, intervals: Sequence[Told], *, keep: bool = True) -> list[int]:
        """The id of each interval: the one that it has, or the next one, which then is its own for ever.

        Without `keep`, new ids hold only as long as this object. Raises DataError where there are no more.
        """
        with writing(self._engine) if keep else reading(self._engine) as connection:
            known = {**self._known(connection, intervals), **self._unkept}
            fresh = dict.fromkeys(one for one in intervals if one not in known)
            if not fresh:
                return [known[one] for one in intervals]
            first = max(self._last(connection), *self._unkept.values(), 0) + 1
            given = dict(zip(fresh, range(first, first + len(fresh)), strict=True))
            if first + len(given) - 1 > LAST_ID:
                raise DataError(
                    f"The jobs of {self._source} have used up the {LAST_ID:,} ids that XDMoD can tell apart. Nothing"
                    " more was written; go on with a cluster of another name, as another resource of XDMoD."
                )
            if keep:
                fixed = {"source_id": self._id}
                rows = [{**fixed, "subject": key, "begins": at, "id": id} for (key, at), id in given.items()]
                connection.execute(insert(job), rows)
            else:
                self._unkept |= given
        return [known[one] if one in known else given[one] for one in intervals]

    def form(self) -> Form | None:
        """The form in which the cluster has been told; none before the first time."""
        with reading(self._engine) as connection:
            row = connection.execute(select(job_form).where(job_form.c.source_id == self._id)).mappings().first()
        return Form(row["cpu"], row["per"]) if row else None

    def settle(self, form: Form) -> None:
        """Keep the form in which the cluster is told from now on, where it was not told yet."""
        if self.form() is None:
            with writing(self._engine) as connection:
                connection.execute(insert(job_form).values(source_id=self._id, **form._asdict()))

    def first_day(self) -> datetime | None:
        """The midnight (UTC) before the first window in which a pod was seen; none where none ever was."""
        mine = latest.c.source_id == self._id, latest.c.kind == Kind.POD
        with reading(self._engine) as connection:
            begins: datetime | None = connection.scalar(select(func.min(latest.c.begins)).where(*mine))
        return begins and begins.replace(hour=0, minute=0, second=0, microsecond=0)

    def rewritten(self, after: Seq, up_to: Seq, before: datetime) -> set[datetime]:
        """The days (UTC midnights) `before` one of which records in (`after`, `up_to`] tell something new."""
        identities = (
            select(record.c.identity)
            .where(record.c.source_id == self._id, record.c.kind == Kind.POD)
            .where(record.c.seq > after, record.c.seq <= up_to, record.c.identity < f"{before:%Y%m%dT%H%M%S}")
            .distinct()
        )
        with reading(self._engine) as connection:
            found = list(connection.scalars(identities))
        return {datetime.strptime(f"{one[:8]}+0000", "%Y%m%d%z") for one in found}

    def _last(self, connection: Connection) -> int:
        return int(connection.scalar(select(func.max(job.c.id)).where(job.c.source_id == self._id)) or 0)

    def _known(self, connection: Connection, intervals: Iterable[Told]) -> dict[Told, int]:
        known, rest = dict[Told, int](), iter(intervals)
        while some := list(islice(rest, 500)):
            chosen = select(job.c.subject, job.c.begins, job.c.id).where(
                job.c.source_id == self._id,
                job.c.subject.in_({key for key, _ in some}),
                job.c.begins >= min(at for _, at in some),
                job.c.begins < max(at for _, at in some) + timedelta(seconds=1),
            )
            known |= {(PodKey(subject), begins): id for subject, begins, id in connection.execute(chosen)}
        return known
