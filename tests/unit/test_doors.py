"""Doors to other packages: without the package one sentence says what to install, and nothing else needs it."""

import importlib
import subprocess
import sys

import pytest

from calibrant.errors import MissingExtra


@pytest.mark.parametrize("package", ["onnx", "torch"])
def test_a_missing_package_is_one_sentence(package, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(f"calibrant.{package}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtra, match=rf"{package} must be installed to .*; pip install 'calibrant\[{package}\]'"):
        importlib.import_module(f"calibrant.{package}")


def test_onnx_alone_brings_no_torch_and_no_runtime():
    code = "import sys, calibrant.onnx; print({'torch', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
