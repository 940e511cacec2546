"""What a cluster has to be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Runner(Protocol):
    """Runs tasks somewhere, and keeps what they return until nobody has a reference to it.

    A reference is whatever a runner makes of a value; tasks get the value. Tasks are pure: one whose
    worker died is to be run again.
    """

    @property
    def parallelism(self) -> int:
        """About how many tasks run at a time."""
        ...

    def run(
        self,
        task: Callable[..., tuple[Any, ...]],
        calls: Sequence[Sequence[Any]],
        returns: int,
    ) -> list[list[Any]]:
        """Run a task for each of `calls`, its arguments; references among these become values.

        Args:
            task: A function of `mithril.cluster.stages`.
            calls: The arguments of each call.
            returns: How many values each returns.

        Returns:
            For each call, a reference to each of its values.
        """
        ...

    def share(self, value: object) -> Any:  # noqa: ANN401 - a runner's own
        """Make a reference of a value that many tasks read."""
        ...

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Bring values here.

        Args:
            references: References that `run` or `share` returned.

        Returns:
            The values.
        """
        ...


class LocalRunner:
    """Runs every task at once, in this process: for tests, and to see what a plan does."""

    parallelism = 2

    def run(
        self,
        task: Callable[..., tuple[Any, ...]],
        calls: Sequence[Sequence[Any]],
        returns: int,
    ) -> list[list[Any]]:
        """Run a task for each of `calls`."""
        found = [list(task(*call)) for call in calls]
        if any(len(values) != returns for values in found):
            message = f"{task.__name__} returned another number of values than {returns}"
            raise ValueError(message)
        return found

    def share(self, value: object) -> Any:  # noqa: ANN401 - as in Runner
        """Return the value."""
        return value

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Return the values."""
        return list(references)
