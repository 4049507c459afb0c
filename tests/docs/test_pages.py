"""Every example of the documentation runs, every link leads somewhere, every method has a page."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from calibrant import methods

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "methods" not in page.relative_to(ROOT).parts[:2]]
# Packages that a page may need and an installation may lack.
OPTIONAL = {"catboost", "lightgbm", "onnx", "onnxruntime", "sklearn", "torch", "xgboost"}
names = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page, language):
    text = re.sub(r"<!-- source: .*?<!-- end -->", "", page.read_text(), flags=re.S)  # runs where it comes from
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_python_examples_run(page, tmp_path, monkeypatch):
    code = blocks(page, "python")
    if not code:
        pytest.skip("no example on this page")
    for package in OPTIONAL & set(re.findall(r"^(?:import|from) (\w+)", "\n".join(code), re.M)):
        pytest.importorskip(package, reason=f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in code:
        exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_run(page, tmp_path):
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    commands = [shlex.split(line[2:]) for line in lines if line.startswith("$ calibrant ")]
    if not commands:
        pytest.skip("no command on this page")
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "methods/" in target or ":" in target:
            continue
        assert (page.parent / target).exists(), target


def run_generator(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_docs.py"), *arguments], capture_output=True, text=True, check=False
    )


def test_real_source_is_shown():
    done = run_generator("--check")
    assert done.returncode == 0, done.stdout


def test_every_method_has_a_page(tmp_path):
    assert run_generator("--methods", str(tmp_path), "--no-pictures").returncode == 0
    for entry in methods():
        text = (tmp_path / f"{entry.name}.md").read_text()
        assert entry.summary in text
        for option in entry.options:
            assert f"`{option}`" in text


def test_a_calibrator_is_shown_on_two_sets(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from method_pictures import section, sets

    text = section("temperature", tmp_path)
    losses = [[float(cell) for cell in row] for row in re.findall(r"\| log loss \| (\S+) \| (\S+) \|", text)]
    assert len(losses) == len(sets()) == 2
    assert all(after < before for before, after in losses)
    pictures = re.findall(r"\]\((\S+\.svg)\)", text)
    assert len(pictures) == 2
    assert all((tmp_path / picture).read_text().startswith("<svg") for picture in pictures)
