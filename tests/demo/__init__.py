"""Tests of the demonstration's server."""
