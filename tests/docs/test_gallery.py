"""The gallery is what its generator writes: pages as they are, pictures that say what the stored ones say."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORED = ROOT / "docs" / "gallery"
NS = "{http://www.w3.org/2000/svg}"


def run_generator(*arguments):
    command = [sys.executable, str(ROOT / "tools" / "make_gallery.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_gallery_is_made_from_its_code(tmp_path):
    done = run_generator("--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    made, stored = ({file.name for file in folder.iterdir()} for folder in (tmp_path, STORED))
    assert made == stored
    for file in tmp_path.glob("*.md"):
        assert file.read_text() == (STORED / file.name).read_text(), file.name
    for file in tmp_path.glob("*.svg"):
        drawn, kept = (ET.parse(folder / file.name).getroot() for folder in (tmp_path, STORED))
        for tag in ("title", "desc"):
            assert drawn.find(f"{NS}{tag}").text == kept.find(f"{NS}{tag}").text, file.name


def test_a_missing_picture_is_noticed(tmp_path):
    assert run_generator("--check").returncode == 0
    done = run_generator("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "corp.svg" in done.stdout
