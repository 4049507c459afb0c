"""Make the embedded example: an over-confident network's scores on Landsat land-cover pixels.

Reads the Statlog (Landsat Satellite) table from Debian's package r-cran-mlbench, trains a small network
without regularisation on 2,000 rows until it has all but memorised them, and writes the logits and the last
hidden layer of the other 4,435 rows. Nothing is distorted: plain training leaves this over-confidence behind.

    apt-get download r-cran-mlbench
    dpkg -x r-cran-mlbench_*.deb mlbench
    python tools/make_example.py mlbench/usr/lib/R/site-library/mlbench/data/Satellite.rda

tools/README.md tells how the same bytes come out again and what `--check` compares.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]
Parameters = list[Floats]  # weights and bias of the first layer, then of the next: W1, b1, W2, b2, W3, b3

SHIPPED = Path(__file__).resolve().parents[1] / "src" / "calibrant" / "data" / "satellite.npz"
# Of the table's values, not of the file, so that the same table packed anew still passes.
SOURCE_SHA256 = "aaa757b85e557b7fc31a65516cd5ffe40b7704acea244585ebe21630bf84eb01"

SEED = 20240
TRAINING_ROWS = 2000
WIDTHS = (64, 32)
EPOCHS = 300
BATCH = 100
LEARNING_RATE = 0.001

BINS = 15
# Of logits and features: other libraries move them by at most one unit in the last place of a float32, 1.5e-5
# for the largest logits; ten times that is still far below anything a figure in the README would show.
TOLERANCE = 1.5e-4


class Source(NamedTuple):
    """The table as it comes: measurements (n, 36), labels (n,) and the names of the classes (k,)."""

    measurements: Floats
    labels: Integers
    class_names: NDArray[np.str_]


class Summary(NamedTuple):
    """How good and how honest a batch of scores is; every figure is a mean over the rows."""

    accuracy: float
    mean_confidence: float
    log_loss: float
    brier: float
    ece_15: float


def read_source(path: Path) -> Source:
    """Read Satellite.rda; raise ValueError if the table is not the one the example is made from."""
    # Imported here so that the rest of the script can be type-checked and imported without it.
    import rdata  # type: ignore[import-not-found,unused-ignore]

    table = rdata.read_rda(path, default_encoding="ascii")["Satellite"]
    classes = table["classes"].cat
    source = Source(
        table.drop(columns="classes").to_numpy(dtype=np.float64),
        classes.codes.to_numpy(dtype=np.int64),
        np.array(list(classes.categories), dtype=np.str_),
    )
    digest = source_sha256(source)
    if digest != SOURCE_SHA256:
        raise ValueError(f"the values of the table must have sha256 {SOURCE_SHA256}, got {digest}")
    return source


def source_sha256(source: Source) -> str:
    """Digest the values of the table (bytes, as in the satellite's sensor) and the names of the classes."""
    values = np.column_stack([source.measurements, source.labels]).astype(np.uint8)  # (n, 37)
    return hashlib.sha256(values.tobytes() + "\n".join(source.class_names).encode()).hexdigest()


# --- the network: two ReLU layers and a linear one, float64, plain Adam


def initial_parameters(sizes: tuple[int, ...], rng: np.random.Generator) -> Parameters:
    """Draw He-normal weights and zero biases for layers of the given sizes."""
    parameters: Parameters = []
    for rows, columns in pairwise(sizes):
        parameters += [rng.normal(0.0, np.sqrt(2.0 / rows), (rows, columns)), np.zeros(columns)]
    return parameters


def forward(parameters: Parameters, inputs: Floats) -> list[Floats]:
    """Return the inputs, the activations of each hidden layer, and the logits."""
    layers = [inputs]
    for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        layers.append(np.maximum(layers[-1] @ weights + bias, 0.0))  # (n, width)
    layers.append(layers[-1] @ parameters[-2] + parameters[-1])  # (n, k)
    return layers


def softmax(logits: Floats) -> Floats:
    """Turn logits (n, k) into probabilities (n, k)."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def gradients(parameters: Parameters, inputs: Floats, labels: Integers) -> Parameters:
    """Differentiate the mean log loss with respect to every parameter."""
    layers = forward(parameters, inputs)
    delta = (softmax(layers[-1]) - np.eye(layers[-1].shape[1])[labels]) / len(labels)  # (n, k)
    slopes: Parameters = []
    for index in range(len(layers) - 2, -1, -1):
        slopes = [layers[index].T @ delta, delta.sum(axis=0), *slopes]
        delta = (delta @ parameters[2 * index].T) * (layers[index] > 0.0)  # (n, width)
    return slopes


def adam_steps(first: Parameters, second: Parameters, slopes: Parameters, step: int) -> Parameters:
    """Update the two moments in place and return the steps (Kingma and Ba 2015, their default decays)."""
    for mean, square, slope in zip(first, second, slopes, strict=True):
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
    rate = LEARNING_RATE * np.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step)
    return [rate * mean / (np.sqrt(square) + 1e-8) for mean, square in zip(first, second, strict=True)]


def train(inputs: Floats, labels: Integers, k: int, rng: np.random.Generator) -> Parameters:
    """Fit by mini-batches; inputs (n, d), labels (n,)."""
    parameters = initial_parameters((inputs.shape[1], *WIDTHS, k), rng)
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    step = 0
    for _ in range(EPOCHS):
        for rows in np.split(rng.permutation(len(inputs)), len(inputs) // BATCH):
            step += 1
            steps = adam_steps(first, second, gradients(parameters, inputs[rows], labels[rows]), step)
            parameters = [p - s for p, s in zip(parameters, steps, strict=True)]
    return parameters


# --- the example


def make_arrays(source: Source) -> dict[str, NDArray[Any]]:
    """Train on a random part of the source and score the rest, in shuffled order."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(source.labels))
    fitted, held_out = order[:TRAINING_ROWS], order[TRAINING_ROWS:]
    training = source.measurements[fitted]
    inputs = (source.measurements - training.mean(axis=0)) / training.std(axis=0)
    parameters = train(inputs[fitted], source.labels[fitted], len(source.class_names), rng)
    print_figures("training rows", summarise(forward(parameters, inputs[fitted])[-1], source.labels[fitted]))
    layers = forward(parameters, inputs[held_out])
    return {
        "logits": layers[-1].astype("<f4"),
        "labels": source.labels[held_out].astype("<i8"),
        "features": layers[-2].astype("<f4"),
        "class_names": source.class_names,
        "ids": held_out.astype("<i8"),
    }


def npz_bytes(arrays: Arrays) -> bytes:
    """Pack as numpy.savez_compressed does, but with a fixed date: equal arrays then give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16  # else they depend on the system
            archive.writestr(member, npy_bytes(array), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Serialise one array in version 1.0 of the .npy format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


# --- figures


def summarise(logits: NDArray[Any], labels: Integers) -> Summary:
    """Measure scores against labels; the Brier score is summed over classes, the log loss is in nats."""
    probabilities = softmax(logits.astype(np.float64))
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    errors = probabilities - np.eye(logits.shape[1])[labels]
    return Summary(
        accuracy=float(correct.mean()),
        mean_confidence=float(confidence.mean()),
        log_loss=float(-np.log(probabilities[np.arange(len(labels)), labels]).mean()),
        brier=float((errors**2).sum(axis=1).mean()),
        ece_15=expected_calibration_error(confidence, correct),
    )


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Sum |mean confidence - accuracy| over equal right-closed bins, by their share (Guo et al. 2017)."""
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(np.int64)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def best_temperature(logits: Floats, labels: Integers) -> float:
    """Minimise the log loss over one temperature by bisection: the slope in 1/temperature is increasing."""
    chosen = logits[np.arange(len(labels)), labels]
    low, high = -10.0, 10.0  # log(1/temperature)
    for _ in range(60):
        middle = 0.5 * (low + high)
        slope = ((softmax(np.exp(middle) * logits) * logits).sum(axis=1) - chosen).mean()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.exp(-low))


def print_figures(title: str, summary: Summary) -> None:
    """Print one line: the title and each figure with its name."""
    print(f"{title:<22}", "  ".join(f"{name} {value:.4f}" for name, value in summary._asdict().items()))


def report(arrays: Arrays) -> None:
    """Print the figures of all rows; then what a temperature fitted on the first half does to the second."""
    logits, labels = arrays["logits"].astype(np.float64), arrays["labels"]
    print_figures("all rows", summarise(logits, labels))
    half = len(labels) // 2
    temperature = best_temperature(logits[:half], labels[:half])
    print_figures("second half", summarise(logits[half:], labels[half:]))
    print_figures(f"at temperature {temperature:.3f}", summarise(logits[half:] / temperature, labels[half:]))


# --- checking


def differences(made: Arrays, shipped: Arrays) -> list[str]:
    """Say in one line each where two examples differ by more than rounding; empty if nowhere."""
    if list(made) != list(shipped):
        return [f"arrays must be {list(made)}, got {list(shipped)}"]
    found = []
    for name, array in made.items():
        other = shipped[name]
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            found.append(f"{name} must be {array.dtype} {array.shape}, got {other.dtype} {other.shape}")
        elif array.dtype.kind == "f":
            gap = float(np.abs(array.astype(np.float64) - other.astype(np.float64)).max())
            if not gap <= TOLERANCE:  # not `>`: a NaN must be found too
                found.append(f"{name} must agree within {TOLERANCE}, got a difference of {gap:.3g}")
        elif not np.array_equal(array, other):
            found.append(f"{name} must be equal, got {int((array != other).sum())} entries that differ")
    return found


def check(made: Arrays, packed: bytes, path: Path) -> int:
    """Compare with the file; print the verdict; return the exit code."""
    same = path.read_bytes() == packed
    with np.load(path, allow_pickle=False) as archive:
        found = differences(made, dict(archive))
    verdict = "is identical, byte for byte" if same else "differs by rounding or packing only"
    for line in found or [f"{path.name} {verdict}"]:
        print(f"check: {line}")
    return 1 if found else 0


def run(source: Path, out: Path, *, only_check: bool) -> int:
    """Make the example, print its figures, then write or compare it; return the exit code."""
    arrays = make_arrays(read_source(source))
    report(arrays)
    packed = npz_bytes(arrays)
    print(f"{len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")
    if only_check:
        return check(arrays, packed, out)
    out.write_bytes(packed)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; a file that cannot be read or is unexpected means exit code 2."""
    parser = argparse.ArgumentParser(description="Make the embedded example data set from Satellite.rda.")
    parser.add_argument("source", type=Path, help="Satellite.rda from r-cran-mlbench")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file to write, or to compare with")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    options = parser.parse_args(arguments)
    try:
        return run(options.source, options.out, only_check=options.check)
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        parser.error(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
