"""The stages in one process against the engine: the same rows go, for the same kept rows."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mithril
from mithril.cluster import plan
from mithril.cluster.options import Options, Settings
from mithril.cluster.result import ClusterResult, survivors
from mithril.cluster.runner import LocalRunner
from mithril.cluster.source import FileSource, TableSource, find_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Text = str | None
Rows = list[tuple[int, int, float, bool]]


def blocks_of(texts: Sequence[Text], count: int) -> list[TableSource]:
    bounds = [len(texts) * block // count for block in range(count + 1)]
    parts = [texts[start:end] for start, end in itertools.pairwise(bounds)]
    return [TableSource(pa.table({"text": pa.array(part, pa.string())}), "text") for part in parts]


def rows_of(result: ClusterResult, lengths: Sequence[int]) -> Rows:
    """The table of duplicates with rows counted over all blocks, as the engine counts them."""
    starts = np.cumsum([0, *lengths])

    def row(number: int) -> int:
        place = result.locate(number)
        return int(starts[place.block]) + place.row

    return [
        (row(one["id"]), row(one["kept_id"]), one["jaccard"], one["exact_copy"])
        for one in result.duplicates().to_pylist()
    ]


def in_stages(
    texts: Sequence[Text], blocks: int, how: Settings | None = None, **options: Any
) -> tuple[Rows, ClusterResult]:
    runner = LocalRunner()
    outcome = plan.deduplicate(
        runner, blocks_of(texts, blocks), cast("Options", options), how or {}
    )
    result = ClusterResult(runner, outcome)
    return rows_of(result, outcome.lengths), result


def at_once(texts: Sequence[Text], **options: Any) -> Rows:
    rows = mithril.deduplicate(texts, **options).duplicates.to_pylist()
    return [(row["row"], row["kept_row"], row["jaccard"], row["exact_copy"]) for row in rows]


# Few words, so that texts are alike to all degrees, and share buckets with and without being so.
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from("abc"), max_size=9).map(" ".join),
        st.sampled_from([None, "", "!?", "..."]),
    ),
    max_size=90,
)
SETTINGS = st.fixed_dictionaries(
    {
        "groups": st.integers(1, 6),
        "crowd": st.sampled_from([1, 2, 5, 64]),
        "pivots": st.sampled_from([1, 2, 32]),
        "max_task_pairs": st.sampled_from([1, 20, 1_000_000]),
        "max_task_bytes": st.sampled_from([1, 100, 1_000_000]),
        "max_driver_edges": st.sampled_from([0, 1_000_000]),
    }
)
OPTIONS = st.fixed_dictionaries(
    {
        "ngram": st.integers(1, 3),
        "threshold": st.sampled_from([0.2, 0.5, 0.8, 1.0]),
        "recall": st.sampled_from([0.3, 0.9]),
        "permutations": st.sampled_from([32, 128]),
        "lowercase": st.booleans(),
    }
)


@settings(max_examples=400, deadline=None)
@given(texts=TEXTS, blocks=st.integers(1, 7), how=SETTINGS, options=OPTIONS)
def test_the_same_rows_go_for_the_same_kept_rows(
    texts: list[Text], blocks: int, how: Settings, options: dict[str, Any]
) -> None:
    rows, result = in_stages(texts, blocks, how, **options)
    assert rows == at_once(texts, **options)
    engine = mithril.deduplicate(texts, **options).report
    report = result.report
    for name in ("documents", "bytes", "null_texts", "empty_texts", "kept", "removed"):
        assert getattr(report, name) == getattr(engine, name), name
    assert report.exact_duplicates == engine.exact_duplicates
    assert report.near_duplicates == engine.near_duplicates
    assert report.promised_recall == engine.promised_recall


def test_real_text_in_all_ways_to_deal_it_out(library_files: list[str]) -> None:
    draw = random.Random(4)
    paragraphs = [part for text in library_files for part in text.split("\n\n")]
    texts: list[Text] = [*draw.sample(paragraphs, 8_000)]
    for text in draw.sample(paragraphs, 1_000):
        words = text.split(" ")
        words[draw.randrange(len(words))] = "changed"
        texts.append(" ".join(words))
        texts.append(text)
    draw.shuffle(texts)
    expected = at_once(texts)
    assert len(expected) > 400
    for blocks, how in [
        (1, Settings()),
        (9, Settings(groups=4)),
        (9, Settings(groups=9, crowd=2, pivots=1)),
        (30, Settings(groups=7, crowd=8, pivots=4, max_driver_edges=0)),
    ]:
        rows, result = in_stages(texts, blocks, how)
        assert rows == expected
        assert result.report.edges_on_driver is (how.get("max_driver_edges") != 0)


def test_a_crowd_is_compared_with_the_rows_that_are_kept() -> None:
    draw = random.Random(5)
    words = [f"w{number}" for number in range(300)]
    texts = []
    for number in range(5_000):
        text = list(words)
        text[draw.randrange(len(text))] = f"x{number}"
        texts.append(" ".join(text))
    rows, result = in_stages(texts, 5)
    assert rows == at_once(texts)
    # All with all would be 12 million.
    assert result.report.compared_pairs < 100_000
    assert result.report.rounds == 1


def test_unlike_rows_of_one_bucket_take_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    # One word in common, and one band of one row: about half of all rows are in the bucket of it.
    texts = [f"common {number}" for number in range(1_000)]
    options = {"ngram": 1, "threshold": 0.9, "recall": 0.85, "permutations": 1}
    rows, result = in_stages(texts, 4, Settings(pivots=4), **options)
    assert rows == at_once(texts, **options) == []
    assert result.report.rounds == 1
    # What is left is joined after it; where nothing is:
    monkeypatch.setattr(plan, "JOINED_PAIRS", -1)
    rows, result = in_stages(texts, 4, Settings(pivots=4), **options)
    assert rows == []
    assert 1 < result.report.rounds < 9
    # As many as there is room for at a time, and no more.
    limited, result = in_stages(texts, 4, Settings(max_task_pairs=3_000), **options)
    assert limited == []
    assert result.report.rounds > 9


def test_rows_of_one_template_are_told_apart_without_their_texts() -> None:
    draw = random.Random(7)
    template = " ".join(f"t{number}" for number in range(56))
    texts = []
    for _ in range(4_000):
        own = " ".join(f"{draw.randrange(1 << 16):x}" for _ in range(draw.randint(14, 40)))
        texts.append(f"{template} {own}")
    rows, result = in_stages(texts, 4, shingle="whitespace", ngram=3)
    assert rows == at_once(texts, shingle="whitespace", ngram=3)
    # More than a million pairs share a bucket.
    assert result.report.compared_pairs < 200_000


def test_a_chain_over_all_blocks_removes_only_direct_matches() -> None:
    words = [f"w{number}" for number in range(1_220)]
    texts = [" ".join(words[at : at + 20]) for at in range(0, 1_200, 2)]
    options = {"shingle": "whitespace", "ngram": 1, "threshold": 0.8, "recall": 0.999}
    for how in (Settings(), Settings(crowd=1, pivots=1)):
        rows, _ = in_stages(texts, 8, how, **options)
        assert rows == at_once(texts, **options)
        assert len(rows) > 200


def write(folder: Path, name: str, texts: Sequence[Text]) -> None:
    """Rows as a file of the format that its name says."""
    path = folder / name
    if path.suffix == ".parquet":
        rows = {"n": list(range(len(texts))), "text": pa.array(texts, pa.string())}
        pq.write_table(pa.table(rows), path)
        return
    lines = [json.dumps({"n": number, "text": text}) for number, text in enumerate(texts)]
    # A byte order mark and blank lines are no rows.
    data = b"\xef\xbb\xbf" + "\n\r\n  \n".join(lines).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])
    elif path.suffix == ".zst":
        data = pa.compress(data, "zstd", asbytes=True)
    path.write_bytes(data)


@pytest.mark.parametrize("names", ["0.parquet 1.parquet", "0.jsonl 1.jsonl.gz 2.jsonl.zst"])
def test_files_lose_the_rows_that_dedup_files_removes(names: str, tmp_path: Path) -> None:
    draw = random.Random(6)
    folder = tmp_path / "input"
    folder.mkdir()
    for name in names.split():
        texts: list[Text] = [f"row {draw.randrange(60)} of {draw.choice('ab')}" for _ in range(100)]
        write(folder, name, [*texts, None, ""])
    mithril.dedup_files(folder, tmp_path / "clean")
    removed = pq.read_table(tmp_path / "clean" / "duplicates.parquet").to_pylist()

    runner = LocalRunner()
    sources = find_files(folder, text_column="text")
    outcome = plan.deduplicate(runner, sources, {}, {})
    result = ClusterResult(runner, outcome)
    found = [
        (*result.locate(one["id"])[1:], *result.locate(one["kept_id"])[1:], one["jaccard"])
        for one in result.duplicates().to_pylist()
    ]
    expected = [
        (one["row"], one["file"], one["kept_row"], one["kept_file"], one["jaccard"])
        for one in removed
    ]
    assert found == expected
    duplicates = result.duplicates()
    for block, (rows, source) in enumerate(zip(outcome.lengths, sources, strict=True)):
        gone = {one[0] for one in found if one[1] == source.path}
        stay = survivors(block, rows, source, duplicates)
        assert stay["n"].to_pylist() == [row for row in range(rows) if row not in gone]


def test_texts_that_json_can_hold_and_utf8_cannot(tmp_path: Path) -> None:
    texts: list[Text] = ["half \ud83d of it", "half \ud83e of it", "half \ud83d of it", "a text"]
    write(tmp_path, "rows.jsonl", texts)
    runner = LocalRunner()
    outcome = plan.deduplicate(runner, find_files(tmp_path, text_column="text"), {}, {})
    found = rows_of(ClusterResult(runner, outcome), outcome.lengths)
    assert found == at_once(texts) == [(1, 0, 1.0, False), (2, 0, 1.0, True)]


def test_a_file_that_changes_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "rows.parquet", ["one text", "another"])
    (source,) = find_files(tmp_path, text_column="text")
    write(tmp_path, "rows.parquet", ["one text", "another", "and one more"])
    with pytest.raises(mithril.DedupException, match="changed while it was being read") as raised:
        plan.deduplicate(LocalRunner(), [source], {}, {})
    assert raised.value.kind == "input_changed"


def test_what_cannot_be_done_is_said() -> None:
    block = blocks_of(["a text"], 1)
    runner = LocalRunner()
    with pytest.raises(mithril.InvalidArgumentException, match="threshold must be above 0"):
        plan.deduplicate(runner, block, {"threshold": 0.0}, {})
    with pytest.raises(TypeError, match="no option keep past one machine"):
        plan.deduplicate(runner, block, {"keep": "longest"}, {})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match="no setting speed"):
        plan.deduplicate(runner, block, {}, {"speed": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(mithril.InvalidArgumentException, match="at least 1"):
        plan.deduplicate(runner, block, {}, {"groups": 0})
    with pytest.raises(mithril.InvalidArgumentException, match="no block"):
        plan.deduplicate(runner, [], {}, {})
    with pytest.raises(mithril.InvalidArgumentException, match="no column 'body'"):
        plan.deduplicate(runner, [TableSource(pa.table({"text": ["a"]}), "body")], {}, {})


def test_nothing_of_clusters_is_imported_before_it_is_asked_for() -> None:
    names = ("mithril.cluster", "pyarrow", "pyspark", "ray")
    code = f"import mithril, sys; print([name for name in {names} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_text_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a text")
    with pytest.raises(mithril.InvalidArgumentException, match="text files are not read"):
        find_files(tmp_path, text_column="text")
    for name in ("a.csv", "a.arrow"):
        # Formats of one machine, which workers would take for JSON lines.
        (tmp_path / name).write_text("text\n")
        with pytest.raises(mithril.InvalidArgumentException, match="files are not read past"):
            find_files(tmp_path / name, text_column="text")


def test_a_block_that_has_lost_rows_is_an_error() -> None:
    whole = blocks_of(["one text", "One text!"], 1)[0]

    class Shrinking(FileSource):
        reads = 0

        def texts(self) -> Any:
            type(self).reads += 1
            texts = whole.texts()
            part = TableSource(whole.rows.slice(0, 1), "text").texts()
            return texts if self.reads == 1 else part

    source = Shrinking("rows", "parquet", "text", 0, 0)
    with pytest.raises(mithril.InvalidArgumentException, match="has changed since it was signed"):
        plan.deduplicate(LocalRunner(), [source], {}, {})
