"""The page in a real browser: nothing refused, nothing wider than the window, colours as the reader asks."""

import json
import re
import shutil
import subprocess
import sys

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which is not installed here")

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",  # the probe looks into its frame
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--dump-dom",
]

# A page that shows the report in a frame of some width and writes down what it measures there.
PROBE = """<!doctype html><body>
<iframe id="shown" src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<pre id="found"></pre><script>
document.getElementById("shown").onload = event => {{
  const page = event.target.contentDocument, root = page.documentElement, view = event.target.contentWindow;
  const hidden = e => e.closest("svg, thead, details:not([open]), pre");
  const cut = [...page.body.querySelectorAll("*")].filter(e => !hidden(e))
    .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1).map(e => e.outerHTML.slice(0, 80));
  document.getElementById("found").textContent = JSON.stringify({{
    wide: root.scrollWidth - root.clientWidth, cut,
    paper: view.getComputedStyle(page.body).backgroundColor,
    pictures: [...page.querySelectorAll("#reliability figure > svg")].map(s => s.getBoundingClientRect().width),
    sections: [...page.querySelectorAll("section")].map(s => s.id),
  }});
}};
</script></body>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("page")
    command = ["report", "--example", "satellite", "--calibrators", "temperature", "--repeats", "1"]
    options = ["--replicates", "20", "--output", "report.html", "--save", "map.safetensors"]
    subprocess.run([sys.executable, "-m", "calibrant", *command, *options], cwd=place, check=True, capture_output=True)
    return place


def browse(folder, profile, width, *flags):
    """Return what the probe found in a window of some width, and what the browser complained about."""
    (folder / "probe.html").write_text(PROBE.format(width=width))
    address = (folder / "probe.html").as_uri()
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", f"--window-size={width + 40},1000", *flags, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")), complaints


@pytest.mark.parametrize("width", [360, 768, 1000, 1280])
def test_fits_the_window(folder, tmp_path, width):
    found, complaints = browse(folder, tmp_path, width)
    assert complaints == []
    assert found["wide"] == 0
    assert found["cut"] == []
    assert found["sections"][0] == "verdict"
    assert len(found["pictures"]) == 2
    assert all(300 <= shown <= 480 for shown in found["pictures"])


@pytest.mark.parametrize(("scheme", "paper"), [("1", "rgb(255, 255, 255)"), ("0", "rgb(20, 23, 28)")])
def test_colours_follow_the_reader(folder, tmp_path, scheme, paper):
    found, complaints = browse(folder, tmp_path, 1280, f"--blink-settings=preferredColorScheme={scheme}")
    assert found["paper"] == paper
    assert complaints == []
