"""The way into XDMoD, against a stand-in for its commands."""
