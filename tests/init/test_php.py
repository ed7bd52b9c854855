"""What PHP makes of the settings that are written, and of the steps that call XDMoD's classes; needs php."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations.init.ini import Ini

ROOT = Path(__file__).parents[2]
#: XDMoD's classes, as far as its set-up is called: each call is printed as a line.
LINKER = """<?php
namespace {
    define('CONFIG_DIR', __DIR__ . '/../../etc');
    define('ROLE_ID_MANAGER', 'mgr');
    define('ROLE_ID_USER', 'usr');
    function said() { echo json_encode(func_get_args()), "\\n"; }
    class TimePeriodGenerator {
        public static function getGeneratorForUnit($unit) { said('unit', $unit); return new self(); }
        public function generateMainTable($db, $from, $to) { said($db, $from->format('Y'), $to->format('Y')); }
    }
    class XDUser {
        private $words;
        public function __construct() { $this->words = func_get_args(); }
        public function setUserType($type) { $this->words[] = $type; }
        public function saveUser() {
            if ($this->words[0] === 'taken') {
                throw new Exception('data: [' . $this->words[1] . ']', 0, new Exception('it is taken'));
            }
            said('user', $this->words);
        }
    }
}
namespace CCR {
    class Log { const WARNING = 4; public static function factory($name, $how) { return $name; } }
    class DB { public static function factory($name) { return $name; } }
}
namespace ETL {
    class Utilities {
        public static function runEtlPipeline($names, $logger) {
            if ($names === array('none')) { throw new \\Exception('no such pipeline'); }
            said($names, $logger);
        }
    }
}
"""


@pytest.fixture
def php() -> str:
    """The interpreter; skips where it is not installed."""
    found = shutil.which("php")
    if found is None:
        pytest.skip("php is not installed (php-cli)")
    return found


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """XDMoD's program, and an empty configuration beside it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "share" / "configuration").mkdir(parents=True)
    (tmp_path / "share" / "configuration" / "linker.php").write_text(LINKER)
    return tmp_path / "share"


def step(php: str, share: Path, *words: str, etc: str = "etc") -> "subprocess.CompletedProcess[str]":
    """Take a step of the set-up."""
    script = ROOT / "operations" / "init" / "bootstrap.php"
    paths = [str(script), str(share / "configuration" / "linker.php"), str(share.parent / etc)]
    environment = {"SECRET": "geheim\n"}
    return subprocess.run([php, *paths, *words], env=environment, capture_output=True, text=True, check=False)


def printed(done: "subprocess.CompletedProcess[str]") -> list[Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_the_steps_call(php: str, share: Path) -> None:
    """Pipelines, periods, and the first account with its password, from a file or the environment."""
    assert printed(step(php, share, "pipeline", "xdb-bootstrap")) == [[["xdb-bootstrap"], "xdmod-cloud-init"]]
    units = [words for words in printed(step(php, share, "periods")) if words[0] == "unit"]
    assert units == [["unit", "day"], ["unit", "month"], ["unit", "quarter"], ["unit", "year"]]
    secret = share.parent / "secret"
    secret.write_text("ge heim\n")
    who = ("admin", "Ada", "Min", "ada@example.org")
    for place, password in ((("file", str(secret)), "ge heim"), (("env", "SECRET"), "geheim")):
        ((_, words),) = printed(step(php, share, "administrator", *place, *who))
        assert words == ["admin", password, who[3], "Ada", "", "Min", ["mgr", "usr"], "mgr", None, -1, 2]


@pytest.mark.parametrize(
    ("words", "etc", "said"),
    [
        (("pipeline", "none"), "etc", "[error] pipeline: no such pipeline"),
        (("periods",), "share", "[error] XDMoD reads its configuration in"),
        (("other",), "etc", "there is no step 'other'"),
        (("administrator", "env", "NOT_SET", "a", "b", "c", "d"), "etc", "the password in NOT_SET is empty"),
        (("administrator", "env", "SECRET", "taken", "b", "c", "d"), "etc", "[error] administrator: it is taken"),
    ],
)
def test_steps_that_fail(php: str, share: Path, words: tuple[str, ...], etc: str, said: str) -> None:
    """They end with 1 and a line that repeats no password."""
    done = step(php, share, *words, etc=etc)
    assert done.returncode == 1
    assert said in done.stderr
    assert "geheim" not in done.stdout + done.stderr


def test_php_reads_what_is_written(php: str, tmp_path: Path) -> None:
    """Every text that is admitted, in sections that are there or not, beside what was there."""
    values = ["plain", "", "a;b#c=d[e]", "$x %y {z} ~!^&|()", "it's", "Ünï 大学", " on ", "null", "0x10"]
    before = '[a]\nkept = "two\nlines" ; said\nfirst = off\nfirst = on\n; first = "no"\nlast = 5 ; said\n\n[b]\nx="y"\n'
    ini = Ini(before)
    for number, value in enumerate(values):
        ini.set("a", f"k{number}", value)
        ini.set("new", f"k{number}", value)
    ini.set("a", "first", "set")
    ini.set("b", "x", "z")
    (tmp_path / "a.ini").write_text(ini.text)
    code = "echo json_encode(parse_ini_file($argv[1], true));"
    done = subprocess.run([php, "-r", code, str(tmp_path / "a.ini")], capture_output=True, text=True, check=True)
    told = {f"k{number}": value for number, value in enumerate(values)}
    assert json.loads(done.stdout) == {
        "a": {"kept": "two\nlines", "first": "set", "last": "5", **told},
        "b": {"x": "z"},
        "new": told,
    }
    assert '; first = "no"\nlast = 5 ; said\n' in ini.text
    again = Ini(ini.text)
    for number, value in enumerate(values):
        assert again.get("a", f"k{number}") == value
    assert again.get("a", "kept") == "two\nlines"
