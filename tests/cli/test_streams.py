"""Data on stdout, talk on stderr: pipes, terminals, interruptions, and names that are anybody's input."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import numpy as np
import pytest

from calibrant.cli.failures import exit_code
from calibrant.cli.streams import one_line

ESCAPE = "\x1b"


def start(folder, *arguments, **streams):
    command = [sys.executable, "-m", "calibrant", *map(str, arguments)]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    # A shell may start background jobs with interruptions ignored, which children inherit.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    return subprocess.Popen(command, cwd=folder, env=env, preexec_fn=heed, **streams)


def everything(terminal):
    """Read a terminal until the last process that writes to it has ended."""
    read = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so instead of an end of file
            piece = b""
        if not piece:
            os.close(terminal)
            return read.decode()
        read += piece


@pytest.mark.parametrize("arguments", [("methods",), ("--help",)])
def test_a_closed_pipe_is_no_failure(tmp_path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(tmp_path, *arguments, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate()[1] == b""
    assert process.returncode == 0


def test_a_closed_pipe_does_not_open_a_gate(tmp_path, files):
    reader, writer = os.pipe()
    os.close(reader)
    choices = ("evaluate", files / "plain.npz", "--no-uncertainty", "--fail-above", "ece=0")
    process = start(tmp_path, *choices, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate()[1].startswith(b"calibrant: gate failed")
    assert process.returncode == 1


def test_bars_go_to_a_terminal_only_and_never_to_stdout(tmp_path, files):
    ours, theirs = pty.openpty()
    choices = ("evaluate", files / "plain.npz", "--replicates", 20, "--measures", "ece")
    process = start(tmp_path, *choices, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    talk = everything(ours)
    assert "bootstrap" in talk
    assert "20/20" in talk
    assert ESCAPE not in process.communicate()[0].decode()


@pytest.mark.parametrize("plain", [False, True])
def test_styles_go_to_a_terminal_unless_no_color_says_otherwise(tmp_path, plain, monkeypatch):
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    ours, theirs = pty.openpty()
    process = start(tmp_path, "methods", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    shown = everything(ours)
    process.communicate()
    assert "temperature" in shown
    assert (ESCAPE in shown) is not plain


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_file_and_no_traceback(tmp_path, files, request_to_stop):
    ours, theirs = pty.openpty()
    choices = ("report", files / "plain.npz", "--replicates", 1_000_000, "--save", "map")
    process = start(tmp_path, *choices, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    first = os.read(ours, 1)  # a bar: the work has begun
    process.send_signal(request_to_stop)
    talk = first.decode() + everything(ours)
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 130
    assert "Traceback" not in talk
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_outside_the_parser_has_the_same_code():
    def interrupted():
        raise KeyboardInterrupt

    assert exit_code(interrupted) == 130


def test_nothing_is_cut_or_coloured_in_a_pipe(run, arrays, tmp_path):
    names = np.array([f"class {index} {'x' * 300}" for index in range(3)])
    plain = {name: arrays[name] for name in ("probabilities", "labels")}
    np.savez(tmp_path / "long.npz", class_names=names, **plain)
    choices = ("evaluate", "long.npz", "--no-uncertainty", "--measures", "sce,ece(bins=15, right=False)")
    ran = run(*choices, FORCE_COLOR="1", COLUMNS="40", TERM="xterm-256color")
    assert ESCAPE not in ran.out
    assert "x" * 300 in ran.out
    assert "ece(right=False)" in ran.out
    assert not [line for line in ran.out.splitlines() if line != line.rstrip()]


def test_an_output_encoding_without_our_characters_is_no_failure(run, files):
    ran = run("compare", files / "plain.npz", "--calibrators", "temperature", "--folds", 2, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert r"\xb1" in ran.out


def test_control_characters_of_names_are_escaped():
    assert one_line("a\tb\n c\x1b[2J\x00\u202e\udcff") == r"a b c\x1b[2J\x00\u202e\udcff"
    assert one_line("Möwe – 鳥") == "Möwe – 鳥"
