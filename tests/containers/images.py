"""Images built and run without a daemon or a registry: buildah in a folder of its own, on a Debian made on the spot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Image", "Store", "missing"]

#: Needed to build, and to run as a container's runtime would: their packages are of the same name, or always there.
_PROGRAMS = ("buildah", "debootstrap", "unshare", "chroot")
NOTHING: Mapping[str, Any] = {}
#: One of those that OpenShift assigns.
_UID = "1000650000"
#: What a runtime does before it starts a program: all it sees is read-only, but /tmp and what is mounted.
_RUNTIME = """
root=$1 uid=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done; shift
exec chroot --userspec="$uid:0" --groups=0 "$root" "$@"
"""


def missing() -> str | None:
    """Why no image can be built here, if so."""
    if os.geteuid() != 0:
        return "building images without a daemon needs root"
    absent = [program for program in _PROGRAMS if not shutil.which(program)]
    return f"building images needs {' and '.join(absent)}: apt-get install buildah debootstrap" if absent else None


@dataclass
class Store:
    """The images of one session of tests."""

    folder: Path

    def __post_init__(self) -> None:
        self._configuration = self.folder / "storage.conf"
        self._configuration.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/root"\nrunroot = "{self.folder}/run"\n'
        )

    def buildah(self, *words: str) -> str:
        """Run buildah on this store; it must succeed."""
        place = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--storage-driver", "vfs"]
        environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(self._configuration)}
        return _run(["buildah", *place, *words], environment)

    def debian(self) -> str:
        """The smallest Debian 12, from the packages that apt knows here."""
        name, tree = "localhost/debian:12", self.folder / "debian"
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        _run(["debootstrap", "--variant=minbase", "bookworm", str(tree), mirror], os.environ)
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(tree), "/")
        self.buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self.buildah("commit", "--quiet", container, name)
        self.buildah("rm", container)
        shutil.rmtree(tree)
        return name

    def build(self, file: Path, context: Path, name: str, **arguments: str) -> "Image":
        """Build an image of a Containerfile, from local images only."""
        options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        if certificates := os.environ.get("PIP_CERT"):
            options += [
                f"--volume={certificates}:/run/certificates.crt:ro",
                "--build-arg=PIP_CERT=/run/certificates.crt",
            ]
        if index := os.environ.get("PIP_INDEX_URL"):
            options.append(f"--build-arg=PIP_INDEX_URL={index}")
        isolated = ["--isolation", "chroot", "--pull-never", "--layers=false"]
        self.buildah("bud", *isolated, *options, "--tag", name, "--file", str(file), str(context))
        return self.image(name)

    def image(self, name: str) -> "Image":
        """An image of this store, unpacked."""
        container = self.buildah("from", "--pull-never", name).strip()
        said = json.loads(self.buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
        return Image(Path(self.buildah("mount", container).strip()), said)


@dataclass
class Image:
    """What is in an image, and how it says that it is to be run."""

    root: Path
    said: dict[str, Any]

    def run(
        self, *words: str, mounts: Mapping[str, Path] = NOTHING, environment: Mapping[str, str] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Run its program with these arguments, as any uid of group 0, on a root file system that cannot be written."""
        for place in mounts:
            (self.root / place.removeprefix("/")).mkdir(parents=True, exist_ok=True)
        pairs = [word for place, folder in mounts.items() for word in (str(folder), place)]
        variables = [*self.said["Env"], *(f"{name}={value}" for name, value in environment.items())]
        start = ["env", "-i", f"--chdir={self.said['WorkingDir']}", *variables, *self.said["Entrypoint"], *words]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-ec", _RUNTIME, "sh", str(self.root), _UID, *pairs, "--", *start],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def size(self) -> int:
        """The bytes of all its files."""
        files = (Path(folder, name) for folder, _, names in os.walk(self.root) for name in names)
        return sum(file.lstat().st_size for file in files)


def _run(words: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:])
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-4000:]}")
    return done.stdout
