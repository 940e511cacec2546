"""The tasks of a run: pure functions of their arguments, so that any may run twice.

Tables are those of ``mithril_dedup::stages``, as ``pyarrow.Table``. Each task returns as many
values as it says, and last a dictionary of counts for the report: ``process``, its id, ``cpu``, the
seconds that it computed, and ``bytes``, of what others will read.

Blocks are numbered in their order; neighbours are in a group, and a group is what a task works on.
`groups` has the first block of each.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

import pyarrow as pa

from mithril import _native

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mithril.cluster.source import Source

Tables = tuple[Any, ...]
_Arguments = ParamSpec("_Arguments")


class Shared(NamedTuple):
    """What was decided so far, for tasks of all blocks."""

    lengths: list[int]
    """The rows of each block."""
    state: Any
    """The table of states: two bits a row."""
    options: str
    """The options as JSON."""


class Limits(NamedTuple):
    """How much is compared at a time."""

    crowd: int
    """Buckets of more members are crowds."""
    pivots: int
    """So many undecided rows of each crowd are pivots."""
    pairs: int
    """A task finds about so many pairs at most, if need be with more crowds, or less pivots."""


@functools.lru_cache(maxsize=8)
def _engine(options: str) -> _native.Stages:
    return _native.Stages(options)


def _table(native: _native.Table) -> Any:  # noqa: ANN401 - pyarrow is untyped
    return pa.table(native)


def _tables(natives: Sequence[_native.Table]) -> list[Any]:
    return [pa.table(native) for native in natives]


def _counts(*tables: Any, **counts: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return {"bytes": sum(table.nbytes for table in tables), **counts}


def _task(function: Callable[_Arguments, Tables]) -> Callable[_Arguments, Tables]:
    """Add to the counts where a task ran, and how long it computed."""

    @functools.wraps(function)
    def timed(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> Tables:
        start = time.process_time()
        *values, counts = function(*arguments, **named)
        cpu = time.process_time() - start
        return (*values, {"process": os.getpid(), "cpu": cpu, **counts})

    return timed


def _together(tables: Sequence[Any]) -> Any:  # noqa: ANN401 - as above
    return pa.concat_tables(tables).combine_chunks()


@_task
def sign(options: str, parts: int, first: int, sources: Sequence[Source]) -> Tables:
    """Sign the texts of a group of blocks.

    Args:
        options: The options as JSON.
        parts: Into how many parts digests and bands are dealt out.
        first: The number of the first block.
        sources: The blocks.

    Returns:
        A table of digests for each part, one of bands for each part, the copies within each block,
        counts.
    """
    engine = _engine(options)
    digests: list[list[Any]] = [[] for _ in range(parts)]
    bands: list[list[Any]] = [[] for _ in range(parts)]
    copies, blocks = [], []
    for block, source in enumerate(sources, first):
        of_digests, of_bands, of_copies, block_counts = engine.sign(source.texts(), block, parts)
        for part, table in zip(digests, of_digests, strict=True):
            part.append(_table(table))
        for part, table in zip(bands, of_bands, strict=True):
            part.append(_table(table))
        copies.append(_table(of_copies))
        blocks.append(block_counts)
    out = [*map(_together, digests), *map(_together, bands)]
    within = _together(copies)
    counts = _counts(*out, within, blocks=blocks)
    counts["digest_bytes"] = sum(table.nbytes for table in out[:parts])
    counts["band_bytes"] = sum(table.nbytes for table in out[parts:])
    return (*out, within, counts)


@_task
def find_copies(groups: list[int], *digests: Any) -> Tables:  # noqa: ANN401 - as above
    """Find the copies among the digests of a part.

    Args:
        groups: The first block of each group.
        digests: The tables of digests of this part.

    Returns:
        The copies by the group of the first of their text, the ids of all of them, counts.
    """
    copies = _native.Stages.find_copies(digests)
    by_group = _tables(_native.Stages.split_ids(copies, "first", groups))
    return (*by_group, _table(copies).select(["id"]), _counts(*by_group))


@_task
def candidates(
    shared: Shared,
    groups: list[int],
    limits: Limits,
    *bands: Any,  # noqa: ANN401 - as above
) -> Tables:
    """Find the candidate pairs among the bands of a part.

    Args:
        shared: What was decided so far: copies are removed.
        groups: The first block of each group.
        limits: Those of the first round.
        bands: The tables of bands of this part.

    Returns:
        The pairs by the group of the later, the ids of rows in crowds by group, the crowds, the ids
        of rows that wait, counts.
    """
    lengths, state, options = shared
    engine = _engine(options)
    pairs, crowds = engine.candidates(bands, lengths, state, (limits.crowd, limits.pairs))
    of_pivots, waiting = engine.pivots(crowds, lengths, state, (limits.pivots, limits.pairs), [])
    pairs = engine.gather([pairs, of_pivots])
    by_group = _tables(engine.split_ids(pairs, "later", groups))
    crowd = _table(crowds)
    members = _tables(engine.split_ids(crowd.select(["id"]), "id", groups))
    counts = _counts(*by_group, crowd, *members, crowded=[len(ids) for ids in members])
    return (*by_group, *members, crowd, _table(waiting), counts)


@_task
def pivots(
    shared: Shared,
    groups: list[int],
    limits: Limits,
    crowds: Any,  # noqa: ANN401 - as above
    *prints: Any,  # noqa: ANN401 - as above
) -> Tables:
    """Find the pairs among the pivots of crowds.

    Args:
        shared: What was decided so far.
        groups: The first block of each group.
        limits: Those of the round.
        crowds: The crowds of a part.
        prints: Tables of fingerprints.

    Returns:
        The pairs by the group of the later, the ids of rows that wait, counts.
    """
    width = (limits.pivots, limits.pairs)
    engine = _engine(shared.options)
    pairs, waiting = engine.pivots(crowds, shared.lengths, shared.state, width, prints)
    by_group = _tables(engine.split_ids(pairs, "later", groups))
    return (*by_group, _table(waiting), _counts(*by_group))


@_task
def spread(  # noqa: PLR0917 - calls of tasks have no names
    before: Shared,
    after: Shared,
    groups: list[int],
    limits: Limits,
    part: tuple[int, int],
    crowds: Any,  # noqa: ANN401 - as above
    *prints: Any,  # noqa: ANN401 - as above
) -> Tables:
    """Find the pairs of what was kept in crowds with all that comes after it there.

    Args:
        before: What was decided when pivots were chosen.
        after: What is decided now.
        groups: The first block of each group.
        limits: Those of the round.
        part: Which of how many slices of the pairs is wanted.
        crowds: The crowds of a part.
        prints: Tables of fingerprints.

    Returns:
        The pairs by the group of the later, counts.
    """
    states = (before.lengths, before.state, after.state)
    width = (limits.pivots, limits.pairs)
    engine = _engine(before.options)
    pairs = engine.spread(crowds, states, width, part, prints)
    by_group = _tables(engine.split_ids(pairs, "later", groups))
    return (*by_group, _counts(*by_group))


@_task
def measure(
    before: Shared,
    after: Shared,
    limits: Limits,
    crowds: Any,  # noqa: ANN401 - as above
    *prints: Any,  # noqa: ANN401 - as above
) -> Tables:
    """Count the pairs that `spread` will find.

    Args:
        before: What was decided when pivots were chosen.
        after: What is decided now.
        limits: Those of the round.
        crowds: The crowds of a part.
        prints: Tables of fingerprints.

    Returns:
        Counts, with ``pairs``.
    """
    states = (before.lengths, before.state, after.state)
    width = (limits.pivots, limits.pairs)
    size = _engine(before.options).spread_size(crowds, states, width, prints)
    return (_counts(pairs=size),)


@_task
def fingerprints(options: str, *texts: Any) -> Tables:  # noqa: ANN401 - as above
    """Make the fingerprints of texts.

    Args:
        options: The options as JSON.
        texts: Tables of texts.

    Returns:
        The fingerprints, counts.
    """
    engine = _engine(options)
    prints = _together([_table(engine.fingerprints(one)) for one in texts])
    return prints, _counts(prints)


@_task
def combine(*tables: Any) -> Tables:  # noqa: ANN401 - as above
    """Put tables together.

    Args:
        tables: The tables, one at least.

    Returns:
        All rows, counts.
    """
    whole = _together(tables)
    return whole, _counts(whole)


@_task
def count_shingles(options: str, counters: int, parts: int, *texts: Any) -> Tables:  # noqa: ANN401
    """Count how common the shingles of texts are.

    Args:
        options: The options as JSON.
        counters: By how many counters.
        parts: In how many parts these are left.
        texts: Tables of texts.

    Returns:
        A table of counts for each part, counts for the report.
    """
    engine = _engine(options)
    whole = _table(engine.add_counts([engine.count_shingles(one, counters) for one in texts]))
    bounds = [counters * part // parts for part in range(parts + 1)]
    out = [
        whole.slice(start, end - start).combine_chunks()
        for start, end in itertools.pairwise(bounds)
    ]
    return (*out, _counts(*out))


@_task
def add_counts(*tables: Any) -> Tables:  # noqa: ANN401 - as above
    """Add up how common shingles are.

    Args:
        tables: The counts of a part.

    Returns:
        Their sum, counts for the report.
    """
    whole = _table(_native.Stages.add_counts(tables))
    return whole, _counts(whole)


@_task
def postings(options: str, parts: int, shingles: Any, *texts: Any) -> Tables:  # noqa: ANN401
    """Deal out the rarest shingles of texts.

    Args:
        options: The options as JSON.
        parts: Into how many parts.
        shingles: How common shingles are.
        texts: Tables of texts.

    Returns:
        A table of postings for each part, counts.
    """
    engine = _engine(options)
    dealt = [_tables(engine.postings(one, shingles, parts)) for one in texts]
    out = [_together(of_part) for of_part in zip(*dealt, strict=True)]
    return (*out, _counts(*out))


@_task
def measure_join(shared: Shared, *tables: Any) -> Tables:  # noqa: ANN401 - as above
    """Count the pairs that `join` will look at.

    Args:
        shared: What was decided so far.
        tables: The postings of a part.

    Returns:
        Counts, with ``pairs``.
    """
    return (_counts(pairs=_native.Stages.join_size(tables, shared.lengths, shared.state)),)


@_task
def join(shared: Shared, groups: list[int], *tables: Any) -> Tables:  # noqa: ANN401 - as above
    """Find the pairs of rows of crowds that are left to compare, among the postings of a part.

    Args:
        shared: What was decided so far.
        groups: The first block of each group.
        tables: The postings.

    Returns:
        The pairs by the group of the later, counts.
    """
    engine = _engine(shared.options)
    pairs = engine.join(tables, shared.lengths, shared.state)
    by_group = _tables(engine.split_ids(pairs, "later", groups))
    return (*by_group, _counts(*by_group))


@_task
def gather(groups: list[int], *pairs: Any) -> Tables:  # noqa: ANN401 - as above
    """Collect the pairs whose later row is in one group, each once.

    Args:
        groups: The first block of each group.
        pairs: The pairs of all parts.

    Returns:
        The pairs by the group of the earlier row; counts, with the pairs of each group.
    """
    whole = _native.Stages.gather(pairs)
    by_group = _tables(_native.Stages.split_ids(whole, "earlier", groups))
    return (*by_group, _counts(*by_group, pairs=[len(part) for part in by_group]))


@_task
def pick(
    first: int,
    sources: Sequence[Source],
    counts: tuple[int, int],
    *tables: Any,  # noqa: ANN401 - as above
) -> Tables:
    """Pick the texts of a group of blocks that pairs need, and those of crowds.

    Each block is read once, and not at all if none of its texts is needed.

    Args:
        first: The number of the first block.
        sources: The blocks.
        counts: Of so many of `tables`, which are pairs, the earlier rows are in these blocks; of so
            many after them, the later ones.
        tables: Tables of pairs; and after these, tables with the ids of the rows of crowds.

    Returns:
        For each table of pairs, the texts; those of the rows of crowds, in the order of ids;
        counts.
    """
    whole = pa.concat_tables(tables[sum(counts) :]) if tables[sum(counts) :] else None
    wanted = _wanted(counts, tables)
    if whole is not None:
        wanted.append((whole, "id"))
    asked = {block for table, column in wanted for block in _blocks(table[column])}
    picked: list[list[Any]] = [[] for _ in wanted]
    for block, source in enumerate(sources, first):
        if block in asked:
            texts = source.texts()
            for of_table, (table, column) in zip(picked, wanted, strict=True):
                of_table.append(_table(_native.Stages.pick(texts, block, table, column)))
    out = [_together(of_table) if of_table else _NO_TEXTS for of_table in picked]
    return (*out, *([_NO_TEXTS] if whole is None else []), _counts(*out))


@_task
def select(texts: Any, counts: tuple[int, int], *tables: Any) -> Tables:  # noqa: ANN401
    """As `pick`, of the rows of crowds, whose texts are at hand.

    Args:
        texts: The texts of the rows of crowds.
        counts: As for `pick`.
        tables: Tables of pairs.

    Returns:
        For each table of pairs, the texts; counts.
    """
    wanted = _wanted(counts, tables)
    out = [_table(_native.Stages.select(texts, table, column)) for table, column in wanted]
    return (*out, _counts(*out))


def _wanted(counts: tuple[int, int], tables: Sequence[Any]) -> list[tuple[Any, str]]:
    columns = ["earlier"] * counts[0] + ["later"] * counts[1]
    return list(zip(tables, columns, strict=False))


_NO_TEXTS = pa.table({"id": pa.array([], pa.int64()), "text": pa.array([], pa.large_string())})


def _blocks(ids: Any) -> set[int]:  # noqa: ANN401 - as above
    return set((ids.to_numpy() >> 40).tolist())


@_task
def verify(options: str, count: int, are_joined: bool, *tables: Any) -> Tables:  # noqa: ANN401
    """Compare the texts of pairs.

    Args:
        options: The options as JSON.
        count: So many of `tables` are pairs.
        are_joined: Whether they are of `join`, and may share no band.
        tables: These, and after them tables that have all of their texts.

    Returns:
        The edges, counts.
    """
    engine, texts = _engine(options), tables[count:]
    pairs = _native.Stages.gather(tables[:count])
    edges = _table(engine.verify(pairs, texts))
    if are_joined:
        edges = _table(engine.sharing_a_band(edges, texts))
    return edges, _counts(edges)


@_task
def collect(*edges: Any) -> Tables:  # noqa: ANN401 - as above
    """Collect the edges whose later row is in one group.

    Args:
        edges: Tables of edges.

    Returns:
        The edges in order, counts.
    """
    collected = _table(_native.Stages.gather_edges(edges))
    return collected, _counts(collected, edges=len(collected))


@_task
def assign(shared: Shared, edges: Any) -> Tables:  # noqa: ANN401 - as above
    """Find for each removed row of a group the kept one that it goes for.

    Args:
        shared: All decisions.
        edges: The edges of the group.

    Returns:
        The removed rows as duplicates, counts.
    """
    removed = _table(_native.Stages.assign(edges, shared.lengths, shared.state))
    return removed, _counts(removed)


@_task
def resolve(groups: list[int], removed: Any, *copies: Any) -> Tables:  # noqa: ANN401 - as above
    """Find what copies go for, whose first is in one group.

    Args:
        groups: The first block of each group.
        removed: The removed rows of the group, of `assign`.
        copies: The copies of texts of the group.

    Returns:
        The copies as duplicates by their own group, counts.
    """
    resolved = _native.Stages.resolve(copies, removed)
    by_group = _tables(_native.Stages.split_ids(resolved, "id", groups))
    return (*by_group, _counts(*by_group))


@_task
def finish(removed: Any, copies: Any, *resolved: Any) -> Tables:  # noqa: ANN401 - as above
    """Put together the duplicates of a group.

    Args:
        removed: Those that go for a row like them.
        copies: The copies within each block.
        resolved: The copies of texts elsewhere.

    Returns:
        The duplicates in the order of ids, counts.
    """
    duplicates = _table(_native.Stages.finish(removed, resolved, [copies]))
    exact = duplicates["exact_copy"].to_numpy().sum()
    return duplicates, _counts(duplicates, removed=len(duplicates), exact=int(exact))
