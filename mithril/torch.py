"""For PyTorch: a dataset that drops near-duplicates as they come by."""

from __future__ import annotations

import itertools
import pickle
from collections import deque
from typing import TYPE_CHECKING, Any

from mithril.exceptions import of_kind
from mithril.extras import needs
from mithril.filter import BATCH, DedupFilter

with needs("torch"):
    from torch.utils.data import (  # pyright: ignore[reportMissingImports] - it is optional
        IterableDataset,
        get_worker_info,
    )

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mithril.filter import Text


class DedupDataset(IterableDataset):  # type: ignore[misc]
    """The items of a stream without near-duplicates, for a DataLoader with any number of workers.

    No duplicate gets through twice, and no item through two workers: every worker reads the whole
    stream and decides on all of it, as every other does, and yields every n-th of the items that
    stay, n being the number of workers. The stream is read and sketched n times so, which is little
    beside tokenizing it once; it has to be the same in every worker.

    With torchdata's ``StatefulDataLoader`` a loader goes on where another was. A worker's state
    is all that its filter remembers, the items of a batch that are not yielded yet, and the place
    in the stream: a stream that has ``state_dict`` and ``load_state_dict`` itself is asked, any
    other is read again up to there.
    """

    def __init__(
        self,
        items: Iterable[Any],
        text: Text = None,
        *,
        near: DedupFilter | None = None,
        batch_size: int = BATCH,
    ) -> None:
        """Wrap a stream.

        Args:
            items: The stream, which is iterated over anew for each epoch.
            text: Where an item has its text: a key, a function, or None where items are texts.
            near: What each epoch begins with, and what is never changed: a filter, empty or not;
                one with the default options if None.
            batch_size: How many items are looked at together.

        Raises:
            InvalidArgumentException: `batch_size` is below 1; also a ValueError.
        """
        super().__init__()
        if batch_size < 1:
            raise of_kind("invalid_argument", f"batch_size must be at least 1, not {batch_size}")
        self._items = items
        self._text = text
        hooks = ("state_dict", "load_state_dict")
        self._items_resume = all(hasattr(items, hook) for hook in hooks)
        self._near = pickle.dumps(DedupFilter() if near is None else near)
        self._batch_size = batch_size
        self._now: _Place | None = None
        self._resumed: _Place | None = None

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the share of this worker; over everything where there is none."""
        place, self._resumed = self._resumed, None
        items = iter(self._items)
        if place is None:
            place = _Place(pickle.loads(self._near))  # noqa: S301 - made above
        elif not self._items_resume:
            items = itertools.islice(items, place.taken, None)
        # From here on the state is that of this iteration, also before its first item.
        self._now = place
        return self._iterate(place, items)

    def _iterate(self, place: _Place, items: Iterator[Any]) -> Iterator[Any]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        while True:
            while place.pending:
                yield place.pending.popleft()
            batch = list(itertools.islice(items, self._batch_size))
            if not batch:
                return
            place.taken += len(batch)
            for item in place.near.filter(batch, self._text, batch_size=len(batch)):
                if place.stayed % count == number:
                    place.pending.append(item)
                place.stayed += 1

    def state_dict(self) -> dict[str, Any]:
        """Return where this worker is, after the last item that it has yielded."""
        place = self._resumed or self._now
        if place is None:
            return {}
        return {
            "near": place.near.state_dict(),
            "taken": place.taken,
            "stayed": place.stayed,
            "pending": list(place.pending),
            "items": self._items.state_dict() if self._items_resume else None,  # type: ignore[attr-defined]
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Begin the next iteration where another was.

        Args:
            state: What `state_dict` returned, of the worker with this number among as many.

        Raises:
            InvalidArgumentException: `state` is none; also a ValueError.
        """
        self._now = self._resumed = None
        if not state:
            return
        if missing := {"near", "taken", "stayed", "pending", "items"} - state.keys():
            message = f"this is no state of a DedupDataset: it has no {', '.join(sorted(missing))}"
            raise of_kind("invalid_argument", message)
        near: DedupFilter = pickle.loads(self._near)  # noqa: S301 - made above
        near.load_state_dict(state["near"])
        self._resumed = _Place(near, state["taken"], state["stayed"], state["pending"])
        if state["items"] is not None:
            self._items.load_state_dict(state["items"])  # type: ignore[attr-defined]


class _Place:
    """Where an iteration is."""

    def __init__(
        self, near: DedupFilter, taken: int = 0, stayed: int = 0, pending: Iterable[Any] = ()
    ) -> None:
        self.near = near
        self.taken = taken
        self.stayed = stayed
        self.pending = deque(pending)
