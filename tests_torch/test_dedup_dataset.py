"""A dataset that drops near-duplicates, in loaders of PyTorch and of torchdata."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

import mithril
from mithril.torch import DedupDataset

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXTS = [
    f"text number {number % 300} of some that come by more than once, {'!' * (number % 7)}"
    for number in range(1000)
]
PLAIN = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def dataset() -> DedupDataset:
    near = mithril.DedupFilter(ngram=2, max_documents=10_000)
    return DedupDataset([{"text": text} for text in TEXTS], "text", near=near, batch_size=64)


def texts_of(batches: Iterable[dict[str, list[str]]]) -> list[str]:
    return [text for batch in batches for text in batch["text"]]


@PLAIN
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_no_duplicate_gets_through_twice(workers: int) -> None:
    expected = sorted(item["text"] for item in dataset())
    assert len(expected) == len(set(expected)) == 300
    loader = DataLoader(dataset(), batch_size=8, num_workers=workers)
    for _ in range(2):
        assert sorted(texts_of(loader)) == expected


@PLAIN
@pytest.mark.parametrize("workers", [0, 3])
def test_a_loader_resumes_to_the_same_stream(workers: int) -> None:
    def loader() -> StatefulDataLoader:
        return StatefulDataLoader(dataset(), batch_size=8, num_workers=workers)

    whole = texts_of(loader())
    for count in (1, 7, 20):
        first = loader()
        batches = iter(first)
        begun = texts_of(itertools.islice(batches, count))
        state = first.state_dict()
        del batches
        second = loader()
        second.load_state_dict(state)
        assert begun + texts_of(second) == whole
