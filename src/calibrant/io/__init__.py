"""Files of predictions: ``.npz`` arrays, ``.csv`` and ``.parquet`` columns, whole or chunk by chunk.

`read` gives one `Predictions`, `batches` the same rows a chunk at a time, `write` and `write_batches` an
archive that both can read. docs/files.md tells which array or column is what; `columns` decides it.
"""

from __future__ import annotations

import os

from calibrant.errors import require
from calibrant.io.chunks import Batches
from calibrant.io.columns import planned
from calibrant.io.formats import open_table
from calibrant.io.rows import selection
from calibrant.io.writing import write, write_batches
from calibrant.predictions import Predictions

__all__ = ["Batches", "batches", "read", "write", "write_batches"]


def read(
    path: str | os.PathLike[str],
    *,
    scores: str | None = None,
    rows: str | None = None,
    normalize: bool = False,
) -> Predictions:
    """Return the predictions in a file as one batch.

    Parameters
    ----------
    path : a file that ends in ``.npz``, ``.csv`` or ``.parquet`` (needs ``pip install 'calibrant[io]'``).
    scores : name of the array or columns with the scores; the name says ``logits`` or ``probabilities``.
        None takes ``probabilities`` or ``logits``, and refuses a file with both.
    rows : ``"COLUMN=VALUE"`` or ``"START:STOP"``, counted from 0; None takes all rows.
    normalize : divide each row of probabilities by its sum.

    Raises
    ------
    DataError : one sentence about the file, the cell or the row that is not what it must be.
    MissingExtra : if pyarrow is needed and missing.
    """
    return batches(path, scores=scores, rows=rows, normalize=normalize).whole()


def batches(
    path: str | os.PathLike[str],
    *,
    scores: str | None = None,
    rows: str | None = None,
    normalize: bool = False,
    batch_rows: int = 65536,
) -> Batches:
    """Return the predictions in a file as a re-iterable of batches of at most ``batch_rows`` rows.

    The header is read at once; the rows are read anew by every iteration, in the memory of a chunk or two.
    Parameters and errors are those of `read`; errors about rows come while iterating.
    """
    require(batch_rows > 0, "batch_rows", "be positive", batch_rows)
    chosen = selection(rows)
    table = open_table(path)
    plan = planned(table, scores, chosen.column)
    got = f"the logits {plan.scores.name!r}"
    require(plan.kind == "probability" or not normalize, "normalize=True", "go with probabilities", got)
    return Batches(batch_rows=batch_rows, normalize=normalize, table=table, plan=plan, selection=chosen)
