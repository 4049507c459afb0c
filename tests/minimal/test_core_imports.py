"""The core install alone: no heavy package is needed or imported."""

import subprocess
import sys

HEAVY = (
    "faiss",
    "torch",
    "sklearn",
    "matplotlib",
    "pandas",
    "pyarrow",
    "dask",
    "fastapi",
    "onnx",
    "pytest",
    "hypothesis",
)
DOORS = ("typer", "rich", "jinja2")

BLOCK = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
"""


def run(code, blocked):
    done = subprocess.run(
        [sys.executable, "-c", BLOCK.format(blocked=blocked) + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_measure_compare_fit_save_with_the_core_only(tmp_path):
    run(
        f"""
import calibrant
p = calibrant.data.example().take(slice(0, 300))
calibrant.evaluate(p, replicates=20)
calibrant.compare(p, ["temperature", "histogram"], repeats=1)
path = calibrant.fit(p, "temperature").save({str(tmp_path / "map.safetensors")!r})
calibrant.load(path)(p)
""",
        HEAVY + DOORS,
    )


def test_import_brings_nothing_heavy():
    out = run("import sys, calibrant; print(*sorted(m for m in sys.modules if '.' not in m))", ())
    assert not set(HEAVY + DOORS + ("scipy",)) & set(out.split())


def test_the_public_names_are_real_and_few():
    import calibrant

    assert len(calibrant.__all__) <= 20
    for name in calibrant.__all__:
        assert getattr(calibrant, name) is not None
