"""The main job, from Nova's answers to a report: `make demo`.

Recorded answers of a small real cloud, the pauses between actions stretched so that minutes became a month, are served
over HTTP. The command that an operator would type reads them at four moments of that month, exports after each, and at
last prints who used what.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo.replay import Recording, Replay

RECORDING = Path(__file__).with_name("recording.json")
FOLDER = Path("demo-output")
COMMAND = Path(sys.executable).with_name("xdmod-cloud")
CONFIGURATION = """# One cloud, as clouds.yaml beside this file knows it, into an SQLite ledger beside this file.
[[openstack]]
name = "demo"
cloud = "demo"
resource = "demo-cloud"
"""


def main() -> None:
    """Run the job in a fresh folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    (FOLDER / "xdmod-cloud.toml").write_text(CONFIGURATION)
    recording = Recording.read(RECORDING)
    with Replay(recording) as server:
        server.clouds_yaml(FOLDER / "clouds.yaml")
        run("ledger", "upgrade")
        for moment in recording.moments:
            server.at = moment
            print(f"\n# {moment:%d %B %Y, %H:%M} UTC by the cloud's clock", flush=True)
            run("collect", "openstack")
            run("export", "openstack")
            run("export", "hypervisors")
        print("\n# What XDMoD will make of it, and who used what", flush=True)
        run("verify", "openstack")
    sessions = FOLDER / "sessions.csv"
    sessions.write_text(run("sessions", "outbox/demo-cloud/events", show=False))
    run("report", "--month", "2026-10")
    print(f"\nEvent files for xdmod-shredder: {FOLDER}/outbox/demo-cloud/events")
    print(f"Sessions as XDMoD builds them:  {sessions} ({len(sessions.read_text().splitlines()) - 1} sessions)")
    print(f"Report as CSV and PDF:          {FOLDER}/reports/demo-cloud")


def run(*words: str, show: bool = True) -> str:
    """Run the command in the demo's folder, as an operator would; what it says is shown, or returned."""
    if show:
        print(f"$ xdmod-cloud {' '.join(words)}", flush=True)
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": "clouds.yaml"}
    done = subprocess.run(
        [COMMAND.absolute(), *words], cwd=FOLDER, env=environment, stdout=None if show else subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"xdmod-cloud {' '.join(words)} ended with {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main()
