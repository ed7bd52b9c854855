"""`xdmod-cloud check`: look at everything that the configuration names."""

import click

from cli.output import json_option, print_json, print_table
from cli.sources import Context
from operations.xdmod.check import exit_code, look

__all__ = ["check"]


@click.command(short_help="Look at everything that is configured.")
@json_option
@click.pass_obj
def check(context: Context, as_json: bool) -> int:
    """Look at the configuration and at all that it names: what is fine, what is missing, and what to do.

    Ends with 2 where a person has to do something, else with 75 where a service is away just now.
    """
    findings = list(look(context))
    if as_json:
        print_json(findings)
    else:
        rows = [(finding.part, finding.state.value, finding.said) for finding in findings]
        print_table("What is configured", ("part", "state", "what was seen, or what to do"), rows)
    return exit_code(findings)
