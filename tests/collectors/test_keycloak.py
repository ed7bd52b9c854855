"""What a reading asks of a Keycloak, and what it takes the answers for."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from collectors.keycloak import Login, read_keycloak
from collectors.keycloak.realm import Progress
from collectors.told import Told
from ledger import ConfigurationError, Kind, SourceUnavailable, XdmodCloudError
from ledger.ownership import Membership, Person
from tests.real.keycloak import FIELD, INSTITUTION, Body, Fault, Keycloak, person

PAGE = b"<!DOCTYPE html><html><body>Welcome</body></html>"


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Between two attempts nobody waits."""
    with patch("urllib3.util.Retry.sleep"):
        yield


@pytest.fixture
def keycloak() -> Iterator[Keycloak]:
    """A realm of five users."""
    with Keycloak([person(number) for number in range(5)]) as server:
        yield server


def quietly(part: str, done: int, total: int) -> None:
    """Show no progress."""


def read(server: Keycloak, folder: Path, progress: Progress = quietly, **settings: Any) -> Told:
    source = server.source(folder, **settings)
    return read_keycloak(source, Login(source, server.clock), progress)


def people(told: Told) -> list[Person]:
    return [record for record in told.records if isinstance(record, Person)]


def ids(users: list[Body]) -> set[str]:
    return {user["id"] for user in users}


def failure(call: Callable[[], object]) -> XdmodCloudError:
    """What a user would be told; one line."""
    with pytest.raises(XdmodCloudError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# What is told


def test_a_user_is_read_with_names_and_attributes(tmp_path: Path) -> None:
    """As Keycloak has it, with blanks taken off."""
    values = {
        INSTITUTION: [" University A ", "", None, "University B"],
        FIELD: ["physics", " "],
        "phone": [None, {"odd": 1}],
    }
    user = person(1, email="a@university.example ", firstName=" Ada", enabled=False, attributes=values)
    with Keycloak([user]) as server:
        told = read(server, tmp_path)
    assert told.records == [
        Person(
            user["id"], "user-00001", "a@university.example", "Ada", "Last 1", False,
            ("University A", "University B"), ("physics",),
        )
    ]  # fmt: skip
    assert told.kinds == {Kind.PERSON}
    assert (told.source, told.rejected, told.warnings) == ("keycloak", [], [])


def test_a_user_of_whom_only_a_name_is_known(tmp_path: Path) -> None:
    """Neither names nor e-mail nor attributes are needed."""
    bare = person(1, firstName=None, lastName=None, email=None, attributes=None)
    half = person(2, attributes={INSTITUTION: []})
    with Keycloak([bare, half, person(3)]) as server:
        told = people(read(server, tmp_path))
    assert told[0] == Person(bare["id"], "user-00001")
    assert (told[1].institutions, told[1].fields) == ((), ())
    assert len(told) == 3


def test_the_time_is_that_of_the_keycloak(keycloak: Keycloak, tmp_path: Path) -> None:
    """The source's own clock says when the reading began, not that of this machine, and not when it ended."""
    keycloak.at = began = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)

    def later(*_: object) -> None:
        keycloak.at = began.replace(hour=5)

    assert read(keycloak, tmp_path, later).at == began


def test_service_accounts_are_no_people(keycloak: Keycloak, tmp_path: Path) -> None:
    """Users that stand for clients are neither people nor members."""
    keycloak.users.append(person(9, username="service-account-xdmod-cloud"))
    keycloak.groups = [{"name": "all", "members": list(ids(keycloak.users))}]
    told = read(keycloak, tmp_path, groups=True)
    assert not any("service-account" in str(record) for record in told.records)
    assert len(told.records) == 10


@pytest.mark.parametrize(
    "fault",
    [
        {"id": None}, {"id": ""}, {"username": None}, {"username": 7}, {"email": ["a@b.example"]},
        {"attributes": {INSTITUTION: "University A"}}, {"attributes": []},
    ],
)  # fmt: skip
def test_a_user_that_cannot_be_read_is_set_aside(keycloak: Keycloak, tmp_path: Path, fault: Body) -> None:
    """Whole and with the reason, while the others are read."""
    keycloak.users.insert(2, person(77, **fault))
    told = read(keycloak, tmp_path)
    assert len(people(told)) == 5
    [rejected] = told.rejected
    assert Kind.PERSON not in told.kinds
    assert 'in the list of Keycloak "keycloak" cannot be used' in rejected.reason
    assert "Last 77" in rejected.body


# Pages


@pytest.mark.parametrize("number", [1, 99, 100, 101, 1000, 2000, 2500])
def test_every_page_is_read(tmp_path: Path, number: int) -> None:
    """However many users there are, with the last page full or not."""
    users = [person(index) for index in range(number)]
    shown: list[tuple[str, int, int]] = []
    with Keycloak(users) as server:
        told = read(server, tmp_path, lambda *progress: shown.append(progress))
        assert [one.id for one in people(told)] == [user["id"] for user in users]
        assert len(server.asked("/users?")) == number // 1000 + 1
    assert shown[-1] == ("users", number, number)


@pytest.mark.parametrize("most", [1, 7, 50, 51])
def test_a_server_that_hands_out_less_than_it_is_asked_for(tmp_path: Path, most: int) -> None:
    """Its pages are short, and none of them is the last before all users came."""
    with Keycloak([person(number) for number in range(50)], most=most) as server:
        assert len(people(read(server, tmp_path))) == 50


def test_groups_of_a_server_that_hands_out_less(tmp_path: Path) -> None:
    """What was learned from the users holds for groups and their members."""
    users = [person(number) for number in range(50)]
    groups = [{"name": f"lab-{number}", "members": list(ids(users))} for number in range(25)]
    with Keycloak(users, groups, most=20) as server:
        assert len(read(server, tmp_path, groups=True).records) == 50 + 25 * 50


def test_a_list_that_ends_too_early_is_no_list(tmp_path: Path) -> None:
    """Nobody is taken for gone because an answer was cut."""
    with Keycloak([person(number) for number in range(30)], cut=20) as server:
        error = failure(lambda: read(server, tmp_path, page=10))
    assert isinstance(error, SourceUnavailable)
    assert "has 30 users, but its list ended after 20" in str(error)


def test_a_list_that_never_ends(tmp_path: Path) -> None:
    """A proxy that loses the parameters of the question does not keep a reading busy for ever."""
    with Keycloak([person(number) for number in range(30)]) as server:
        first = b'[{"id": "1", "username": "a"}, {"id": "2", "username": "b"}]'
        server.faults = [Fault("/users?", 200, first)]
        error = failure(lambda: read(server, tmp_path, page=2))
    assert isinstance(error, SourceUnavailable)
    assert "over and over" in str(error)


def changing(change: Callable[[], object]) -> Progress:
    """Let something happen to the server once the first page was read."""
    waiting = [change]

    def progress(*_: object) -> None:
        if waiting:
            waiting.pop()()

    return progress


def test_a_user_created_meanwhile_shifts_the_list(tmp_path: Path) -> None:
    """The user at the end of a page comes again on the next one, and is one user."""
    with Keycloak([person(number) for number in range(25)]) as server:
        new = person(99)
        told = read(server, tmp_path, changing(lambda: server.users.insert(0, new)), page=10)
        found = [one.id for one in people(told)]
        assert len(found) == len(set(found))
        assert set(found) == ids(server.users)


def test_a_user_deleted_meanwhile_hides_nobody(tmp_path: Path) -> None:
    """Who moves up onto a page that was read already is found nevertheless."""
    with Keycloak([person(number) for number in range(25)]) as server:
        told = read(server, tmp_path, changing(lambda: server.users.pop(0)), page=10)
        assert ids(server.users) <= {one.id for one in people(told)}


def test_users_deleted_at_the_end_are_not_missed(tmp_path: Path) -> None:
    """Fewer users than at first are not a list that ended too early, if Keycloak counts fewer, too."""
    with Keycloak([person(number) for number in range(25)]) as server:
        told = read(server, tmp_path, changing(lambda: server.users.pop()), page=10)
        assert {one.id for one in people(told)} == ids(server.users)


def test_no_user_at_all_is_an_error(tmp_path: Path) -> None:
    """An empty realm is the wrong one, or the account sees nobody."""
    with Keycloak() as server:
        error = failure(lambda: read(server, tmp_path, institution_attribute="", field_attribute=""))
    assert isinstance(error, ConfigurationError)
    assert "shows this account no user at all" in str(error)
    assert "view-users" in str(error)


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (person(1, id=None), "no user that can be used. User user-00001 in"),
        (person(1, username="service-account-a"), "no user at all"),
    ],
)
def test_a_realm_without_a_usable_user_is_an_error(tmp_path: Path, user: Body, said: str) -> None:
    """Even if it has some; the error shows the first of those that cannot be used."""
    with Keycloak([user]) as server:
        error = failure(lambda: read(server, tmp_path, institution_attribute="", field_attribute=""))
    assert said in str(error)


# Attributes


def test_hidden_attributes_are_an_error(keycloak: Keycloak, tmp_path: Path) -> None:
    """A Keycloak that hides them is not one where nobody has an institution."""
    keycloak.hidden_attributes = True
    error = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(error, ConfigurationError)
    for said in (INSTITUTION, FIELD, "version 24", "User profile", "Only administrators can view"):
        assert said in str(error)
    assert "correct institution_attribute and field_attribute" in str(error)


@pytest.mark.parametrize(
    ("missing", "present", "key"),
    [(INSTITUTION, FIELD, "institution_attribute"), (FIELD, INSTITUTION, "field_attribute")],
)
def test_one_attribute_that_nobody_has(
    keycloak: Keycloak, tmp_path: Path, missing: str, present: str, key: str
) -> None:
    """The error names that one, and the setting to correct; a blank value is none."""
    for user in keycloak.users:
        user["attributes"][missing] = [" "]
    said = str(failure(lambda: read(keycloak, tmp_path)))
    assert f'"{missing}"' in said
    assert present not in said
    assert f"correct {key};" in said
    without: dict[str, Any] = {key: ""}
    assert len(people(read(keycloak, tmp_path, **without))) == 5


def test_one_user_with_each_attribute_is_enough(keycloak: Keycloak, tmp_path: Path) -> None:
    """Most users of a site may lack them."""
    keycloak.users[1:] = [person(number, attributes=None) for number in range(1, 5)]
    assert [len(one.institutions) for one in people(read(keycloak, tmp_path))] == [1, 0, 0, 0, 0]


def test_a_site_without_attributes(keycloak: Keycloak, tmp_path: Path) -> None:
    """Two empty names say that there are none, and none is read."""
    told = people(read(keycloak, tmp_path, institution_attribute="", field_attribute=""))
    assert {(one.institutions, one.fields) for one in told} == {((), ())}


# Groups


def memberships(told: Told) -> set[tuple[str, str | None]]:
    found = [record for record in told.records if isinstance(record, Membership)]
    assert {record.role for record in found} <= {"member"}
    assert len({(record.project, record.user) for record in found}) == len(found)
    return {(record.project, record.name) for record in found}


@pytest.mark.parametrize("old_groups", [False, True])
def test_groups_within_groups(keycloak: Keycloak, tmp_path: Path, old_groups: bool) -> None:
    """Each has its own members, in every version's way to list them."""
    a, b, c = (user["id"] for user in keycloak.users[:3])
    keycloak.old_groups = old_groups
    inmost = {"name": "c", "members": [a, c]}
    keycloak.groups = [
        {"name": "a", "members": [a, b], "groups": [{"name": "b", "members": [b], "groups": [inmost]}]},
        {"name": "empty"},
    ]
    told = read(keycloak, tmp_path, groups=True, name="sso")
    assert told.kinds == {Kind.PERSON, Kind.MEMBERSHIP}
    assert memberships(told) == {
        ("sso/a", "user-00000"), ("sso/a", "user-00001"), ("sso/a/b", "user-00001"),
        ("sso/a/b/c", "user-00000"), ("sso/a/b/c", "user-00002"),
    }  # fmt: skip
    assert {record.user for record in told.records if isinstance(record, Membership)} == {a, b, c}


def test_many_groups_and_members(tmp_path: Path) -> None:
    """More groups within a group than ten, more groups and members than a hundred, more than a page of each."""
    users = [person(number) for number in range(130)]
    groups: list[Body] = [{"name": f"top-{number}"} for number in range(120)]
    groups[7]["groups"] = [{"name": f"lab-{number}", "members": [users[0]["id"]]} for number in range(35)]
    groups[8]["members"] = list(ids(users))
    with Keycloak(users, groups) as server:
        for page in (11, 1000):
            told = read(server, tmp_path, groups=True, page=page)
            assert len(memberships(told)) == 35 + 130


def test_groups_are_read_only_where_they_are_wanted(keycloak: Keycloak, tmp_path: Path) -> None:
    """A site without groups need not grant the role for them."""
    keycloak.roles.discard("query-groups")
    assert read(keycloak, tmp_path).kinds == {Kind.PERSON}
    assert keycloak.asked("groups") == []


def test_groups_that_are_wanted_but_not_there(keycloak: Keycloak, tmp_path: Path) -> None:
    """No group at all is not taken for the end of all memberships."""
    error = failure(lambda: read(keycloak, tmp_path, groups=True))
    assert isinstance(error, ConfigurationError)
    assert "no group" in str(error)


def test_a_group_deleted_meanwhile(keycloak: Keycloak, tmp_path: Path) -> None:
    """It has no members any more, and the others have theirs."""
    everybody = list(ids(keycloak.users))
    keycloak.groups = [{"name": "stays", "members": everybody}, {"name": "goes", "members": everybody}]

    def progress(part: str, *_: object) -> None:
        if part == "groups":
            del keycloak.groups[1:]

    assert {path for path, _ in memberships(read(keycloak, tmp_path, progress, groups=True))} == {"keycloak/stays"}


def test_a_group_deleted_before_those_within_it_were_listed(keycloak: Keycloak, tmp_path: Path) -> None:
    """They are gone with it."""
    everybody = list(ids(keycloak.users))
    keycloak.groups = [{"name": "goes", "groups": [{"name": "too"}]}, {"name": "stays", "members": everybody}]
    keycloak.faults = [Fault("/children", 404, b'{"error": "Could not find group by id"}')]
    assert {path for path, _ in memberships(read(keycloak, tmp_path, groups=True))} == {"keycloak/stays"}


def test_a_member_that_cannot_be_read_is_set_aside(keycloak: Keycloak, tmp_path: Path) -> None:
    """With the group's path as part of the reason, while the other members are read."""
    keycloak.groups = [{"name": "all"}]
    keycloak.faults = [Fault("/members", 200, b'[{"username": "a"}, {"id": "7", "username": "b"}]')]
    told = read(keycloak, tmp_path, groups=True)
    assert memberships(told) == {("keycloak/all", "b")}
    assert [rejected.body for rejected in told.rejected] == ['{"username": "a"}']
    assert told.kinds == {Kind.PERSON}
    assert "User a in group /all of" in told.rejected[0].reason


def test_a_group_that_cannot_be_read(keycloak: Keycloak, tmp_path: Path) -> None:
    """Nobody is taken for having left it."""
    keycloak.faults = [Fault("/groups?", 200, b'[{"id": 7}]')]
    error = failure(lambda: read(keycloak, tmp_path, groups=True))
    assert isinstance(error, SourceUnavailable)
    assert "group that cannot be read" in str(error)


# The account


def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """A sweep that takes longer than a token lives is never refused."""
    clock = Clock()

    def pass_by(*_: object) -> None:
        clock.now += 25

    with Keycloak([person(number) for number in range(95)], token_life=60, clock=clock) as server:
        assert len(people(read(server, tmp_path, pass_by, page=10))) == 95
        assert {seen.status for seen in server.requests} == {200}
        # 250 s, and each token is good for three pages: 0, 25 and 50 s, but not 75 s.
        assert len(server.asked("/token")) == 4


@pytest.mark.parametrize(("life", "age", "renewed"), [(60, 53, 1), (60, 55, 2), (300, 269, 1), (300, 271, 2)])
def test_a_token_is_renewed_with_a_margin(
    keycloak: Keycloak, tmp_path: Path, life: int, age: int, renewed: int
) -> None:
    """Half a minute of a long life, a tenth of a short one."""
    keycloak.clock = clock = Clock()
    keycloak.token_life = life
    login = Login(keycloak.source(tmp_path), clock)
    for _ in range(2):
        read_keycloak(keycloak.source(tmp_path), login, quietly)
        clock.now += age
    assert len(keycloak.asked("/token")) == renewed


def test_a_token_that_is_refused_is_renewed(tmp_path: Path) -> None:
    """A Keycloak that was restarted in the middle of a sweep is read to the end."""
    with Keycloak([person(number) for number in range(25)]) as server:
        assert len(people(read(server, tmp_path, changing(server.revoke), page=10))) == 25
        assert [seen.status for seen in server.requests].count(401) == 1
        assert len(server.asked("/token")) == 2


def test_a_token_that_is_refused_again_is_an_error(keycloak: Keycloak, tmp_path: Path) -> None:
    """One new token is tried, and no more."""
    keycloak.token_life = 0
    error = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(error, ConfigurationError)
    assert "401" in str(error)
    assert "view-users" in str(error)
    assert [seen.status for seen in keycloak.requests] == [200, 401, 200, 401]


@pytest.mark.parametrize("what", ["secret", "client"])
def test_a_wrong_client_is_not_tried_again(keycloak: Keycloak, tmp_path: Path, what: str) -> None:
    """The error says where the secret is kept, but not what it is; the account is not locked by attempts."""
    source = keycloak.source(tmp_path)
    setattr(keycloak, what, "another")
    error = failure(lambda: read_keycloak(source, Login(source), quietly))
    assert isinstance(error, ConfigurationError)
    assert "Invalid client or Invalid client credentials" in str(error)
    assert str(source.secret_file) in str(error)
    assert source.secret_file.read_text().strip() not in f"{error} {error.__cause__!r} {error.__context__!r}"
    assert len(keycloak.requests) == 1


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope"])
def test_a_client_that_may_not_log_in_so(keycloak: Keycloak, tmp_path: Path, error: str) -> None:
    """Keycloak says some faults of a client with 400."""
    keycloak.faults = [Fault("/token", 400, f'{{"error": "{error}"}}'.encode())]
    refused = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(refused, ConfigurationError)
    assert error in str(refused)
    assert len(keycloak.requests) == 1


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_that_cannot_be_read(keycloak: Keycloak, tmp_path: Path, content: bytes | None) -> None:
    """The error names the file, and nobody is asked."""
    source = keycloak.source(tmp_path)
    source.secret_file.unlink()
    if content is not None:
        source.secret_file.write_bytes(content)
    error = failure(lambda: read_keycloak(source, Login(source), quietly))
    assert isinstance(error, ConfigurationError)
    assert str(source.secret_file) in str(error)
    assert keycloak.requests == []


@pytest.mark.parametrize(
    "body",
    [
        PAGE, b"", b"[]", b"null", b"{}", b'{"access_token": null}', b'{"access_token": ""}',
        b'{"access_token": "se cret\\n"}', b'{"access_token": "secret", "expires_in": "soon"}',
    ],
)  # fmt: skip
def test_an_answer_without_a_token(keycloak: Keycloak, tmp_path: Path, body: bytes) -> None:
    """Nothing is asked without one, and what might be a secret is not shown."""
    keycloak.faults = [Fault("/token", 200, body)]
    error = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(error, SourceUnavailable)
    assert "/token" in str(error)
    assert "cret" not in str(error)
    assert len(keycloak.requests) == 1


def test_nothing_shows_the_secret_or_the_token(keycloak: Keycloak, tmp_path: Path) -> None:
    """Neither the login nor any error of it; the requests carry the token in their heads only."""
    source = keycloak.source(tmp_path)
    login = Login(source)
    read_keycloak(source, login, quietly)
    [token] = keycloak._tokens
    keycloak.faults = [Fault("/admin", 500, b"{}")]
    error = failure(lambda: read_keycloak(source, login, quietly))
    for shown in (repr(login), str(login), repr(error), repr(error.__cause__), repr(keycloak), str(keycloak.requests)):
        assert token not in shown
        assert keycloak.secret not in shown


def test_the_token_is_good_for_services_that_want_openid(keycloak: Keycloak, tmp_path: Path) -> None:
    """A ColdFront takes it, as it was asked for with that scope."""
    read(keycloak, tmp_path)
    [token] = keycloak._tokens
    assert keycloak.knows(f"Bearer {token}", "openid")


def test_the_client_is_not_what_netrc_says(keycloak: Keycloak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for the host, made for somebody else, is not used."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert len(people(read(keycloak, tmp_path))) == 5


def test_the_token_is_not_given_to_another_host(keycloak: Keycloak, tmp_path: Path) -> None:
    """A redirect to where the token is refused ends there."""
    elsewhere = keycloak.url.replace("127.0.0.1", "localhost")
    keycloak.faults = [Fault("/admin", 302, headers={"Location": f"{elsewhere}/admin/realms/cloud/"}, times=1)]
    assert isinstance(failure(lambda: read(keycloak, tmp_path)), ConfigurationError)
    assert [seen.status for seen in keycloak.requests] == [200, 302, 401]


def test_the_secret_is_not_sent_on(keycloak: Keycloak, tmp_path: Path) -> None:
    """Where the token endpoint redirects to another address, the error names that one."""
    keycloak.faults = [Fault("/token", 307, headers={"Location": "https://sso.example/token?state=x"})]
    error = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(error, ConfigurationError)
    assert "to https://sso.example/token. Correct its url." in str(error)


# Rights and addresses


@pytest.mark.parametrize(("lacking", "groups"), [("view-users", False), ("query-groups", True)])
def test_an_account_that_may_not(keycloak: Keycloak, tmp_path: Path, lacking: str, groups: bool) -> None:
    """The error names the role that the account needs."""
    keycloak.roles.discard(lacking)
    error = failure(lambda: read(keycloak, tmp_path, groups=groups))
    assert isinstance(error, ConfigurationError)
    assert "403" in str(error)
    assert lacking in str(error)
    assert [seen.status for seen in keycloak.requests].count(403) == 1


def test_paths_that_begin_with_auth(tmp_path: Path) -> None:
    """An old Keycloak is read as any other, if its url says so; a slash at the end does not matter."""
    with Keycloak([person(1)], prefix="/auth") as server:
        assert len(people(read(server, tmp_path))) == 1
        assert len(people(read(server, tmp_path, url=f"{server.url}/"))) == 1
        url = server.url.removesuffix("/auth")
        error = failure(lambda: read(server, tmp_path, url=url))
    assert isinstance(error, ConfigurationError)
    assert f"at {url} " in str(error)
    assert "/auth" in str(error)


def test_a_realm_that_is_not_there(keycloak: Keycloak, tmp_path: Path) -> None:
    """The error names the realm and the address."""
    error = failure(lambda: read(keycloak, tmp_path, realm="clod"))
    assert isinstance(error, ConfigurationError)
    assert f'has no realm "clod" at {keycloak.url}' in str(error)
    assert "/auth" in str(error)


def test_an_admin_api_that_is_shut_off(keycloak: Keycloak, tmp_path: Path) -> None:
    """Many sites let only some addresses see it: the error says that a token was given."""
    keycloak.faults = [Fault("/admin/", 404, PAGE)]
    error = failure(lambda: read(keycloak, tmp_path))
    assert isinstance(error, ConfigurationError)
    assert 'gave a token for realm "cloud"' in str(error)
    assert keycloak.url in str(error)


def test_a_realm_with_a_name_that_needs_quoting(tmp_path: Path) -> None:
    """A blank or a slash in the name does not lead elsewhere."""
    with Keycloak([person(1)], realm="my%20cloud%2F1") as server:
        assert len(people(read(server, tmp_path, realm="my cloud/1"))) == 1


# Faults


@pytest.mark.parametrize("part", ["/token", "/users?", "/users/count", "/groups?", "/members"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_that_passes(keycloak: Keycloak, tmp_path: Path, part: str, status: int) -> None:
    """Nobody notices a few failed attempts."""
    keycloak.groups = [{"name": "all", "members": list(ids(keycloak.users))}]
    keycloak.faults = [Fault(part, status, times=3)]
    assert len(read(keycloak, tmp_path, groups=True).records) == 10
    assert [seen.status for seen in keycloak.requests].count(status) == 3


@pytest.mark.parametrize("part", ["/token", "/users?", "/users/count", "/groups?", "/members"])
@pytest.mark.parametrize("fault", [Fault("", 503), Fault("", 200, PAGE), Fault("", 200, b'{"error": "x"}')])
def test_a_fault_that_stays(keycloak: Keycloak, tmp_path: Path, part: str, fault: Fault) -> None:
    """What a broken Keycloak says is never taken for a list; the error names what was asked."""
    keycloak.groups = [{"name": "all"}]
    keycloak.faults = [Fault(part, fault.status, fault.body)]
    error = failure(lambda: read(keycloak, tmp_path, groups=True))
    assert isinstance(error, SourceUnavailable)
    assert part.strip("?") in str(error)
    assert "Nothing was recorded" in str(error)


def test_a_keycloak_that_does_not_answer(keycloak: Keycloak, tmp_path: Path) -> None:
    """Nobody at the address: run again later."""
    source = keycloak.source(tmp_path)
    keycloak.__exit__(None, None, None)
    try:
        assert isinstance(failure(lambda: read_keycloak(source, Login(source), quietly)), SourceUnavailable)
    finally:
        keycloak.__enter__()


def test_an_answer_that_breaks_off(keycloak: Keycloak, tmp_path: Path) -> None:
    """A connection that ends too early brings no half list."""
    keycloak.faults = [Fault("/users?", 200, b"[", headers={"Content-Length": "1000", "Connection": "close"})]
    assert isinstance(failure(lambda: read(keycloak, tmp_path)), SourceUnavailable)


@pytest.mark.parametrize("url", ["", "keycloak.example", "http://"])
def test_an_url_that_is_none(keycloak: Keycloak, tmp_path: Path, url: str) -> None:
    """It is the configuration's fault."""
    error = failure(lambda: read(keycloak, tmp_path, url=url))
    assert isinstance(error, ConfigurationError)
    assert "Correct its url" in str(error)


def test_fifty_thousand_users_in_ten_seconds(tmp_path: Path) -> None:
    """Of a server that takes 50 ms for a page."""
    with Keycloak([person(number) for number in range(50_000)], delay=0.05) as server:
        began = time.monotonic()
        assert len(people(read(server, tmp_path))) == 50_000
        assert time.monotonic() - began < 10
