"""The help is quick, complete, and the page of the documentation shows it as it is."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from calibrant.cli.app import app

ROOT = Path(__file__).parents[2]
COMMANDS = ("report", "evaluate", "compare", "fit", "apply", "methods", "explain")
HEAVY = ("numpy", "scipy", "safetensors", "rich", "jinja2", "pyarrow")


def test_the_commands_are_those_that_are_tested():
    assert tuple(command.callback.__name__ for command in app.registered_commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_explained(call, command):
    ran = call(command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "--json" in ran.out
    options = ran.out.split("Options:")[1]
    unexplained = [line for line in options.splitlines() if line.strip().startswith("--") and "  " not in line.strip()]
    assert unexplained == []


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from calibrant.cli import main; main(['report', '--help']); "
        f"print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_help_takes_under_half_a_second_of_work():
    """Processor time, the least of three: what the machine does beside it is not our matter."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "calibrant", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.5


def test_version_and_bare_command(call):
    assert call("--version").out == f"calibrant {metadata.version('calibrant')}\n"
    bare = call()
    assert bare.code == 0
    assert bare.out.rstrip() == call("--help").out.rstrip()


def test_the_installed_command_is_the_module(run):
    script = shutil.which("calibrant", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the console script is not beside this interpreter")
    installed = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert installed.stdout == run("--version").out


def test_the_page_shows_the_help_as_it_is():
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "cli_docs.py"), "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
