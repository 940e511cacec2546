"""The account of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mithril.sizes import size_text
from mithril.summary import as_html, as_text


@dataclass(frozen=True)
class Clusters:
    """The groups of a kept row and those removed for it."""

    count: int
    """Their number."""
    largest: int
    """The rows in the largest, the kept one included."""
    sizes: dict[int, int]
    """How many there are of each size."""


@dataclass(frozen=True)
class Banding:
    """How signatures were cut to find candidates."""

    bands: int
    """The number of bands."""
    rows: int
    """The number of values in a band."""


@dataclass(frozen=True)
class Audit:
    """What comparing some documents with all others, without bands, has shown."""

    sampled: int
    """The documents that were compared with all others: distinct texts, drawn at random."""
    with_pairs: int
    """Those of them that have a pair."""
    pairs: int
    """Their pairs: documents whose similarity to them reaches the threshold."""
    found: int
    """Those pairs that the run could find."""
    recall: float | None
    """The share of pairs found; None without a pair."""
    low: float | None
    """The lower end of a 95 % interval for it: Wilson's, a document with its pairs being one
    observation."""
    high: float | None
    """The upper end."""
    missed: int
    """Sampled rows that stayed although they are similar to a row kept before them."""


@dataclass(frozen=True)
class Repeats:
    """What the methods ``"lines"`` and ``"paragraphs"`` have removed within rows."""

    parts: int
    """The lines or paragraphs that were long enough to be looked at."""
    distinct: int
    """Those of them that differ."""
    removed_parts: int
    """The lines or paragraphs removed."""
    removed_bytes: int
    """Their bytes, in UTF-8, with what ended them."""
    changed: int
    """The rows that lost something, and stay."""


@dataclass(frozen=True)
class Seconds:
    """Seconds by stage."""

    read: float
    """Finding and reading the input."""
    exact: float
    """Finding exact copies."""
    sketch: float
    """Shingles, signatures and bands."""
    match: float
    """Candidates, verification and the choice of rows."""
    audit: float
    """Comparing some documents with all others."""
    write: float
    """Writing the output."""
    total: float
    """All of it."""


@dataclass(frozen=True)
class Files:
    """What was read and written."""

    text_column: str
    """The column that held the texts."""
    id_column: str | None
    """The column that names rows in the table of duplicates."""
    keep_column: str | None
    """The column that ``keep`` compared by."""
    input_format: str
    """``parquet``, ``jsonl``, ``arrow``, ``csv``, ``webdataset`` or ``text``."""
    inputs: int
    """The number of input files."""
    input_files: tuple[str, ...]
    """Their names; a part has the number that its file has here, from zero."""
    against_files: tuple[str, ...]
    """The names of the files that inputs were compared with and that are none of them."""
    input_bytes: int
    """The size of the input files on disk."""
    skipped_binary: int
    """Files of a folder that are not text and were left out."""
    memory: int
    """The bytes of memory that the run was allowed."""
    spooled_bytes: int
    """The bytes of texts that went to a temporary file; 0 where all was expected to fit."""
    fingerprint: str
    """What the inputs, as they were, and the options come to; two runs with the same have the same
    output."""
    resumed: int
    """The units of work that an earlier run had done and kept."""
    output_format: str
    """``parquet``, ``jsonl`` or ``webdataset``."""
    parts: int
    """The number of ``part-*`` files."""
    output_bytes: int
    """The size of the output folder, ``report.json`` excluded."""


@dataclass(frozen=True)
class Report:
    """The account of a run; ``report.json`` holds the same.

    ``print`` it for a summary, or let a notebook show it.
    """

    version: str
    """The version of Mithril that made it."""
    documents: int
    """The rows read."""
    against: int
    """The rows that they were compared with and that are none of them."""
    bytes: int
    """The bytes of their texts, in UTF-8."""
    null_texts: int
    """The rows whose text is null: kept, and compared with nothing."""
    empty_texts: int
    """The rows whose text is empty: kept, and compared with nothing."""
    kept: int
    """The rows kept."""
    removed: int
    """The rows removed."""
    removed_against: int
    """Those of them that were removed for one of ``against``."""
    exact_duplicates: int
    """The rows removed whose text is byte for byte that of the row kept for them."""
    near_duplicates: int
    """The other rows removed."""
    clusters: Clusters
    """The groups of a kept row and those removed for it."""
    banding: Banding
    """How signatures were cut."""
    promised_recall: float | None
    """The probability that a pair exactly at the threshold is found; None when signatures verify,
    whose estimate is below the threshold for about half of such pairs."""
    candidate_pairs: int
    """The pairs of rows that share a band and were compared. Where many rows share one, those that
    cannot reach the threshold are not."""
    verified_pairs: int
    """Those of them that were found to be duplicates."""
    left_out: int
    """Of components: rows that were alike with so many others that further ones were not compared
    with them."""
    seconds: Seconds
    """How long each stage took."""
    options: dict[str, Any]
    """The options of the run."""
    repeats: Repeats | None = None
    """What was removed within rows; None but for the methods ``"lines"`` and ``"paragraphs"``, for
    which `removed` counts the rows of which nothing was left."""
    audit: Audit | None = None
    """What an audit has shown; None where none was asked for."""
    files: Files | None = None
    """What was read and written; None where the texts were in memory."""

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report, such as the contents of ``report.json``.

        Args:
            text: The JSON.

        Returns:
            The report.

        Raises:
            TypeError: A field is missing or unknown.
        """
        fields = json.loads(text)
        clusters = fields.pop("clusters")
        sizes = {int(size): count for size, count in clusters.pop("sizes").items()}
        files = fields.pop("files", None)
        audit = fields.pop("audit", None)
        repeats = fields.pop("repeats", None)
        if files is not None:
            for names in ("input_files", "against_files"):
                files[names] = tuple(files[names])
        return cls(
            clusters=Clusters(sizes=sizes, **clusters),
            banding=Banding(**fields.pop("banding")),
            seconds=Seconds(**fields.pop("seconds")),
            repeats=None if repeats is None else Repeats(**repeats),
            audit=None if audit is None else Audit(**audit),
            files=None if files is None else Files(**files),
            **fields,
        )

    def __str__(self) -> str:
        """Give a summary for a person."""
        return as_text(self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        seconds = self.seconds
        speed = self.documents / seconds.total if seconds.total else 0.0
        rows = [
            ("documents", f"{self.documents:,} ({size_text(self.bytes)} of text)"),
            ("kept", f"{self.kept:,} ({_percent(self.kept, self.documents)})"),
            ("removed", f"{self.removed:,} ({_percent(self.removed, self.documents)})"),
            *(self._duplicates() if self.repeats is None else self._repeated(self.repeats)),
            ("time", f"{seconds.total:.2f} s ({speed:,.0f} documents a second)"),
        ]
        if self.against and self.repeats is None:
            others = f"{self.removed_against:,} for one of {self.against:,} others"
            rows.insert(3, ("  against", others))
        if self.left_out:
            rows.insert(-1, ("", f"{self.left_out:,} rows of large clusters not compared"))
        if self.audit is not None:
            rows.insert(-1, ("audit", _audit_text(self.audit)))
        if self.null_texts or self.empty_texts:
            without = f"{self.null_texts:,} null, {self.empty_texts:,} empty (all kept)"
            rows.insert(1, ("without text", without))
        if self.files is not None and self.files.skipped_binary:
            rows.insert(1, ("left out", f"{self.files.skipped_binary:,} binary files"))
        return rows

    def _duplicates(self) -> list[tuple[str, str]]:
        return [
            ("  exact copies", f"{self.exact_duplicates:,}"),
            ("  near-duplicates", f"{self.near_duplicates:,}"),
            ("clusters", f"{self.clusters.count:,}, the largest of {self.clusters.largest:,}"),
            *self._search(),
        ]

    def _repeated(self, repeats: Repeats) -> list[tuple[str, str]]:
        options = self.options
        share = _percent(repeats.removed_parts, repeats.parts)
        size = f"{size_text(repeats.removed_bytes)}, {_percent(repeats.removed_bytes, self.bytes)}"
        length, count = options["min_length"], options["min_count"]
        return [
            ("", "those of which nothing was left"),
            ("changed", f"{repeats.changed:,} ({_percent(repeats.changed, self.documents)})"),
            (
                f"{options['method']} removed",
                f"{repeats.removed_parts:,} of {repeats.parts:,} ({share})",
            ),
            ("", f"{size} of the text"),
            ("method", f"{length:,} characters or more, {count:,} times or more"),
        ]

    def _search(self) -> list[tuple[str, str]]:
        if self.options["method"] == "exact":
            return [("method", "texts that are the same once normalized")]
        if self.options["method"] == "containment":
            share = f"texts of which {self.options['threshold']:.0%} is within another"
            return [("method", share)]
        promised = "none promised"
        if self.promised_recall is not None:
            promised = f"{self.promised_recall:.1%} promised"
        pairs = f"{self.candidate_pairs:,} candidates, {self.verified_pairs:,} verified"
        return [
            ("recall", f"{promised} at threshold {self.options['threshold']:g}"),
            ("", f"by {self.banding.bands} bands of {self.banding.rows} rows"),
            ("pairs", pairs),
        ]


def _audit_text(audit: Audit) -> str:
    sampled = f"{audit.sampled:,} documents compared with all"
    if audit.recall is None:
        return f"{sampled}: no pair"
    return (
        f"{sampled}: {audit.found:,} of {audit.pairs:,} pairs found, "
        f"a recall of {audit.recall:.1%} ({audit.low:.1%} to {audit.high:.1%}); "
        f"{audit.missed:,} missed"
    )


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0%"
