"""Map files: complete or not there, equal bit for bit, and never trusted."""

import json
import os
import struct

import numpy as np
import pytest
import safetensors.numpy

import calibrant
from calibrant import persistence
from calibrant.errors import DataError
from simulation import simulate


@pytest.fixture
def saved(tmp_path):
    batch = simulate(200, temperature=1.5)
    return calibrant.fit(batch, "histogram").save(tmp_path / "map.safetensors"), batch


def forged(path, header, arrays):
    """Write a file with a valid digest, as a hostile writer would."""
    persistence.write_record(path, header, arrays)


def test_a_loaded_map_gives_the_same_bits(saved):
    path, batch = saved
    other = calibrant.load(path)
    again = other.save(path.with_name("again"))
    assert again.read_bytes() == path.read_bytes()
    assert np.array_equal(other(batch).scores, calibrant.fit(batch, "histogram")(batch).scores)
    assert other.record.fitted_on == batch.fingerprint


def test_nothing_else_is_left_beside(saved):
    path, _ = saved
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o400


@pytest.mark.parametrize("size", [0, 1, 7, 8, 40, -1])
def test_a_truncated_file_is_one_sentence(saved, size):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"^map file .* must be a map saved by calibrant, got"):
        calibrant.load(path)


def test_every_changed_byte_is_noticed(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    for position in np.random.default_rng(0).integers(8, len(content), 40):
        changed = bytearray(content)
        changed[position] ^= 0x11
        path.write_bytes(bytes(changed))
        with pytest.raises(DataError):
            calibrant.load(path)


def test_hostile_headers(tmp_path, saved):
    path, _ = saved
    header, arrays = persistence.read_record(path)
    cases = {
        "unknown method": {**header, "name": "nothing"},
        "a path for a name": {**header, "name": "../../etc/passwd"},
        "no parts": {"name": "histogram"},
        "text for a number": {**header, "record": {**header["record"], "k": "four"}},
        "a list for a map": {**header, "map": []},
        "another method's spec": {**header, "record": {**header["record"], "spec": "isotonic"}},
        "no rows": {**header, "record": {**header["record"], "rows": -1}},
        "too few class names": {**header, "record": {**header["record"], "classes": ["a"]}},
        "an extra field": {**header, "map": {**header["map"], "extra": 1}},
    }
    for wrong in cases.values():
        forged(tmp_path / "forged", wrong, arrays)
        with pytest.raises(DataError, match="map file"):
            calibrant.load(tmp_path / "forged")


def test_arrays_of_the_wrong_shape_or_with_nan_are_refused(tmp_path, saved):
    path, _ = saved
    header, arrays = persistence.read_record(path)
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        for wrong in (array[..., :0], np.full_like(array, np.nan), array[None], array.astype(np.float32)):
            forged(tmp_path / "forged", header, {**arrays, name: wrong})
            with pytest.raises(DataError, match="map file"):
                calibrant.load(tmp_path / "forged")


def test_other_versions_and_other_files(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(safetensors.numpy.save({"x": np.zeros(2)}))
    with pytest.raises(DataError, match="a file that calibrant did not write"):
        calibrant.load(other)
    metadata = {"calibrant": json.dumps({"format": "calibrant", "version": 99})}
    other.write_bytes(safetensors.numpy.save({"x": np.zeros(2)}, metadata=metadata))
    with pytest.raises(DataError, match="version 1 of the format, got version 99"):
        calibrant.load(other)
    other.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(DataError):
        calibrant.load(other)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DataError, match="map file"):
            calibrant.load(path)


def test_an_unwritable_place_leaves_nothing(tmp_path):
    batch = simulate(50)
    with pytest.raises(DataError, match="output must be a file in a folder that can be written"):
        calibrant.fit(batch, "temperature").save(tmp_path / "no" / "map")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError):
        calibrant.fit(batch, "temperature").save(tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_link_keeps_pointing_at_the_file(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    persistence.write_atomically(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=r"output must be a file .*no file"):
        persistence.write_atomically(pipe, b"x")
    assert pipe.is_fifo()


def test_numbers_that_fit_no_type_are_one_sentence(tmp_path):
    body = {"x": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}, "__metadata__": {"calibrant": "{}"}}
    text = json.dumps(body).encode()
    (tmp_path / "odd").write_bytes(struct.pack("<Q", len(text)) + text + b"a")
    with pytest.raises(DataError, match="must be a map saved by calibrant"):
        calibrant.load(tmp_path / "odd")
    path = calibrant.fit(simulate(50, temperature=1.5), "temperature").save(tmp_path / "map")
    header, arrays = persistence.read_record(path)
    header["map"]["beta"] = 10**400
    forged(path, header, arrays)
    with pytest.raises(DataError, match="must hold a valid map"):
        calibrant.load(path)
