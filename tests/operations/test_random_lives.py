"""Whatever servers do, and whenever they are looked at, they are charged for the seconds in which they ran."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from demo.replay import Replay
from tests.simulation import SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 1, tzinfo=UTC)
#: What a server can do, and whether it runs afterwards (none: as before).
OPERATIONS = {
    "stop": False,
    "start": True,
    "pause": False,
    "unpause": True,
    "suspend": False,
    "resume": True,
    "shelve": False,
    "unshelve": True,
    "resize": None,
    "confirm_resize": None,
    "revert_resize": None,
    "rebuild": None,
    "live_migrate": None,
    "reboot": True,
    "soft_delete": False,
    "restore": True,
    "delete": False,
}
Ran = dict[tuple[str, str], int]
#: A life takes a second; shrinking one takes minutes.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=_PHASES)
def test_active_seconds_are_those_in_which_servers_ran(data: st.DataObject) -> None:
    """Active sessions come to the time between the end of what started a server and the start of what stopped it."""
    cloud = SimulatedCloud(START)
    ran: Ran = defaultdict(int)
    with TemporaryDirectory() as folder, Replay(cloud) as server:
        site = Site.beside(server, Path(folder))
        lives = [_Life(cloud, f"server-{number}", ran) for number in range(data.draw(st.integers(1, 3)))]
        for _ in range(data.draw(st.integers(1, 14))):
            cloud.advance(minutes=data.draw(st.integers(1, 400)))
            data.draw(st.sampled_from(lives)).do(data)
            if data.draw(st.booleans()):
                site.collect(sweep=data.draw(st.booleans()))
                site.export()
        # On the hour, and the overlap later, so that the last heartbeat stands for all that is known.
        end = cloud.now.replace(minute=0, second=0) + timedelta(hours=2)
        site.round(end + timedelta(minutes=5, seconds=1))
        for life in lives:
            life.end(end)
        charged: Ran = defaultdict(int)
        for session in site.sessions():
            if session.instance_state_id == 1:
                charged[session.instance, session.instance_type] += session.wallduration
    assert _summed(charged) == _summed(ran)


class _Life:
    """One server, and when it runs."""

    def __init__(self, cloud: SimulatedCloud, name: str, ran: Ran) -> None:
        self.cloud, self.ran = cloud, ran
        self.id = cloud.boot(name)
        self.since: datetime | None = cloud.now

    def do(self, data: st.DataObject) -> None:
        possible = sorted(set(self.cloud.possible(self.id)) & OPERATIONS.keys())
        if not possible:
            return
        operation = data.draw(st.sampled_from(possible))
        start = self.cloud.now
        if operation == "resize":
            self.cloud.resize(self.id, data.draw(st.sampled_from(["m1.medium", "m1.large"])))
        elif operation == "reboot":
            self.cloud.reboot(self.id, hard=True)
        else:
            getattr(self.cloud, operation)(self.id)
        runs = OPERATIONS[operation]
        if runs is False:
            self.end(start)
        elif runs and self.since is None:
            self.since = self.cloud.now

    def end(self, at: datetime) -> None:
        if self.since is not None:
            self.ran[self.id, ""] += round((at - self.since).total_seconds())
        self.since = None


def _summed(seconds: Ran) -> dict[str, int]:
    by_server: dict[str, int] = defaultdict(int)
    for (server, _), count in seconds.items():
        by_server[server] += count
    return {server: count for server, count in by_server.items() if count}
