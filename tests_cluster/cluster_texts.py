"""Texts that clusters are given, and what one machine makes of them."""

from __future__ import annotations

import functools
import gzip
import itertools
import random
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

import mithril

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mithril.cluster.options import Options
    from mithril.cluster.result import ClusterResult

Rows = list[tuple[int, int, float, bool]]
FILES = 9


class Corpus(NamedTuple):
    """Texts, and the options that they are compared by."""

    texts: list[str | None]
    options: Options


def _paragraphs() -> list[str]:
    """Those of Python's standard library, and the entries of changelogs if there are any."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in sorted(files)]
    logs = sorted(Path("/usr/share/doc").glob("*/changelog*.gz"))
    texts += [gzip.decompress(log.read_bytes()).decode("utf-8", errors="ignore") for log in logs]
    return [part for text in texts for part in text.split("\n\n") if part]


def real() -> Corpus:
    """Paragraphs, a part of them once more as they are and a part with a word changed."""
    draw = random.Random(1)
    paragraphs = _paragraphs()
    texts: list[str | None] = [*draw.sample(paragraphs, 15_000)]
    for text in draw.sample(paragraphs, 2_000):
        words = text.split(" ")
        words[draw.randrange(len(words))] = "changed"
        texts += [text, " ".join(words)]
    texts += [None, "", "!", "!"] * 50
    draw.shuffle(texts)
    return Corpus(texts, {})


def skew() -> Corpus:
    """A cluster of 20,000 rows that are nearly the same."""
    draw = random.Random(2)
    words = [f"w{number}" for number in range(120)]
    texts: list[str | None] = []
    for number in range(20_000):
        text = list(words)
        text[draw.randrange(len(text))] = f"x{number}"
        texts.append(" ".join(text))
    return Corpus(texts, {})


def chain() -> Corpus:
    """600 rows, each like its neighbours only, in an order that is not that of the chain."""
    words = [f"w{number}" for number in range(1_220)]
    texts: list[str | None] = [" ".join(words[at : at + 20]) for at in range(0, 1_200, 2)]
    random.Random(3).shuffle(texts)
    return Corpus(texts, {"shingle": "whitespace", "ngram": 1, "recall": 0.999})


def unlike() -> Corpus:
    """Rows that share a paragraph and are not alike, but for a few that are."""
    draw = random.Random(4)
    paragraph = " ".join(f"w{number}" for number in range(56))
    texts: list[str | None] = []
    for number in range(6_000):
        own = [f"x{number}y{place}" for place in range(draw.randrange(8, 40))]
        texts.append(f"{paragraph} {' '.join(own)}")
        if number % 20 == 0:
            texts.append(f"{paragraph} {' '.join(own[1:])}")
    draw.shuffle(texts)
    return Corpus(texts, {"shingle": "whitespace", "ngram": 3})


CORPORA = {"real": real, "skew": skew, "chain": chain, "unlike": unlike}


@functools.cache
def corpus(name: str) -> Corpus:
    return CORPORA[name]()


@functools.cache
def at_once(name: str) -> Rows:
    """What one machine removes, by rows over all files."""
    texts, options = corpus(name)
    rows = mithril.deduplicate(texts, **options).duplicates.to_pylist()
    return [(row["row"], row["kept_row"], row["jaccard"], row["exact_copy"]) for row in rows]


def bounds(rows: int) -> list[int]:
    """Where files begin, and the end: files of different sizes."""
    return [rows * (file * (file + 3)) // (FILES * (FILES + 3)) for file in range(FILES + 1)]


def table(texts: Sequence[str | None], start: int, end: int) -> Any:
    columns = {"n": list(range(start, end)), "text": pa.array(texts[start:end], pa.string())}
    return pa.table(columns)


def write(name: str, folder: Path) -> None:
    texts = corpus(name).texts
    ends = bounds(len(texts))
    for file, (start, end) in enumerate(itertools.pairwise(ends)):
        pq.write_table(table(texts, start, end), folder / f"{file}.parquet")


def rows_of(result: ClusterResult, starts: Sequence[int]) -> Rows:
    """The table of duplicates with rows counted over all blocks."""

    def row(number: int) -> int:
        place = result.locate(number)
        return starts[place.block] + place.row

    return [
        (row(one["id"]), row(one["kept_id"]), one["jaccard"], one["exact_copy"])
        for one in result.duplicates().to_pylist()
    ]


def run_example(engine: str, shared: Path, names: dict[str, Any]) -> dict[str, Any]:
    """Run the example of docs/cluster.md for an engine, on six files below a folder.

    Returns:
        What the example has defined, and what is in `names`.
    """
    (shared / "corpus").mkdir(parents=True)
    for part in range(6):
        rows = pa.table({"text": [f"a text of some words, the number {part // 2}"]})
        pq.write_table(rows, shared / "corpus" / f"part-{part}.parquet")
    page = Path(__file__).parents[1] / "docs" / "cluster.md"
    fences = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (example,) = [fence for fence in fences if f"mithril.{engine}" in fence]
    example = example.replace("/shared/", f"{shared}/")
    exec(compile(example, str(page), "exec"), names)  # noqa: S102 - our own page
    return names
