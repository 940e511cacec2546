"""Rows that go for others that are none of them: last month's, or a test set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import compress

import mithril

if TYPE_CHECKING:
    from pathlib import Path

TEST_SET = ["What is the capital of France?", None, "Who wrote Faust?"]
ROWS = [
    "a text",
    "what is the capital of FRANCE",
    "a text",
    None,
    "Who wrote Faust?",
    "who wrote faust",
    "",
    "A text!",
]


def test_rows_go_for_others_and_for_each_other() -> None:
    result = mithril.deduplicate(pa.array(ROWS), against=pl.Series(TEST_SET), ngram=2)
    assert np.flatnonzero(result.keep).tolist() == [0, 3, 6]
    found = [(row["row"], row["kept_row"], row["against"]) for row in result.duplicates.to_pylist()]
    assert found == [(1, 0, True), (2, 0, False), (4, 2, True), (5, 2, True), (7, 0, False)]
    assert (result.report.documents, result.report.against) == (8, 3)
    assert (result.report.removed, result.report.removed_against) == (5, 3)
    assert "3 for one of 3 others" in str(result.report)
    clusters = {(one.kept_row, one.against): one.rows for one in result.clusters()}
    assert clusters == {(0, False): [2, 7], (2, True): [4, 5], (0, True): [1]}
    explanation = result.explain(5)
    assert (explanation.against, explanation.kept_text) == (True, "Who wrote Faust?")
    assert "row 5 was removed for row 2 of against" in str(explanation)
    assert result.rethreshold(1.0).keep.tolist() == result.keep.tolist()


def test_without_within_only_others_count() -> None:
    result = mithril.deduplicate(ROWS, against=TEST_SET, within=False, ngram=2, audit=10)
    assert np.flatnonzero(result.keep).tolist() == [0, 2, 3, 6, 7]
    audit = result.report.audit
    assert audit is not None
    assert (audit.pairs, audit.found, audit.missed) == (2, 2, 0)  # of distinct texts
    with pytest.raises(ValueError, match="there are none"):
        mithril.deduplicate(ROWS, within=False)
    empty = mithril.deduplicate(["a b c"], against=[], ngram=1)
    assert empty.keep.tolist() == [True]


def test_the_row_to_keep_is_chosen_among_own_rows() -> None:
    by = [1, 9, 3, 9, 9, 9, 9, 2]
    result = mithril.deduplicate(ROWS, against=TEST_SET, keep="max", by=by, ngram=2)
    assert np.flatnonzero(result.keep).tolist() == [2, 3, 6]
    result = mithril.deduplicate(ROWS, against=TEST_SET, keep="longest", ngram=2)
    assert np.flatnonzero(result.keep).tolist() == [3, 6, 7]
    result = mithril.deduplicate(ROWS, against=iter(TEST_SET), keep=max, ngram=2)
    assert np.flatnonzero(result.keep).tolist() == [3, 6, 7]
    with pytest.raises(ValueError, match="7 values to keep rows by for 8 rows"):
        mithril.deduplicate(ROWS, against=TEST_SET, keep="max", by=by[1:])


def test_files_against_files_of_another_format(tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    names = list("abcdefgh")
    pq.write_table(pa.table({"text": ROWS, "name": names}), rows)
    others = tmp_path / "test.jsonl.gz"
    lines = "".join(json.dumps({"text": text, "answer": 1}) + "\n" for text in TEST_SET)
    others.write_bytes(compress(lines.encode(), ".gz"))
    output = tmp_path / "out"
    report = mithril.dedup_files(rows, output, against=others, ngram=2, id_column="name")
    kept = pq.read_table(output / "part-00000.parquet")
    assert kept["name"].to_pylist() == ["a", "d", "g"]
    duplicates = pq.read_table(output / "duplicates.parquet").to_pylist()
    found = [
        (row["id"], row["kept_id"], row["kept_row"], row["kept_file"], row["against"])
        for row in duplicates
    ]
    assert found == [
        ("b", None, 0, str(others), True),
        ("c", "a", 0, str(rows), False),
        ("e", None, 2, str(others), True),
        ("f", None, 2, str(others), True),
        ("h", "a", 0, str(rows), False),
    ]
    assert report.files is not None
    assert report.files.against_files == (str(others),)
    assert (report.against, report.removed_against) == (3, 3)
    explanation = mithril.explain_removed(output, "f")
    assert (explanation.text, explanation.kept_text) == ("who wrote faust", "Who wrote Faust?")
    assert explanation.against

    only = tmp_path / "only"
    report = mithril.dedup_files(rows, only, against=[others], within=False, ngram=2)
    assert (report.removed, report.removed_against) == (3, 3)
    mithril.dedup_files(rows, tmp_path / "plain")
    assert "against" not in pq.read_schema(tmp_path / "plain" / "duplicates.parquet").names


def test_what_is_wrong_with_others_is_said(tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ROWS}), rows)
    with pytest.raises(FileNotFoundError, match=r"nothing\.parquet"):
        mithril.dedup_files(rows, tmp_path / "out", against=tmp_path / "nothing.parquet")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"words": ROWS}), other)
    with pytest.raises(ValueError, match="words"):
        mithril.dedup_files(rows, tmp_path / "out", against=other)
    assert not (tmp_path / "out").exists()
    with pytest.raises(TypeError, match="column of texts"):
        mithril.deduplicate(ROWS, against="a text")


def test_files_against_an_index(tmp_path: Path) -> None:
    index = mithril.MinHashIndex(ngram=2)
    index.add(TEST_SET, ids=[7, 8, 2**40])
    index.save(tmp_path / "index")
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ROWS, "name": list("abcdefgh")}), rows)
    others = tmp_path / "others.jsonl"
    others.write_text('{"text": "a text"}\n')

    report = mithril.dedup_files(
        rows, tmp_path / "out", against=[tmp_path / "index", others], ngram=2, id_column="name"
    )
    kept = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert kept["name"].to_pylist() == ["d", "g"]
    found = [
        (row["id"], row["kept_row"], row["kept_file"], row["jaccard"], row["against"])
        for row in pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    ]
    place, other = str(tmp_path / "index"), str(others)
    assert found == [
        ("a", 0, other, 1.0, True),
        ("b", 7, place, 1.0, True),
        ("c", 0, other, 1.0, True),
        ("e", 2**40, place, 1.0, True),
        ("f", 2**40, place, 1.0, True),
        ("h", 0, other, 1.0, True),
    ]
    assert (report.documents, report.kept, report.removed) == (8, 2, 6)
    assert (report.against, report.removed_against, report.clusters.largest) == (4, 6, 4)
    assert (report.null_texts, report.empty_texts) == (1, 1)
    assert report.files is not None
    assert report.files.against_files == (other, place)
    with pytest.raises(ValueError, match=f"document 7 of the index {place}, which keeps no texts"):
        mithril.explain_removed(tmp_path / "out", "b")

    report = mithril.dedup_files(
        rows, tmp_path / "only", against=tmp_path / "index", within=False, ngram=2
    )
    assert (report.removed, report.removed_against) == (3, 3)
    table = pq.read_table(tmp_path / "only" / "duplicates.parquet")
    assert table["kept_id"].to_pylist() == [7, 2**40, 2**40]
    with pytest.raises(ValueError, match="there are none"):
        mithril.dedup_files(rows, tmp_path / "none", within=False)

    # A row that goes for the index is none that others go for.
    chain = tmp_path / "chain.parquet"
    texts = ["what is the capital of france", "what is the capital of", "is the capital of"]
    pq.write_table(pa.table({"text": texts}), chain)
    report = mithril.dedup_files(
        chain, tmp_path / "chained", against=tmp_path / "index", ngram=2, threshold=0.8
    )
    kept = pq.read_table(tmp_path / "chained" / "part-00000.parquet")["text"].to_pylist()
    assert texts[0] not in kept
    assert texts[2] in kept

    manifest = tmp_path / "index" / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:-1])
    with pytest.raises(mithril.MithrilException, match="manifest"):
        mithril.dedup_files(rows, tmp_path / "damaged", against=tmp_path / "index")
    assert not (tmp_path / "damaged").exists()


def test_an_index_is_asked_for_what_it_knows(tmp_path: Path) -> None:
    index = mithril.MinHashIndex(threshold=0.8)
    shared = " ".join(f"w{number}" for number in range(80))
    index.add([f"{shared} 2"], ids=[2**63 + 5])
    index.save(tmp_path / "index")
    rows = tmp_path / "rows.jsonl"
    lines = [{"text": f"{shared} {row}"} for row in range(4)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for options, problem in (
        ({"method": "exact"}, "method must be minhash"),
        ({"threshold": 0.5}, "chosen for a threshold of 0.8"),
        ({}, f"document {2**63 + 5} of the index"),
    ):
        with pytest.raises(ValueError, match=problem):
            mithril.dedup_files(rows, tmp_path / "out", against=tmp_path / "index", **options)
        assert not (tmp_path / "out").exists()
    index.remove([2**63 + 5])
    index.add([lines[2]["text"]], ids=[5])
    index.save(tmp_path / "index")
    report = mithril.dedup_files(rows, tmp_path / "out", against=tmp_path / "index")
    assert (report.removed, report.clusters.count, report.clusters.sizes) == (4, 1, {5: 1})


@pytest.mark.parametrize("count", [5, 32, 33, 40, 300])
def test_more_references_never_keep_more(count: int) -> None:
    draw = np.random.default_rng(1)
    texts = [
        " ".join([f"s{n}" for n in range(40)] + [f"o{n}" for n in draw.integers(0, 10**9, 60)])
        for _ in range(350)
    ]
    kept = [
        mithril.deduplicate(
            texts[:50], against=texts[50 : 50 + some], verify="none", threshold=0.4, ngram=1
        ).report.kept
        for some in (count - 1, count)
    ]
    assert kept[1] <= kept[0]


def test_a_column_against_an_index() -> None:
    index = mithril.MinHashIndex(ngram=2)
    index.add(TEST_SET, ids=[7, 8, 2**40])
    rows = [f"{TEST_SET[0]} ", "something else", "something else", f"{TEST_SET[2]}".upper()]
    result = mithril.deduplicate(rows, against=index, ngram=2)
    assert result.keep.tolist() == [False, True, False, False]
    found = [(row["row"], row["kept_row"], row["against"]) for row in result.duplicates.to_pylist()]
    assert found == [(0, 7, True), (2, 1, False), (3, 2**40, True)]
    assert (result.report.against, result.report.removed_against) == (3, 2)
    alone = mithril.deduplicate(rows, against=index, within=False, ngram=2)
    assert alone.keep.tolist() == [False, True, True, False]
    assert result.explain(2).kept_row == 1
    with pytest.raises(ValueError, match="document 7 of the index, which keeps no texts"):
        result.explain(0)
    with pytest.raises(ValueError, match="run deduplicate once more"):
        result.rethreshold(0.9)
    with pytest.raises(ValueError, match="method must be minhash"):
        mithril.deduplicate(rows, against=index, method="lines")
    with pytest.raises(ValueError, match=r"threshold of 0\.8"):
        mithril.deduplicate(rows, against=index, threshold=0.5, ngram=2)
