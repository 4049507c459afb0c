"""A saved map of every method, damaged or forged: one clear error, or the very same probabilities; never a crash."""

import contextlib
import copy

import numpy as np
import pytest

import calibrant
from calibrant import persistence
from calibrant.errors import CalibrantError, DataError
from portable_maps import NAMES, fresh, learnt

FLIPS, CUTS, FORGED = 200, 30, 150
ODD = [None, True, -1, 10**400, 1e308, "", "nothing", [], ["a", 2], {}, {"a": {}}]


@pytest.fixture(params=NAMES)
def saved(request, tmp_path):
    """The path of a map, and the map."""
    repaired = learnt(request.param, "logits")
    if repaired is None:
        pytest.skip(f"{request.param} declines this set")
    return repaired.save(tmp_path / "map"), repaired


def test_flipped_bytes_and_cut_files(saved):
    path, repaired = saved
    batch, content = fresh("logits").take(slice(0, 20)), path.read_bytes()
    wanted, rng = repaired(batch).scores, np.random.default_rng(len(content))
    flips = [*range(12), *rng.integers(len(content), size=FLIPS - 12)]  # the first 8 bytes tell the header's length
    cuts = rng.integers(len(content), size=CUTS)
    for number, changed in enumerate([*(flipped(content, at, rng) for at in flips), *(content[:at] for at in cuts)]):
        other = path.with_name(f"changed{number}")
        other.write_bytes(changed)
        assert refused(other) or np.array_equal(calibrant.load(other)(batch).scores, wanted)


def flipped(content, position, rng):
    """The content with one bit changed in one byte."""
    changed = bytearray(content)
    changed[position] ^= 1 << rng.integers(8)
    return bytes(changed)


def refused(path):
    """Whether a file is refused with a sentence; any other error passes through."""
    try:
        calibrant.load(path)
    except DataError as error:
        return str(error).startswith("map file")
    return False


def leaves(part, place=()):
    """The places of all values in a header."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        yield (*place, key)
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*place, key))


def test_forged_headers(saved, tmp_path):
    """A value of another kind anywhere in the header, with a digest that agrees."""
    path, _ = saved
    header, arrays = persistence.read_record(path)
    choices = [(place, odd) for place in leaves(header) for odd in ODD]
    for place, odd in some(choices, len(choices)):
        forged = copy.deepcopy(header)
        part = forged
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = odd
        write_and_use(tmp_path / "forged", forged, arrays)


def some(choices, seed):
    """At most `FORGED` of the choices."""
    picked = np.random.default_rng(seed).permutation(len(choices))[:FORGED]
    return [choices[i] for i in picked]


def test_forged_arrays(saved, tmp_path):
    """An array of another shape, precision or content, with a digest that agrees."""
    path, _ = saved
    header, arrays = persistence.read_record(path)
    choices = [(name, wrong) for name, array in arrays.items() for wrong in oddities(array)]
    for name, wrong in some(choices, len(choices)):
        write_and_use(tmp_path / "forged", header, {**arrays, name: np.ascontiguousarray(wrong)})


def oddities(array):
    yield from (array[..., :0], array[None], array.ravel()[:1], np.zeros(0), array[::-1], np.zeros_like(array))
    if array.dtype.kind == "f":
        yield from (-array, np.full_like(array, np.nan), np.full_like(array, np.inf), array.astype(np.float32))
    else:
        yield from (array + array.dtype.type(7), array.astype(np.float64))


def write_and_use(path, header, arrays):
    """Load a forged file; where it is a valid map by chance, the map works or refuses with a sentence."""
    persistence.write_record(path, header, arrays)
    with contextlib.suppress(CalibrantError), np.errstate(all="ignore"):  # a huge temperature may overflow
        calibrant.load(path)(fresh("logits").take(slice(0, 20)))
