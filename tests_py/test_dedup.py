"""Columns in, a mask and a table out."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = ["one text of some words", None, "another text", "One text of some words!", ""]
KEEP = [True, True, True, False, True]


class OnlyCapsules:
    """What any Arrow library looks like from outside."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        capsules: tuple[object, object] = self.array.__arrow_c_array__(requested_schema)
        return capsules


COLUMNS: dict[str, Callable[[], Any]] = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "numpy objects": lambda: np.array(TEXTS, dtype=object),
    "numpy StringDType": lambda: np.array(TEXTS, dtype=np.dtypes.StringDType(na_object=None)),
    "pandas": lambda: pd.Series(TEXTS),
    "pandas objects": lambda: pd.Series(TEXTS, dtype=object),
    "pandas pyarrow": lambda: pd.Series(TEXTS, dtype="string[pyarrow]"),
    "pandas categorical": lambda: pd.Series(TEXTS, dtype="category"),
    "pandas NA": lambda: [pd.NA if text is None else text for text in TEXTS],
    "list with nan": lambda: [float("nan") if text is None else text for text in TEXTS],
    "polars": lambda: pl.Series(TEXTS),
    "polars categorical": lambda: pl.Series(TEXTS, dtype=pl.Categorical),
    "pyarrow": lambda: pa.array(TEXTS),
    "pyarrow large": lambda: pa.array(TEXTS, pa.large_string()),
    "pyarrow view": lambda: pa.array(TEXTS, pa.string_view()),
    "pyarrow dictionary": lambda: pa.array(TEXTS).dictionary_encode(),
    "pyarrow chunks": lambda: pa.chunked_array([TEXTS[:2], [], TEXTS[2:]], pa.string()),
    "pyarrow slice": lambda: pa.array(["x", *TEXTS, "y"]).slice(1, 5),
    "capsules": lambda: OnlyCapsules(pa.array(TEXTS)),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column_gives_the_same(name: str) -> None:
    result = mithril.deduplicate(COLUMNS[name]())
    assert result.keep.dtype == np.bool_
    assert result.keep.tolist() == KEEP
    assert result.duplicates.to_pylist() == [
        {"row": 3, "kept_row": 0, "jaccard": 1.0, "exact_copy": False}
    ]
    assert (result.report.null_texts, result.report.empty_texts) == (1, 1)


def test_numpy_strings_of_fixed_width() -> None:
    result = mithril.deduplicate(np.array(["a b c", "d e f", "A b c"]))
    assert result.keep.tolist() == [True, True, False]


@pytest.mark.parametrize("empty", [[], pa.array([], pa.string()), pl.Series([], dtype=pl.String)])
def test_an_empty_column_has_an_empty_result(empty: object) -> None:
    result = mithril.deduplicate(empty)
    assert (len(result.keep), len(result.duplicates), result.report.documents) == (0, 0, 0)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("a text", "a column of texts"),
        (b"bytes", "a column of texts"),
        (5, "a column of texts"),
        (["a", 5], "row 1: expected str or None, not int"),
        (["a", [1, 2]], "row 1: expected str or None, not list"),
        ([np.zeros(2)], "row 0: expected str or None, not ndarray"),
    ],
)
def test_what_is_not_a_column_of_texts_is_a_type_error(column: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        mithril.deduplicate(column)


def test_a_column_of_another_type_is_named() -> None:
    with pytest.raises(ValueError, match="Int64"):
        mithril.deduplicate(pa.array([1, 2]))
    with pytest.raises(ValueError, match="one column"):
        mithril.deduplicate(pa.table({"text": ["a"]}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold must be a number, not nan"),
        ({"keep": "a\udcff"}, "keep: .* is not valid Unicode"),
        ({"threads": 100_000}, "threads must be between 1 and 1024"),
        ({"by": [1]}, "max, min"),
        ({"recall": 1}, "recall"),
        ({"permutations": 0}, "permutations"),
        ({"permutations": -1}, "permutations"),
        ({"seed": -1}, "seed"),
        ({"ngram": 0}, "ngram"),
        ({"threads": 0}, "threads"),
        ({"shingle": "letters"}, "shingle: .*`auto`, `whitespace`, `words`, `chars`"),
        ({"verify": "yes"}, "verify: .*`exact`"),
        ({"keep": "best"}, "keep: .*`longest`"),
        ({"keep": "max"}, "needs a column"),
        ({"keep": "max", "by": [1, 2]}, "2 values to keep rows by for 1 rows"),
        ({"threshold": 0.01}, "permutations"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=message) as raised:
        mithril.deduplicate(["a"], **options)
    assert raised.value.kind == "invalid_argument"


@pytest.mark.parametrize(
    "by",
    [
        [1, 9, 3],
        [0.5, float("inf"), float("nan")],
        [2**63, 2**63 + 2, 2**63 + 1],
        np.array([1, 9, 3], dtype=np.uint8),
        pl.Series([1.0, 9.0, None]),
        ["a", "c", "b"],
        pd.Series(pd.to_datetime(["2026-01-01", "2026-03-01", "2026-02-01"])),
    ],
)
def test_the_row_with_the_largest_value_is_kept(by: object) -> None:
    result = mithril.deduplicate(["a b c", "A b c", "a B c"], keep="max", by=by)
    assert result.keep.tolist() == [False, True, False]


def test_results_go_to_any_library() -> None:
    result = mithril.deduplicate(TEXTS)
    table = result.duplicates.to_pyarrow()
    assert table.schema.types == [pa.int64(), pa.int64(), pa.float64(), pa.bool_()]
    assert result.duplicates.to_polars()["kept_row"].to_list() == [0]
    assert result.duplicates.to_pandas()["row"].tolist() == [3]
    assert "1 removed" in repr(result)
    assert "<table" in result._repr_html_()


def test_progress_is_reported_and_its_errors_are_raised() -> None:
    seen: list[tuple[str, int, int]] = []
    mithril.deduplicate(TEXTS, progress=lambda *state: seen.append(state))
    phases = list(dict.fromkeys(phase for phase, _, _ in seen))
    assert phases == ["hashing", "sketching", "matching"]
    assert all(done <= total for _, done, total in seen)

    def fail(*_state: object) -> None:
        message = "no more"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="no more"):
        mithril.deduplicate(TEXTS, progress=fail)


def many_texts() -> pa.Array:
    return pa.array([" ".join(str(number * row) for number in range(60)) for row in range(40_000)])


def test_other_threads_of_python_go_on_meanwhile() -> None:
    column, ticks, done = many_texts(), 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    before = ticks
    mithril.deduplicate(column, shingle="words")
    after = ticks
    done.set()
    thread.join()
    assert after - before > 10


def test_ctrl_c_raises_keyboard_interrupt() -> None:
    column, began = many_texts(), threading.Event()

    def interrupt() -> None:
        began.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()

    def progress(phase: str, _done: int, _total: int) -> None:
        if phase == "sketching":
            began.set()
            # The engine is held here until the signal has arrived: no race to the end.
            thread.join(60)

    with pytest.raises(KeyboardInterrupt):
        mithril.deduplicate(column, progress=progress)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # what the test is about
def test_a_child_made_by_fork_works_like_its_parent() -> None:
    mithril.deduplicate(TEXTS)
    child = os.fork()
    if child == 0:
        kept = mithril.deduplicate(TEXTS).keep.tolist()
        os._exit(0 if kept == KEEP else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert mithril.deduplicate(TEXTS).keep.tolist() == KEEP


def test_the_mask_outlives_its_result() -> None:
    keep = mithril.deduplicate(TEXTS).keep
    gc.collect()
    assert keep.tolist() == KEEP


def test_exact_is_equality_of_what_is_normalized() -> None:
    texts = [
        "Caf\u00e9!",
        "cafe\u0301!",
        "caf\u00e9",
        "CAFE",
        "cafe",
        None,
        "",
        "cafe",
        "caf\u00e9!",
    ]

    def removed(**options: Any) -> list[tuple[int, int, bool]]:
        result = mithril.deduplicate(texts, method="exact", **options)
        assert (result.report.promised_recall, result.report.candidate_pairs) == (1.0, 0)
        assert "the same once normalized" in str(result.report)
        return [
            (row["row"], row["kept_row"], row["exact_copy"])
            for row in result.duplicates.to_pylist()
        ]

    assert removed() == [(4, 3, False), (7, 3, False), (8, 0, False)]
    assert removed(lowercase=False) == [(7, 4, True)]
    assert removed(unicode_form="nfc") == [
        (1, 0, False),
        (4, 3, False),
        (7, 3, False),
        (8, 0, False),
    ]
    everything = removed(strip_accents=True, strip_punctuation=True)
    assert [row for row, *_ in everything] == [1, 2, 3, 4, 7, 8]
    assert {kept for _, kept, _ in everything} == {0}
    kept = mithril.deduplicate(texts, method="exact", keep="max", by=range(9)).keep
    assert kept.tolist() == [False, True, True, False, False, True, True, True, True]
    with pytest.raises(ValueError, match="only method minhash has bands"):
        mithril.deduplicate(texts, method="exact", audit=3)
    against = mithril.deduplicate(["CAFE", "tea"], method="exact", against=["cafe"], within=False)
    assert against.keep.tolist() == [False, True]


def test_containment_is_one_text_within_another() -> None:
    texts = [
        "two three four",
        "one two three four five six",
        "three four five",
        "four three two",
        "five six seven eight",
        None,
        "One two three four five six!",
    ]
    result = mithril.deduplicate(texts, method="containment", ngram=2, threshold=1.0)
    # The longest first, by characters.
    assert np.flatnonzero(result.keep).tolist() == [3, 4, 5, 6]
    found = [(row["row"], row["kept_row"], row["jaccard"]) for row in result.duplicates.to_pylist()]
    assert found == [(0, 6, 1.0), (1, 6, 1.0), (2, 6, 1.0)]
    assert "100% is within another" in str(result.report)
    part = mithril.deduplicate(texts, method="containment", ngram=2, threshold=0.3)
    assert np.flatnonzero(part.keep).tolist() == [3, 5, 6]
    assert part.rethreshold(1.0).keep.tolist() == result.keep.tolist()
    against = mithril.deduplicate(
        texts, method="containment", ngram=2, threshold=1.0, against=[texts[1]], within=False
    )
    assert np.flatnonzero(~against.keep).tolist() == [0, 1, 2, 6]
    for options in ({"audit": 5}, {"verify": "none"}, {"cluster": "components"}, {"keep": "first"}):
        with pytest.raises(ValueError, match=r"minhash|exact|direct|longest"):
            mithril.deduplicate(texts, method="containment", **options)


def test_exact_tells_apart_what_is_not_unicode() -> None:
    texts = ["a \ud800", "a \ud801", "A \ud800", "a \ud800"]
    assert mithril.deduplicate(texts, method="exact").keep.tolist() == [True, True, True, False]


def test_methods_without_bands_need_no_permutations() -> None:
    for method in ("exact", "containment"):
        result = mithril.deduplicate(["a b", "a b"], method=method, threshold=0.01, permutations=1)
        assert result.keep.tolist() == [True, False]
