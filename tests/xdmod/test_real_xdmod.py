"""The way into a real XDMoD, where XDMOD_HOME names the folder of one that may be written to, with its bin and etc."""

import json
import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.xdmod.place import CONFIGURATION, Place, event


@pytest.fixture
def home() -> Path:
    """The folder of XDMoD."""
    if "XDMOD_HOME" not in os.environ:
        pytest.skip("XDMOD_HOME names no XDMoD to shred into")
    return Path(os.environ["XDMOD_HOME"])


def test_events_get_into_a_real_xdmod(place: Place, home: Path) -> None:
    """Its own commands take a file, and it ends in the archive."""
    etc = home / "etc" if (home / "etc").is_dir() else Path("/etc/xdmod")
    resources = json.loads((etc / "resources.json").read_text())
    clouds = [one["resource"] for one in resources if "cloud" in str(one.get("resource_type", "")).lower()]
    if not clouds:
        pytest.skip(f"{etc}/resources.json has no cloud")
    clouds_of = CONFIGURATION.replace('"kaizen"', json.dumps(clouds[0]))
    place.configure(clouds_of, bin=str(home / "bin"), configuration=str(etc))
    place.events("2020-01-01", event(str(uuid4()), 1, domain="Default", project_id="p"), resource=clouds[0])
    (told,) = place.json("shred", clouds[0])["shredded"]
    assert (told["exported"], told["skipped"], told["faulty"]) == (1, 0, [])
    assert told["read"] in (1, None)
    place.run("ingest")
    assert len(list((place.archive / clouds[0] / "events").iterdir())) == 1
