"""Where the rows of a block come from."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from mithril import _native
from mithril.exceptions import of_kind
from mithril.options import encode, paths_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

# What the engine calls blank in a line of JSON.
_BLANK = b" \t\n\r\x0c"


class Source(Protocol):
    """A block of rows, which any worker can read, as often as it likes, with the same outcome."""

    def texts(self) -> _native.Texts:
        """Read the texts."""
        ...

    def table(self, keep: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - pyarrow is untyped
        """Read the rows, or those of them that `keep` says, as a ``pyarrow.Table``."""
        ...


@dataclass(frozen=True)
class TableSource:
    """A table that travels with the task."""

    rows: Any
    """The ``pyarrow.Table``."""
    text_column: str
    """The column of its texts."""

    def texts(self) -> _native.Texts:
        """Take the texts."""
        return texts_of(self.rows, self.text_column)

    def table(self, keep: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - as above
        """Take the rows."""
        return self.rows if keep is None else self.rows.filter(pa.array(keep))


@dataclass(frozen=True)
class FileSource:
    """A file of Parquet or JSON lines, which every worker finds under the same path."""

    path: str
    """Where it is."""
    input_format: str
    """``parquet`` or ``jsonl``."""
    text_column: str
    """The column of its texts."""
    size: int
    """Its bytes, when the run began."""
    modified: int
    """When it was changed before that, in nanoseconds."""

    def texts(self) -> _native.Texts:
        """Read the texts, with the engine's own reader."""
        self._check()
        options = encode(text_column=self.text_column, input_format=self.input_format)
        return _native.Texts.of_file(self.path, options)

    def table(self, keep: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - as above
        """Read the rows."""
        self._check()
        if self.input_format == "parquet":
            # Not read_table, which makes columns of folders named key=value.
            with pq.ParquetFile(self.path) as file:
                rows = file.read()
            return rows if keep is None else rows.filter(pa.array(keep))
        compression = "zstd" if self.path.endswith(".zst") else "detect"
        with pa.input_stream(self.path, compression=compression) as stream:
            lines = stream.read().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        lines = [line for line in lines if line.strip(_BLANK)]
        if keep is not None:
            lines = [line for line, stays in zip(lines, keep, strict=True) if stays]
        if not lines:
            return pa.table({self.text_column: pa.array([], pa.string())})
        return pyarrow.json.read_json(
            io.BytesIO(b"\n".join(lines)),
            parse_options=pyarrow.json.ParseOptions(newlines_in_values=False),
            read_options=pyarrow.json.ReadOptions(block_size=max(1 << 20, *map(len, lines)) + 1),
        )

    def _check(self) -> None:
        found = os.stat(self.path)  # noqa: PTH116 - a path object adds nothing
        if (found.st_size, found.st_mtime_ns) != (self.size, self.modified):
            message = f"{self.path} changed while it was being read; run again"
            raise of_kind("input_changed", message)


def texts_of(rows: Any, text_column: str) -> _native.Texts:  # noqa: ANN401 - pyarrow is untyped
    """Take the texts of a table.

    Args:
        rows: The ``pyarrow.Table``.
        text_column: The name of the column.

    Returns:
        The texts, which share the memory of the table.

    Raises:
        InvalidArgumentException: The column is not there or does not hold strings.
    """
    if text_column not in rows.column_names:
        names = ", ".join(rows.column_names)
        message = f"no column {text_column!r}; the columns are: {names}"
        raise of_kind("missing_column", message)
    return _native.Texts.of_column(rows[text_column])


def find_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    text_column: str,
    input_format: str = "auto",
) -> list[FileSource]:
    """Find the files of an input, in the order in which `mithril.dedup_files` reads them.

    Args:
        inputs: Files, folders and glob patterns of Parquet or of JSON lines.
        text_column: The column that holds the texts.
        input_format: ``"auto"``, ``"parquet"`` or ``"jsonl"``.

    Returns:
        A source for each file.

    Raises:
        NotFoundException: An input does not exist.
        InvalidArgumentException: The files are of more than one format, or of another.
    """
    paths = [os.path.abspath(path) for path in paths_of(inputs)]  # noqa: PTH100 - patterns are no paths
    found, files = _native.find_files(paths, encode(input_format=input_format))
    if found not in ("parquet", "jsonl"):
        message = f"{found} files are not read past one machine: make Parquet or JSON lines of them"
        raise of_kind("invalid_argument", message)
    sources = []
    for path in files:
        status = path.stat()
        source = FileSource(str(path), found, text_column, status.st_size, status.st_mtime_ns)
        sources.append(source)
    return sources
