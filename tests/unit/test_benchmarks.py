"""The harness of the benchmarks at toy size: it runs, its claims are judged rightly, and a failing peer is a row."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from calibrant.registry import entries

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = (
    *("harness", "workload", "ours", "measurement", "repairs", "claims", "tables"),
    *("methods_sets", "methods_peers", "methods_cells", "methods_why", "methods_page", "methods"),
)


@pytest.fixture(scope="module")
def bench():
    """The modules of the benchmarks by name; they import each other as scripts of one folder do."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: _load(name) for name in MODULES}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            if name not in before:
                sys.modules.pop(name, None)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """The page of a toy run without peers."""
    path = tmp_path_factory.mktemp("bench") / "RESULTS.md"
    size = ["--rows", "300", "--classes", "10", "--pairs", "2000", "--starts", "1"]
    command = [sys.executable, "run.py", *size, "--no-peers", "--no-small", "--output", str(path)]
    subprocess.run(command, cwd=BENCHMARKS, check=True, capture_output=True)
    return path.read_text(encoding="utf-8")


def _rows(page: str, heading: str) -> list[list[str]]:
    lines = page.split(f"## {heading}\n\n")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_number_of_ours_is_measured(page):
    sections = ("Measures", "Measurement", "Fits", "Repairs", "Stream of 2,000 pairs")
    times = {(row[0], row[2]): row[5] for section in sections for row in _rows(page, section)}
    assert len(times) == 2 + 4 + 7 + 8 + 5 + 15 + 2
    assert all(float(ms) > 0 for ms in times.values())


def test_every_claim_is_judged_or_says_that_it_was_not_measured(page):
    verdicts = [row[3] for row in _rows(page, "Claims")]
    assert len(verdicts) == 6 + 3 + 8 + 2 + 10 + 5 + 2
    assert verdicts[:6].count("not measured") == 0
    assert verdicts[6:9] == ["not measured"] * 3  # those against peers, of which there are none here
    assert [i for i, told in enumerate(verdicts[9:19]) if told == "not measured"] == [1, 2, 8, 9]  # and with replicates


def test_the_page_names_no_folder_of_the_machine(page):
    assert str(Path.home()) not in page
    assert str(BENCHMARKS.parent) not in page
    assert sys.prefix not in page


def test_calls_are_interleaved_and_made_anew(bench):
    case, log = bench["harness"].Case, []

    def making(name):
        def make():
            log.append(f"make {name}")
            return lambda: log.append(name)

        return make

    cases = [case("n", name, "", making(name), None) for name in "ab"]
    timings = bench["harness"].race(cases, 5.0, lambda line: None)
    assert log[:8] == ["make a", "a", "make b", "b"] * 2
    assert [len(t.seconds) for t in timings] == [21, 21]


def test_a_call_that_raises_or_lacks_its_package_is_a_row(bench):
    harness = bench["harness"]

    def fails():
        raise ValueError("no file /one/two/three.txt\nand more")

    def lacks():
        import a_package_that_does_not_exist  # noqa: F401

    cases = [
        harness.Case("n", "fails", "", lambda: fails, None),
        harness.Case("n", "lacks", "", lacks, None),
        harness.Case("n", "odd", "", lambda: lambda: "text"),
        harness.Case("n", "good", "", lambda: lambda: 2.5),
    ]
    timings = harness.race(cases, 5.0, lambda line: None)
    assert timings[0].failure == "ValueError: no file three.txt"
    assert timings[1].failure == "is not installed or misses a_package_that_does_not_exist"
    assert timings[2].failure.startswith("gives no usable result: ValueError")
    assert (timings[3].failure, timings[3].value, len(timings[3].seconds)) == ("", 2.5, 21)


def test_a_call_over_its_limit_is_a_row_even_if_it_swallows_exceptions(bench):
    def sleeps():
        try:
            time.sleep(10)
        except Exception:
            return 1.0
        return 2.0

    start = time.perf_counter()
    (timing,) = bench["harness"].race([bench["harness"].Case("n", "slow", "", lambda: sleeps)], 1.0, lambda line: None)
    assert timing.failure == "no result within 1 s"
    assert time.perf_counter() - start < 5  # half of the sleep: it was stopped


def test_a_repetition_that_fails_ends_the_case_and_keeps_its_rounds(bench):
    left = iter([1.0, 2.0, 3.0])  # the warm-up and two rounds; the next call raises
    case = bench["harness"].Case("n", "w", "", lambda: lambda: next(left))
    (timing,) = bench["harness"].race([case], 5.0, lambda line: None)
    assert (timing.failure, timing.value, len(timing.seconds)) == ("", 1.0, 2)


def test_ratios_pair_the_rounds(bench):
    timing, case = bench["harness"].Timing, bench["harness"].Case("n", "w", "", lambda: lambda: 0.0)
    base, other = timing(case, [1.0, 4.0, 10.0]), timing(case, [3.0, 4.0, 20.0])
    assert other.over(base) == 1.0
    assert other.paired(base) == 2.0
    other.first_call = True
    assert other.paired(base) == 1.0


def test_the_fastest_peer_must_be_right(bench):
    harness, claims = bench["harness"], bench["claims"]

    def timing(who, value, seconds):
        return harness.Timing(harness.Case("n", who, "", lambda: lambda: 0.0), [seconds], value)

    timings = [timing("calibrant", 1.0, 1.0), timing("wrong", 1.01, 2.0), timing("right", 1.0005, 3.0)]
    assert claims.fastest(timings, "n").case.who == "right"
    assert claims.fastest(timings[:2], "n") is None


def test_numpy_by_hand_gives_our_number(bench):
    work = bench["workload"].classifier(500, 20)
    ours = bench["measurement"].cases(work)[1]
    by_hand = bench["measurement"].peers(work)[0]
    # The same sums of 500 probabilities in double precision.
    assert float(ours.make()()) == pytest.approx(by_hand.make()(), abs=1e-12)


def test_twice_the_work_may_take_twice_the_time(bench):
    measurement, harness = bench["measurement"], bench["harness"]

    def timing(how, seconds):
        return harness.Timing(harness.Case(measurement.SKCE, "calibrant", how, lambda: lambda: 0.0), [seconds], 0.0)

    whole = timing(measurement.ALL, 2.1)
    judged = [
        bench["claims"]._linear("", [whole, timing(measurement.HALF_ROWS, half)], measurement.HALF_ROWS).holds
        for half in (1.0, 0.5)
    ]
    assert judged == [True, False]


def test_the_data_is_over_confident_by_the_stated_temperature(bench):
    work = bench["workload"].classifier(2000, 50)
    fitted = bench["ours"].fits(work)[0]
    # Over twenty seeds the fits at 2,000 rows scatter by 0.023; logits without the temperature would give 1.0.
    assert abs(fitted.value(fitted.make()()) - bench["workload"].TEMPERATURE) < 0.1
    assert np.allclose(work.probabilities.sum(axis=1), 1, atol=1e-5)  # what the door asks of float32 rows


@pytest.fixture(scope="module")
def prediction_sets(tmp_path_factory) -> Path:
    """A folder with one of the sets of the table of methods, at toy size; two labels are left out."""
    folder, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 122)
    labels = np.array([rng.choice(3, p=row) for row in p])
    labels[:2], split = -1, np.arange(122) % 2
    np.savez(folder / "hpc_cv.npz", probabilities=p.astype(np.float32), labels=labels, split=split)
    return folder


def _methods(folder: Path, cache: Path, *more: str) -> tuple[str, str]:
    """Run the table of methods; return the page and what was said."""
    page = cache / "METHODS.md"
    options = ["--data", str(folder), "--cache", str(cache), "--no-peers", "--output", str(page), *more]
    done = subprocess.run(
        [sys.executable, "methods.py", *options], cwd=BENCHMARKS, check=True, capture_output=True, text=True
    )
    return page.read_text(encoding="utf-8"), done.stderr


def test_the_table_of_methods_goes_on_where_it_was_cut_off(prediction_sets, tmp_path):
    few = ["--only", "identity", "temperature"]
    page, told = _methods(prediction_sets, tmp_path, *few)
    assert told.count("hpc · calibrant") == 2
    with (tmp_path / "cells.jsonl").open("a") as cells:
        cells.write('{"set": "hpc", "meth')  # the last line of a run that was cut off
    page, told = _methods(prediction_sets, tmp_path, *few, "platt")
    assert told.count("hpc · calibrant") == 1
    page, told = _methods(prediction_sets, tmp_path, *few, "platt")
    assert "hpc · calibrant" not in told
    described = "60 rows to fit, 60 to test, 3 classes, probabilities.\n\n"
    assert described in page
    rows = {row[0]: row[1:] for row in _rows(page.replace(described, ""), "hpc")}
    assert float(rows["**calibrant** platt"][0]) > 0
    assert rows["**calibrant** sms"][0] == "not run"
    assert "wordnet1000_minilm" in page
    assert str(BENCHMARKS.parent) not in page


def test_every_calibrator_is_in_the_table_of_methods(bench, prediction_sets):
    from calibrant import registry

    methods, peers = bench["methods_peers"].ours(), bench["methods_peers"].peers()
    assert [method.how for method in methods] == [entry.name for entry in registry.entries("calibrator")]
    known = {method.how for method in methods}
    assert {peer.of for peer in peers} - {""} <= known
    assert len({peer.name for peer in peers}) == len(peers)
    for peer in peers:
        assert not peer.like or registry.create("calibrator", peer.like).entry.name in known


def test_figures_of_a_method_are_those_of_calibrant(bench, prediction_sets):
    import calibrant

    sets, (one,) = bench["methods_sets"], bench["methods_sets"].load(prediction_sets)
    assert (len(one.fit.labels), len(one.test.labels)) == (60, 60)
    batch = calibrant.Predictions.from_probabilities(one.test.scores, one.test.labels)
    specs = {"nll": "log_loss", "brier": "brier", "ece": "ece(bins=15)", "accuracy": "accuracy"}
    values = {e.name: e.value for e in calibrant.evaluate(batch, [*specs.values()], uncertainty=False).measures}
    found = sets.measured(one.test.log_p, one.test.labels)
    assert found["lost"] == 0
    for (name, spec), value in zip(specs.items(), values.values(), strict=True):
        assert found[name] == pytest.approx(value, abs=1e-12), spec  # the same sums of 60 numbers


def test_a_label_of_probability_zero_is_counted_and_nothing_is_clipped(bench):
    sets = bench["methods_sets"]
    log_p = sets.log_normalized(sets.log(np.array([[0.0, 2.0], [1.0, 1.0]])))
    found = sets.measured(log_p, np.array([0, 0]))
    assert (found["nll"], found["lost"], found["accuracy"]) == (np.inf, 1, 0.5)
    assert found["brier"] == pytest.approx((2 + 0.5) / 2, abs=1e-15)
    without = sets.measured(sets.log_normalized(sets.log(np.array([[0.0, 0.0], [1.0, 1.0]]))), np.array([0, 0]))
    assert (without["nll"], without["lost"]) == (np.inf, 1)
    assert np.isnan(without["brier"])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the fork, from Python 3.12 on
def test_a_method_over_its_limit_is_stopped_and_spared_on_larger_sets(bench, prediction_sets, tmp_path, monkeypatch):
    methods, sets, method = bench["methods"], bench["methods_sets"], bench["methods_peers"].Method
    (one,) = sets.load(prediction_sets)

    def endless(rows):
        while True:
            pass

    told = []
    monkeypatch.setattr(methods, "_say", told.append)
    run = methods.Run(methods.Cache(tmp_path), 1, {"slow": "1"})
    run.cell(sets.Set("a", "a", one.fit, one.test), method("slow", "loop", endless))
    run.cell(sets.Set("b", "b", one.fit, one.test), method("slow", "loop", endless))
    run.cell(sets.Set("c", "c", one.fit, one.test), method("slow", "odd", lambda rows: 1 / 0))
    assert [line.split(": ", 1)[1] for line in told[:2]] == ["over 1 s", "over 1 s on a already"]
    assert told[2].endswith("ZeroDivisionError: division by zero")


def test_a_pair_of_the_same_name_says_who_is_closer_and_by_how_much(bench, tmp_path):
    methods, page, peers = bench["methods"], bench["methods_page"], bench["methods_peers"]
    cache, peer = methods.Cache(tmp_path), peers.Method("peer", "of it", lambda rows: None, "temperature")
    one = bench["methods_sets"].Set("s", "s", None, None)
    ours, theirs = ([1.0, 2.0, 3.0, 6.0], 1.0), ([1.0, 1.0, 3.0, 5.0], 2.0)
    for name, (rows, fit) in (("calibrant temperature", ours), (peer.name, theirs)):
        told = {"set": "s", "method": name, "nll": float(np.mean(rows)), "fit_nll": fit, "lost": 0}
        cache.put(told, np.array(rows))
    pair = page._pair(cache, one, peer)
    assert (pair.test, pair.few, pair.fit, pair.like) == (0.5, 0.0, -1.0, None)
    assert pair.error == pytest.approx(np.std([0, 1, 0, 1], ddof=1) / 2)
    assert "-1.00000 (ours)" in pair.cells
    assert page._counts(peer, [pair, "an infinite NLL", ""])[2:] == ["1", "0", "0", "1", "+0.50000", "1"]
    assert page._ranks([2.0, 1.0, 2.0, np.inf]) == [2.5, 1.0, 2.5, 4.0]


def test_the_slowest_fit_of_each_bound_is_judged(bench):
    repairs, harness = bench["repairs"], bench["harness"]

    def timing(spec, seconds):
        return harness.Timing(harness.Case(spec, "calibrant", repairs.FIT, lambda: lambda: 0.0), [seconds], 0.0)

    told = bench["claims"]._every_fit([timing("vector", 0.1), timing("platt", 0.4), timing("auto", 5.0)])
    assert [(claim.words.split()[-1], claim.holds) for claim in told] == [("platt", False), ("auto", True)]


def test_every_registered_calibrator_of_scores_is_timed(bench):
    work = bench["workload"].classifier(50, 3)
    specs = [case.number for case in bench["repairs"].small(work)]
    of_scores = {entry.name for entry in entries("calibrator") if not entry.capabilities.needs_features}
    assert set(specs) == of_scores | {"auto(candidates='quick')"}
