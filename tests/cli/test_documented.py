"""What the product can do is written down."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import schemas
from cli.main import command

ROOT = Path(__file__).parents[2]
DOCUMENTS = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def commands(group: click.Group, name: str) -> Iterator[str]:
    """The full names of all commands of a group."""
    context = click.Context(group)
    for part in group.list_commands(context):
        inner = group.get_command(context, part)
        if isinstance(inner, click.Group):
            yield from commands(inner, f"{name} {part}")
        else:
            yield f"{name} {part}"


@pytest.mark.parametrize("name", list(commands(command, "xdmod-cloud")))
def test_every_command_is_in_a_document(name: str) -> None:
    """A user who reads finds each command."""
    assert name in DOCUMENTS


def test_every_key_of_the_configuration_is_documented() -> None:
    """Each key stands in the table of docs/configuration.md, with the default that the schema tells."""
    rows = (ROOT / "docs" / "configuration.md").read_text()
    properties = schemas.load("configuration")["properties"]
    for section, schema in properties.items():
        for key in (schema.get("items") or schema)["properties"]:
            assert f"`{section}.{key}`" in rows
