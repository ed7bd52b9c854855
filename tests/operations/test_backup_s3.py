"""Backups in S3: there when they are whole, and brought back from there."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ledger import ConfigurationError, DataError, SourceUnavailable
from operations.backup.make import make
from operations.backup.manifest import MANIFEST
from operations.backup.restore import restore
from operations.configuration import load
from tests.operations.test_mariadb import lived, site_of
from tests.site import Site

boto3 = pytest.importorskip("boto3", reason="backups in S3 need boto3 and moto: pip install xdmod-cloud[s3,dev]")
moto_server = pytest.importorskip("moto.server", reason="an S3 for the tests needs moto: pip install xdmod-cloud[dev]")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that speaks as S3 does, with the bucket backups."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    for name in names:
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    # What another test left is in the same process.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10).raise_for_status()
    client.create_bucket(Bucket="backups")
    try:
        yield client
    finally:
        server.stop()


@pytest.fixture
def site(tmp_path: Path, bucket: Any) -> Iterator[Site]:
    """A site that keeps its backups there."""
    with site_of(tmp_path / "site") as made:
        lived(made)
        file = made.folder / "xdmod-cloud.toml"
        (made.folder / "key").write_text("k" * 44)
        lines = ["[backup]", 'output = "s3://backups/of/xdmod"', 'key_file = "key"', "keep_last = 1"]
        lines.append(f's3_endpoint = "{bucket.meta.endpoint_url}"')
        file.write_text("\n".join([file.read_text(), *lines, ""]))
        yield made


def keys(bucket: Any) -> list[str]:
    """The names of all objects."""
    return [item["Key"] for item in bucket.list_objects_v2(Bucket="backups").get("Contents", [])]


def test_a_ledger_comes_back_from_s3(site: Site, bucket: Any) -> None:
    """With all its records, and nothing in the bucket but the backup."""
    before = site.content()
    made = make(load(site.folder / "xdmod-cloud.toml"))
    name = made.place.rpartition("/")[2]
    assert {key.rpartition("/")[0] for key in keys(bucket)} == {f"of/xdmod/{name}"}
    restore(load(site.folder / "xdmod-cloud.toml"), None, check=True)
    for path in site.folder.glob("ledger.sqlite*"):
        path.unlink()
    restore(load(site.folder / "xdmod-cloud.toml"), made.place, only=["ledger"])
    assert site.content() == before


def test_an_altered_object_is_refused(site: Site, bucket: Any) -> None:
    """As a file would be; a missing one, too."""
    make(load(site.folder / "xdmod-cloud.toml"))
    key = next(key for key in keys(bucket) if "/ledger." in key)
    body = bucket.get_object(Bucket="backups", Key=key)["Body"].read()
    bucket.put_object(Bucket="backups", Key=key, Body=body[:-1])
    with pytest.raises(DataError, match="bytes and not"):
        restore(load(site.folder / "xdmod-cloud.toml"), None, check=True)
    bucket.delete_object(Bucket="backups", Key=key)
    with pytest.raises(DataError, match="is missing"):
        restore(load(site.folder / "xdmod-cloud.toml"), None, check=True)


def test_older_backups_go_and_other_objects_stay(site: Site, bucket: Any) -> None:
    """One is kept, as is configured."""
    bucket.put_object(Bucket="backups", Key="of/xdmod/mine", Body=b"mine")
    first = make(load(site.folder / "xdmod-cloud.toml"))
    time.sleep(1.1)
    second = make(load(site.folder / "xdmod-cloud.toml"))
    name = first.place.rpartition("/")[2]
    assert second.removed == [name]
    assert not [key for key in keys(bucket) if name in key]
    assert "of/xdmod/mine" in keys(bucket)


def test_what_was_begun_and_broke_off_is_no_backup(site: Site, bucket: Any) -> None:
    """Its objects are deleted, and the manifest was never there."""
    file = site.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + 'url = "mysql+pymysql://root@localhost?unix_socket=/nowhere/socket"\n')
    with pytest.raises(SourceUnavailable):
        make(load(file))
    assert keys(bucket) == []
    bucket.put_object(Bucket="backups", Key="of/xdmod/xdmod-cloud-20250101T000000Z/ledger.sqlite.zst", Body=b"x")
    with pytest.raises(ConfigurationError, match="There is no backup in s3://backups/of/xdmod"):
        restore(load(file), None)
    assert not [key for key in keys(bucket) if key.endswith(MANIFEST)]


def test_a_bucket_that_is_not_there_is_said(site: Site) -> None:
    """With the exit code of what only a person can put right."""
    with pytest.raises(ConfigurationError, match=r"Correct \[backup\] output"):
        make(load(site.folder / "xdmod-cloud.toml"), "s3://nowhere/x")


def test_a_server_that_is_away_is_tried_later(site: Site) -> None:
    """Nothing was saved, and nothing is lost."""
    file = site.folder / "xdmod-cloud.toml"
    lines = [line for line in file.read_text().splitlines() if "s3_endpoint" not in line]
    file.write_text("\n".join([*lines, 's3_endpoint = "http://127.0.0.1:9"', ""]))
    with pytest.raises(SourceUnavailable, match="Run again later"):
        make(load(file))
