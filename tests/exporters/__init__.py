"""Tests of the files that XDMoD reads."""
