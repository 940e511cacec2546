"""Near-duplicate removal from files to files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mithril import _native
from mithril.dedup import first_or_longest
from mithril.exceptions import of_kind
from mithril.options import AlikeOptions, encode, paths_of
from mithril.progress import reporting
from mithril.report import Report
from mithril.sizes import bytes_of, size_text
from mithril.summary import as_html, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from mithril.dedup import ClusterRule, Method, Shingle, UnicodeForm, Verify
    from mithril.progress import Progress

InputFormat: TypeAlias = Literal["auto", "parquet", "jsonl", "arrow", "csv", "webdataset", "text"]
OutputFormat: TypeAlias = Literal["parquet", "jsonl", "webdataset"]


class FileOptions(AlikeOptions, total=False):
    """What `dedup_files` takes besides inputs, output and `progress`, with the same meaning."""

    text_column: str
    id_column: str | None
    method: Method
    verify: Verify
    keep: str | None
    cluster: ClusterRule
    against: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    within: bool
    audit: int
    min_length: int
    min_count: int
    input_format: InputFormat
    format: OutputFormat | None
    threads: int | None
    memory: int | str | None
    temp_dir: str | os.PathLike[str] | None
    overwrite: bool
    resume: bool


def dedup_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    text_column: str = "text",
    id_column: str | None = None,
    method: Method = "minhash",
    threshold: float = 0.8,
    recall: float = 0.99,
    permutations: int = 128,
    seed: int = 42,
    shingle: Shingle = "auto",
    ngram: int = 5,
    lowercase: bool = True,
    unicode_form: UnicodeForm | None = None,
    casefold: bool = False,
    strip_accents: bool = False,
    strip_punctuation: bool = False,
    collapse_digits: bool = False,
    verify: Verify = "exact",
    keep: str | None = None,
    cluster: ClusterRule = "direct",
    against: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    within: bool = True,
    audit: int = 0,
    min_length: int = 20,
    min_count: int = 2,
    input_format: InputFormat = "auto",
    format: OutputFormat | None = None,  # noqa: A002 - the command line's name
    threads: int | None = None,
    memory: int | str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = None,
) -> Report:
    """Remove near-duplicates from files.

    `output` becomes a folder, whole or not at all, with

    - ``part-NNNNN.parquet``, ``part-NNNNN.jsonl.zst`` or ``part-NNNNN.tar``: the surviving rows of
      the input file with that number, every column as it came; text files are written together;
    - ``duplicates.parquet``: a row for each removed one: ``id``, ``row`` (in its file, from zero),
      ``file``, ``kept_id``, ``kept_row``, ``kept_file``, ``jaccard``, ``exact_copy``; for the
      methods ``"lines"`` and ``"paragraphs"`` a row for each that was removed within rows, with
      ``part``, ``kept_part``, ``count`` and ``text`` in place of the last two;
    - ``report.json``: the report that is returned.

    Args:
        inputs: Files, folders (searched through all their folders) and glob patterns, of Parquet,
            of JSON lines or CSV (plain, ``.gz``, ``.zst``), of Arrow IPC (as what ``save_to_disk``
            of Hugging Face's datasets writes), of tar files as WebDataset has them, or of text
            files, each of which is a document with the columns ``path`` and ``text``. One format a
            call. CSV has a first line of names, and all its columns are strings, of which empty
            ones are null. Of tar files, members that follow each other and share a name up to its
            first dot are a row; columns are called by what is behind the dot, as ``txt``, or
            ``json.FIELD`` for a field of a JSON member, and ``__key__``. They may be URLs of
            buckets, as ``s3://bucket/data/*.parquet``, whose settings are those of the environment.
        output: The folder to write, or a URL of one.
        text_column: The column that holds the texts.
        id_column: The column whose values name rows in the table of duplicates; the number of the
            row over all inputs if None.
        method: As in `deduplicate`.
        threshold: As in `deduplicate`.
        recall: As in `deduplicate`.
        permutations: As in `deduplicate`.
        seed: As in `deduplicate`.
        shingle: As in `deduplicate`.
        ngram: As in `deduplicate`.
        lowercase: As in `deduplicate`.
        unicode_form: As in `deduplicate`.
        casefold: As in `deduplicate`.
        strip_accents: As in `deduplicate`.
        strip_punctuation: As in `deduplicate`.
        collapse_digits: As in `deduplicate`.
        verify: As in `deduplicate`.
        keep: ``"first"``, ``"longest"``, ``"max:COLUMN"`` or ``"min:COLUMN"``; ``"first"`` if None,
            and for containment ``"longest"``.
        cluster: As in `deduplicate`.
        against: Files, folders and patterns of rows that inputs are compared with too, and that are
            not written: last month's, or a test set. Of any of the formats, with the same text
            column. The table of duplicates has a column ``against`` then; such a row has no
            ``kept_id`` where `id_column` names rows. Or folders of a `MinHashIndex`, which stands
            for the texts it was made of: ``kept_row`` is the id of the document there, and
            ``jaccard`` the estimate of the index.
        within: Whether rows of the inputs are compared with each other too.
        audit: As in `deduplicate`.
        min_length: As in `deduplicate`.
        min_count: As in `deduplicate`.
        input_format: The format of the input; by the names of the files if ``"auto"``.
        format: The format of the surviving rows; JSON lines for JSON lines, tar for tar files and
            Parquet otherwise if None. Rows of tar files may be written as Parquet, with bytes for
            what is no text; nothing else is written as tar.
        threads: As in `deduplicate`.
        memory: The memory that the run may take, in bytes or as ``"4GiB"``; half of the machine's
            if None. Texts and band hashes that may not fit go to temporary files. It never
            changes which rows are removed.
        temp_dir: The folder for temporary files; that of `output` if None. Nothing is left there,
            however the run ends, unless with `resume`.
        overwrite: Whether the folder of an earlier run is replaced.
        resume: Whether what is done is kept until all is, so that a run that ended early, however
            it did, is gone on from by the next call with the same inputs and options. What comes
            out is byte for byte the same.
        progress: As in `deduplicate`.

    Returns:
        The report.

    Raises:
        InvalidArgumentException: An argument is out of range or does not fit the input; also a
            ValueError.
        NotFoundException: An input does not exist; also a FileNotFoundError.
        OutputInTheWayException: `output` exists; also a FileExistsError.
        CannotResumeException: The inputs or options are others than those of the run to go on
            from, with what differs; or another run is at work on it.
        DedupException: A file is damaged, cannot be read or cannot be written.
        KeyboardInterrupt: Ctrl-C was pressed; `output` is whole or absent.
    """
    options = _encoded(
        text_column=text_column,
        id_column=id_column,
        method=method,
        threshold=threshold,
        recall=recall,
        permutations=permutations,
        seed=seed,
        shingle=shingle,
        ngram=ngram,
        lowercase=lowercase,
        unicode_form=unicode_form,
        casefold=casefold,
        strip_accents=strip_accents,
        strip_punctuation=strip_punctuation,
        collapse_digits=collapse_digits,
        verify=verify,
        keep=keep,
        cluster=cluster,
        against=against,
        within=within,
        audit=audit,
        min_length=min_length,
        min_count=min_count,
        input_format=input_format,
        format=format,
        threads=threads,
        memory=memory,
        temp_dir=temp_dir,
        overwrite=overwrite,
        resume=resume,
    )
    with reporting(progress) as report_to:
        report = _native.dedup_files(paths_of(inputs), output, options, report_to)
    return Report.from_json(report)


@dataclass(frozen=True)
class Plan:
    """What a run over files is expected to take; ``print`` it, or let a notebook show it."""

    documents: int
    """The rows of the input; exact for Parquet, and for text files."""
    text_bytes: int
    """The bytes of their texts."""
    sampled: int
    """The rows that were run as a sample."""
    memory: int
    """The most resident memory in bytes."""
    spools: bool
    """Whether texts and band hashes go to temporary files."""
    temporary_bytes: int
    """The bytes of temporary files, those of the output apart."""
    output_bytes: int
    """The bytes of the output."""
    seconds: float
    """Seconds from the beginning to the end."""

    def __str__(self) -> str:
        """Give a summary for a person."""
        return as_text(self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        temporary = "none"
        if self.spools:
            temporary = f"{size_text(self.temporary_bytes)}, since the texts may not fit in memory"
        return [
            ("documents", f"{self.documents:,} ({size_text(self.text_bytes)} of text)"),
            ("memory", size_text(self.memory)),
            ("temporary files", temporary),
            ("output", size_text(self.output_bytes)),
            ("time", f"{self.seconds:.1f} s, by a run of {self.sampled:,} of the rows"),
        ]


def plan_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    progress: Progress = None,
    **options: Unpack[FileOptions],
) -> Plan:
    """Tell what `dedup_files` would take, and write nothing.

    The first rows of some of the files are run as a sample, and what that takes is extended to the
    whole. How many rows are like others is not known before, so matching is taken to cost for each
    row what it does in the sample.

    Args:
        inputs: As in `dedup_files`.
        progress: As in `deduplicate`.
        **options: The other arguments of `dedup_files`, but for its output.

    Returns:
        The plan.

    Raises:
        InvalidArgumentException: An argument is out of range or does not fit the input; also a
            ValueError.
        NotFoundException: An input does not exist; also a FileNotFoundError.
        DedupException: A file is damaged or cannot be read.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    with reporting(progress) as report_to:
        plan = _native.plan_files(paths_of(inputs), _encoded(**options), report_to)
    return Plan(**json.loads(plan))


def sample_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    rows: int,
    *,
    progress: Progress = None,
    **options: Unpack[FileOptions],
) -> Report:
    """Tell what would become of some of the rows, and write nothing.

    Rows that are alike and far apart are rarely both in a sample: of the whole a larger share is
    removed.

    Args:
        inputs: As in `dedup_files`.
        rows: How many rows are taken: the first ones of files evenly spaced, 1 or more.
        progress: As in `deduplicate`.
        **options: The other arguments of `dedup_files`, but for its output.

    Returns:
        The report of these rows alone.

    Raises:
        InvalidArgumentException: An argument is out of range or does not fit the input; also a
            ValueError.
        NotFoundException: An input does not exist; also a FileNotFoundError.
        DedupException: A file is damaged or cannot be read.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if rows < 1:
        raise of_kind("invalid_argument", f"a sample has 1 row or more, not {rows}")
    with reporting(progress) as report_to:
        report = _native.sample_files(paths_of(inputs), rows, _encoded(**options), report_to)
    return Report.from_json(report)


def _encoded(**options: Any) -> str:  # noqa: ANN401 - the engine checks each
    """Write the arguments of `dedup_files` as the engine takes them."""
    keep = options.pop("keep", None)
    if callable(keep):
        message = (
            "a function chooses rows in deduplicate alone; name a column: max:COLUMN, min:COLUMN"
        )
        raise of_kind("invalid_argument", message)
    keep = keep or first_or_longest(options.get("method", "minhash"))
    kind, _, column = keep.partition(":")
    options |= {"keep": kind, "keep_column": column or None}
    if "format" in options:
        options["output_format"] = options.pop("format")
    if "against" in options:
        options["against"] = [os.fspath(path) for path in paths_of(options["against"])]
    if options.get("memory") is not None:
        options["memory"] = bytes_of(options["memory"])
    if options.get("temp_dir") is not None:
        options["temp_dir"] = os.fspath(options["temp_dir"])
    return encode(**options)
