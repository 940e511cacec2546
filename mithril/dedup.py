"""Near-duplicate removal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from mithril import _native
from mithril.exceptions import of_kind
from mithril.index import MinHashIndex
from mithril.options import encode
from mithril.progress import reporting
from mithril.report import Report
from mithril.result import DedupResult, choose
from mithril.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from mithril.progress import Progress

Method: TypeAlias = Literal["minhash", "exact", "containment", "lines", "paragraphs"]
Shingle: TypeAlias = Literal["auto", "whitespace", "words", "chars"]
UnicodeForm: TypeAlias = Literal["nfc", "nfkc"]
Verify: TypeAlias = Literal["exact", "signature", "none"]


Keep: TypeAlias = Literal["first", "longest", "max", "min"]
ClusterRule: TypeAlias = Literal["direct", "components"]


def deduplicate(
    column: object,
    *,
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
    keep: Keep | Callable[[list[int]], int] | None = None,
    by: object | None = None,
    cluster: ClusterRule = "direct",
    against: object | None = None,
    within: bool = True,
    audit: int = 0,
    min_length: int = 20,
    min_count: int = 2,
    threads: int | None = None,
    progress: Progress = None,
) -> DedupResult:
    """Find the near-duplicates in a column of texts.

    A row is removed only for a verified match with the very row that is kept for it. Rows whose
    text is null or empty are kept. The same column and options give the same result, whatever the
    number of threads.

    Args:
        column: The texts. An Arrow column (pyarrow, polars, pandas 3, anything with
            ``__arrow_c_stream__`` or ``__arrow_c_array__``) is read where it is; a list, a numpy
            array or any other iterable of ``str`` and None is copied first.
        method: Which rows are duplicates. ``"minhash"``: those whose shingle sets are alike.
            ``"exact"``: those whose texts are the same once they are normalized and lower-cased, as
            far as that is asked for below; shingles, and all about them, are of no account.
            ``"containment"``: those of which a share of the shingles, at least `threshold`, is in a
            row that stays and has as many characters or more: one text within another. Every one is
            found; the longest texts are decided first, and ``jaccard`` is that share. ``"lines"``,
            ``"paragraphs"`` (lines between blank ones): what repeats within texts is removed, and
            stays only where it stands first; equal are those that are so as for ``"exact"``, and
            without white space at both ends. `DedupResult.texts` has what is left; a row goes if
            that is nothing.
        threshold: The least Jaccard similarity of two texts' shingle sets that makes them
            duplicates, above 0 and at most 1.
        recall: The least probability that a pair exactly at the threshold is found, between 0
            and 1. Pairs above it are found more often.
        permutations: The number of values in a signature, 1 to 4096.
        seed: The seed of the sketch.
        shingle: What a shingle is made of. ``"auto"``: words by UAX #29, and single characters in
            scripts that are written without spaces. ``"whitespace"``: what ``str.split()`` gives.
            ``"words"``: words by UAX #29. ``"chars"``: Unicode scalar values.
        ngram: The number of these in a shingle. A shorter text is one shingle.
        lowercase: Whether texts are lower-cased first.
        unicode_form: The normalization form that texts are brought to first, ``"nfc"`` or
            ``"nfkc"``.
        casefold: Whether texts are case-folded first, as by ``str.casefold()``, in place of being
            lower-cased.
        strip_accents: Whether texts are decomposed and lose their nonspacing marks (Mn) first:
            ``é`` becomes ``e``. Many vowel signs of Indic scripts are such marks.
        strip_punctuation: Whether punctuation (P*) is removed first; nothing takes its place:
            ``can't`` becomes ``cant``. Symbols, as ``$`` and ``+``, stay.
        collapse_digits: Whether every run of decimal digits (Nd) becomes one ``0`` first. Of all
            these, the form comes first, then case, accents, punctuation, digits, and in the end
            what was taken apart is composed again.
        verify: ``"exact"`` compares the shingle sets of each candidate pair, ``"signature"`` only
            the signatures, ``"none"`` nothing.
        keep: Which of several rows alike is kept: the ``"first"``, the ``"longest"`` in
            characters, or the one with the ``"max"`` or ``"min"`` value in `by`; the first among
            equals. If None, the first, and for containment the longest. Or a function: it is
            called with the rows of each cluster that the first rows make, ascending, and returns
            one of them; then all is decided once more, with these before all others.
        by: A value for each row, for ``keep="max"`` and ``"min"``.
        cluster: ``"direct"``: a row is removed for a verified match with the very row that is kept.
            ``"components"``: rows that verified pairs link, over however many others, are one
            cluster, of which the first stays; its similarity to the others may be anything. Such
            chains grow together what nobody would call alike: look at `DedupResult.least_similar`.
        against: Texts that rows are compared with too, and that are none of them: last month's, or
            a test set. A row that is like one of them is removed for it; the table of duplicates
            has a column ``against`` then, which says that ``kept_row`` is one of these. Or a
            `MinHashIndex`, which stands for the texts it was made of: ``kept_row`` is the id of the
            most similar document then, and ``jaccard`` the estimate of the index.
        within: Whether rows are compared with each other too.
        audit: How many documents are compared with all others afterwards, to estimate the recall:
            `Report.audit`.
        min_length: For ``"lines"`` and ``"paragraphs"``: how many characters one that is removed
            has at least, as it is compared.
        min_count: For these too: how often it stands in all texts at least.
        threads: The number of threads; all of the machine's if None.
        progress: True for a bar: that of tqdm if it is installed (in a notebook one for notebooks),
            and else ``"console"``, one on the terminal. Or a bar of tqdm, which is set back for
            each phase, or a function that is called, from other threads, with the phase, the units
            done and their total, 0 if that is not known.

    Returns:
        Which rows to keep, the table of the others, and a report.

    Raises:
        InvalidArgumentException: An argument is out of range; also a ValueError.
        TypeError: `column` holds something other than texts, or `progress` is nothing to report to.
        KeyboardInterrupt: Ctrl-C was pressed.

    Example:
        >>> result = deduplicate(["a b c d e f", "A B C D E F", None], shingle="whitespace")
        >>> result.keep.tolist()
        [True, False, True]
    """
    if isinstance(against, MinHashIndex):
        against = against._native  # noqa: SLF001 - its engine
    options = dict(  # noqa: C408 - as they are spelt everywhere
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
        cluster=cluster,
        within=within,
        audit=audit,
        min_length=min_length,
        min_count=min_count,
        threads=threads,
    )

    def run(keep: str, by: object | None) -> DedupResult:
        with reporting(progress) as report_to:
            encoded = encode(keep=keep, **options)
            found, engine = _native.deduplicate(column, by, against, encoded, report_to)
        mask, duplicates, report = found
        return DedupResult(mask, Table(duplicates), Report.from_json(report), engine)

    if keep is None:
        keep = first_or_longest(method)
    if not callable(keep):
        return run(keep, by)
    if by is not None:
        message = "by is for keep='max' and keep='min'; a function chooses by itself"
        raise of_kind("invalid_argument", message)
    column = _to_read_twice(column)
    against = _to_read_twice(against)
    first = run("first", None)
    own = [cluster for cluster in first.clusters() if not cluster.against]
    chosen = choose(own, keep, len(first.keep))
    return run("max", chosen)._with_options(keep="function")  # noqa: SLF001


def first_or_longest(method: Method) -> Keep:
    """Return which row is kept where nobody says it."""
    return "longest" if method == "containment" else "first"


def _to_read_twice(column: object) -> object:
    """Collect what can be iterated over only once."""
    has_arrow = hasattr(column, "__arrow_c_stream__") or hasattr(column, "__arrow_c_array__")
    return list(column) if isinstance(column, Iterator) and not has_arrow else column
