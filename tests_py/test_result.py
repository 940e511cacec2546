"""What a result can be asked, against what can be counted by hand."""

from __future__ import annotations

import pickle
import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from oracle import all_pairs

import mithril

TEXTS = [
    "the cat sat on the mat",
    "the cat sat on the mat, then left",
    "something else altogether here",
    None,
    "the cat sat on the mat",
    "something else altogether there",
]


@pytest.fixture(scope="module")
def pieces(library_files: list[str]) -> list[str]:
    """Paragraphs of the standard library, and some of them with a change."""
    texts = [piece for text in library_files for piece in text.split("\n\n") if len(piece) > 150]
    texts = texts[:: len(texts) // 600]
    changed = [f"{text} and more" for text in texts[::4]]
    return texts + changed + [text.swapcase() for text in texts[1::20]]


@pytest.fixture(name="result")
def _result() -> mithril.DedupResult:
    return mithril.deduplicate(TEXTS, ngram=2, threshold=0.5)


def test_clusters_hold_every_removed_row_once(result: mithril.DedupResult) -> None:
    clusters = result.clusters()
    assert [(cluster.kept_row, cluster.rows) for cluster in clusters] == [(0, [1, 4]), (2, [5])]
    assert [len(cluster) for cluster in clusters] == [3, 2]
    assert clusters[0].jaccard == pytest.approx([5 / 7, 1.0])


def test_an_explanation_shows_what_the_similarity_comes_from(result: mithril.DedupResult) -> None:
    explanation = result.explain(1)
    assert (explanation.row, explanation.kept_row, explanation.exact_copy) == (1, 0, False)
    assert explanation.only_removed == ["mat then", "then left"]
    assert explanation.only_kept == []
    assert explanation.common == ["the cat", "cat sat", "sat on", "on the", "the mat"]
    assert explanation.jaccard == pytest.approx(5 / 7)
    assert "row 1 was removed for row 0: similarity 0.714" in str(explanation)
    html = explanation._repr_html_()
    assert "<del>, then left</del>" in html
    assert result.explain(4).exact_copy
    assert "the texts are the same" in str(result.explain(4))


def test_html_shows_texts_as_texts() -> None:
    texts = ["<b>one</b> two three", "<b>one</b> two <script>"]
    result = mithril.deduplicate(texts, ngram=1, threshold=0.5, shingle="whitespace")
    html = result.explain(1)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html.replace("</ins>", "").replace("<del>", "")


@pytest.mark.parametrize(
    ("row", "problem"), [(0, "was not removed"), (3, "was not"), (6, "no row 6"), (-1, "no row")]
)
def test_a_row_that_stays_has_no_explanation(
    result: mithril.DedupResult, row: int, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        result.explain(row)


def test_the_least_similar_come_first(result: mithril.DedupResult) -> None:
    least = result.least_similar(2)
    assert [explanation.row for explanation in least] == [5, 1]
    assert result.least_similar(0) == []
    assert len(result.least_similar(100)) == 3


def test_a_higher_threshold_is_what_a_new_run_finds(pieces: list[str]) -> None:
    # Such a recall that both find everything.
    options: dict[str, Any] = {"ngram": 3, "recall": 1 - 1e-12, "permutations": 1024}
    low = mithril.deduplicate(pieces, threshold=0.5, **options)
    removed = []
    for threshold in (0.5, 0.7, 0.9, 1.0):
        again = low.rethreshold(threshold)
        new = mithril.deduplicate(pieces, threshold=threshold, **options)
        assert again.keep.tolist() == new.keep.tolist()
        assert again.report.options["threshold"] == threshold
        least = again.least_similar(1)[0].jaccard
        assert least is not None
        assert least >= threshold
        removed.append(again.report.removed)
    assert removed == sorted(removed, reverse=True)
    assert removed[0] > removed[2] > 10
    with pytest.raises(ValueError, match=re.escape("must be between 0.5")):
        low.rethreshold(0.4)


def test_every_kind_of_rows_is_filtered(result: mithril.DedupResult) -> None:
    kept = [text for text, keep in zip(TEXTS, result.keep, strict=True) if keep]
    assert result.apply(TEXTS) == kept
    assert result.apply(tuple(TEXTS)) == tuple(kept)
    assert result.apply(pa.array(TEXTS)).to_pylist() == kept
    assert result.apply(pa.table({"text": TEXTS}))["text"].to_pylist() == kept
    assert result.apply(pl.DataFrame({"text": TEXTS}))["text"].to_list() == kept
    assert result.apply(np.array(TEXTS, dtype=object)).tolist() == kept
    frame = pd.DataFrame({"row": range(len(TEXTS))}, index=list("abcdef"))
    assert result.apply(frame)["row"].tolist() == np.flatnonzero(result.keep).tolist()
    with pytest.raises(ValueError, match="5 rows, and the result is of 6"):
        result.apply(TEXTS[:5])
    with pytest.raises(TypeError, match="bytes"):
        result.apply(b"123456")


def test_a_pickle_has_everything_but_the_texts(result: mithril.DedupResult) -> None:
    again = pickle.loads(pickle.dumps(result))
    assert again.keep.tolist() == result.keep.tolist()
    assert again.duplicates.to_pylist() == result.duplicates.to_pylist()
    assert again.report == result.report
    assert again.clusters() == result.clusters()
    with pytest.raises(ValueError, match="has no texts"):
        again.explain(1)


def test_a_function_chooses_the_row_that_is_kept() -> None:
    seen: list[list[int]] = []

    def last(rows: list[int]) -> int:
        seen.append(rows)
        return rows[-1]

    result = mithril.deduplicate(iter(TEXTS), ngram=2, threshold=0.5, keep=last)
    assert sorted(seen) == [[0, 1, 4], [2, 5]]
    assert np.flatnonzero(result.keep).tolist() == [3, 4, 5]
    assert result.report.options["keep"] == "function"
    with pytest.raises(ValueError, match="keep must return one of the rows"):
        mithril.deduplicate(TEXTS, ngram=2, threshold=0.5, keep=lambda _: 3)
    with pytest.raises(ValueError, match="chooses by itself"):
        mithril.deduplicate(TEXTS, keep=last, by=range(6))


def test_an_audit_of_everything_is_brute_force(pieces: list[str]) -> None:
    threshold = 0.8
    report = mithril.deduplicate(
        pieces, ngram=3, threshold=threshold, shingle="whitespace", audit=10_000
    ).report
    audit = report.audit
    assert audit is not None
    distinct = list(dict.fromkeys(pieces))
    truth = all_pairs(distinct, lambda text: text.lower().split(), ngram=3)
    # Each pair is seen from both of its ends.
    pairs = 2 * int((truth.jaccard >= threshold).sum())
    assert pairs > 100
    assert (audit.sampled, audit.pairs) == (len(distinct), pairs)
    assert pairs * 0.98 <= audit.found <= pairs
    assert f"of {audit.pairs:,} pairs found" in str(report)
    assert mithril.deduplicate(pieces).report.audit is None


def test_components_follow_chains() -> None:
    chain = ["a b c d", "a b c e", "b c e f", "c e f g"]
    options: dict[str, Any] = {
        "ngram": 1,
        "threshold": 0.6,
        "shingle": "whitespace",
        "recall": 0.9999,
    }
    direct = mithril.deduplicate(chain, **options)
    assert direct.keep.tolist() == [True, False, True, False]
    result = mithril.deduplicate(chain, cluster="components", **options)
    assert result.keep.tolist() == [True, False, False, False]
    assert result.duplicates.column("jaccard").tolist() == pytest.approx([0.6, 1 / 3, 1 / 7])


def test_pictures_are_drawn(result: mithril.DedupResult) -> None:
    plt.switch_backend("agg")
    axes = result.plot_similarities()
    assert sum(patch.get_height() for patch in axes.patches) == 3
    assert result.plot_cluster_sizes(axes) is axes
