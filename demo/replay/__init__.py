"""A server that answers like a real Keystone, Nova and Placement, from recorded answers or a simulated cloud."""

from demo.replay.faults import (
    DROPPED,
    INTERNAL_ERROR,
    LOGIN_PAGE,
    TRUNCATED,
    UNAVAILABLE,
    Fault,
    FaultHook,
    slow,
    too_many_requests,
)
from demo.replay.keystone import Account
from demo.replay.server import Replay, Seen
from demo.replay.store import Action, Body, Cloud, Recording, Server, action_of, server_of
from demo.replay.wire import Answer, Request

__all__ = [
    "DROPPED",
    "INTERNAL_ERROR",
    "LOGIN_PAGE",
    "TRUNCATED",
    "UNAVAILABLE",
    "Account",
    "Action",
    "Answer",
    "Body",
    "Cloud",
    "Fault",
    "FaultHook",
    "Recording",
    "Replay",
    "Request",
    "Seen",
    "Server",
    "action_of",
    "server_of",
    "slow",
    "too_many_requests",
]
