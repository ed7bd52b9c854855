"""The month that the demo's recording shows: who has which servers, and what happens to them when."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tests.real.openstack.cloud import Member

AMARA, BRUNO = Member("amara", "galaxy-formation", "Default"), Member("bruno", "galaxy-formation", "Default")
CHEN = Member("chen", "protein-folding", "Default")
DALIA, EMEKA = Member("dalia", "climate-downscaling", "partners"), Member("emeka", "climate-downscaling", "partners")
FARID = Member("farid", "nlp-archive", "partners")

#: Flavor -> vCPUs, MiB of memory, GB of disk. No host has the memory of `mem-su.64`.
FLAVORS = {
    "cpu-su.1": (1, 4096, 20),
    "cpu-su.2": (2, 8192, 20),
    "cpu-su.4": (4, 16384, 20),
    "cpu-su.8": (8, 32768, 20),
    "mem-su.8": (8, 131072, 20),
    "gpu-su-a100.1": (24, 98304, 20),
    "mem-su.64": (64, 1048576, 20),
}

#: Server -> who boots it, in which flavor.
SERVERS = {
    "halo-finder": (AMARA, "mem-su.8"),
    "merger-tree": (AMARA, "cpu-su.4"),
    "notebook-amara": (AMARA, "cpu-su.1"),
    "render-01": (BRUNO, "gpu-su-a100.1"),
    "render-02": (BRUNO, "gpu-su-a100.1"),
    "bruno-dev": (BRUNO, "cpu-su.2"),
    "fold-master": (CHEN, "cpu-su.2"),
    "fold-worker-1": (CHEN, "cpu-su.8"),
    "fold-worker-2": (CHEN, "cpu-su.8"),
    "fold-worker-3": (CHEN, "cpu-su.8"),
    "fold-gpu": (CHEN, "gpu-su-a100.1"),
    "fold-bigmem": (CHEN, "mem-su.64"),
    "docking": (CHEN, "cpu-su.4"),
    "era5-store": (DALIA, "cpu-su.2"),
    "downscale-a": (DALIA, "cpu-su.4"),
    "downscale-b": (DALIA, "cpu-su.8"),
    "regrid": (DALIA, "cpu-su.8"),
    "notebook-emeka": (EMEKA, "cpu-su.1"),
    "ensemble-bigmem": (EMEKA, "mem-su.64"),
    "corpus-index": (FARID, "mem-su.8"),
    "crawler": (FARID, "cpu-su.2"),
    "annotation-ui": (FARID, "cpu-su.1"),
}

#: Day and time in October 2026, server, operations: what a server does one after the other on that day, hours apart.
EVENTS = """
02 08:00  halo-finder      boot
02 09:10  era5-store       boot
03 10:30  fold-master      boot
05 07:45  corpus-index     boot
05 08:30  merger-tree      boot
05 09:05  downscale-a      boot
05 10:00  crawler          boot
06 08:20  render-01        boot
06 13:15  bruno-dev        boot
07 07:30  fold-worker-1    boot
07 07:35  fold-worker-2    boot
07 07:40  fold-worker-3    boot
08 09:20  fold-bigmem      boot
08 11:50  fold-bigmem      delete
08 14:30  bruno-dev        reboot
08 15:00  downscale-b      boot
09 09:15  annotation-ui    boot
09 16:40  render-01        delete
10 00:00  -                snapshot
11 21:10  fold-worker-1    delete
12 03:25  fold-worker-2    delete
12 11:00  crawler          rebuild
12 14:45  fold-gpu         boot
13 06:05  fold-worker-3    delete
13 09:30  merger-tree      resize cpu-su.8
13 10:00  merger-tree      confirm
14 08:10  downscale-b      suspend
14 12:00  render-02        boot
15 09:00  fold-gpu         shelve
15 10:30  downscale-a      resize cpu-su.8
15 15:10  downscale-a      revert
16 07:20  downscale-b      resume
16 13:00  crawler          stop
17 18:30  render-02        delete
18 00:00  -                snapshot
19 09:40  docking          boot
19 11:05  halo-finder      live-migrate
20 08:50  ensemble-bigmem  boot
20 12:30  corpus-index     delete-user
20 16:00  docking          pause
21 08:00  docking          unpause
21 10:15  era5-store       resize cpu-su.4
21 10:40  era5-store       confirm
22 07:55  regrid           boot
22 09:00  fold-gpu         unshelve
22 14:20  crawler          delete
22 20:05  regrid           delete
23 09:10  annotation-ui    shelve
25 00:00  -                snapshot
26 09:30  corpus-index     rename-project nlp-corpus
26 11:15  bruno-dev        migrate
26 11:45  bruno-dev        confirm
27 08:40  annotation-ui    delete
27 15:00  corpus-index     stop
28 10:10  downscale-b      force-delete
29 16:20  fold-gpu         delete
30 12:00  docking          stop
32 06:00  -                snapshot
"""


def happening(when: str, server: str, operation: str) -> tuple[datetime, str, str]:
    """An event with its time spelled out."""
    day, clock = when.split()
    hour, minute = map(int, clock.split(":"))
    start = datetime(2026, 10, 1, tzinfo=UTC)
    return start + timedelta(days=int(day) - 1, hours=hour, minutes=minute), server, operation


def office_hours(server: str, days: Iterable[int], first: str, last: str) -> Iterable[tuple[datetime, str, str]]:
    """A server that is booted on the first day, stopped every evening and started every morning after."""
    for number, day in enumerate(days):
        # nobody comes and goes on the minute
        yield happening(f"{day} {first}:{7 * day % 50:02}", server, "start" if number else "boot")
        yield happening(f"{day} {last}:{11 * day % 50:02}", server, "stop")


def events() -> list[tuple[datetime, str, str]]:
    """Everything that happens, in its order: when, to which server, and what."""
    lines = (line.split(maxsplit=3) for line in EVENTS.strip().splitlines())
    listed = [happening(f"{day} {clock}", server, operation) for day, clock, server, operation in lines]
    amara = office_hours("notebook-amara", (*range(5, 10), *range(12, 17)), "08", "17")
    emeka = office_hours("notebook-emeka", range(19, 24), "09", "18")
    return sorted((*listed, *amara, *emeka))
