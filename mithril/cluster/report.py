"""The account of a run past one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mithril.report import Banding


@dataclass(frozen=True)
class ClusterReport:
    """What a run has found, and what it took."""

    version: str
    """The version of Mithril that made it."""
    documents: int
    """The rows read."""
    bytes: int
    """The bytes of their texts."""
    null_texts: int
    """Rows without a text; they are kept."""
    empty_texts: int
    """Rows with an empty text; they are kept."""
    kept: int
    """The rows that stay."""
    removed: int
    """The rows that go."""
    exact_duplicates: int
    """Those of them that are copies of the row that is kept for them."""
    near_duplicates: int
    """The others."""
    banding: Banding
    """How signatures were cut."""
    promised_recall: float
    """The least probability that a pair at the threshold was compared."""
    compared_pairs: int
    """The pairs that were compared; a pair of two rounds counts twice."""
    verified_pairs: int
    """Those of them that are alike."""
    rounds: int
    """The rounds that crowds took: 0 without any."""
    edges_on_driver: bool
    """Whether the driver took all verified pairs at a time."""
    blocks: int
    """The blocks of rows."""
    groups: int
    """The groups of blocks."""
    processes: tuple[int, ...]
    """The ids of the processes that tasks ran in."""
    moved: dict[str, int]
    """Bytes, in Arrow memory, that tasks of each stage left for others."""
    seconds: dict[str, float]
    """Seconds that the driver waited for each stage."""
    cpu_seconds: dict[str, float]
    """Seconds that the tasks of each stage computed, over all processes."""
