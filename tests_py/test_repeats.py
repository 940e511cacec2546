"""Lines and paragraphs that repeat, against a rule that is obviously right."""

from __future__ import annotations

import gzip
import json
import pickle
import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mithril

if TYPE_CHECKING:
    from pathlib import Path

Unit = Literal["lines", "paragraphs"]
# White_Space, which str.strip() goes beyond.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def cut(text: str, unit: Unit) -> list[tuple[str, str]]:
    """Give the content and the whole of each part; what is before the first paragraph comes with an
    empty content.
    """
    lines = [(line.strip(SPACE), line) for line in re.findall(r"[^\n]*\n|[^\n]+$", text)]
    if unit == "lines":
        return lines
    parts: list[tuple[str, str]] = []
    after_blank = True
    for content, line in lines:
        if content and after_blank:
            parts.append((content, line))
        elif not parts:
            parts.append(("", line))
        else:
            before, whole = parts[-1]
            parts[-1] = (f"{whole}{line}".strip(SPACE) if content else before, whole + line)
        after_blank = not content
    return parts


def naive(
    texts: list[str | None], unit: Unit, least: int, count: int
) -> tuple[list[str | None], int]:
    """Give each text that is left, and how many parts went."""
    parts = [cut(text or "", unit) for text in texts]
    times = Counter(content.lower() for text in parts for content, _ in text)
    seen: set[str] = set()
    left: list[str | None] = []
    removed = 0
    for text, own in zip(texts, parts, strict=True):
        kept: list[str] = []
        last_went = False
        for content, whole in own:
            key = content.lower()
            last_went = key in seen and len(key) >= max(least, 1) and times[key] >= count
            if last_went:
                removed += 1
            else:
                kept.append(whole)
            seen.add(key)
        joined = "".join(kept)
        if last_went and text and not text.endswith("\n"):
            if unit == "paragraphs":
                while joined and not joined.split("\n")[-1].strip(SPACE):
                    last = (
                        joined[:-1].rfind("\n") + 1
                        if joined.endswith("\n")
                        else joined.rfind("\n") + 1
                    )
                    if joined[last:].strip(SPACE):
                        break
                    joined = joined[:last]
            joined = re.sub(r"\r?\n\Z", "", joined)
        left.append(None if text is None else joined)
    return left, removed


def run(texts: list[str | None], unit: Unit, least: int, count: int) -> list[str | None]:
    result = mithril.deduplicate(texts, method=unit, min_length=least, min_count=count)
    left, removed = naive(texts, unit, least, count)
    assert len(result.duplicates) == removed
    emptied = [
        bool(after is not None and after != before and not after.strip(SPACE))
        for before, after in zip(texts, left, strict=True)
    ]
    assert result.keep.tolist() == [not gone for gone in emptied]
    expected = [text for text, gone in zip(left, emptied, strict=True) if not gone]
    found = [row["text"] for row in result.texts.to_pylist()]
    assert found == expected
    return found


PIECES = st.sampled_from(["a", "A", "b", "ab", " ", "\n", "\n\n", "\r\n", " \n", "É", "\u3000"])
TEXTS = st.lists(st.none() | st.lists(PIECES, max_size=12).map("".join), max_size=8)


@given(TEXTS, st.sampled_from(["lines", "paragraphs"]), st.integers(0, 3), st.integers(2, 3))
def test_what_goes_is_what_the_naive_rule_says(
    texts: list[str | None], unit: Unit, least: int, count: int
) -> None:
    run(texts, unit, least, count)


@pytest.mark.parametrize("unit", ["lines", "paragraphs"])
def test_real_text_is_cleaned_as_the_naive_rule_does(library_files: list[str], unit: Unit) -> None:
    texts: list[str | None] = [*library_files[:150], None, ""]
    found = run(texts, unit, 20, 2)
    assert sum(map(len, filter(None, found))) < sum(map(len, filter(None, texts)))
    run(texts, unit, 40, 5)


def test_the_table_proves_every_removal(library_files: list[str]) -> None:
    texts = library_files[:60]
    result = mithril.deduplicate(texts, method="lines", threads=2)
    assert len(result.duplicates) > 100
    for row in result.duplicates.to_pylist():
        line = cut(texts[row["row"]], "lines")[row["part"]][0]
        kept = cut(texts[row["kept_row"]], "lines")[row["kept_part"]][0]
        assert line == row["text"]
        assert line.lower() == kept.lower()
        assert (row["kept_row"], row["kept_part"]) < (row["row"], row["part"])
        assert row["count"] >= 2
    again = mithril.deduplicate(texts, method="lines", threads=1)
    assert again.duplicates.to_pylist() == result.duplicates.to_pylist()


def test_lines_of_others_go_and_theirs_stay() -> None:
    footer = "All rights reserved, 2026."
    result = mithril.deduplicate(
        [f"one\n{footer}", "two two two two two two", "two two two two two two"],
        method="lines",
        against=[footer],
        within=False,
    )
    assert [row["text"] for row in result.texts.to_pylist()] == ["one", *["two " * 5 + "two"] * 2]
    (row,) = result.duplicates.to_pylist()
    assert (row["row"], row["part"], row["kept_row"], row["against"]) == (0, 1, 0, True)


BOILERPLATE = ["first\nPlease accept our cookies.", "please accept our cookies.", "x"]


def test_rows_of_any_library_get_the_texts_that_are_left() -> None:
    result = mithril.deduplicate(BOILERPLATE, method="lines")
    expected = [BOILERPLATE[0], "x"]
    assert result.apply(BOILERPLATE) == expected
    table = pa.table({"id": [1, 2, 3], "text": pa.array(BOILERPLATE, pa.large_string())})
    applied = result.apply(table, text_column="text")
    assert applied.schema == table.schema
    assert applied.to_pylist() == [{"id": 1, "text": expected[0]}, {"id": 3, "text": "x"}]
    assert result.apply(table["text"]).to_pylist() == expected
    assert result.apply(table["text"].combine_chunks()).to_pylist() == expected
    batch = table.to_batches()[0]
    assert result.apply(batch, text_column="text").column("text").to_pylist() == expected
    pandas = pd.DataFrame({"id": [1, 2, 3], "text": BOILERPLATE}, index=[7, 8, 9])
    applied = result.apply(pandas, text_column="text")
    assert (applied.index.tolist(), applied["text"].tolist()) == ([7, 9], expected)
    assert applied["text"].dtype == pandas["text"].dtype
    assert result.apply(pandas["text"]).tolist() == expected
    polars = pl.DataFrame({"id": [1, 2, 3], "text": BOILERPLATE})
    assert result.apply(polars, text_column="text")["text"].to_list() == expected
    assert result.apply(polars["text"]).to_list() == expected
    assert result.apply(np.array(BOILERPLATE)).tolist() == expected
    with pytest.raises(mithril.InvalidArgumentException, match="text_column must name"):
        result.apply(table)
    with pytest.raises(mithril.InvalidArgumentException, match="no text_column"):
        result.apply(BOILERPLATE, text_column="text")


def test_what_is_asked_of_rows_is_refused() -> None:
    result = mithril.deduplicate(BOILERPLATE, method="lines")
    for question in (
        result.clusters,
        result.least_similar,
        lambda: result.explain(1),
        lambda: result.rethreshold(0.9),
        result.plot_similarities,
    ):
        with pytest.raises(mithril.InvalidArgumentException, match="method lines removes"):
            question()
    again = pickle.loads(pickle.dumps(result))
    assert again.duplicates.to_pylist() == result.duplicates.to_pylist()
    with pytest.raises(mithril.InvalidArgumentException, match="pickle"):
        _ = again.texts
    text = str(result.report)
    assert re.search(r"lines removed +1 of 2 \(50.0%\)", text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": 1}, "at least 2"),
        ({"keep": "longest"}, "keep must be first"),
        ({"audit": 5}, "only method minhash"),
        ({"verify": "none"}, "verify must be exact"),
        ({"min_length": -1}, "min_length"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=message):
        mithril.deduplicate(["a"], method="lines", **options)  # type: ignore[arg-type]


LINES = [
    b'{"n": 1.50,  "text": "caf\\u00e9 one\\nSubscribe to the newsletter", "z": [1,2]}',
    b'{"text":"Subscribe to the newsletter\\r\\ntwo","n":2}',
    b'{"text": "  SUBSCRIBE to the newsletter "}',
    b'{"text": "half a \\ud83d\\nSubscribe to the newsletter", "n": 4}',
    b'{"text": null, "n": 5}',
]


def test_json_lines_keep_every_other_byte(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl.gz"
    source.write_bytes(gzip.compress(b"\n".join(LINES) + b"\n"))
    report = mithril.dedup_files(source, tmp_path / "out", method="lines", id_column="n")
    data = (tmp_path / "out" / "part-00000.jsonl.zst").read_bytes()
    lines = mithril.ZstdCompressor().decompress(data).splitlines()
    # A text that is no Unicode stays whole.
    assert lines == [LINES[0], b'{"text":"two","n":2}', *LINES[3:]]
    assert (report.kept, report.removed) == (4, 1)
    assert report.repeats is not None
    assert (report.repeats.removed_parts, report.repeats.changed) == (2, 1)
    with pytest.raises(mithril.InvalidArgumentException, match="compared no rows"):
        mithril.explain_removed(tmp_path / "out", 2)
    table = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert [(row["id"], row["row"], row["part"]) for row in table] == [(2, 1, 0), (None, 2, 0)]
    assert all(row["kept_id"] == 1.5 and row["kept_part"] == 1 for row in table)
    assert {row["text"] for row in table} == {
        "Subscribe to the newsletter",
        "SUBSCRIBE to the newsletter",
    }


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
def test_parquet_keeps_its_types_and_other_columns(tmp_path: Path, kind: pa.DataType) -> None:
    texts = [
        None if index % 50 == 0 else f"row {index}\nthe same footer for all"
        for index in range(30_000)
    ]
    table = pa.table({"text": pa.array(texts).cast(kind), "n": range(len(texts))})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=7_000)
    mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out", method="lines")
    written = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert written.schema.field("text").type == kind
    expected = [
        text if index == 1 or text is None else f"row {index}" for index, text in enumerate(texts)
    ]
    assert written["text"].to_pylist() == expected
    assert written["n"].to_pylist() == list(range(len(texts)))


def test_text_files_and_json_to_parquet(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.txt").write_text(f"{name}\n\nA paragraph\nof two lines.\n")
    mithril.dedup_files(tmp_path / "in", tmp_path / "out", method="paragraphs")
    written = pq.read_table(tmp_path / "out" / "part-00000.parquet")["text"].to_pylist()
    assert written == ["a\n\nA paragraph\nof two lines.\n", "b\n\n"]
    rows = [{"text": text} for text in written] * 2
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    mithril.dedup_files(
        source, tmp_path / "out2", method="paragraphs", format="parquet", min_length=1
    )
    written = pq.read_table(tmp_path / "out2" / "part-00000.parquet")["text"].to_pylist()
    assert written == ["a\n\nA paragraph\nof two lines.\n", "b\n\n"]


def test_rows_that_lost_nothing_are_not_touched() -> None:
    texts = [*BOILERPLATE, "\ud800 half", "Please accept our cookies.\nlast"]
    result = mithril.deduplicate(texts, method="lines")
    expected = [texts[0], "x", texts[3], "last"]
    assert result.apply(texts) == expected
    frame = pd.DataFrame({"text": pd.Categorical(texts[:3] + texts[4:])})
    applied = mithril.deduplicate(frame["text"].tolist(), method="lines").apply(frame, "text")
    assert applied["text"].tolist() == [texts[0], "x", "last"]
    with pytest.raises(mithril.InvalidArgumentException, match="no column 'words'"):
        result.apply(pa.table({"text": ["a"] * 5}), text_column="words")
