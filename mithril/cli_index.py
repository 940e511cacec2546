"""The command ``mithril index``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mithril.exceptions import of_kind
from mithril.index import MinHashIndex, add_files, query_files
from mithril.storage import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_matching: Callable[[argparse._ArgumentGroup], None],
) -> None:
    """Add the command to those of ``mithril``.

    Args:
        commands: The commands.
        add_matching: Adds the options that say what is alike.
    """
    index = commands.add_parser(
        "index",
        help="find what is like a text in an index that is kept",
        description="Make an index of texts, add to it, and find what is like other texts.",
    )
    verbs = index.add_subparsers(metavar="VERB", required=True)

    build = _verb(verbs, "build", _build, "make an index of the texts of files")
    _files(build, "column that holds the ids, integers; else the row number over all inputs")
    alike = build.add_argument_group("what is alike")
    add_matching(alike)
    alike.add_argument(
        "--code",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep 64 bytes of each document to estimate similarities from",
    )

    add = _verb(verbs, "add", _add, "add the texts of files to an index")
    _files(add, "column that holds the ids, integers; else the next free numbers")

    query = _verb(verbs, "query", _query, "find what is like the texts of files, or like one text")
    _files(query, "column that names the texts, integers; else the row number", nargs="*")
    query.add_argument("--text", help="a text, in place of files")
    query.add_argument(
        "--threshold",
        type=float,
        help="least estimated similarity, 0 for all candidates; else that of the index",
    )

    _verb(verbs, "stats", _stats, "tell what an index holds")


def matching(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that say what is alike, for `deduplicate` and `MinHashIndex`."""
    names = (
        "threshold",
        "recall",
        "permutations",
        "seed",
        "shingle",
        "ngram",
        "lowercase",
        "unicode_form",
        "casefold",
        "strip_accents",
        "strip_punctuation",
        "collapse_digits",
    )
    return {name: getattr(options, name) for name in names}


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add(
        "--index",
        required=True,
        metavar="URL",
        default=argparse.SUPPRESS,
        help="folder or URL of the store that holds it",
    )
    add("--key", metavar="KEY", help="what its keys begin with; else it is at the store's root")
    add("--json", action="store_true", help="print JSON")
    return parser


def _files(parser: argparse.ArgumentParser, ids: str, nargs: str = "+") -> None:
    parser.add_argument(
        "input",
        nargs=nargs,
        metavar="INPUT",
        help="file, folder or glob of Parquet, JSON lines, CSV, Arrow, tar or text files",
    )
    add = parser.add_argument_group("input").add_argument
    add("--text-column", default="text", metavar="NAME", help="column that holds the texts")
    add("--id-column", metavar="NAME", help=ids)
    add(
        "--input-format",
        choices=["auto", "parquet", "jsonl", "arrow", "csv", "webdataset", "text"],
        default="auto",
        help="format of the input; auto goes by the names of the files",
    )
    add = parser.add_argument_group("running").add_argument
    add("--threads", type=int, metavar="N", help="threads; else all of the machine's")
    add("--quiet", action="store_true", help="print errors and what was found only")


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "text_column": options.text_column,
        "id_column": options.id_column,
        "input_format": options.input_format,
        "threads": options.threads,
        # The same bar whatever is installed beside.
        "progress": None if options.quiet else "console",
    }


def _build(options: argparse.Namespace) -> None:
    store = open_store(options.index)
    manifest = "manifest" if options.key is None else f"{options.key}/manifest"
    if store.exists(manifest):
        # Now, and not after hours.
        message = f"{manifest} in {store.url}: an index is there already; add to it, or remove it"
        raise of_kind("index_changed", message)
    index = MinHashIndex(
        **matching(options),
        code=options.code,
    )
    added = add_files(index, options.input, **_reading(options))
    index.save(store, options.key)
    _tell(options, index, added)


def _add(options: argparse.Namespace) -> None:
    index = _open(options)
    added = add_files(index, options.input, **_reading(options))
    index.save(options.index, options.key)
    _tell(options, index, added)


def _query(options: argparse.Namespace) -> None:
    if (options.text is None) == (not options.input):
        raise of_kind("invalid_argument", "give either files or --text")
    index = _open(options)
    for row, name, matches in _found(options, index):
        if options.json:
            found = [{"id": one, "similarity": similarity} for one, similarity in matches]
            names = {"row": row} if name is None else {"row": row, "id": name}
            print(json.dumps({**names, "matches": found}))
            continue
        for one, similarity in matches:
            print(f"{row if name is None else name}\t{one}\t{similarity:.4f}")
    sys.stdout.flush()


def _found(
    options: argparse.Namespace, index: MinHashIndex
) -> Iterator[tuple[int, int | None, list[tuple[int, float]]]]:
    if options.text is not None:
        matches = index.query(options.text, threshold=options.threshold)
        yield 0, None, [(match.id, match.similarity) for match in matches]
        return
    names, (offsets, ids, similarities) = query_files(
        index, options.input, threshold=options.threshold, **_reading(options)
    )
    for row in range(len(offsets) - 1):
        part = slice(offsets[row], offsets[row + 1])
        pairs = list(zip(ids[part].tolist(), similarities[part].tolist(), strict=True))
        yield row, None if names is None else names[row], pairs


def _stats(options: argparse.Namespace) -> None:
    index = _open(options)
    stats = index.stats()
    if options.json:
        print(json.dumps({**stats.to_dict(), "options": index.options}, indent=2))
    else:
        print(stats)
    sys.stdout.flush()


def _open(options: argparse.Namespace) -> MinHashIndex:
    if "://" not in options.index and not Path(options.index).exists():
        # A store would make the folder.
        raise of_kind("not_found", f"no such folder: {options.index}")
    return MinHashIndex.open(options.index, options.key)


def _tell(options: argparse.Namespace, index: MinHashIndex, added: int) -> None:
    stats = index.stats()
    if options.json:
        print(json.dumps({"added": added, **stats.to_dict()}, indent=2))
    elif not options.quiet:
        print(f"{'added':<14}  {added:,}")
        print(stats)
    sys.stdout.flush()
