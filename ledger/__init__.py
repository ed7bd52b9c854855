"""What happened, kept: tables, migrations, watermarks, runs."""

from ledger.errors import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError
from ledger.records import Action, Flavor, Hypervisor, Kind, Named, Record, Server, Size
from ledger.store import Entry, Ledger, Seq, Watermark
from ledger.writer import Mode, Rejected, RunId, Writer

__all__ = [
    "Action",
    "ConfigurationError",
    "DataError",
    "Entry",
    "Flavor",
    "Hypervisor",
    "Kind",
    "Ledger",
    "Mode",
    "Named",
    "Record",
    "Rejected",
    "RunId",
    "Seq",
    "Server",
    "Size",
    "SourceUnavailable",
    "Watermark",
    "Writer",
    "XdmodCloudError",
]
