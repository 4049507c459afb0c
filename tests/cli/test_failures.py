"""Bad input: one sentence on stderr, the right exit code, nothing on stdout and nothing left in the folder."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from calibrant.cli.failures import exit_code

USAGE, DATA = 2, 3


def refused(ran, code, *parts):
    assert ran.code == code, (ran.out, ran.err)
    assert ran.out == ""
    assert ran.err.startswith("calibrant: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")
    for part in parts:
        assert part in ran.err


def left(folder, *known):
    return sorted({path.name for path in folder.iterdir()} - set(known))


def bad(arrays, **changes):
    kept = {**arrays, **changes}
    return {name: array for name, array in kept.items() if array is not None}


def at(array, row, column, value):
    changed = array.copy()
    changed[row, column] = value
    return changed


def one(labels, row, value):
    changed = labels.astype(np.asarray(value).dtype if isinstance(value, str) else labels.dtype)
    changed[row] = value
    return changed


# What is changed in good arrays, and what the sentence must say.
ARRAYS = {
    "three dimensions": (lambda a: {"probabilities": np.stack([a["probabilities"]] * 2, 1)}, "shape (n, 2, 3)"),
    "no dimension left": (lambda a: {"probabilities": a["probabilities"][:, 0]}, "one column a class"),
    "rows that differ": (lambda a: {"labels": a["labels"][:-1]}, "299 rows in 'labels'"),
    "NaN": (lambda a: {"probabilities": at(a["probabilities"], 7, 2, np.nan)}, "got nan in row 7, column 2"),
    "a negative": (lambda a: {"probabilities": at(a["probabilities"], 7, 2, -0.5)}, "got -0.5 in row 7, column 2"),
    "sums off": (lambda a: {"probabilities": 2 * a["probabilities"]}, "pass --normalize to rescale"),
    "label out of range": (lambda a: {"labels": one(a["labels"], 4, 3)}, "got 3 in row 4"),
    "label -1": (lambda a: {"labels": one(a["labels"], 4, -1)}, '--rows "split=0"'),
    "fractional labels": (lambda a: {"labels": a["labels"] + 0.5}, "whole class indices"),
    "unknown class": (lambda a: {"labels": one(a["class_names"][a["labels"]], 4, "fox")}, "got 'fox' in row 4"),
    "no labels": (lambda a: {"labels": None}, "add an array or column labels to the file"),
    "no rows": (lambda a: {name: a[name][:0] for name in ("probabilities", "labels", "ids")}, "at least one row"),
    "one class": (lambda a: {"probabilities": np.ones((300, 1)), "class_names": None}, "write one column a class"),
    "both kinds": (lambda a: {"logits": a["probabilities"]}, '--scores "logits"'),
    "objects": (lambda a: {"probabilities": a["probabilities"].astype(object)}, "probabilities"),
}


AS_PROCESSES = ("NaN", "unknown class", "both kinds", "objects")


@pytest.mark.parametrize("case", ARRAYS)
def test_bad_arrays(run, call, arrays, tmp_path, case):
    change, said = ARRAYS[case]
    np.savez(tmp_path / "bad.npz", **bad(arrays, **change(arrays)))
    door = run if case in AS_PROCESSES else call
    refused(door("fit", "bad.npz", "--calibrator", "temperature", "--output", "map", "--json"), DATA, said)
    assert left(tmp_path) == ["bad.npz"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.npz", b"", "an empty file"),
        ("empty.csv", b"", "an empty file"),
        ("text.npz", b"not an archive", "complete .npz archive"),
        ("head.csv", b"labels,probability:a,probability:b\n", "at least one row"),
        ("ragged.csv", b"labels,probability:a,probability:b\n0,0.5\n", "line 2"),
        ("words.csv", b"labels,probability:a,probability:b\n0,0.5,half\n", "'half'"),
        ("broken.parquet", b"PAR1 and no more", "broken.parquet"),
        ("scores.txt", b"0.5 0.5", "end in one of .npz, .csv, .parquet"),
    ],
)
def test_bad_files(call, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    refused(call("report", name, "--output", "page.html", "--save", "map"), DATA, said)
    assert left(tmp_path) == [name]


def test_a_truncated_archive(run, files, tmp_path):
    whole = (files / "good.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    refused(run("report", "half.npz"), DATA, "complete .npz archive")
    assert left(tmp_path) == ["half.npz"]


@pytest.mark.parametrize("path", ["missing.npz", ".", "folder.npz", "missing/good.npz"])
def test_unreadable_paths(call, tmp_path, path):
    (tmp_path / "folder.npz").mkdir()
    refused(call("evaluate", path), DATA, repr(path))


def metadata(text):
    """Return a safetensors file without tensors whose metadata hold the text as the record of calibrant."""
    header = json.dumps({"__metadata__": {"calibrant": text}}).encode()
    return struct.pack("<Q", len(header)) + header


HOSTILE = {
    "nothing": lambda good: b"",
    "half": lambda good: good[: len(good) // 2],
    "a changed bit": lambda good: good[:-1] + bytes([good[-1] ^ 1]),
    "a huge header": lambda good: struct.pack("<Q", 2**62) + good[8:],
    "no record": lambda good: metadata("{}"),
    "a deep record": lambda good: metadata("[" * 100_000),
    "another version": lambda good: good.replace(b'\\"version\\": 1', b'\\"version\\": 9'),
    "pickle": lambda good: b"cos\nsystem\n(S'touch owned'\ntR.",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_maps(call, files, tmp_path, case):
    good = (files / "good.map").read_bytes()
    content = HOSTILE[case](good)
    assert content != good
    (tmp_path / "bad.map").write_bytes(content)
    refused(call("apply", "bad.map", files / "plain.npz", "--output", "out.npz"), DATA, "bad.map")
    assert left(tmp_path) == ["bad.map"]


def test_a_map_is_not_applied_to_classes_in_another_order(run, files, tmp_path):
    (tmp_path / "other.csv").write_text("probability:owl,probability:cat,probability:dog\n0.2,0.3,0.5\n")
    refused(run("apply", files / "good.map", "other.csv", "--output", "out.npz"), DATA, "'cat' in column 0", "'owl'")
    (tmp_path / "fewer.csv").write_text("probability:cat,probability:dog\n0.5,0.5\n")
    refused(run("apply", files / "good.map", "fewer.csv", "--output", "out.npz"), DATA, "3 classes of the map")
    assert left(tmp_path, "other.csv", "fewer.csv") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--output", "no/folder/page.html"),
        ("report", "--output", "page.html", "--save", "no/folder/map"),
        ("report", "--output", "."),
        ("fit", "--calibrator", "temperature", "--output", "no/folder/map"),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_the_work(call, files, tmp_path, monkeypatch, arguments):
    monkeypatch.setattr("calibrant.io.batches", lambda *a, **k: pytest.fail("the work had begun"))
    refused(call(arguments[0], files / "plain.npz", *arguments[1:]), DATA, "in a folder that can be written")
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evalute", "FILE"), "did you mean 'evaluate'?"),
        (("evaluate",), "missing argument 'FILE'"),
        (("evaluate", "FILE", "--sores", "x"), "--scores"),
        (("evaluate", "FILE", "--measures", "ecee"), "did you mean 'ece'?"),
        (("evaluate", "FILE", "--measures", "fast"), "suites: quick, default, full"),
        (("evaluate", "FILE", "--measures", "ece(bin=5)"), "did you mean 'bins'?"),
        (("evaluate", "FILE", "--measures", "ece(notion=1)"), "right types"),
        (("evaluate", "FILE", "--measures", ","), "at least one method"),
        (("evaluate", "FILE", "--level", "1"), "between 0 and 1"),
        (("evaluate", "FILE", "--replicates", "none"), "--replicates"),
        (("evaluate", "FILE", "--batch-rows", "0"), "--batch-rows"),
        (("evaluate", "FILE", "--rows", "first"), "START:STOP"),
        (("evaluate", "FILE", "--fail-above", "ece"), "MEASURE=LIMIT"),
        (("evaluate", "FILE", "--fail-below", "ece=nan"), "MEASURE=LIMIT"),
        (("compare", "FILE", "--folds", "1"), "--folds"),
        (("fit", "FILE", "--calibrator", "temprature", "--output", "map"), "did you mean 'temperature'?"),
        (("fit", "FILE", "--calibrator", "temperature(prior=-1)", "--output", "map"), "prior must be positive"),
        (("fit", "FILE", "--calibrator", "temperature"), "missing option '--output'"),
        (("apply", "map", "FILE", "--output", "out.csv"), "end in .npz"),
        (("report",), "either a file or --example"),
        (("report", "FILE", "--example", "satellite"), "either a file or --example"),
        (("report", "--example", "mars"), "known: satellite"),
        (("report", "--example", "satellite", "--normalize"), "'--example'"),
        (("report", "FILE", "--output", "same", "--save", "same"), "another file"),
        (("methods", "temprature"), "did you mean 'temperature'?"),
    ],
)
def test_usage(call, files, tmp_path, arguments, said):
    arguments = [files / "plain.npz" if argument == "FILE" else argument for argument in arguments]
    refused(call(*arguments), USAGE, said)
    assert left(tmp_path) == []


def test_usage_as_a_process_keeps_stdout_clean(run, files):
    refused(run("evaluate", files / "plain.npz", "--json", "--level", 7), USAGE, "--level")


def test_names_cannot_break_the_line_or_reach_the_terminal(call, arrays, tmp_path):
    names = np.array(["cat", "\x1b[31mdog\nowl", "owl"])
    np.savez(tmp_path / "bad.npz", **bad(arrays, class_names=names, labels=one(names[arrays["labels"]], 3, "fox")))
    ran = call("evaluate", "bad.npz")
    refused(ran, DATA, r"\x1b[31mdog owl")
    assert "\x1b" not in ran.err


# ---- unusual, but answered -----------------------------------------------------------------------------------
def test_one_row_is_measured_and_not_repaired(run, call, arrays, tmp_path):
    np.savez(tmp_path / "one.npz", **{name: arrays[name][:1] for name in ("probabilities", "labels")})
    ran = run("report", "one.npz")
    assert ran.code == 0
    assert "fewer than 10 rows" in ran.out
    assert "temperature declined: cross-fitting needs at least 10 rows, got 1" in ran.out
    assert "Keep the scores as they are" in ran.out
    told = json.loads(call("report", "one.npz", "--json").out)
    assert told["recommended"] == "identity"


def test_only_one_class_present(run, arrays, tmp_path):
    labels = np.zeros_like(arrays["labels"])
    np.savez(tmp_path / "one.npz", probabilities=arrays["probabilities"], labels=labels)
    ran = run("report", "one.npz", "--replicates", 10, "--repeats", 1, "--folds", 2)
    assert ran.code == 0, ran.err
    assert "report: calibrant-report.html" in ran.out
    assert all(line.startswith("note: ") for line in ran.err.splitlines()), ran.err


def test_memory_that_does_not_suffice_is_a_sentence(call, files, monkeypatch):
    def full(*arguments, **options):
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr("calibrant.evaluation.evaluate", full)
    refused(call("evaluate", files / "plain.npz"), DATA, "8 TiB", "--batch-rows")


@pytest.mark.parametrize("command", [("fit", "--calibrator", "temperature", "--output"), ("report", "--save")])
def test_a_result_is_not_written_over_what_is_read(call, files, tmp_path, command):
    source = tmp_path / "mine.npz"
    source.write_bytes((files / "plain.npz").read_bytes())
    name, *options = command
    refused(call(name, "mine.npz", *options, "./mine.npz"), USAGE, "another file than the one that is read")
    assert source.read_bytes() == (files / "plain.npz").read_bytes()


def test_a_spec_that_is_no_spec(call, files):
    refused(call("evaluate", files / "plain.npz", "--measures", "ece(bins={[]: 1})"), USAGE, "spec must read")


def test_a_fault_of_our_own_is_no_failed_gate(capsys):
    def fault():
        raise ZeroDivisionError

    assert exit_code(fault) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_nul_in_a_label_is_no_other_label(call, tmp_path):
    (tmp_path / "nul.csv").write_text("probability:a,probability:b,labels\n0.5,0.5,a\x00\n0.5,0.5,b\n")
    refused(call("evaluate", "nul.csv"), DATA, "NUL", "line 2")
