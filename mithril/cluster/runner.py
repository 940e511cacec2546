"""What a cluster has to be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Task: TypeAlias = Callable[..., tuple[Any, ...]]
    Calls: TypeAlias = Sequence[Sequence[Any]]


class Runner(Protocol):
    """Runs tasks somewhere, and keeps what they return until nobody has a reference to it.

    A reference is whatever a runner makes of a value; tasks get the value. Tasks are pure: one
    whose worker died is to be run again.
    """

    @property
    def parallelism(self) -> int:
        """About how many tasks run at a time."""
        ...

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
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


@dataclass(frozen=True)
class Failure:
    """In place of each value of a task: what it raised."""

    error: Exception
    """The exception."""


def guarded(task: Task, returns: int, *arguments: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Run a task so that what it raises is a value.

    The same arguments would raise it again, so that a cluster need not try, nor log it for each of
    the values that there are not.

    Args:
        task: The task.
        returns: How many values it returns.
        *arguments: Its arguments.

    Returns:
        Its values, or a failure in place of each.
    """
    try:
        values = tuple(task(*arguments))
    except Exception as error:  # noqa: BLE001 - raised where the values are wanted
        return (Failure(error),) * returns
    if len(values) != returns:
        message = f"{task.__name__} returned {len(values)} values and not {returns}"
        return (Failure(ValueError(message)),) * returns
    return values


def unguarded(values: Sequence[Any]) -> list[Any]:
    """Raise what a task has raised.

    Args:
        values: Values of tasks that were guarded.

    Returns:
        The values.

    Raises:
        Exception: What the first of them that failed has raised.
    """
    for value in values:
        if isinstance(value, Failure):
            raise value.error
    return list(values)


class LocalRunner:
    """Runs every task at once, in this process: for tests, and to see what a plan does."""

    parallelism = 2

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        """Run a task for each of `calls`."""
        return [list(guarded(task, returns, *call)) for call in calls]

    def share(self, value: object) -> Any:  # noqa: ANN401 - as in Runner
        """Return the value."""
        return value

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Return the values."""
        return unguarded(references)
