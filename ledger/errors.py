"""What can go wrong, and what whoever sees it may do.

XdmodCloudError
├── ConfigurationError   exit 2   fix the file, the account or the command line, then run again
├── SourceUnavailable    exit 75  nothing was recorded; run again later
└── DataError            exit 1   the offending records are set aside, the rest went through
"""

from typing import ClassVar

__all__ = ["ConfigurationError", "DataError", "SourceUnavailable", "XdmodCloudError"]


class XdmodCloudError(Exception):
    """Base of every error that a user may see; its text is one line that names the thing, the fault and the way out."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(XdmodCloudError):
    """Something that only a person can put right: a file, a role, a version."""

    exit_code = 2


class SourceUnavailable(XdmodCloudError):
    """A source, the ledger's database or a disk could not be used just now; what was there before is unchanged."""

    exit_code = 75


class DataError(XdmodCloudError):
    """Records that could not be used; they are kept aside and counted."""

    exit_code = 1
