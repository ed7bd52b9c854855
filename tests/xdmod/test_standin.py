"""The stand-in, held to what XDMoD itself says."""

import json
from pathlib import Path

from tests.xdmod import standin


def test_the_fields_are_those_of_xdmods_schema(xdmod_data: Path) -> None:
    """It skips what XDMoD's schema of events refuses, and nothing else."""
    schema = json.loads((xdmod_data / "schemas" / "schemas-cloud_openstack-event.schema.json").read_text())
    kinds = {name: said.get("type") for name, said in schema["properties"].items()}
    assert {name for name, kind in kinds.items() if kind == "string"} == standin.STRINGS
    assert {name for name, kind in kinds.items() if kind == "integer"} == standin.INTEGERS


def test_it_takes_xdmods_own_events(xdmod_data: Path) -> None:
    """No record of XDMoD's sample is unfit."""
    (path,) = (xdmod_data / "reference" / "openstack").glob("*.json")
    assert [why for record in json.loads(path.read_bytes()) if (why := standin.unfit(record))] == []
