"""A big cloud, made quickly, for benchmarks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle

from tests.simulation.cloud import SimulatedCloud
from tests.simulation.instance import FLAVORS

#: What servers go through, over and over, after they were booted: every third is resized, every fourth shelved.
LIVES: tuple[Sequence[str], ...] = (
    ("stop", "start"),
    ("suspend", "resume"),
    ("resize", "confirm_resize", "stop", "start"),
    ("shelve", "unshelve", "stop", "start"),
    ("pause", "unpause", "reboot"),
    ("stop", "start", "resize", "confirm_resize"),
)
SIZES = ("m1.small", "m1.medium", "m1.large", "m1.tiny")


class BigCloud(SimulatedCloud):
    """A cloud of many servers, booted one after another over 30 days, with `actions` each, spread over the time since.

    Every tenth is deleted by its last action.
    """

    def __init__(
        self,
        servers: int,
        actions: int = 6,
        *,
        now: datetime,
        projects: int = 50,
        users: int = 200,
        hosts: int = 100,
    ) -> None:
        start = now - timedelta(days=30)
        super().__init__(start, hosts=[f"compute{number:04d}" for number in range(1, hosts + 1)])
        self._turns = 0
        self._plans: dict[str, tuple[int, cycle[str]]] = {}
        for number in range(servers):
            self._live(number, actions, start + timedelta(days=29) * number / servers, now, projects, users)
        self.at(now)

    def change(self, fraction: float) -> int:
        """Let this fraction of all servers have one more action, begun at the clock; returns how many had one."""
        living = [server for server in self._plans if self.possible(server)]
        count = min(round(len(self._plans) * fraction), len(living))
        began = latest = self.now
        for turn in range(count):
            self.at(began)
            self._next(living[(self._turns + turn * len(living) // count) % len(living)])
            latest = max(latest, self.now)
        self._turns += 1
        self.at(latest)
        return count

    def _live(self, number: int, actions: int, birth: datetime, now: datetime, projects: int, users: int) -> None:
        self.at(birth)
        server = self.boot(
            f"server-{number:05d}",
            flavor=SIZES[number % 3],
            project=f"project-{number % projects:03d}",
            user=f"user-{number % users:03d}",
        )
        self._plans[server] = number, cycle(LIVES[number % len(LIVES)])
        pause = (now - timedelta(hours=1) - birth) / max(actions, 1)
        for done in range(1, actions):
            self.at(birth + pause * done)
            if number % 10 == 9 and done == actions - 1:
                self.delete(server)
            else:
                self._next(server)

    def _next(self, server: str) -> None:
        number, plan = self._plans[server]
        operation = next(plan)
        if operation == "resize":
            sizes = [name for name in SIZES if FLAVORS[name] != self.history(server)[-1].flavor]
            self.resize(server, sizes[number % len(sizes)])
        else:
            getattr(self, operation)(server)
