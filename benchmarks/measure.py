"""Runs a command as a process of its own and says how long it took and how much memory it needed."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Measured", "measured"]


class Measured(NamedTuple):
    """Wall time in seconds, from start to exit; peak of resident memory in MB; what was printed."""

    seconds: float
    peak_mb: float
    output: str


def measured(command: Sequence[str | Path], environment: Mapping[str, str]) -> Measured:
    """Run a command to its end. Raises RuntimeError with what it said, if it fails."""
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}: {output}")
    return Measured(time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6, output)
