"""The account of a run."""

from __future__ import annotations

import mithril


def test_the_numbers_add_up() -> None:
    texts = ["a b c d", "a b c d", "A b c d", "x y z", "X y z", None, "", "alone"]
    report = mithril.deduplicate(texts).report
    assert (report.documents, report.kept, report.removed) == (8, 5, 3)
    assert (report.exact_duplicates, report.near_duplicates) == (1, 2)
    assert (report.null_texts, report.empty_texts) == (1, 1)
    assert report.bytes == sum(len(text) for text in texts if text)
    assert report.clusters.sizes == {2: 1, 3: 1}
    assert (report.clusters.count, report.clusters.largest) == (2, 3)
    # Exact copies are found before: what is left is one pair in each cluster.
    assert (report.candidate_pairs, report.verified_pairs) == (2, 2)
    assert (report.banding.bands, report.banding.rows) == (16, 6)
    assert report.promised_recall is not None
    assert 0.99 <= report.promised_recall < 1
    assert report.options["threshold"] == 0.8
    stages = report.seconds
    assert 0 < stages.exact + stages.sketch + stages.match <= stages.total
    assert report.files is None


def test_no_recall_is_promised_where_signatures_verify() -> None:
    report = mithril.deduplicate(["a b c d"] * 3, verify="signature").report
    assert report.promised_recall is None
    assert "none promised at threshold 0.8" in str(report)


def test_it_reads_well() -> None:
    report = mithril.deduplicate(["a b c d"] * 3 + [None]).report
    shown = str(report)
    assert "documents          4 (21 B of text)" in shown
    assert "removed            2 (50.0%)" in shown
    assert "1 null, 0 empty" in shown
    html = report._repr_html_()
    assert html.count("<tr>") == shown.count("\n") + 1
