"""Which tasks run on what, and what the driver decides."""

from __future__ import annotations

import itertools
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mithril import _native
from mithril.cluster import stages
from mithril.cluster.options import Settings, engine_options
from mithril.cluster.report import ClusterReport
from mithril.cluster.stages import Limits, Shared
from mithril.exceptions import of_kind
from mithril.report import Banding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mithril.cluster.options import Options
    from mithril.cluster.runner import Calls, Runner, Task
    from mithril.cluster.source import Source

CROWD = 64
PIVOTS = 32
MAX_DRIVER_EDGES = 20_000_000
MAX_TASK_PAIRS = 16_000_000
# Pairs that are worth a task: a tenth of a second or so.
TASK_PAIRS = 10_000
MAX_TASK_BYTES = 1 << 30
# What tasks leave for others is in as many pieces as the square of it, whose references are on the
# driver; and pieces that are too small are there too (100 kB in Ray).
MAX_GROUPS = 256
# Pairs for each row that are joined rather than gone through round by round, which ends sooner
# where many rows are alike.
JOINED_PAIRS = 32
# Counters of shingles for each row of a crowd, and the fewest and the most, of a byte each.
COUNTERS = 256
FEWEST_COUNTERS = 1 << 12
MOST_COUNTERS = 1 << 26


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
        wanted = settings.get("groups", min(2 * max(runner.parallelism, 1), MAX_GROUPS))
        self.limits = Limits(
            settings.get("crowd", CROWD),
            settings.get("pivots", PIVOTS),
            settings.get("max_task_pairs", MAX_TASK_PAIRS),
        )
        self.budget = settings.get("max_driver_edges", MAX_DRIVER_EDGES)
        self.task_bytes = settings.get("max_task_bytes", MAX_TASK_BYTES)
        if min(wanted, self.task_bytes, *self.limits) < 1:
            message = "groups, crowd, pivots, max_task_pairs and max_task_bytes are at least 1"
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
        self.cpu_seconds: dict[str, float] = {}
        self.processes: set[int] = set()
        # The texts of the rows of crowds, by group.
        self.held: dict[int, list[Any]] = {}
        self.mean_bytes = 0.0
        self.pairs = self.rounds = self.edge_count = 0

    def outcome(self) -> Outcome:
        """Run all tasks."""
        digests, bands, within, blocks = self._sign()
        lengths = [rows for rows, *_ in blocks]
        decisions = _native.Decisions(lengths)
        copies = self._copies(digests, decisions)
        del digests
        edges = self._edges(bands, lengths, decisions)
        shared = self.runner.share(Shared(lengths, pa.table(decisions.state()), self.options))
        finished = self._finish(shared, edges, copies, within)
        rows, null_texts, empty_texts, text_bytes = map(sum, zip(*blocks, strict=True))
        gone = sum(counts["removed"] for _, counts in finished)
        exact = sum(counts["exact"] for _, counts in finished)
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
            groups=len(self.groups),
            processes=tuple(sorted(self.processes)),
            moved=dict(self.moved),
            seconds=dict(self.seconds),
            cpu_seconds=dict(self.cpu_seconds),
        )
        duplicates = [found for found, _ in finished]
        return Outcome(self.sources, lengths, self.groups, duplicates, report)

    def _sign(self) -> tuple[list[list[Any]], list[list[Any]], list[Any], list[tuple[int, ...]]]:
        """Return digests and bands by part, the copies within blocks, and the counts of blocks."""
        parts = len(self.groups)
        calls = [
            (self.options, parts, first, self.sources[first:end])
            for first, end in zip(self.groups, self.ends, strict=True)
        ]
        signed = self._run(stages.sign, calls, 2 * parts + 2)
        counts = [one[-1] for one in signed]
        self.moved["digests"] = sum(one["digest_bytes"] for one in counts)
        self.moved["bands"] = sum(one["band_bytes"] for one in counts)
        by_part = list(map(list, zip(*signed, strict=True)))
        blocks = [block for one in counts for block in one["blocks"]]
        rows, _, _, text_bytes = map(sum, zip(*blocks, strict=True))
        self.mean_bytes = text_bytes / max(rows, 1)
        return by_part[:parts], by_part[parts : 2 * parts], by_part[2 * parts], blocks

    def _copies(self, digests: list[list[Any]], decisions: _native.Decisions) -> list[list[Any]]:
        """Return the copies by part and by the group of the first; they are removed."""
        count = len(self.groups)
        calls = [(self.groups, *of_part) for of_part in digests]
        copies = self._run(stages.find_copies, calls, count + 2)
        for *_, ids, _ in copies:
            decisions.remove(*self.runner.get([ids]))
        return [part[:count] for part in copies]

    def _edges(
        self, bands: list[list[Any]], lengths: list[int], decisions: _native.Decisions
    ) -> list[Any]:
        """Decide about all rows; return the verified pairs by the group of the later."""
        count, limits = len(self.groups), self.limits

        def share() -> Any:  # noqa: ANN401 - a runner's own
            return self.runner.share(Shared(lengths, pa.table(decisions.state()), self.options))

        shared = share()
        calls: list[tuple[Any, ...]]
        calls = [(shared, self.groups, limits, *of_part) for of_part in bands]
        found = self._run(stages.candidates, calls, 2 * count + 3)
        # Most of what was left so far, and a runner keeps it for as long as it is referred to.
        calls.clear()
        bands.clear()
        crowds = [part[2 * count] for part in found if any(part[-1]["crowded"])]
        self._wait([part[2 * count + 1] for part in found], decisions)
        members = [
            [part[count + group] for part in found if part[-1]["crowded"][group]]
            for group in range(count)
        ]
        in_crowds = sum(sum(part[-1]["crowded"]) for part in found)
        edges = [one[0] for one in self._run(stages.collect, [()] * count, 2)]
        edges = self._compare(found, edges, members)
        self._settle(edges, decisions, may_keep=True)
        prints: list[Any] = []
        postings: list[tuple[Any, ...]] = []
        while crowds:
            self.rounds += 1
            before, shared = shared, share()
            calls = [(before, shared, limits, crowd, *prints) for crowd in crowds]
            most = max(counts["pairs"] for (counts,) in self._run(stages.measure, calls, 1))
            slices = max(1, math.ceil(most / limits.pairs))
            for slice_ in range(slices):
                part = (slice_, slices)
                calls = [
                    (before, shared, self.groups, limits, part, crowd, *prints) for crowd in crowds
                ]
                edges = self._compare(self._run(stages.spread, calls, count + 1), edges)
            self._settle(edges, decisions, may_keep=False)
            if decisions.open() == 0:
                break
            limits = limits._replace(pivots=2 * limits.pivots)
            decisions.wait_no_more()
            shared = share()
            # Rows of crowds that are like one of the first are out by now.
            postings = postings or self._postings(in_crowds)
            calls = [(shared, *of_part) for of_part in postings]
            joined = [counts["pairs"] for (counts,) in self._run(stages.measure_join, calls, 1)]
            if max(joined) <= limits.pairs and sum(joined) <= JOINED_PAIRS * in_crowds:
                calls = [(shared, self.groups, *of_part) for of_part in postings]
                found = self._run(stages.join, calls, count + 1)
                edges = self._compare(found, edges, are_joined=True)
                self._settle(edges, decisions, may_keep=True)
                break
            prints = prints or self._fingerprints()
            calls = [(shared, self.groups, limits, crowd, *prints) for crowd in crowds]
            found = self._run(stages.pivots, calls, count + 2)
            self._wait([part[count] for part in found], decisions)
            edges = self._compare(found, edges)
            self._settle(edges, decisions, may_keep=True)
        return edges

    def _fingerprints(self) -> list[Any]:
        """Return a table with the fingerprints of all rows of crowds."""
        calls = [(self.options, *texts) for texts in self.held.values()]
        prints = [one for one, _ in self._run(stages.fingerprints, calls, 2)]
        ((whole, _),) = self._run(stages.combine, [tuple(prints)], 2)
        return [whole]

    def _postings(self, in_crowds: int) -> list[tuple[Any, ...]]:
        """Return the rarest shingles of all rows of crowds, by part."""
        counters = min(max(COUNTERS * in_crowds, FEWEST_COUNTERS), MOST_COUNTERS)
        counters = 1 << (counters - 1).bit_length()
        texts, parts = list(self.held.values()), len(self.groups)
        calls: list[tuple[Any, ...]] = [(self.options, counters, parts, *one) for one in texts]
        counted = self._run(stages.count_shingles, calls, parts + 1)
        by_part = list(zip(*(one[:-1] for one in counted), strict=True))
        sums = [one for one, _ in self._run(stages.add_counts, by_part, 2)]
        ((shingles, _),) = self._run(stages.combine, [tuple(sums)], 2)
        calls = [(self.options, parts, shingles, *one) for one in texts]
        dealt = self._run(stages.postings, calls, parts + 1)
        return list(zip(*(one[:-1] for one in dealt), strict=True))

    def _wait(self, tables: list[Any], decisions: _native.Decisions) -> None:
        """Note the rows that have to wait, a part at a time."""
        for table in tables:
            decisions.wait(*self.runner.get([table]))

    def _compare(
        self,
        pairs: list[list[Any]],
        edges: list[Any],
        members: list[list[Any]] | None = None,
        *,
        are_joined: bool = False,
    ) -> list[Any]:
        """Verify the pairs of all parts; return edges with what was found.

        At first `members` has the ids of the rows of crowds, by group: later on only those are
        compared, and no block is read any more. Pairs that `are_joined` may share no band.
        """
        count = len(self.groups)
        groups = range(count)
        calls = [(self.groups, *(part[group] for part in pairs)) for group in groups]
        # By the group of the later, and then of the earlier.
        gathered = self._run(stages.gather, calls, count + 1)
        units = [
            (earlier, later)
            for later in groups
            for earlier in groups[: later + 1]
            if gathered[later][-1]["pairs"][earlier]
        ]
        self.pairs += sum(sum(one[-1]["pairs"]) for one in gathered)
        picked = self._pick(gathered, units, members)
        calls, of_calls = [], []
        for later, together in self._together(gathered):
            pairs_of = [gathered[later][earlier] for earlier in together]
            texts = [one[later - earlier] for earlier in together for one in picked[earlier]]
            texts += [one[count - later + earlier] for earlier in together for one in picked[later]]
            calls.append((self.options, len(pairs_of), are_joined, *pairs_of, *texts))
            of_calls.append(later)
        new: list[list[Any]] = [[] for _ in groups]
        verified = self._run(stages.verify, calls, 2)
        for later, (of_call, _) in zip(of_calls, verified, strict=True):
            new[later].append(of_call)
        calls = [(edges[group], *new[group]) for group in groups]
        collected = self._run(stages.collect, calls, 2)
        self.edge_count = sum(counts["edges"] for _, counts in collected)
        return [of_group for of_group, _ in collected]

    def _pick(
        self,
        gathered: list[list[Any]],
        units: list[tuple[int, int]],
        members: list[list[Any]] | None,
    ) -> dict[int, list[list[Any]]]:
        """Pick the texts that units need; return them by group and part of its blocks."""
        count = len(self.groups)
        groups = range(count)
        picking = {group for unit in units for group in unit}
        if members is not None:
            picking.update(group for group in groups if members[group])
        calls: list[tuple[Any, ...]] = []
        of_calls: list[int] = []
        for group in sorted(picking):
            # Where the rows of the group are the earlier ones, and where they are the later.
            as_earlier = [gathered[later][group] for later in groups[group:]]
            as_later = gathered[group][: group + 1]
            tables = ((len(as_earlier), len(as_later)), *as_earlier, *as_later)
            if members is None:
                calls += [(texts, *tables) for texts in self.held[group]]
            else:
                pairs = sum(gathered[later][-1]["pairs"][group] for later in groups[group:])
                pairs += sum(gathered[group][-1]["pairs"])
                calls += [
                    (first, self.sources[first:end], *tables, *members[group])
                    for first, end in self._blocks_of(group, pairs)
                ]
            of_calls += [group] * (len(calls) - len(of_calls))
        if members is None:
            found = self._run(stages.select, calls, count + 2)
        else:
            found = self._run(stages.pick, calls, count + 3)
        picked: dict[int, list[list[Any]]] = {group: [] for group in picking}
        for group, texts in zip(of_calls, found, strict=True):
            picked[group].append(texts)
        if members is not None:
            self.held = {
                group: [one[count + 1] for one in texts] for group, texts in picked.items()
            }
        return picked

    def _together(self, gathered: list[list[Any]]) -> Iterator[tuple[int, list[int]]]:
        """Deal pairs out to tasks: for each, the group of the later rows and those of the earlier.

        A task has the pairs of two groups at least, and of more if they are few.
        """
        enough = max(1, min(TASK_PAIRS, int(self.task_bytes / max(self.mean_bytes, 1))))
        for later, one in enumerate(gathered):
            together: list[int] = []
            pairs = 0
            for earlier, more in enumerate(one[-1]["pairs"]):
                if together and pairs + more > enough:
                    yield later, together
                    together, pairs = [], 0
                if more:
                    together.append(earlier)
                    pairs += more
            if together:
                yield later, together

    def _blocks_of(self, group: int, pairs: int) -> Iterator[tuple[int, int]]:
        """Cut the blocks of a group into parts, for the texts of so many pairs."""
        first, end = self.groups[group], self.ends[group]
        parts = math.ceil(pairs * self.mean_bytes / self.task_bytes)
        parts = max(1, min(parts, end - first))
        bounds = [first + (end - first) * part // parts for part in range(parts + 1)]
        return itertools.pairwise(bounds)

    def _settle(self, edges: list[Any], decisions: _native.Decisions, *, may_keep: bool) -> None:
        """Decide what can be decided, one group after the other."""
        start = time.perf_counter()
        whole = self.runner.get(edges) if self.edge_count <= self.budget else None
        for group, reference in enumerate(edges):
            (table,) = self.runner.get([reference]) if whole is None else (whole[group],)
            decisions.settle(table, (self.groups[group], self.ends[group]), may_keep)
        self._note_seconds("decide", start)

    def _finish(
        self,
        shared: Any,  # noqa: ANN401 - a runner's own
        edges: list[Any],
        copies: list[list[Any]],
        within: list[Any],
    ) -> list[list[Any]]:
        """Return the duplicates of each group, and their counts."""
        count = len(self.groups)
        calls: list[tuple[Any, ...]] = [(shared, of_group) for of_group in edges]
        removed = [found for found, _ in self._run(stages.assign, calls, 2)]
        calls = [
            (self.groups, removed[group], *(part[group] for part in copies))
            for group in range(count)
        ]
        resolved = self._run(stages.resolve, calls, count + 1)
        calls = [
            (removed[group], within[group], *(part[group] for part in resolved))
            for group in range(count)
        ]
        return self._run(stages.finish, calls, 2)

    def _run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        """Run tasks and wait; the last value of each is here, the others are references."""
        start = time.perf_counter()
        ran = self.runner.run(task, calls, returns)
        counts = self.runner.get([values[-1] for values in ran])
        name = task.__name__
        self._note_seconds(name, start)
        self.moved[name] = self.moved.get(name, 0) + sum(one["bytes"] for one in counts)
        cpu = sum(one["cpu"] for one in counts)
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + cpu
        self.processes.update(one["process"] for one in counts)
        return [[*values[:-1], one] for values, one in zip(ran, counts, strict=True)]

    def _note_seconds(self, name: str, start: float) -> None:
        taken = time.perf_counter() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + taken
