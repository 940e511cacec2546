"""Tables through filesystems over stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSelector, FileType, FSSpecHandler, PyFileSystem

from mithril.fsspec import MithrilFileSystem, MithrilMemoryFileSystem, MithrilS3FileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Moto

TABLE = pa.table(
    {"year": [2025] * 500 + [2026] * 500, "text": [f"text {row}" for row in range(1000)]}
)


@pytest.fixture(params=["memory", "folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The URL of an empty folder, with a slash at its end, and the options that go with it."""
    if request.param == "memory":
        yield "mithril+memory://tables/", {}
        fsspec.filesystem("mithril+memory").rm("tables", recursive=True)
    elif request.param == "folder":
        yield "mithril://tables/", {"store": str(tmp_path / "store")}
    else:
        moto: Moto = request.getfixturevalue("moto")
        yield f"mithril+s3://{moto.make_bucket()}/", moto.options
    for kind in (MithrilFileSystem, MithrilMemoryFileSystem, MithrilS3FileSystem):
        kind.clear_instance_cache()


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz", "t.jsonl.gz", "t.pkl"])
def test_pandas_reads_and_writes_urls(place: tuple[str, dict[str, Any]], name: str) -> None:
    url, options = place
    frame = TABLE.to_pandas()
    path, kind = url + name, name.split(".")[1]
    if kind == "parquet":
        frame.to_parquet(path, storage_options=options)
        again = pd.read_parquet(path, storage_options=options)
    elif kind == "csv":
        frame.to_csv(path, index=False, storage_options=options)
        again = pd.read_csv(path, storage_options=options)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, storage_options=options)
        again = pd.read_json(path, lines=True, storage_options=options)
    else:
        frame.to_pickle(path, storage_options=options)
        again = pd.read_pickle(path, storage_options=options)
    pd.testing.assert_frame_equal(again, frame)


def test_pyarrow_takes_the_filesystem(place: tuple[str, dict[str, Any]]) -> None:
    url, options = place
    fs, top = fsspec.url_to_fs(url, **options)
    top = f"{top}/"
    for filesystem in (fs, PyFileSystem(FSSpecHandler(fs))):
        pq.write_table(TABLE, f"{top}one.parquet", filesystem=filesystem)
        assert pq.read_table(f"{top}one.parquet", filesystem=filesystem).equals(TABLE)
        ds.write_dataset(
            TABLE,
            f"{top}parts",
            filesystem=filesystem,
            format="parquet",
            partitioning=["year"],
            existing_data_behavior="delete_matching",
        )
        dataset = ds.dataset(f"{top}parts", filesystem=filesystem, partitioning=["year"])
        assert len(dataset.files) == 2
        found = dataset.to_table(filter=ds.field("year") == 2026)
        assert found["text"].to_pylist() == TABLE["text"].to_pylist()[500:]
    arrow = PyFileSystem(FSSpecHandler(fs))
    one, folder, none = arrow.get_file_info([f"{top}one.parquet", f"{top}parts", f"{top}none"])
    assert (one.type, folder.type, none.type) == (
        FileType.File,
        FileType.Directory,
        FileType.NotFound,
    )
    assert one.mtime is not None
    listed = arrow.get_file_info(FileSelector(f"{top}parts", recursive=True))
    assert sum(info.type == FileType.File for info in listed) == 2
    arrow.copy_file(f"{top}one.parquet", f"{top}two.parquet")
    arrow.move(f"{top}two.parquet", f"{top}three.parquet")
    with arrow.open_input_file(f"{top}three.parquet") as file:
        assert pq.read_table(file).equals(TABLE)
    with arrow.open_input_stream(f"{top}three.parquet") as stream:
        assert stream.read(4) == b"PAR1"
    arrow.delete_dir(f"{top}parts")
    arrow.delete_file(f"{top}three.parquet")
    assert fs.find(top) == [f"{top}one.parquet"]


def test_polars_reads_and_writes_files(place: tuple[str, dict[str, Any]]) -> None:
    url, options = place
    frame = pl.DataFrame(TABLE)
    with fsspec.open(f"{url}p.parquet", "wb", **options) as file:
        frame.write_parquet(file)
    with fsspec.open(f"{url}p.parquet", "rb", **options) as file:
        assert pl.read_parquet(file).equals(frame)
    with fsspec.open(f"{url}p.csv", "wb", **options) as file:
        frame.write_csv(file)
    with fsspec.open(f"{url}p.csv", "rb", **options) as file:
        assert pl.read_csv(file).equals(frame)
    fs, top = fsspec.url_to_fs(url, **options)
    lazy = pl.scan_pyarrow_dataset(ds.dataset(f"{top}/p.parquet", filesystem=fs))
    assert lazy.filter(pl.col("year") == 2025).collect().height == 500
