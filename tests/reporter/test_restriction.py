"""What somebody writes, and which of the names that are there is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy.owners import ALWAYS, Label, Owner
from hierarchy.projects import Projects
from ledger import ConfigurationError
from ledger.ownership import ProjectKey
from reporter import Only
from reporter.naming import Labels, meant
from reporter.restriction import Chosen, Names, chosen_of

KNOWN = Names(
    frozenset({("lab", "one"), ("lab", "two"), ("lab", None), ("astro", "one"), ("astro", None), (None, None)}),
    frozenset({"Chen", "chen", "Ada", "unknown"}),
)


@pytest.mark.parametrize(
    ("wanted", "called", "domain"),
    [
        ("lab@one", "lab", ("one",)),
        ("LAB@Two", "lab", ("two",)),
        ("lab (two)", "lab", ("two",)),
        ("lab@unknown", "lab", (None,)),
        ("astro", "astro", None),
        ("astro@one", "astro", ("one",)),
        ("unknown", None, None),
    ],
)
def test_projects_of_the_cloud(wanted: str, called: str | None, domain: tuple[str | None] | None) -> None:
    """By name, and with the domain as somebody writes it, or as reports show it."""
    found = chosen_of(Only(project=wanted), KNOWN, (), Projects())
    assert found == Chosen(called=(called,), domain=domain)


def test_several_of_one_name() -> None:
    """The error has a way to write each, and the keys of those that have one."""
    owner = Owner(Label("lab", "one"), *ALWAYS, "North", "Ann", "ann", ProjectKey("coldfront/7"), ProjectKey("c/1"))
    with pytest.raises(ConfigurationError) as error:
        chosen_of(Only(project="lab"), KNOWN, [owner], Projects())
    assert str(error.value) == (
        'Projects of several domains are called "lab". Name one as: lab@one; lab@two; lab@unknown.'
        " Or by its key: coldfront/7."
    )


ODD = Names(
    frozenset({("lab", "one"), ("lab", "two"), ("lab (one)", "three"), ("lab@two", "one"), ("lab (two)", "one")}),
    frozenset(),
)


def test_a_project_that_is_called_as_another_would_be_shown() -> None:
    """Each is shown otherwise than all others, and what it is shown as is what means it."""
    labels = Labels.of(ODD.called)
    shown = {labels.label(one): one for one in ODD.called}
    assert shown.keys() == {"lab@one", "lab (two) 2", "lab (one)", "lab@two", "lab (two)"}
    for label, (name, domain) in shown.items():
        found = chosen_of(Only(project=label), ODD, (), Projects())
        assert found == Chosen(called=(name,), domain=(domain,) if name == "lab" else None)
    with pytest.raises(ConfigurationError, match=r"Name one as: lab \(two\) 2; lab@one\."):
        chosen_of(Only(project="lab"), ODD, (), Projects())


NAMES = st.sampled_from(["lab", "lab (one)", "lab (one) (one)", "lab@one", "one", "one) (one", "lab (one) 2", "(", "@"])


@given(st.sets(st.tuples(NAMES, NAMES | st.none())))
def test_no_two_projects_are_shown_alike(called: set[tuple[str, str | None]]) -> None:
    """Whatever they and their domains are called; but for one whose domain nobody knows, where there is one alone."""
    labels = Labels.of(called)
    told = [one for one in called if one[0] in labels.doubled or one[1] is not None]
    assert len({labels.label(one) for one in told}) == len(told)


def test_names_before_ids() -> None:
    """Of what is known names are told first, for ids help nobody."""
    ids = [f"{number:032x}" for number in range(9)] + ["6f1de5a8-0a3c-4a53-9b9e-0c9a4b1f4a77"]
    known = Names(frozenset((name, None) for name in [*ids, "zoology"]), frozenset())
    with pytest.raises(ConfigurationError, match="Known: default, site, zoology, 0000"):
        chosen_of(Only(project="!"), known, (), Projects())


def test_who_has_no_usage() -> None:
    """A user or PI that is known otherwise can be asked for."""
    known = KNOWN.beside({"Noor"}, [("North", "Ann", "ann")])
    assert chosen_of(Only(user="noor"), known, (), Projects()).user == ("Noor",)
    assert chosen_of(Only(pi="Ann, North"), known, (), Projects()).pis == frozenset({("North", "Ann", "ann")})


def test_letters_of_either_case() -> None:
    """Where no name is written exactly so, and it is one alone that is meant."""
    assert [meant(word, KNOWN.users) for word in ("Chen", "chen", "CHEN", "ADA", "eve")] == [
        "Chen", "chen", None, "Ada", None,
    ]  # fmt: skip


def test_a_domain_that_nobody_knows() -> None:
    """It is none of several: a name that is in one domain, as far as is known, stands alone."""
    labels = Labels.of(KNOWN.called)
    assert [labels.label(one) for one in (("lab", "one"), ("lab", None), ("astro", "one"), (None, "one"))] == [
        "lab (one)", "lab (unknown)", "astro", None,
    ]  # fmt: skip
