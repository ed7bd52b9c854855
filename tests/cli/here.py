"""The command called in this process, which spares the start of another one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from cli.main import main
from tests.site import Site

__all__ = ["call", "call_at", "impatient"]


def call(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a site, as a user would; what it returns is not judged."""
    return _run(site.environment, words)


def call_at(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder that need not hold a site."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDMOD_"))}
    with chdir(folder):
        return _run(environment, words)


def _run(environment: dict[str, str], words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    out, err, code = StringIO(), StringIO(), 0
    with (
        patch.dict(os.environ, environment, clear=True),
        patch("sys.argv", ["xdmod-cloud", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(list(words), code, out.getvalue(), err.getvalue())


@contextmanager
def impatient() -> Iterator[None]:
    """Between two attempts nobody waits, unless the server says how long."""
    with patch("keystoneauth1.session._Retries.__next__", lambda _: 0.0):
        yield
