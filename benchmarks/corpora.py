"""Real text of this machine, as columns of documents of several lengths."""

from __future__ import annotations

import gettext
import gzip
import os
import random
import re
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from bench_dedup import write_corpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")

COLUMNS = {
    "short": "entries of changelogs",
    "medium": "manual pages, documentation and READMEs of 2 to 40 kB",
    "long": "source files of 12 kB and more",
    "CJK": "Chinese and Japanese messages and manual pages",
}
"""What the columns of `write_columns` hold."""
DOCUMENTATION = Path("/usr/share/doc")
MANUALS = Path("/usr/share/man")
MESSAGES = Path("/usr/share/locale")
CJK_LANGUAGES = ("zh_CN", "zh_TW", "zh_HK", "ja")
CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
CJK_DOCUMENT_BYTES = 2000
PLANTED = 0.1
PLANT_WITHIN = 100


def write_columns(folder: Path, column_bytes: int, keep_rows: int) -> None:
    """Write one Parquet file for each of `COLUMNS`, ``keep`` and ``all-short`` for each entry.

    Args:
        folder: Where the files go.
        column_bytes: How many bytes of text a column holds at most.
        keep_rows: How many entries of changelogs ``keep`` holds beside the planted ones.
    """
    everything = folder / "all-short.parquet"
    write_corpus(everything)
    short = read(everything).to_pylist()
    if not short:
        sys.exit(f"no changelogs under {DOCUMENTATION}: there is no text to measure with")
    write(folder / "keep.parquet", planted(short, keep_rows))
    sources = {
        "short": shuffled(short),
        "medium": medium(),
        "long": (text for path in shuffled(source_files()) if (text := content(path))),
        "CJK": cjk(),
    }
    for name, texts in sources.items():
        write(folder / f"{name}.parquet", up_to(texts, column_bytes))


def read(path: Path) -> pa.Array:
    """Return the text column of a Parquet file, in one piece."""
    column = pq.read_table(path, columns=["text"])["text"].combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def write(path: Path, texts: list[str]) -> None:
    """Write a column of texts."""
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path)


def text_bytes(column: pa.Array) -> int:
    """Return the bytes of UTF-8 in a column."""
    return sum(len(text.encode()) for text in column.to_pylist())


def up_to(texts: Iterable[str], limit: int) -> list[str]:
    """Return the first texts, of `limit` bytes together."""
    chosen: list[str] = []
    total = 0
    for text in texts:
        total += len(text.encode())
        if total > limit and chosen:
            break
        chosen.append(text)
    return chosen


def shuffled(items: Iterable[Item]) -> list[Item]:
    """Return the items in an order that is the same each time."""
    chosen = list(items)
    random.Random(0).shuffle(chosen)  # noqa: S311 - nothing is secret here
    return chosen


def content(path: Path) -> str:
    """Return the text of a file, of which a gzipped one is unpacked; empty if it is not UTF-8."""
    raw = path.read_bytes()
    try:
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return ""


def crate_sources() -> list[Path]:
    """Return the folders in which cargo keeps the sources of crates."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return [path for path in sorted(home.glob("registry/src/*")) if path.is_dir()]


def medium() -> Iterator[str]:
    """Yield documentation of 2 to 40 kB."""
    paths = [path for path in MANUALS.glob("man*/*.gz") if not path.is_symlink()]
    for suffix in (".html", ".txt", ".md", ".rst"):
        paths += [path for path in DOCUMENTATION.rglob(f"*{suffix}") if path.is_file()]
    for registry in crate_sources():
        paths += registry.glob("*/*.md")
    for path in shuffled(sorted(paths)):
        text = content(path)
        if 2000 <= len(text) <= 40_000:
            yield text


def source_files() -> list[Path]:
    """Return the source files of 12 kB and more of Python's library and of crates."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    for registry in crate_sources():
        paths += registry.rglob("*.rs")
    return sorted(path for path in paths if path.stat().st_size >= 12_000)


def cjk() -> Iterator[str]:
    """Yield Chinese and Japanese texts: manual pages, and messages of programs in pieces."""
    for language in CJK_LANGUAGES:
        for path in sorted((MANUALS / language).glob("*/*.gz")):
            if CJK.search(text := content(path)):
                yield text
        for path in sorted((MESSAGES / language).glob("LC_MESSAGES/*.mo")):
            yield from pieces(messages(path))


def messages(path: Path) -> Iterator[str]:
    """Yield the messages of a catalogue that hold Chinese or Japanese characters."""
    with path.open("rb") as file:
        try:
            catalogue = gettext.GNUTranslations(file)
        except (OSError, UnicodeDecodeError, ValueError):
            return
    # The dictionary from a message to its translation has no public name.
    translations: dict[object, str] = vars(catalogue)["_catalog"]
    for text in translations.values():
        if CJK.search(text):
            yield text


def pieces(texts: Iterable[str]) -> Iterator[str]:
    """Join short texts to documents."""
    parts: list[str] = []
    size = 0
    for text in texts:
        parts.append(text)
        size += len(text.encode())
        if size >= CJK_DOCUMENT_BYTES:
            yield "\n".join(parts)
            parts, size = [], 0
    if parts:
        yield "\n".join(parts)


def planted(entries: list[str], rows: int) -> list[str]:
    """Return neighbouring entries in ASCII, and near-duplicates of a tenth of them close by."""
    usable = [text for text in entries if text.isascii() and re.search("[A-Za-z0-9]", text)]
    start = max(0, len(usable) - rows) // 2
    usable = usable[start : start + rows]
    draw = random.Random(1)  # noqa: S311
    places = [(float(row), text) for row, text in enumerate(usable)]
    for row, text in enumerate(usable):
        words = text.split(" ")
        if draw.random() < PLANTED and len(words) >= 20:
            for _ in range(draw.randint(1, max(1, len(words) // 25))):
                words[draw.randrange(len(words))] = f"word{draw.randrange(1000)}"
            places.append((row + draw.uniform(0, PLANT_WITHIN), " ".join(words)))
    return [text for _, text in sorted(places, key=lambda place: place[0])]
