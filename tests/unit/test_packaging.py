"""What an installed calibrant must not miss."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_folders_are_left_out_at_the_root_only():
    # Without the slash, "tests" would also leave out the package calibrant.metrics.tests.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["scikit-build"]
    assert all(pattern.startswith(("/", "calibrant/")) for pattern in settings["sdist"]["exclude"])
