"""Reads servers and their actions: what changed since the watermark, or everything."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from collectors.openstack.answers import ActionPage, ActionShown, ServerPage, action_records, server_id, server_record
from collectors.openstack.cloud import ROLE, Cloud, Gone
from collectors.openstack.settings import OpenStackSource
from ledger import Action, ConfigurationError, Rejected, Server
from ledger.records import InstanceId
from ledger.store import KnownServer
from ledger.times import EPOCH, iso_seconds

__all__ = ["Listing", "actions_of", "check_role", "list_servers"]

#: Actions after which a server may be on another host than before.
MOVES = frozenset({"resize", "migrate", "live-migration", "evacuate", "unshelve"})
#: Moves whose events do not say where the server was before.
_LEAVES_UNSAID = frozenset({"evacuate", "unshelve"})
#: Nova writes an action's finish a moment after the server's last update.
_SETTLES = timedelta(seconds=60)
_PAGE = "1000"
Progress = Callable[[str, int, int], None]


class Listing(NamedTuple):
    """What a list of servers told: by id, each once; what could not be used, and the ids of that."""

    servers: dict[InstanceId, Server]
    rejected: list[Rejected]
    unusable: set[InstanceId]


def check_role(cloud: Cloud) -> datetime:
    """Make sure that the account sees the deleted servers of all projects; return Nova's time.

    A plain member is refused (403); an account that sees all projects but not deleted servers has that filter
    ignored without a word, so its answer must be looked at. Raises ConfigurationError for either.
    """
    path = "/servers/detail?all_tenants=1&deleted=True&limit=1"
    page, at = cloud.decoded("compute", path, ServerPage, cloud.microversion)
    for answer in page.servers:
        server = server_record(answer)
        if isinstance(server, Server) and server.status not in ("DELETED", "SOFT_DELETED"):
            raise ConfigurationError(
                f'Nova of cloud "{cloud.name}" shows this account no deleted servers: asked for them, it lists'
                f" {server.id}, which is {server.status}. {ROLE}"
            )
    return at


def list_servers(cloud: Cloud, changed_since: datetime | None, *, deleted_only: bool = False) -> Listing:
    """List live servers, or, given a time, those that changed since, deleted ones included.

    Softly deleted servers are not in a list of live ones, but in one of deleted ones.
    """
    query = {"all_tenants": "1", "limit": _PAGE}
    if deleted_only:
        query["deleted"] = "True"
    if changed_since is not None:
        query["changes-since"] = iso_seconds(max(changed_since, EPOCH))
    servers: dict[InstanceId, Server] = {}
    rejected: list[Rejected] = []
    unusable: set[InstanceId] = set()
    for page, _ in cloud.paged("/servers/detail", query, ServerPage, "servers_links"):
        for answer in page.servers:
            read = server_record(answer)
            if isinstance(read, Rejected):
                rejected.append(read)
                unusable.update(filter(None, [server_id(answer)]))
            else:
                servers[read.id] = read
    return Listing(servers, rejected, unusable)


def actions_of(
    cloud: Cloud,
    servers: Iterable[Server],
    known: Mapping[InstanceId, KnownServer],
    settings: OpenStackSource,
    read_up_to: datetime,
    progress: Progress,
) -> Iterator[Action]:
    """Read the actions of those servers of which something may be new, several at once, in the servers' order."""
    if settings.overlap_seconds < _SETTLES.total_seconds():
        # Only an overlap makes sure that the reading after a server had settled listed it.
        read_up_to = EPOCH
    asked = [server for server in servers if _may_have_news(server, known.get(server.id), read_up_to)]
    with ThreadPoolExecutor(settings.workers) as pool:
        try:
            for done, actions in enumerate(pool.map(lambda s: _actions(cloud, s, known.get(s.id)), asked), 1):
                progress("actions", done, len(asked))
                yield from actions
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _may_have_news(server: Server, known: KnownServer | None, read_up_to: datetime) -> bool:
    if known is None or server != known.server or server.task_state is not None:
        return True
    return max(known.observed, read_up_to) < server.updated + _SETTLES


def _actions(cloud: Cloud, server: Server, known: KnownServer | None) -> list[Action]:
    path = f"/servers/{server.id}/os-instance-actions"
    try:
        pages = [page for page, _ in cloud.paged(path, {}, ActionPage, "links")]
    except Gone:
        if not server.ended:
            # It lived a moment ago. No answer is not an answer: the next reading will know better.
            raise
        return []  # archived between the list and this question
    actions = action_records(server.id, (action for page in pages for action in page.actions))
    told = {action.identity: action.hosts for action in known.actions} if known else {}
    actions = [replace(action, hosts=told.get(action.identity, ())) for action in actions]
    moves = [action for action in actions if action.action in MOVES and not action.failed and not action.hosts]
    since = [move for move in moves if known is None or move.start > known.observed]
    if known is not None and len(since) == 1:
        # One move between two observations: the hosts before and after it are known without asking.
        return actions
    if known is None and (since[0].action in _LEAVES_UNSAID if since else server.host is None and server.launched):
        since = [*(action for action in actions if action.action == "create"), *since]
    shown = {action.identity: _hosts(cloud, path, action) for action in since}
    return [replace(action, hosts=shown.get(action.identity, action.hosts)) for action in actions]


def _hosts(cloud: Cloud, path: str, action: Action) -> tuple[tuple[str, str], ...]:
    try:
        answer, _ = cloud.decoded("compute", f"{path}/{action.request}", ActionShown, cloud.microversion)
    except Gone:
        return ()
    return answer.hosts
