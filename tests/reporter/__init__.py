"""Tests of the reporter."""
