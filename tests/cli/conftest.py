"""Real processes in a fresh folder, on small files of every format."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calibrant import calibrators, io
from calibrant.cli import main

ROWS, CLASSES = 300, ("cat", "dog", "owl")


@dataclass(frozen=True)
class Ran:
    """What a process left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Run ``calibrant`` as a process in a folder of its own."""

    def call(*arguments: object, **environment: str) -> Ran:
        command = [sys.executable, "-m", "calibrant", *map(str, arguments)]
        env = {**os.environ, **environment}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, timeout=120)
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``calibrant`` in this process, for what needs no process of its own."""
    monkeypatch.chdir(tmp_path)

    def inside(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return inside


def drawn() -> dict[str, np.ndarray]:
    """Return the arrays of an over-confident classifier: labels are drawn from softer probabilities."""
    draw = np.random.default_rng(7)
    soft = draw.dirichlet((1, 1, 1), ROWS)
    labels = (draw.random((ROWS, 1)) > soft.cumsum(1)).sum(1)
    sharp = soft**3 / (soft**3).sum(1, keepdims=True)
    return {"probabilities": sharp, "labels": labels, "class_names": np.array(CLASSES), "ids": np.arange(ROWS) + 100}


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    return drawn()


@pytest.fixture(scope="session")
def files(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same predictions as good.npz, plain.npz, good.csv and good.parquet, and good.map made of them.

    good.npz also holds weights, features and an array that means nothing; the others have no ids.
    """
    folder = tmp_path_factory.mktemp("files")
    scores, labels = arrays["probabilities"], arrays["labels"]
    extra = {"weights": np.ones(ROWS), "features": scores[:, :2], "split": np.arange(ROWS) % 2}
    np.savez(folder / "good.npz", **arrays, **extra)
    np.savez(folder / "plain.npz", **{name: array for name, array in arrays.items() if name != "ids"})
    names = [f"probability:{name}" for name in CLASSES]
    named = [CLASSES[label] for label in labels]
    lines = [",".join([*map(repr, row), label]) for row, label in zip(scores.tolist(), named, strict=True)]
    (folder / "good.csv").write_text("\n".join([",".join([*names, "labels"]), *lines]) + "\n")
    table = {**dict(zip(names, scores.T, strict=True)), "labels": named}
    pq.write_table(pa.table(table), folder / "good.parquet")
    calibrators.fit(io.read(folder / "good.npz"), "temperature").save(folder / "good.map")
    return folder
