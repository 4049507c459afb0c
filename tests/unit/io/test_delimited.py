"""Text files: what the csv module hides, and the line and column of every cell that is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibrant import io

Text = Callable[[str | bytes], Path]
Refusal = Callable[..., str]
PLAIN = "labels,probability:a,probability:b\na,0.5,0.5\nb,0.25,0.75\nb,1,0\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("b,0.25,0.75", '"b","0.25","0.75"'),
        PLAIN.replace(",", ", "),
        PLAIN.replace("\nb", "\n\nb") + "\n\n",
        PLAIN.removesuffix("\n"),
        PLAIN.replace("0.25", "2.5E-1"),
    ],
    ids=[
        "plain",
        "crlf",
        "byte-order mark",
        "quoted",
        "blanks",
        "blank lines",
        "no last newline",
        "exponent",
    ],
)
def test_the_same_table_in_other_words(text: Text, content: str | bytes) -> None:
    batch = io.read(text(content))
    np.testing.assert_array_equal(batch.scores, [[0.5, 0.5], [0.25, 0.75], [1, 0]])
    assert batch.hard_labels.tolist() == [0, 1, 1]
    assert batch.classes == ("a", "b")


def test_names_may_hold_commas_quotes_colons_and_line_breaks(text: Text) -> None:
    path = text('"probability:a,b","probability:""q"":\r\nx",labels\n0.5,0.5,"a,b"\n1,0,"""q"":\r\nx"\n')
    batch = io.read(path)
    assert batch.classes == ("a,b", '"q":\r\nx')
    assert batch.hard_labels.tolist() == [0, 1]


def test_numbers_are_read_to_the_last_digit(text: Text) -> None:
    value = 0.1 + 0.2  # 0.30000000000000004
    path = text(f"probability:a,probability:b\n{value!r},{1 - value!r}\n")
    assert io.read(path).scores.tolist() == [[value, 1 - value]]


def test_logits_may_be_minus_infinity(text: Text) -> None:
    assert io.read(text("logit:a,logit:b\n-inf,0\n")).scores.tolist() == [[-np.inf, 0]]


def test_soft_labels_are_columns(text: Text) -> None:
    head = "probability:a,probability:b"
    assert io.read(text(f"{head},label:a,label:b\n0.5,0.5,0.25,0.75\n")).soft
    with pytest.raises(ValueError, match="soft labels of the same classes in the same order, got b, a where"):
        io.read(text(f"{head},label:b,label:a\n0.5,0.5,0.25,0.75\n"))


def test_ids_and_groups_are_whole_numbers_only_if_all_of_the_file_are(text: Text) -> None:
    lines = [f"0.5,0.5,{row},{row},{row % 2}" for row in range(6)]
    head = "probability:a,probability:b,ids,groups,split"
    path = text("\n".join([head, *lines, "0.5,0.5,7,007,0"]))
    for batch in (io.read(path), io.read(path, rows="0:2"), next(iter(io.batches(path, batch_rows=2)))):
        assert batch.ids is not None
        assert batch.groups is not None
        assert batch.ids.dtype == np.int64
        assert batch.groups.dtype.kind == "U"
    path = text("\n".join([head, *lines, ",,,,2", "0.5,0.5,123456789012345678901,1,0"]))
    batch = io.read(path, rows="split=0")
    assert batch.ids is not None
    assert batch.groups is not None
    assert (batch.ids.dtype.kind, batch.groups.dtype.kind) == ("U", "i")  # the id has more than 64 bits


def test_cells_of_left_out_rows_are_not_read(text: Text) -> None:
    path = text("split,labels,probability:a,probability:b\n0,a,0.5,0.5\n1,,none,\n,,,\n2,a,0.5,x\n")
    assert len(io.read(path, rows="split=0")) == 1
    assert len(io.read(path, rows=":1")) == 1
    for rows in ("split=2", "3:"):
        with pytest.raises(ValueError, match="got 'x' in line 5, column 'probability:b'"):
            io.read(path, rows=rows)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (PLAIN + "a,0.5\n", ["have 3 cells in every line, got 2 in line 5"]),
        (PLAIN + "\n\na,0.5,0.5,0\n", ["got 4 in line 7"]),
        (PLAIN + "a,0.5,half\n", ["a number in every cell, got 'half' in line 5, column 'probability:b'"]),
        (PLAIN + "a,,0.5\n", ["no missing cells, got an empty one in line 5, column 'probability:a'"]),
        (PLAIN + ",0.5,0.5\n", ["no missing cells", "in line 5, column 'labels'"]),
        (PLAIN + 'a,"0,5",0.5\n', ["got '0,5' in line 5"]),
        (PLAIN + "a,nan,0.5\n", ["finite", "in row 3"]),
        (PLAIN + 'a,"0.5,0.5\n', ["comma-separated values, got unexpected end of data in line 5"]),
        (PLAIN + 'a,"0.5"5,0.5\n', ["comma-separated values", "in line 5"]),
        (PLAIN + "c,0.5,0.5\n", ["be among the class names, as the first label is, got 'c' in row 3"]),
        (PLAIN.replace("labels", "probability:a"), ["distinct columns, got 'probability:a' twice"]),
        (PLAIN.replace("labels", "probabilities"), ["state probabilities once", "'probability:a'"]),
        (PLAIN.replace(":a", ":"), ["a name after the colon of each column, got 'probability:'"]),
        (
            PLAIN.replace(",", ";"),
            ["columns separated by commas, got one column 'labels;probability:a;probability:b'"],
        ),
        ("labels,probability:a,probability:b\n", ["have at least one row, got 0"]),
        ("\n" + PLAIN, ["a header line", "an empty line"]),
        ("probabilities,labels\n0.5,0\n", ["(n, k), got shape (n)", "one column a class"]),
        (b"probability:a,probability:b\n0.5,\xff\n", ["UTF-8, got byte 0xff", "save it as UTF-8"]),
        (PLAIN.encode("utf-16"), ["UTF-8"]),
        (
            "probability:a,probability:b\n" + "5" * 200_000 + ",1\n",
            ["field larger than field limit", "line 2"],
        ),
    ],
)
def test_bad_text_is_one_sentence(text: Text, refusal: Refusal, content: str | bytes, parts: list[str]) -> None:
    sentence = refusal(text(content))
    assert all(part in sentence for part in parts), sentence


def test_lines_are_counted_where_cells_hold_line_breaks(text: Text, refusal: Refusal) -> None:
    content = 'groups,probability:a,probability:b\n"x\ny",0.5,0.5\n\nz,0.5,0.5\nz,0.5,no\n'
    assert "got 'no' in line 6, column 'probability:b'" in refusal(text(content))


def test_a_late_line_is_named_in_a_later_block(text: Text, refusal: Refusal) -> None:
    rows = 40_000  # of two cells: several blocks
    content = "probability:a,probability:b\n" + "0.5,0.5\n" * rows
    assert f"in line {rows + 2}, column 'probability:a'" in refusal(text(content + "x,0.5\n"), 5000)
    assert f"got 1 in line {rows + 2}" in refusal(text(content + "1\n"), 5000)
