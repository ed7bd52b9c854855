"""What is made of a ColdFront's answers, the recorded ones and worse."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import pytest
import requests
from requests.auth import AuthBase
from urllib3.util import Retry

from collectors.coldfront import ColdFrontSource, read_coldfront
from collectors.told import Told
from ledger import ConfigurationError, Kind, SourceUnavailable
from ledger.ownership import Allocation, Membership, Owning, ResearchProject
from ledger.times import iso_seconds

R = TypeVar("R", bound=Owning)
Row = dict[str, Any]

RECORDED = Path(__file__).with_name("coldfront")
TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAGE = b"<!DOCTYPE html>\n<html><head><title>Server Error (500)</title></head></html>"
ALLOCATIONS, PROJECTS, RESOURCES = "/api/allocations/", "/api/projects/", "/api/resources/"
LIST = "/api/allocations"


def recorded(name: str) -> list[Row]:
    """A list as a real ColdFront answered it."""
    return msgspec.json.decode((RECORDED / f"{name}.json").read_bytes(), type=list[Row])


class Server(ThreadingHTTPServer):
    """Answers each path with what it is given; as Django, it leads to the path with a slash where it has only that."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.leads: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tells(self, path: str, body: object, status: int = 200) -> None:
        """Answer a path from now on with a document, or with bytes as they are."""
        self.answers[path] = status, body if isinstance(body, bytes) else msgspec.json.encode(body)

    def tells_core(self, projects: list[Row] | None = None, allocations: list[Row] | None = None) -> None:
        """Answer as ColdFront's core API, with what was recorded where nothing is given."""
        self.tells(PROJECTS, recorded("projects_full") if projects is None else projects)
        self.tells(ALLOCATIONS, recorded("allocations_full") if allocations is None else allocations)
        self.tells(RESOURCES, recorded("resources"))


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if path not in self.server.answers and f"{path}/" in self.server.answers:
            status, body, leads = 301, b"", self.server.leads.get(path, f"{path}/?{query}")
        else:
            (status, body), leads = self.server.answers.get(path, (404, b'{"detail":"Not found."}')), ""
        self.send_response_only(status)
        self.send_header("Date", "Tue, 03 Nov 2026 10:00:00 GMT")
        if leads:
            self.send_header("Location", leads)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""


class Login(AuthBase):
    """As the login at Keycloak does, present a token."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = "Bearer of-keycloak"
        return request


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A ColdFront that has yet to be told what to answer; whoever asks it again does so at once."""
    monkeypatch.setattr(Retry, "sleep", lambda *_: None)
    with Server() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def read(server: Server, **settings: Any) -> Told:
    """Read by a login at Keycloak."""
    return read_coldfront(ColdFrontSource(url=server.url, **settings), Login(), lambda *_: None)


def read_by(server: Server, file: Path) -> Told:
    """Read by a token in a file."""
    return read_coldfront(ColdFrontSource(url=server.url, token_file=file), None, lambda *_: None)


def records(told: Told, kind: type[R]) -> dict[str, R]:
    """The records of a kind, by id."""
    return {record.subject.removeprefix("coldfront/"): record for record in told.records if isinstance(record, kind)}


def fails(server: Server, kind: type[Exception] = SourceUnavailable) -> str:
    """What is said of a reading that cannot succeed."""
    with pytest.raises(kind) as failed:
        read(server)
    assert "\n" not in str(failed.value)
    return str(failed.value)


# The two APIs


def test_the_recorded_list(server: Server) -> None:
    """Projects, allocations and fields of science; "Other" is a field as any other."""
    server.tells(LIST, recorded("nerc_allocations_all"))
    told = read(server)
    projects, allocations = records(told, ResearchProject), records(told, Allocation)
    assert (len(projects), len(allocations), len(told.records)) == (6, 10, 16)
    assert projects["3"] == ResearchProject("coldfront", "3", "PI without e-mail", "", "Active", "Other")
    assert allocations["1"] == Allocation(
        "coldfront", "1", "1", "Active", "NERC-OCP", "genomics-4f2a1b", "genomics-4f2a1b", "A-123"
    )
    assert allocations["5"] == Allocation("coldfront", "5", "2", "New", "NERC-OCP")
    assert (told.source, iso_seconds(told.at)) == ("coldfront", "2026-11-03T10:00:00Z")
    assert told.kinds == {Kind.RESEARCH_PROJECT, Kind.ALLOCATION}
    assert (told.rejected, told.warnings) == ([], [])


def test_the_recorded_core_api(server: Server) -> None:
    """Projects with user names, allocations joined by id, members, and no field of science."""
    server.tells_core()
    told = read(server)
    projects, allocations = records(told, ResearchProject), records(told, Allocation)
    assert (len(projects), len(allocations), len(records(told, Membership))) == (6, 10, 6)
    assert projects["6"] == ResearchProject("coldfront", "6", "Shared title", "pi-b", "Active")
    assert allocations["10"] == Allocation(
        "coldfront", "10", "6", "Active", "NERC", "0000000000000000000000000000000c", "shared-title-f000c2"
    )
    assert told.kinds == {Kind.RESEARCH_PROJECT, Kind.ALLOCATION, Kind.MEMBERSHIP}
    assert iso_seconds(told.at) == "2026-11-03T10:00:00Z"


def test_both_apis_tell_the_same_allocations(server: Server) -> None:
    """The same ColdFront was recorded through both."""
    server.tells_core()
    by_core = records(read(server), Allocation)
    server.tells(LIST, recorded("nerc_allocations_all"))
    assert records(read(server), Allocation) == by_core


def test_what_is_asked(server: Server) -> None:
    """Every status, on the path without slash first; resources only where names of them are joined."""
    server.tells_core()
    read(server)
    assert [path for path, _ in server.asked] == [
        "/api/allocations?all=true",
        "/api/allocations/?all=true",
        "/api/projects/?project_users=true&allocations=true",
        "/api/allocations/?allocation_attributes=true",
    ]


def test_progress_is_told(server: Server) -> None:
    """What is being read, and how much it was."""
    server.tells_core()
    seen: list[tuple[str, int, int]] = []
    read_coldfront(ColdFrontSource(url=server.url), Login(), lambda *words: seen.append(words))
    assert seen == [("allocations", 0, 0), ("projects", 0, 0), ("projects", 6, 6), ("allocations", 10, 10)]


# Accounts


def test_the_token_is_presented_with_every_request(server: Server, tmp_path: Path) -> None:
    """Also where ColdFront leads elsewhere; blanks around it in the file are none of it."""
    (tmp_path / "token").write_text(f" {TOKEN}\n")
    server.tells_core()
    read_by(server, tmp_path / "token")
    assert {header for _, header in server.asked} == {f"Token {TOKEN}"}


def test_the_login_is_used_without_a_token(server: Server) -> None:
    """With every request, too."""
    server.tells_core()
    read(server)
    assert {header for _, header in server.asked} == {"Bearer of-keycloak"}


def test_the_token_is_presented_to_no_other_host(server: Server, tmp_path: Path) -> None:
    """A ColdFront that leads to another address does not get it there."""
    (tmp_path / "token").write_text(TOKEN)
    server.tells_core()
    with Server() as other:
        Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        other.tells(ALLOCATIONS, {"detail": "Authentication credentials were not provided."}, 401)
        server.leads[LIST] = f"http://localhost:{other.server_port}{ALLOCATIONS}"
        with pytest.raises(ConfigurationError, match="401"):
            read_by(server, tmp_path / "token")
        other.shutdown()
    assert {header for _, header in other.asked} == {None}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"Token 0123456789abcdef\n", "holds blanks inside the token"),
        (b"0123\n4567\n", "holds blanks inside the token"),
        (b"\xef\xbb\xbf0123", "holds more than a token"),
        (b"0123\x00", "holds blanks inside the token"),
    ],
)
def test_a_file_that_holds_no_token(server: Server, tmp_path: Path, content: bytes | None, fault: str) -> None:
    """Is named, and nobody is asked with what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as failed:
        read_by(server, file)
    assert f"coldfront.token_file {file} {fault}" in str(failed.value)
    assert "0123" not in str(failed.value)
    assert not server.asked


def test_nobody_to_ask_as(server: Server) -> None:
    """Both ways to say it are named."""
    with pytest.raises(ConfigurationError, match=r"Set coldfront.token_file, or add a \[keycloak\] table"):
        read_coldfront(ColdFrontSource(url=server.url), None, lambda *_: None)
    assert not server.asked


def test_a_login_without_e_mail(server: Server) -> None:
    """ColdFront refuses it in words that do not say why."""
    server.tells(LIST, {"detail": "Login failed"}, 401)
    said = fails(server, ConfigurationError)
    assert "401: Login failed" in said
    assert "the service account has no e-mail claim" in said


def test_an_account_that_is_not_staff(server: Server) -> None:
    """The message says that it must be."""
    server.tells(LIST, {"detail": "You do not have permission to perform this action."}, 403)
    assert "it must be staff" in fails(server, ConfigurationError)


# Answers that are none


def test_a_failure_with_a_page(server: Server, tmp_path: Path) -> None:
    """After retries the likely cause is named, which is in the login where there is one."""
    server.tells(LIST, PAGE, 500)
    said = fails(server)
    assert "with 500: Internal Server Error, a web page. The likely cause" in said
    assert "without the scope openid" in said
    assert len(server.asked) == 5
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(SourceUnavailable) as failed:
        read_by(server, tmp_path / "token")
    assert "openid" not in str(failed.value)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (PAGE, "a web page instead of JSON"),
        (b"", "what cannot be read"),
        (b'[{"id": 1, "project"', "what cannot be read"),
        (b'{"detail": "Throttled."}', 'an object that says "Throttled."'),
        (b'{"count": 3, "results": []}', "an object with count, results"),
        (b"{}", "an object with nothing in it"),
        (b'"all"', "the value 'all'"),
        (b"null", "the value None"),
        (b"[1, 2]", "a list of which not every element is an object"),
        (b'[{"id": 1, "project": "A"}, []]', "a list of which not every element is an object"),
        (b'[{"id": 1, "project": {"id": 1}}, {"id": 2, "project": "A"}]', "project is a string or an object"),
        (b'[{"id": 1, "project": 7}]', "project is a number"),
        (b'[{"id": 1, "project": null}, {"id": 2}]', "project is missing"),
        (b'[{"id": 1, "project": "A"}, {"id": 2, "project": true}]', "project is a string or true"),
    ],
)
def test_an_answer_of_another_shape(server: Server, body: bytes, found: str) -> None:
    """Is not taken for an empty ColdFront: the message says what was found and whom to check."""
    server.tells(LIST, body)
    said = fails(server)
    assert found in said
    assert "Nothing was recorded" in said
    assert server.url in said


def test_an_empty_list(server: Server) -> None:
    """Looks like missing rights, which are named."""
    server.tells(LIST, [])
    said = fails(server, ConfigurationError)
    assert all(right in said for right in ("can_view_all_allocations", "can_view_all_projects", "staff"))


@pytest.mark.parametrize("path", [PROJECTS, ALLOCATIONS])
@pytest.mark.parametrize("body", [b'{"detail": "Throttled."}', PAGE, b"[1", b"null"])
def test_a_later_answer_of_another_shape(server: Server, path: str, body: bytes) -> None:
    """Is not taken for an empty list, either."""
    server.tells_core()
    server.tells(LIST, recorded("allocations"))
    server.tells(path, body)
    assert f"answered GET {path} with " in fails(server)


def test_a_server_that_is_not_there(server: Server) -> None:
    """Nothing was recorded, and another time it may be."""
    server.server_close()
    assert "does not answer" in fails(server)


# Rows that are none

WITHOUT: Any = object()


def altered(row: Row, name: str, value: object) -> Row:
    """A row with another value, or without it."""
    return {key: was for key, was in {**row, name: value}.items() if was is not WITHOUT}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", WITHOUT),
        ("id", None),
        ("id", ""),
        ("id", 1.5),
        ("project", None),
        ("project", {"id": 9, "title": "without a status"}),
        ("project", {"id": None, "title": "without an id", "status": "Active"}),
        ("status", None),
        ("attributes", []),
        ("attributes", {"Allocated Project ID": ["a", "b"]}),
        ("resource", "NERC"),
    ],
)
def test_a_row_of_the_list_that_cannot_be_read(server: Server, name: str, value: object) -> None:
    """Is set aside whole, the others are read, and what is missing is not taken for gone."""
    first, *others = recorded("nerc_allocations_all")
    bad = altered(first, name, value)
    server.tells(LIST, [bad, *others])
    told = read(server)
    assert [msgspec.json.decode(item.body) for item in told.rejected] == [bad]
    assert "Allocation" in told.rejected[0].reason
    assert records(told, Allocation).keys() == {str(number) for number in range(2, 11)}
    assert told.kinds == frozenset()
    assert any("1 row cannot be read" in warning for warning in told.warnings)


def test_bytes_that_are_no_text(server: Server) -> None:
    """They spoil their own row only."""
    body = msgspec.json.encode(recorded("nerc_allocations_all")).replace(b"sky-", b"\xff").replace(b"A-123", b"A-\xff")
    server.tells(LIST, body)
    told = read(server)
    assert ["Allocation 1 " in item.reason for item in told.rejected] == [True]
    assert len(records(told, Allocation)) == 9


@pytest.mark.parametrize(("name", "value"), [("id", None), ("status", WITHOUT), ("project", None), ("resource", 5)])
def test_an_allocation_of_the_core_api_that_cannot_be_read(server: Server, name: str, value: object) -> None:
    """Is set aside; projects and members are whole without it."""
    first, *others = recorded("allocations_full")
    bad = altered(first, name, value)
    server.tells_core(allocations=[bad, *others])
    told = read(server)
    assert [msgspec.json.decode(item.body) for item in told.rejected] == [bad]
    assert (len(records(told, ResearchProject)), len(records(told, Allocation))) == (6, 9)
    assert told.kinds == {Kind.RESEARCH_PROJECT, Kind.MEMBERSHIP}


@pytest.mark.parametrize(("name", "value"), [("id", None), ("title", None), ("pi", 7), ("allocations", "none")])
def test_a_project_of_the_core_api_that_cannot_be_read(server: Server, name: str, value: object) -> None:
    """Is set aside together with its allocations, whose project nobody else tells."""
    first, *others = recorded("projects_full")
    server.tells_core(projects=[altered(first, name, value), *others])
    told = read(server)
    assert [item.reason.split(" of ")[0] for item in told.rejected] == [
        f"Project {'without an id' if name == 'id' else 1}",
        *(f"Allocation {number}" for number in (1, 2, 3, 8)),
    ]
    assert msgspec.json.decode(told.rejected[1].body)["id"] == 1
    assert records(told, Allocation).keys() == {"4", "5", "6", "7", "9", "10"}
    assert told.kinds == frozenset()


def test_no_row_that_can_be_read(server: Server) -> None:
    """Then nothing is, and the message has the first reason."""
    server.tells(LIST, [altered(row, "id", None) for row in recorded("nerc_allocations_all")])
    assert "none of 10 rows can be read" in fails(server)


# What is missing or odd in rows that can be read


def test_what_a_row_may_lack(server: Server) -> None:
    """Resource, attributes, field of science and the PI's address; blanks are as good as nothing."""
    project = {"id": 1, "title": "A", "pi": None, "field_of_science": " ", "status": "Active"}
    bare = {"id": 1, "project": project, "status": "Active"}
    nothing = {**bare, "id": 2, "resource": {"name": ""}, "attributes": {"Allocated Project ID": " "}}
    server.tells(LIST, [bare, nothing])
    assert read(server).records == [
        ResearchProject("coldfront", "1", "A", "", "Active"),
        Allocation("coldfront", "1", "1", "Active"),
        Allocation("coldfront", "2", "1", "Active"),
    ]


def test_numbers_as_values(server: Server) -> None:
    """An id of digits only is a text, however long."""
    row = recorded("nerc_allocations_all")[0]
    names = ("Allocated Project ID", "Allocated Project Name", "Institution-Specific Code")
    for name, value in zip(names, (12345678901234567890123456789012, 0, 1.5), strict=True):
        row["attributes"][name] = value
    body = msgspec.json.encode([row | {"attributes": {}}])
    told = b", ".join(f'"{name}": {row["attributes"][name]}'.encode() for name in names)
    server.tells(LIST, body.replace(b'"attributes":{}', b'"attributes":{' + told + b"}"))
    allocation = records(read(server), Allocation)["1"]
    assert (allocation.cloud_project, allocation.cloud_project_name, allocation.code) == (
        "12345678901234567890123456789012",
        "0",
        "1.5",
    )


def test_rows_that_disagree_about_a_project(server: Server) -> None:
    """The last one counts; there is one record of it."""
    rows = recorded("nerc_allocations_all")[:3]
    rows[2]["project"]["title"] = "Genes"
    server.tells(LIST, rows)
    assert [project.title for project in records(read(server), ResearchProject).values()] == ["Genes"]


@pytest.mark.parametrize("core", [False, True])
def test_other_names_of_attributes(server: Server, core: bool) -> None:
    """They are the site's own."""
    if core:
        server.tells_core()
    else:
        server.tells(LIST, recorded("nerc_allocations_all"))
    told = read(
        server,
        name="hpc",
        project_id_attribute="Allocated Project Name",
        project_name_attribute="Institution-Specific Code",
        code_attribute="OpenShift Limit on CPU Quota",
    )
    [allocation] = [record for record in told.records if isinstance(record, Allocation) and record.id == "1"]
    assert allocation == Allocation("hpc", "1", "1", "Active", "NERC-OCP", "genomics-4f2a1b", "A-123", "8")


def test_an_attribute_that_is_there_twice(server: Server) -> None:
    """The first value counts; only another value, of an attribute that matters, is worth a warning."""
    rows = recorded("allocations_full")
    for row in rows:
        row["allocation_attributes"] *= 2
        row["allocation_attributes"] += [{"allocation_attribute_type": "Quota", "value": number} for number in "12"]
    server.tells_core(allocations=rows)
    told = read(server)
    assert records(told, Allocation)["8"].cloud_project == "dup-1"
    assert ['Allocation 8 of coldfront has "Allocated Project ID"' in warning for warning in told.warnings] == [True]


@pytest.mark.parametrize(
    ("joined", "first"),
    [
        ("NERC, NERC-OCP", "NERC"),
        ("NERC-OCP, NERC", "NERC-OCP"),
        ("NERC-OCP,NERC", "NERC-OCP"),
        ("NERC-OCP-EDU, NERC-OCP", "NERC-OCP-EDU"),
        ("Big, bold, NERC", "Big, bold"),
        ("Big, bold", "Big, bold"),
        ("Unknown, NERC", "Unknown, NERC"),
        ("NERC-OCP-2, NERC", "NERC-OCP-2, NERC"),
    ],
)
def test_several_resources(server: Server, joined: str, first: str) -> None:
    """The first of them counts, as far as ColdFront knows it by name; names may have commas themselves."""
    rows = recorded("allocations_full")
    rows[0]["resource"] = joined
    server.tells_core(allocations=rows)
    server.tells(RESOURCES, [{"name": "Big"}, *recorded("resources"), {"name": "Big, bold"}])
    assert records(read(server), Allocation)[str(rows[0]["id"])].resource == first


def test_several_resources_of_unknown_names(server: Server) -> None:
    """They stay as they are, with a warning, where the account may not list resources."""
    rows = recorded("allocations_full")
    rows[0]["resource"] = "NERC, NERC-OCP"
    server.tells_core(allocations=rows)
    server.tells(RESOURCES, {"detail": "No."}, 403)
    told = read(server)
    assert records(told, Allocation)[str(rows[0]["id"])].resource == "NERC, NERC-OCP"
    assert any("(403: No)" in warning for warning in told.warnings)


def test_members_that_are_not_told(server: Server) -> None:
    """Nobody is taken to have left."""
    server.tells_core(projects=[row | {"project_users": None} for row in recorded("projects_full")])
    assert read(server).kinds == {Kind.RESEARCH_PROJECT, Kind.ALLOCATION}


def test_attributes_that_are_not_told(server: Server) -> None:
    """Without them every cloud project would lose its owner."""
    server.tells_core(allocations=recorded("allocations"))
    assert "told none at all" in fails(server)


# Lists that do not fit together


def test_an_allocation_that_no_project_lists(server: Server) -> None:
    """Names it, and the right that would bring its project."""
    server.tells_core(projects=[row for row in recorded("projects_full") if row["id"] != 3])
    said = fails(server)
    assert "allocation 6 is in no project's list" in said
    assert "changed while it was read" in said
    assert said.endswith("give the account can_view_all_projects.")


def test_an_allocation_that_is_not_in_the_list(server: Server) -> None:
    """Names it, and the right that would bring it."""
    server.tells_core(allocations=[row for row in recorded("allocations_full") if row["id"] != 6])
    said = fails(server)
    assert "allocation 6 of project 3 is not in the list of allocations" in said
    assert said.endswith("give the account can_view_all_allocations.")


# Many


def many_listed(projects: int, allocations: int) -> list[Row]:
    """Allocations of so many projects, as the list of sites has them."""
    row = recorded("nerc_allocations_all")[0]
    return [
        row | {"id": number, "project": row["project"] | {"id": number % projects, "title": f"Project {number}"}}
        for number in range(allocations)
    ]


def many_core(server: Server, projects: int, allocations: int) -> None:
    """Answer as a core API with so many of both."""
    project, allocation = recorded("projects_full")[0], recorded("allocations_full")[1]
    owned: list[list[Row]] = [[] for _ in range(projects)]
    for number in range(allocations):
        owned[number % projects].append({"id": number, "resource": "NERC", "status": "Active"})
    server.tells_core(
        [project | {"id": number, "allocations": of} for number, of in enumerate(owned)],
        [allocation | {"id": number, "resource": "NERC, NERC-OCP"} for number in range(allocations)],
    )


@pytest.mark.parametrize("core", [False, True])
def test_many_projects(server: Server, core: bool) -> None:
    """Twenty thousand with thirty thousand allocations take a few seconds at most."""
    if core:
        many_core(server, 20_000, 30_000)
    else:
        server.tells(LIST, many_listed(20_000, 30_000))
    began = time.monotonic()
    told = read(server)
    assert time.monotonic() - began < 5
    assert (len(records(told, ResearchProject)), len(records(told, Allocation))) == (20_000, 30_000)


def test_one_bad_row_among_many(server: Server) -> None:
    """Costs one more look at each of the others, not more."""
    server.tells(LIST, [*many_listed(20_000, 30_000), {"id": None, "project": None}])
    began = time.monotonic()
    told = read(server)
    assert time.monotonic() - began < 5
    assert (len(told.rejected), len(records(told, Allocation))) == (1, 30_000)
