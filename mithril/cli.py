"""The command ``mithril``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

from mithril import __version__, cli_index
from mithril.exceptions import InvalidArgumentException, MithrilException, of_kind
from mithril.explain import explain_removed
from mithril.files import dedup_files, plan_files, sample_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from mithril.report import Report

DONE, FAILED, WRONG_USE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command's arguments; those of the process if None.

    Returns:
        0 when it is done, 1 when it failed, 2 for wrong use, 130 after Ctrl-C, 143 after SIGTERM.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options.run(options)
        sys.stdout.flush()
    except InvalidArgumentException as error:
        print(f"mithril: error: {error}", file=sys.stderr)
        return WRONG_USE
    except BrokenPipeError:
        # Whoever read the summary has enough. The run is done; what is left must not be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (MithrilException, OSError) as error:
        print(f"mithril: error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mithril: interrupted", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _dedup(options: argparse.Namespace) -> None:
    given: dict[str, Any] = dict(
        text_column=options.text_column,
        id_column=options.id_column,
        method=options.method,
        **cli_index.matching(options),
        verify=options.verify,
        keep=options.keep,
        cluster=options.cluster,
        against=options.against,
        within=options.within,
        audit=options.audit,
        min_length=options.min_length,
        min_count=options.min_count,
        input_format=options.input_format,
        format=options.format,
        threads=options.threads,
        memory=options.memory,
        temp_dir=options.temp_dir,
        overwrite=options.overwrite,
        resume=options.resume,
        # The same bar whatever is installed beside.
        progress=None if options.quiet else "console",
    )
    if options.plan:
        plan = plan_files(options.input, **given)
        print(json.dumps(asdict(plan)) if options.json else plan)
        return
    if options.sample is not None:
        report = sample_files(options.input, options.sample, **given)
        _print_report(report, options, quiet=False)
        return
    if options.output is None:
        message = "--output is needed: the folder to write, or a URL of one"
        raise of_kind("invalid_argument", message)
    report = dedup_files(options.input, options.output, **given)
    _print_report(report, options, quiet=options.quiet)
    if not (options.json or options.quiet):
        print(f"\nsurviving rows, duplicates.parquet and report.json are in {options.output}")


def _print_report(report: Report, options: argparse.Namespace, *, quiet: bool) -> None:
    if options.json:
        fields = {name: value for name, value in asdict(report).items() if value is not None}
        print(json.dumps(fields | {"promised_recall": report.promised_recall}, indent=2))
    elif not quiet:
        print(report)


def _explain(options: argparse.Namespace) -> None:
    explanation = explain_removed(options.directory, options.row)
    if options.json:
        print(json.dumps(asdict(explanation), ensure_ascii=False))
    else:
        print(explanation)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception, so that what is half done is cleaned up, as after Ctrl-C.
    sys.exit(TERMINATED)


def _keep(value: str) -> str:
    kind, colon, column = value.partition(":")
    if kind in ("first", "longest") and not colon:
        return value
    if kind in ("max", "min") and column:
        return value
    message = f"{value!r} is none of first, longest, max:COLUMN and min:COLUMN"
    raise argparse.ArgumentTypeError(message)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mithril", description="Near-duplicate removal for text, with every removal verified."
    )
    parser.add_argument("--version", action="version", version=f"mithril {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_dedup(commands)
    _add_explain(commands)
    cli_index.add_parser(commands, _matching)
    return parser


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    explain = commands.add_parser(
        "explain",
        help="say why a row was removed",
        description=(
            "Say for which row a row was removed, and what the two have in common; the texts are "
            "read from the input of the run."
        ),
    )
    explain.set_defaults(run=_explain)
    add = explain.add_argument
    add("directory", metavar="DIR", help="folder that mithril dedup has written")
    add("row", metavar="ROW", help="id of the row in duplicates.parquet; else its number")
    add("--json", action="store_true", help="print the explanation as JSON")


def _add_dedup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    dedup = commands.add_parser(
        "dedup",
        help="remove near-duplicates from files",
        description=(
            "Write the rows of the inputs without near-duplicates to a folder, with a table of "
            "what was removed and for which row, and a report."
        ),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=None,
    )
    dedup.set_defaults(run=_dedup)
    add = dedup.add_argument
    add(
        "input",
        nargs="+",
        metavar="INPUT",
        help="file, folder or glob of Parquet, JSON lines, CSV, Arrow, tar or text files",
    )
    add("--output", metavar="DIR", help="folder to write, or a URL of one")
    add_dry = dedup.add_mutually_exclusive_group().add_argument
    add_dry(
        "--plan",
        action="store_true",
        help="write nothing, and say what memory, temporary files and time it would take",
    )
    add_dry(
        "--sample",
        type=int,
        metavar="N",
        help="write nothing, and say what would become of N of the rows",
    )

    data = dedup.add_argument_group("input and output")
    add = data.add_argument
    add("--text-column", default="text", metavar="NAME", help="column that holds the texts")
    add("--id-column", metavar="NAME", help="column that names rows; else the row number")
    add(
        "--input-format",
        choices=["auto", "parquet", "jsonl", "arrow", "csv", "webdataset", "text"],
        default="auto",
        help="format of the input; auto goes by the names of the files",
    )
    add(
        "--format",
        choices=["parquet", "jsonl", "webdataset"],
        help=(
            "format of the surviving rows; else JSON lines for JSON lines, tar for tar files, "
            "Parquet otherwise"
        ),
    )
    add("--overwrite", action="store_true", help="replace the folder of an earlier run")

    matching = dedup.add_argument_group("what counts as a duplicate")
    _matching(matching)
    add = matching.add_argument
    add(
        "--method",
        choices=["minhash", "exact", "containment", "lines", "paragraphs"],
        default="minhash",
        help=(
            "remove texts alike by their shingles, the same once normalized, or within another; or "
            "lines or paragraphs that repeat, out of their texts"
        ),
    )
    add(
        "--verify",
        choices=["exact", "signature", "none"],
        default="exact",
        help="what a candidate pair must pass",
    )
    add(
        "--keep",
        type=_keep,
        metavar="WHICH",
        help=(
            "row to keep of several alike: first, longest, max:COLUMN or min:COLUMN; else first, "
            "for containment longest"
        ),
    )
    add(
        "--cluster",
        choices=["direct", "components"],
        default="direct",
        help="remove rows for a match with the row kept, or also along chains of matches",
    )

    add(
        "--against",
        action="append",
        default=[],
        metavar="INPUT",
        help="also remove rows like those of this file, folder, glob or index, such as a test set",
    )
    add(
        "--within",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare rows with each other, and not only with those of --against",
    )

    add(
        "--min-length",
        type=int,
        default=20,
        metavar="N",
        help="characters of a line or paragraph that these methods remove, at least",
    )
    add(
        "--min-count",
        type=int,
        default=2,
        metavar="N",
        help="how often it stands in all texts, at least",
    )

    running = dedup.add_argument_group("running")
    add = running.add_argument
    add(
        "--audit",
        type=int,
        default=0,
        metavar="N",
        help="compare N documents with all others to estimate the recall",
    )
    add("--memory", metavar="SIZE", help="memory to take, as 4GiB; else half of the machine's")
    add("--temp-dir", metavar="DIR", help="folder for what does not fit; else that of the output")
    add(
        "--resume",
        action="store_true",
        help="keep what is done until all is, and go on from what an earlier run has kept",
    )
    add("--threads", type=int, metavar="N", help="threads; else all of the machine's")
    add("--json", action="store_true", help="print the report as JSON")
    add(
        "--quiet",
        action="store_true",
        help="print errors, and what --plan, --sample and --json say, only",
    )


def _matching(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what is alike."""
    add = group.add_argument
    add("--threshold", type=float, default=0.8, help="least Jaccard similarity of duplicates")
    add("--recall", type=float, default=0.99, help="share of pairs at the threshold to be found")
    add("--permutations", type=int, default=128, help="values in a signature")
    add("--seed", type=int, default=42, help="seed of the sketch")
    add(
        "--shingle",
        choices=["auto", "whitespace", "words", "chars"],
        default="auto",
        help="what a shingle is made of",
    )
    add("--ngram", type=int, default=5, help="how many of these a shingle has")
    add(
        "--lowercase",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="lower-case texts first",
    )
    add("--unicode-form", choices=["nfc", "nfkc"], help="bring texts to this form first")
    add("--casefold", action="store_true", help="fold case first, in place of lower-casing")
    add("--strip-accents", action="store_true", help="remove nonspacing marks first")
    add("--strip-punctuation", action="store_true", help="remove punctuation first")
    add("--collapse-digits", action="store_true", help="make each run of digits one 0 first")
