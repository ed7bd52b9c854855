"""Tests of what reads the outside world."""
