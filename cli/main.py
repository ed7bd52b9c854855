"""The command xdmod-cloud and what it does with errors."""

import gc
import logging
import os
import signal
import sys
import traceback
from pathlib import Path

import click

from cli.lazily import LazyGroup
from cli.logs import LogFormat, set_up
from ledger import XdmodCloudError

__all__ = ["main"]


_PLACES = {
    "backup": "cli.backup:backup_command",
    "check": "cli.check:check",
    "collect": "cli.collect:collect",
    "days": "cli.quantities:days",
    "export": "cli.export:export",
    "hierarchy": "cli.hierarchy:hierarchy",
    "import-hierarchy": "cli.xdmod:import_command",
    "ingest": "cli.xdmod:ingest_command",
    "init": "cli.init:init",
    "ledger": "cli.ledger:ledger",
    "report": "cli.report:report",
    "restore": "cli.backup:restore_command",
    "run": "cli.xdmod:run_command",
    "sessions": "cli.quantities:sessions",
    "shred": "cli.xdmod:shred_command",
    "status": "cli.status:status_command",
    "verify": "cli.verify:verify",
}
#: So many objects may be made before Python looks for circles among them: what is read in bulk has none.
_OBJECTS = 100_000


@click.group(
    cls=LazyGroup,
    places=_PLACES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="xdmod-cloud")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file [default: $XDMOD_CLOUD_CONFIG, or xdmod-cloud.toml here].",
)
@click.option("-v", "--verbose", is_flag=True, help="Log what the libraries do, too.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How stderr is written: lines for people, or an object a line for a program.",
)
@click.pass_context
def command(context: click.Context, config: Path | None, verbose: bool, log_format: LogFormat) -> None:
    """Feed Open XDMoD from clouds, and report who used what.

    Exit codes: 0 done · 1 some data could not be used and were set aside · 2 usage or configuration · 75 try again
    later.
    """
    set_up(verbose=verbose, form=log_format)
    context.obj = config


def _end(number: int, _: object) -> None:
    """End in order: what is half done is cleared away, and what was begun beside is ended, too.

    Python would do nothing of it by itself, and a container's first process not even end.
    """
    os.write(2, f"xdmod-cloud: ended by {signal.Signals(number).name}; what was complete is kept.\n".encode())
    sys.exit(128 + number)


def main() -> None:
    """Run the command; an error is one line on stderr and its exit code."""
    gc.set_threshold(_OBJECTS)
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Whoever ignores one of them, as nohup does, has a reason.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        sys.exit(command(standalone_mode=False) or 0)
    except XdmodCloudError as error:
        click.echo(f"xdmod-cloud: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("xdmod-cloud: interrupted; what was complete is kept.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the last net: no user is to read a traceback
        verbose = logging.getLogger().isEnabledFor(logging.INFO)
        if verbose:
            traceback.print_exc()
        said = next(iter(str(error).splitlines()), "")
        more = "report it with what stands above" if verbose else "run again with -v to see where"
        click.echo(f"xdmod-cloud: unexpected {type(error).__name__}: {said}; {more}", err=True)
        sys.exit(1)
