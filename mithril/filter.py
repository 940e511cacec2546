"""Near-duplicates of a stream, dropped as they come by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

from mithril import _native
from mithril.exceptions import of_kind
from mithril.options import encode
from mithril.summary import as_html

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from mithril.dedup import Shingle, UnicodeForm

Item = TypeVar("Item")
Text: TypeAlias = str | Callable[[Any], "str | None"] | None

# Items that are looked at together: enough that a call of the engine costs nothing.
BATCH = 1000


@dataclass(frozen=True)
class FilterStats:
    """What a filter has seen."""

    seen: int
    """The documents that came by."""
    dropped: int
    """Those that were dropped."""
    remembered: int
    """Those that are remembered."""
    passed_over: int
    """Buckets that had so many documents that not all were looked at."""

    def _repr_html_(self) -> str:
        dropped = f"{self.dropped / self.seen:.1%}" if self.seen else "0%"
        return as_html(
            [
                ("seen", f"{self.seen:,}"),
                ("dropped", f"{self.dropped:,} ({dropped})"),
                ("remembered", f"{self.remembered:,}"),
                ("buckets passed over", f"{self.passed_over:,}"),
            ]
        )


class DedupFilter:
    """Tells the first of several documents that are alike from the others, in the order they come.

    A document is dropped when one that stayed shares a band with it and is estimated to be at least
    as similar as the threshold, from 64 bytes of each: the standard error of that is 0.037 at 0.8.
    Nulls, empty texts and such without a shingle stay. However a stream is cut into batches, the
    same documents stay.

    It takes some 320 bytes for each document that may be remembered (threshold 0.8, recall 0.99),
    from the system as they come, and pickles with all that it remembers.

    Example:
        >>> import mithril
        >>> near = mithril.DedupFilter(max_documents=1000)
        >>> list(near.filter(["a text", "another", "A text!"]))
        ['a text', 'another']
        >>> near.check(["Another...", "something new"]).tolist()
        [False, True]
    """

    def __init__(
        self,
        *,
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
        verify: bool = True,
        max_documents: int = 1_000_000,
        when_full: Literal["forget", "bloom"] = "forget",
        bloom_bytes: int = 64 << 20,
        threads: int = 1,
    ) -> None:
        """Make a filter that has seen nothing.

        Args:
            threshold: The least similarity of duplicates, above 0 and at most 1.
            recall: The least probability that a pair exactly at the threshold shares a band.
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
            verify: Whether the estimate is asked; without it sharing a band is enough.
            max_documents: The most documents that are remembered.
            when_full: What becomes of the oldest when there are more: ``"forget"``, or ``"bloom"``:
                its bands go into a Bloom filter for each band, which drops what shares one without
                verification, and ever more that shares none as it fills up.
            bloom_bytes: The size of all Bloom filters.
            threads: The threads that sketch a batch.

        Raises:
            InvalidArgumentException: An argument is out of range, or there is no such memory; also
                a ValueError.
        """
        if threads < 1:
            raise of_kind("invalid_argument", f"threads must be at least 1, not {threads}")
        options = encode(
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
            max_documents=max_documents,
            when_full=when_full,
            bloom_bytes=bloom_bytes,
        )
        self._native = _native.DedupFilter(options)
        self._threads = threads

    def check(self, column: object) -> npt.NDArray[np.bool_]:
        """Tell which texts of a batch stay, and remember these.

        For Hugging Face's datasets, streaming or not, in one process (``num_proc=None``):
        ``dataset.filter(near.check, batched=True, input_columns="text")``.

        Args:
            column: The texts, as in `deduplicate`.

        Returns:
            For each text whether it stays; shape (rows,).

        Raises:
            TypeError: `column` holds something other than texts.
            RuntimeError: Another thread uses the filter at the same time.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        return self._native.check(column, self._threads)

    def filter(
        self, items: Iterable[Item], text: Text = None, *, batch_size: int = BATCH
    ) -> Iterator[Item]:
        """Yield the items of a stream that stay, in their order.

        Args:
            items: The stream. Up to `batch_size` items are taken before the first is yielded.
            text: Where an item has its text: a key, a function, or None where items are texts.
            batch_size: How many items are looked at together.

        Returns:
            An iterator.

        Raises:
            InvalidArgumentException: `batch_size` is below 1; also a ValueError.
            TypeError: The text of an item is neither a str nor None.
        """
        text_of = _text_of(text)
        _check_batch_size(batch_size)
        return self._filter(iter(items), text_of, batch_size)

    def _filter(
        self, items: Iterator[Item], text_of: Callable[[Any], str | None], batch_size: int
    ) -> Iterator[Item]:
        batch: list[Item] = []
        for item in items:
            batch.append(item)
            if len(batch) == batch_size:
                yield from self._staying(batch, text_of)
                batch = []
        yield from self._staying(batch, text_of)

    async def filter_async(
        self, items: AsyncIterable[Item], text: Text = None, *, batch_size: int = BATCH
    ) -> AsyncIterator[Item]:
        """Yield the items of an asynchronous stream that stay, in their order.

        No more items are taken than a batch before those that stay of it are asked for: what comes
        after sets the pace of what comes before.

        Args:
            items: The stream.
            text: As in `filter`.
            batch_size: As in `filter`.

        Yields:
            The items that stay.

        Raises:
            InvalidArgumentException: As `filter`.
            TypeError: As `filter`.
        """
        text_of = _text_of(text)
        _check_batch_size(batch_size)
        batch: list[Item] = []
        async for item in items:
            batch.append(item)
            if len(batch) == batch_size:
                for staying in self._staying(batch, text_of):
                    yield staying
                batch = []
        for staying in self._staying(batch, text_of):
            yield staying

    def _staying(self, batch: list[Item], text_of: Callable[[Any], str | None]) -> list[Item]:
        if not batch:
            return []
        stays = self.check([text_of(item) for item in batch]).tolist()
        return [item for item, one in zip(batch, stays, strict=True) if one]

    @property
    def stats(self) -> FilterStats:
        """What the filter has seen."""
        return FilterStats(*self._native.stats())

    def state_dict(self) -> dict[str, Any]:
        """Return all that the filter remembers; `load_state_dict` takes it."""
        return {"filter": self._native.to_bytes()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another filter was, with its options.

        Args:
            state: What `state_dict` returned.

        Raises:
            InvalidArgumentException: `state` is none, damaged, or of a later version; also a
                ValueError.
        """
        if not isinstance(state.get("filter"), bytes):
            raise of_kind("invalid_argument", "this is no state of a filter")
        self._native = _native.DedupFilter.from_bytes(state["filter"])

    def __repr__(self) -> str:
        """Name threshold and size, and say what was seen."""
        options, stats = json.loads(self._native.options()), self.stats
        return (
            f"<mithril.DedupFilter at threshold {options['threshold']:g}: {stats.seen:,} seen, "
            f"{stats.dropped:,} dropped, {stats.remembered:,} of at most "
            f"{options['max_documents']:,} remembered>"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the filter with all that it remembers."""
        return _restored, (self._native.to_bytes(), self._threads)


def _restored(state: bytes, threads: int) -> DedupFilter:
    restored = DedupFilter.__new__(DedupFilter)
    restored._native = _native.DedupFilter.from_bytes(state)  # noqa: SLF001 - it is made here
    restored._threads = threads  # noqa: SLF001
    return restored


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise of_kind("invalid_argument", f"batch_size must be at least 1, not {batch_size}")


def _text_of(text: Text) -> Callable[[Any], str | None]:
    if text is None:
        return lambda item: cast("str | None", item)
    if callable(text):
        return text
    return lambda item: cast("str | None", item[text])
