"""Counts are said as a person would say them."""

import pytest

from ledger.counts import counted, tallied


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("pods have no price", "pod has no price"),
        ("records do not fit the schema", "record does not fit the schema"),
        ("more files of events were not tried", "more file of events was not tried"),
        ("event files", "event file"),
        ("entries", "entry"),
        ("owners of sessions", "owner of sessions"),
        ("sessions count for nobody", "session counts for nobody"),
        ("are new", "is new"),
        ("appended", "appended"),
        ("shorter than a step", "shorter than a step"),
    ],
)
def test_one_is_in_the_singular(several: str, one: str) -> None:
    """And none is said as many are, with a comma between thousands."""
    assert counted(1, several) == f"1 {one}"
    assert counted(0, several) == f"0 {several}"
    assert counted(1200, several) == f"1,200 {several}"


def test_counts_stand_in_their_order() -> None:
    """Each in the number that is its own."""
    assert tallied({"pods": 15, "without uid": 0, "claims": 1}) == "15 pods, 0 without uid, 1 claim"
    assert tallied({}) == ""
