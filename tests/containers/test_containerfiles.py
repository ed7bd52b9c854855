"""What goes into the images, as far as it can be told without building them."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "containers" / "Containerfile", ROOT / "containers" / "xdmod" / "Containerfile"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]
#: For writing new migrations only, which nobody does in an image.
NOT_NEEDED = {"ledger/migrations/script.py.mako"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_style(file: Path) -> None:
    """The Containerfiles are written as hadolint wants them."""
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is a development dependency: pip install -e '.[dev]'")
    done = subprocess.run([hadolint, "--no-color", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_package_is_copied(file: Path) -> None:
    """An image holds all packages of the project, and nothing but what is named."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text(), re.MULTILINE)
    assert set(" ".join(copied).split()) == {
        *PACKAGES,
        *("containers/constraints.txt", "pyproject.toml", "README.md", "LICENSE"),
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_ends_as_nobody_in_particular(file: Path) -> None:
    """The last word on the user is a number, as Kubernetes wants it, in group 0."""
    assert re.findall(r"^USER (\S+)$", file.read_text(), re.MULTILINE)[-1] == "1001:0"


def test_every_file_of_a_package_is_in_the_wheel() -> None:
    """Schemas and templates are declared as the data of their packages."""
    data = PROJECT["tool"]["setuptools"]["package-data"]
    declared = {
        path for package, patterns in data.items() for pattern in patterns for path in (ROOT / package).glob(pattern)
    }
    lying = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".orig", ".rej")
    }
    assert {str(path.relative_to(ROOT)) for path in lying - declared} == NOT_NEEDED


def test_every_package_has_an_init() -> None:
    """Setuptools finds only folders with an __init__.py: no module lies in another."""
    for package in PACKAGES:
        assert not {
            path.parent for path in (ROOT / package).rglob("*.py") if not (path.parent / "__init__.py").exists()
        }


def test_every_dependency_is_pinned() -> None:
    """What is installed into the images has one version, the dependencies of dependencies included."""
    text = (ROOT / "containers" / "constraints.txt").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    names = {plain(pin.partition("==")[0]) for pin in pins}
    todo, seen = [plain(name) for name in PROJECT["project"]["dependencies"]], set[str]()
    todo += [plain(name) for name in PROJECT["project"]["optional-dependencies"]["s3"]]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        todo += [plain(need) for need in needs(name) if "extra ==" not in need and "python_version <" not in need]
    assert seen - {"setuptools"} <= names, sorted(seen - names)


def needs(name: str) -> list[str]:
    """What a package requires; nothing of one that is optional, and not here."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def plain(requirement: str) -> str:
    """The name in a requirement, as packages are compared by it."""
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()
