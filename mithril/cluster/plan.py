"""Which tasks run on what, and what the driver decides."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mithril import _native
from mithril.cluster import stages
from mithril.cluster.options import Settings, engine_options
from mithril.cluster.report import ClusterReport
from mithril.cluster.stages import Shared
from mithril.exceptions import of_kind
from mithril.report import Banding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mithril.cluster.options import Options
    from mithril.cluster.runner import Runner
    from mithril.cluster.source import Source

CROWD = 64
PIVOTS = 32
MAX_DRIVER_EDGES = 20_000_000


class Outcome(NamedTuple):
    """What a run leaves behind."""

    sources: Sequence[Source]
    """The blocks."""
    lengths: list[int]
    """The rows of each."""
    groups: list[int]
    """The first block of each group."""
    duplicates: list[Any]
    """For each group, a reference to its table of duplicates."""
    report: ClusterReport
    """The account."""


def deduplicate(
    runner: Runner, sources: Sequence[Source], options: Options, settings: Settings
) -> Outcome:
    """Find the near-duplicates in blocks of rows.

    Args:
        runner: Who runs the tasks.
        sources: The blocks; rows are decided in their order.
        options: What counts as a duplicate.
        settings: How the work is dealt out.

    Returns:
        The duplicates, and the account of the run.

    Raises:
        InvalidArgumentException: An option or a setting is out of range, or there is no block.
        TypeError: There is no such option or setting.
    """
    return _Run(runner, sources, options, settings).outcome()


class _Run:
    """A run, from top to bottom."""

    def __init__(
        self, runner: Runner, sources: Sequence[Source], options: Options, settings: Settings
    ) -> None:
        if unknown := settings.keys() - Settings.__annotations__.keys():
            message = f"no setting {', '.join(sorted(unknown))}"
            raise TypeError(message)
        if not sources:
            message = "there is no block of rows"
            raise of_kind("invalid_argument", message)
        wanted = settings.get("groups", 2 * max(runner.parallelism, 1))
        self.crowd = settings.get("crowd", CROWD)
        self.pivots = settings.get("pivots", PIVOTS)
        self.budget = settings.get("max_driver_edges", MAX_DRIVER_EDGES)
        if min(wanted, self.crowd, self.pivots) < 1:
            message = "groups, crowd and pivots are at least 1"
            raise of_kind("invalid_argument", message)
        self.runner = runner
        self.sources = sources
        self.options = engine_options(options)
        self.bands, self.rows, self.recall = _native.Stages(self.options).banding()
        blocks = len(sources)
        count = min(wanted, blocks)
        self.groups = [blocks * group // count for group in range(count)]
        self.ends = [*self.groups[1:], blocks]
        self.moved: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.processes: set[int] = set()
        self.pairs = self.rounds = self.edge_count = 0

    def outcome(self) -> Outcome:
        """Run all tasks."""
        count = len(self.groups)
        digests, bands, within, blocks = self._sign()
        lengths = [rows for rows, *_ in blocks]
        decisions = _native.Decisions(lengths)
        copies = self._copies(digests, decisions)
        del digests
        edges = self._edges(bands, lengths, decisions)
        del bands
        with self._timed("finish"):
            shared = self.runner.share(Shared(lengths, pa.table(decisions.state())))
            removed = self._run(stages.assign, [(shared, of_group) for of_group in edges], 2)
            resolved = self._run(
                stages.resolve,
                [
                    (self.groups, removed[group][0], *(part[group] for part in copies))
                    for group in range(count)
                ],
                count + 1,
            )
            finished = self._run(
                stages.finish,
                [
                    (removed[group][0], within[group], *(part[group] for part in resolved))
                    for group in range(count)
                ],
                2,
            )
            counts = self._count("finish", finished)
            self._count("removed", removed)
            self._count("resolved", resolved)
        rows, null_texts, empty_texts, text_bytes = map(sum, zip(*blocks, strict=True))
        gone = sum(one["removed"] for one in counts)
        exact = sum(one["exact"] for one in counts)
        report = ClusterReport(
            version=_native.__version__,
            documents=rows,
            bytes=text_bytes,
            null_texts=null_texts,
            empty_texts=empty_texts,
            kept=rows - gone,
            removed=gone,
            exact_duplicates=exact,
            near_duplicates=gone - exact,
            banding=Banding(self.bands, self.rows),
            promised_recall=self.recall,
            compared_pairs=self.pairs,
            verified_pairs=self.edge_count,
            rounds=self.rounds,
            edges_on_driver=self.edge_count <= self.budget,
            blocks=len(self.sources),
            groups=count,
            processes=tuple(sorted(self.processes)),
            moved=dict(self.moved),
            seconds=dict(self.seconds),
        )
        duplicates = [one[0] for one in finished]
        return Outcome(self.sources, lengths, self.groups, duplicates, report)

    def _sign(self) -> tuple[list[list[Any]], list[list[Any]], list[Any], list[tuple[int, ...]]]:
        """Return digests and bands by part, the copies within blocks, and the counts of blocks."""
        parts = len(self.groups)
        with self._timed("sign"):
            calls = [
                (self.options, parts, first, self.sources[first:end])
                for first, end in zip(self.groups, self.ends, strict=True)
            ]
            signed = self._run(stages.sign, calls, 2 * parts + 2)
            counts = self._count("bands", signed)
        digest_bytes = sum(one["digest_bytes"] for one in counts)
        self.moved["bands"] -= digest_bytes
        self.moved["digests"] = digest_bytes
        by_part = list(map(list, zip(*signed, strict=True)))
        blocks = [block for one in counts for block in one["blocks"]]
        return by_part[:parts], by_part[parts : 2 * parts], by_part[2 * parts], blocks

    def _copies(self, digests: list[list[Any]], decisions: _native.Decisions) -> list[list[Any]]:
        """Return the copies by part and by the group of the first; they are removed."""
        count = len(self.groups)
        with self._timed("copies"):
            calls = [(self.groups, *of_part) for of_part in digests]
            copies = self._run(stages.find_copies, calls, count + 2)
            for *_, ids, _ in copies:
                decisions.remove(*self.runner.get([ids]))
            self._count("copies", copies)
        return [part[:count] for part in copies]

    def _edges(
        self, bands: list[list[Any]], lengths: list[int], decisions: _native.Decisions
    ) -> list[Any]:
        """Decide about all rows; return the verified pairs by the group of the later."""
        count, width = len(self.groups), self.pivots

        def share() -> Any:  # noqa: ANN401 - a runner's own
            return self.runner.share(Shared(lengths, pa.table(decisions.state())))

        with self._timed("candidates"):
            shared = share()
            calls = [(shared, self.groups, self.crowd, width, *of_part) for of_part in bands]
            found = self._run(stages.candidates, calls, count + 3)
            counts = self._count("pairs", found)
        crowds = [
            part[count] for part, one in zip(found, counts, strict=True) if one["crowded"] > 0
        ]
        for part in found:
            decisions.wait(*self.runner.get([part[count + 1]]))
        edges = [one[0] for one in self._run(stages.collect, [()] * count, 2)]
        edges = self._compare(found, edges)
        del found
        self._settle(edges, decisions, may_keep=True)
        while crowds:
            self.rounds += 1
            before, shared = shared, share()
            calls = [(before, shared, self.groups, width, crowd) for crowd in crowds]
            with self._timed("candidates"):
                found = self._run(stages.spread, calls, count + 1)
                self._count("pairs", found)
            edges = self._compare(found, edges)
            self._settle(edges, decisions, may_keep=False)
            if decisions.open() == 0:
                break
            width *= 2
            decisions.wait_no_more()
            shared = share()
            with self._timed("candidates"):
                calls = [(shared, self.groups, width, crowd) for crowd in crowds]
                found = self._run(stages.pivots, calls, count + 2)
                self._count("pairs", found)
            for part in found:
                decisions.wait(*self.runner.get([part[count]]))
            edges = self._compare(found, edges)
            self._settle(edges, decisions, may_keep=True)
        return edges

    def _compare(self, pairs: list[list[Any]], edges: list[Any]) -> list[Any]:
        """Verify the pairs of all parts; return edges with what was found."""
        groups = range(len(self.groups))
        count = len(self.groups)
        with self._timed("gather"):
            calls = [(self.groups, *(part[group] for part in pairs)) for group in groups]
            gathered = self._run(stages.gather, calls, 3 * count + 1)
            numbers = [one["pairs"] for one in self._count("gathered", gathered)]
        self.pairs += sum(map(sum, numbers))
        # The texts of a group go where its rows are the earlier ones, and where they are the later.
        calls, picking = [], []
        for group in groups:
            as_earlier = [gathered[later][count + group] for later in groups if later >= group]
            as_later = [gathered[group][2 * count + earlier] for earlier in groups[: group + 1]]
            if any(numbers[later][group] for later in groups) or any(numbers[group]):
                first, end = self.groups[group], self.ends[group]
                calls.append((first, self.sources[first:end], *as_earlier, *as_later))
                picking.append(group)
        with self._timed("pick"):
            picked = self._run(stages.pick, calls, count + 2)
            self._count("texts", picked)
        of_group = dict(zip(picking, picked, strict=True))
        units = [
            (earlier, later)
            for later in groups
            for earlier in groups[: later + 1]
            if numbers[later][earlier]
        ]
        calls = [
            (
                self.options,
                gathered[later][earlier],
                of_group[earlier][later - earlier],
                of_group[later][count - later + earlier],
            )
            for earlier, later in units
        ]
        with self._timed("verify"):
            verified = self._run(stages.verify, calls, 2)
            self._count("edges", verified)
            new: list[list[Any]] = [[] for _ in groups]
            for (_, later), (found, _) in zip(units, verified, strict=True):
                new[later].append(found)
            calls = [(edges[group], *new[group]) for group in groups]
            collected = self._run(stages.collect, calls, 2)
            self.edge_count = sum(one["edges"] for one in self._count("collected", collected))
        return [one[0] for one in collected]

    def _settle(self, edges: list[Any], decisions: _native.Decisions, *, may_keep: bool) -> None:
        """Decide what can be decided, one group after the other."""
        with self._timed("decide"):
            for group, table in enumerate(self._fetched(edges)):
                blocks = (self.groups[group], self.ends[group])
                decisions.settle(table, blocks, may_keep)

    def _fetched(self, edges: list[Any]) -> Iterator[Any]:
        if self.edge_count <= self.budget:
            yield from self.runner.get(edges)
        else:
            for one in edges:
                yield from self.runner.get([one])

    def _run(
        self, task: Callable[..., tuple[Any, ...]], calls: Sequence[Sequence[Any]], returns: int
    ) -> list[list[Any]]:
        return self.runner.run(task, calls, returns)

    def _count(self, name: str, ran: list[list[Any]]) -> list[dict[str, Any]]:
        """Wait for tasks, and return what they counted."""
        counts: list[dict[str, Any]] = self.runner.get([values[-1] for values in ran])
        self.moved[name] = self.moved.get(name, 0) + sum(one["bytes"] for one in counts)
        self.processes.update(one["process"] for one in counts)
        return counts

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + taken
