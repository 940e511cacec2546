"""The options of a run."""

from __future__ import annotations

from typing import TypedDict

from mithril.options import AlikeOptions, encode


class Options(AlikeOptions, total=False):
    """What `mithril.deduplicate` takes too, with the same meaning and the same defaults.

    They are those of `mithril.options.AlikeOptions`. All else is fixed: ``method="minhash"``,
    ``verify="exact"``, ``keep="first"``, ``cluster="direct"``.
    """


class Settings(TypedDict, total=False):
    """How the work is dealt out; none of it changes the outcome."""

    groups: int
    """Groups of blocks, in each of which one task works; twice as many as run at a time, and at
    most 256."""
    crowd: int
    """Buckets of more rows are compared in rounds, not all with all; 64."""
    pivots: int
    """Rows of a crowd that the first round compares with each other; 32. Each has twice as many."""
    max_task_pairs: int
    """Pairs that a task finds at a time, about, at 16 bytes each; 16 million."""
    max_task_bytes: int
    """Bytes of texts that a task picks, about, as far as it has more than one block; 1 GB."""
    max_driver_edges: int
    """Verified pairs up to which the driver takes all at a time, at 24 bytes each, and not those of
    a group at a time; 20 million."""


def engine_options(options: Options) -> str:
    """Write options as the engine takes them, with one thread for each task.

    Args:
        options: The options; what is left out has its default.

    Returns:
        The JSON.

    Raises:
        TypeError: There is no such option.
        InvalidArgumentException: A number is not finite.
    """
    if unknown := options.keys() - Options.__annotations__.keys():
        message = f"no option {', '.join(sorted(unknown))} past one machine"
        raise TypeError(message)
    return encode(threads=1, **options)
