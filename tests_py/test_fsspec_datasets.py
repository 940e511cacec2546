"""Hugging Face's datasets through filesystems over stores; `make test-python` installs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsspec
import pandas as pd
import pytest

import mithril
from mithril.fsspec import MithrilS3FileSystem

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Moto

datasets: Any = pytest.importorskip(
    "datasets", reason="datasets is not installed: `make test-python` does that"
)
TEXTS = [f"text {row}" for row in range(1000)]


@pytest.fixture
def url(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return f"mithril+s3://{moto.make_bucket()}"


def test_a_dataset_is_saved_and_loaded(url: str, moto: Moto) -> None:
    made = datasets.Dataset.from_dict({"text": TEXTS})
    made.save_to_disk(f"{url}/saved", storage_options=moto.options, num_shards=3)
    loaded = datasets.load_from_disk(f"{url}/saved", storage_options=moto.options)
    assert loaded["text"][:] == TEXTS
    both = datasets.DatasetDict({"train": made, "test": made.select(range(10))})
    both.save_to_disk(f"{url}/both", storage_options=moto.options)
    again = datasets.load_from_disk(f"{url}/both", storage_options=moto.options)
    assert (len(again["train"]), len(again["test"])) == (1000, 10)


@pytest.mark.parametrize("streaming", [False, True])
def test_parquet_files_are_found_and_read(
    url: str, moto: Moto, tmp_path: Path, streaming: bool
) -> None:
    fs = fsspec.filesystem("mithril+s3", **moto.options)
    for part in range(4):
        with fs.open(f"{url}/parts/{part}.parquet", "wb") as file:
            pd.DataFrame({"text": TEXTS[250 * part : 250 * (part + 1)]}).to_parquet(file)
    loaded = datasets.load_dataset(
        "parquet",
        data_files={"train": f"{url}/parts/*.parquet"},
        storage_options=moto.options,
        split="train",
        streaming=streaming,
        cache_dir=str(tmp_path / "cache"),
    )
    assert [row["text"] for row in loaded] == TEXTS


def test_a_dataset_is_written_by_the_file(url: str, moto: Moto) -> None:
    made = datasets.Dataset.from_dict({"text": TEXTS})
    made.to_parquet(f"{url}/made.parquet", storage_options=moto.options)
    found = pd.read_parquet(f"{url}/made.parquet", storage_options=moto.options)
    assert found["text"].tolist() == TEXTS
    MithrilS3FileSystem.clear_instance_cache()


def test_rows_chosen_by_indices_are_deduplicated_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    made = datasets.Dataset.from_dict({"text": TEXTS + TEXTS[::7], "row": range(1143)})
    chosen = made.shuffle(seed=1).select(range(900))
    chosen.save_to_disk(tmp_path / "saved", num_shards=3)
    report = mithril.dedup_files(tmp_path / "saved", tmp_path / "out", method="exact")
    kept = mithril.deduplicate(chosen["text"][:], method="exact").keep
    assert report.removed == 900 - sum(kept) > 0
    parts = sorted((tmp_path / "out").glob("part-*.parquet"))
    found = [row for part in parts for row in pd.read_parquet(part)["row"]]
    assert found == [row for row, keep in zip(chosen["row"], kept, strict=True) if keep]
