"""The door alone needs scikit-learn, and says so; margins need no library but that of the model."""

import subprocess
import sys

BLOCK = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("sklearn", "xgboost", "lightgbm", "catboost"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""


def run(code):
    return subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, check=False)


def test_a_missing_library_is_one_sentence():
    done = run("import calibrant.sklearn")
    expected = "MissingExtra: scikit-learn must be installed for calibrant.sklearn; pip install 'calibrant[sklearn]'"
    assert done.stderr.splitlines()[-1].endswith(expected)


def test_margins_import_no_library():
    done = run("import calibrant.margins; print(calibrant.margins.supports(3))")
    assert done.stdout == "False\n", done.stderr
