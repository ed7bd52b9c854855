"""The main job, from recorded answers to a report: `make demo`.

Recorded answers of a small real cloud, the pauses between actions stretched so that minutes became a month, are served
over HTTP, and beside them those of the ColdFront and the Keycloak that know whose its projects are, and of a Prometheus
that watched an OpenShift cluster for a day. The command that an operator would type reads the cloud at four moments of
that month, exports after each, prints who used what, and at last does the same for the pods of that day.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from demo.cluster import Cluster
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay

RECORDING = Path(__file__).with_name("recording.json")
FOLDER = Path("demo-output")
COMMAND = Path(sys.executable).with_name("xdmod-cloud")
#: The PI who moves to another institution between the first moment and the second.
MOVES = "Amara Okafor"
#: By which pods are charged, and the day of which their Prometheus tells.
RATES = Path(__file__).parents[1] / "docs" / "rates" / "nerc-openshift.toml"
DAY = "2026-10-31"
CONFIGURATION = """# One cloud, as clouds.yaml beside this file knows it, into an SQLite ledger beside this file.
[[openstack]]
name = "demo"
cloud = "demo"
resource = "demo-cloud"
coldfront_resource = "demo cloud"

# One cluster, by the Prometheus that watches it.
[[openshift]]
name = "demo-ocp"
resource = "demo-ocp-mcpu"
coldfront_resource = "demo cluster"
url = "{url}/prometheus"
first_days = 1
cpu = "millicores"
user = ["annotation_openshift_io_requester", "namespace"]

# Whose the projects of both are. ColdFront takes the token that Keycloak gives.
[coldfront]
url = "{url}/coldfront"

[keycloak]
url = "{url}/keycloak"
realm = "{realm}"
client = "{client}"
secret_file = "keycloak.secret"
"""


def main() -> None:
    """Run the job in a fresh folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    recording = Recording.read(RECORDING)
    owners, cluster = Owners(clock=lambda: recording.now), Cluster(clock=lambda: recording.now)
    with Replay(recording, mounts={**owners.mounts, **cluster.mounts}) as server:
        server.clouds_yaml(FOLDER / "clouds.yaml")
        owners.write_secret(FOLDER / "keycloak.secret")
        configuration = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (FOLDER / "xdmod-cloud.toml").write_text(configuration)
        run("ledger", "upgrade")
        for moment in recording.moments:
            server.at = moment
            print(f"\n# {moment:%d %B %Y, %H:%M} UTC by the cloud's clock", flush=True)
            run("collect", "openstack")
            run("collect", "hierarchy")
            run("export", "openstack")
            run("export", "hypervisors")
        print("\n# Whose the projects are, and were", flush=True)
        run("hierarchy", "export")
        run("hierarchy", "history", MOVES)
        print("\n# What XDMoD will make of it, and who used what", flush=True)
        run("verify", "openstack")
        run("report", "usage", "--month", "2026-10")
        print("\n# The same of pods: a day of an OpenShift cluster, as jobs and as service units", flush=True)
        run("collect", "openshift")
        run("export", "openshift")
    show_jobs(FOLDER / "outbox" / "demo-ocp-mcpu" / "jobs" / f"{DAY}.log")
    card = Path(shutil.copy(RATES, FOLDER)).name
    run("report", "openshift", "--from", DAY, "--to", DAY, "--rates", card)
    sessions = FOLDER / "sessions.csv"
    sessions.write_text(run("sessions", "outbox/demo-cloud/events", show=False))
    print(f"\nEvent files for xdmod-shredder: {FOLDER}/outbox/demo-cloud/events")
    print(f"Sessions as XDMoD builds them:  {sessions} ({len(sessions.read_text().splitlines()) - 1} sessions)")
    print(f"Hierarchy for xdmod-import-csv: {FOLDER}/outbox/hierarchy")
    print(f"Report as CSV and PDF:          {FOLDER}/reports/demo-cloud")
    print(f"Jobs for xdmod-shredder:        {FOLDER}/outbox/demo-ocp-mcpu/jobs")
    print(f"Pods, sums and invoice as CSV:  {FOLDER}/reports/demo-ocp-mcpu")


def show_jobs(file: Path, count: int = 2) -> None:
    """Print the first jobs of a file."""
    print(f"$ head -n {count} {file.relative_to(FOLDER)}")
    print(*file.read_text().splitlines()[:count], sep="\n", flush=True)


def run(*words: str, show: bool = True) -> str:
    """Run the command in the demo's folder, as an operator would; what it says is shown, or returned."""
    if show:
        print(f"$ xdmod-cloud {shlex.join(words)}", flush=True)
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": "clouds.yaml"}
    done = subprocess.run(
        [COMMAND.absolute(), *words], cwd=FOLDER, env=environment, stdout=None if show else subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"xdmod-cloud {' '.join(words)} ended with {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main()
