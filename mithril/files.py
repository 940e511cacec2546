"""Near-duplicate removal from files to files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from mithril import _native
from mithril.dedup import first_or_longest
from mithril.exceptions import of_kind
from mithril.options import encode
from mithril.progress import reporting
from mithril.report import Report
from mithril.sizes import bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mithril.dedup import ClusterRule, Method, Shingle, UnicodeForm, Verify
    from mithril.progress import Progress


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
    input_format: Literal["auto", "parquet", "jsonl", "arrow", "csv", "text"] = "auto",
    format: Literal["parquet", "jsonl"] | None = None,  # noqa: A002 - the command line's name
    threads: int | None = None,
    memory: int | str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = None,
) -> Report:
    """Remove near-duplicates from files.

    `output` becomes a folder, whole or not at all, with

    - ``part-NNNNN.parquet`` or ``part-NNNNN.jsonl.zst``: the surviving rows of the input file with
      that number, every column as it came; text files are written together;
    - ``duplicates.parquet``: a row for each removed one: ``id``, ``row`` (in its file, from zero),
      ``file``, ``kept_id``, ``kept_row``, ``kept_file``, ``jaccard``, ``exact_copy``; for the
      methods ``"lines"`` and ``"paragraphs"`` a row for each that was removed within rows, with
      ``part``, ``kept_part``, ``count`` and ``text`` in place of the last two;
    - ``report.json``: the report that is returned.

    Args:
        inputs: Files, folders (searched through all their folders) and glob patterns, of Parquet,
            of JSON lines or CSV (plain, ``.gz``, ``.zst``), of Arrow IPC (as what ``save_to_disk``
            of Hugging Face's datasets writes), or of text files, each of which is a document with
            the columns ``path`` and ``text``. One format a call. CSV has a first line of names, and
            all its columns are strings, of which empty ones are null.
        output: The folder to write.
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
        format: The format of the surviving rows; JSON lines for JSON lines and Parquet otherwise
            if None.
        threads: As in `deduplicate`.
        memory: The memory that the run may take, in bytes or as ``"4GiB"``; half of the machine's
            if None. Texts and band hashes that may not fit go to temporary files. It never
            changes which rows are removed.
        temp_dir: The folder for temporary files; that of `output` if None. Nothing is left there,
            however the run ends.
        overwrite: Whether the folder of an earlier run is replaced.
        progress: As in `deduplicate`.

    Returns:
        The report.

    Raises:
        InvalidArgumentException: An argument is out of range or does not fit the input; also a
            ValueError.
        NotFoundException: An input does not exist; also a FileNotFoundError.
        OutputInTheWayException: `output` exists; also a FileExistsError.
        DedupException: A file is damaged, cannot be read or cannot be written.
        KeyboardInterrupt: Ctrl-C was pressed; `output` is whole or absent.
    """
    paths = _paths(inputs)
    if callable(keep):
        message = (
            "a function chooses rows in deduplicate alone; name a column: max:COLUMN, min:COLUMN"
        )
        raise of_kind("invalid_argument", message)
    keep, _, keep_column = (keep or first_or_longest(method)).partition(":")
    options = encode(
        text_column=text_column,
        id_column=id_column,
        keep_column=keep_column or None,
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
        against=[os.fspath(path) for path in _paths(against)],
        within=within,
        audit=audit,
        min_length=min_length,
        min_count=min_count,
        input_format=input_format,
        output_format=format,
        threads=threads,
        memory=None if memory is None else bytes_of(memory),
        temp_dir=None if temp_dir is None else os.fspath(temp_dir),
        overwrite=overwrite,
    )
    with reporting(progress) as report_to:
        report = _native.dedup_files(paths, output, options, report_to)
    return Report.from_json(report)


def _paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
