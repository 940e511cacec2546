"""A PyTorch DataLoader whose workers read a store that the parent has used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import mithril

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 256


class Rows(Dataset[torch.Tensor]):
    """Arrays in a store, and a hasher that each worker uses too."""

    def __init__(self, store: mithril.Storage) -> None:
        self.store = store
        self.hasher = mithril.MinHasher(16)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> torch.Tensor:
        assert self.hasher.hash_column([f"text number {index}"]).shape == (1, 16)
        return torch.tensor(np.frombuffer(memoryview(self.store.get(f"row-{index}")), "int64"))

    def __getitems__(self, indices: list[int]) -> list[torch.Tensor]:
        objects = self.store.get_many([f"row-{index}" for index in indices])
        return [torch.tensor(np.frombuffer(memoryview(data), "int64")) for data in objects]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes:UserWarning")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("persistent", [False, True])
def test_four_workers_read_every_row(method: str, persistent: bool, tmp_path: Path) -> None:
    store = mithril.LocalStorage(tmp_path)
    for index in range(ROWS):
        store.put(f"row-{index}", np.full(4, index, "int64"))
    assert len(store.get_many(store.list())) == ROWS
    mithril.MinHasher(16).hash_column(["a text"])
    mithril.deduplicate(["one", "one"])
    loader = DataLoader(
        Rows(store),
        batch_size=16,
        num_workers=4,
        shuffle=True,
        multiprocessing_context=method,
        persistent_workers=persistent,
        timeout=120,
    )
    for _ in range(2):
        rows = torch.cat(list(loader))
        assert rows.shape == (ROWS, 4)
        assert sorted(rows[:, 0].tolist()) == list(range(ROWS))
    assert store.exists("row-0")
