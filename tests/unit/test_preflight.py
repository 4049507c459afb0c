"""What a fresh machine lacks is told in one sentence."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "preflight.sh"


def run(tmp_path, python, path=None, **environment):
    environment = {**os.environ, **environment}
    if path is not None:
        environment["PATH"] = str(path)
    command = ["/bin/sh", str(SCRIPT), python]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)


def fake_python(folder, version="3.11", include="/nowhere", venv=0, old=0):
    """Write a stand-in for an interpreter that answers the questions of the script."""
    script = folder / "fake-python"
    script.write_text(
        f"""#!/bin/sh
case "$2" in
  *print*version_info*) echo {version} ;;
  *"exit(sys.version_info"*) exit {old} ;;
  *ensurepip*) exit {venv} ;;
  *include*) echo {include} ;;
esac
"""
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "3.9", "old": 1}, "must be at least 3.11, got 3.9"),
        ({"venv": 1}, "must have the modules venv and ensurepip"),
        ({"include": "/nowhere"}, "must have its headers, got no /nowhere/Python.h"),
    ],
)
def test_what_is_missing_is_said(tmp_path, options, words):
    done = run(tmp_path, fake_python(tmp_path, **options))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_python_at_all(tmp_path):
    done = run(tmp_path, "no-such-python")
    assert "got no command 'no-such-python'" in done.stderr


def test_no_compiler(tmp_path):
    (tmp_path / "Python.h").touch()
    done = run(tmp_path, fake_python(tmp_path, include=str(tmp_path)), CXX="no-such-compiler")
    assert "a C++17 compiler must be on the PATH, got none of no-such-compiler" in done.stderr


def test_all_there(tmp_path):
    (tmp_path / "Python.h").touch()
    done = run(tmp_path, fake_python(tmp_path, include=str(tmp_path)), CXX="sh")
    assert (done.returncode, done.stderr) == (0, "")
