from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = ["ERROR_KINDS", "Table", "__version__", "dedup_files", "deduplicate"]

__version__: str
ERROR_KINDS: list[str]

def deduplicate(
    column: object,
    by: object | None,
    options: str,
    progress: bool | Callable[[str, int, int], object] | None,
) -> tuple[npt.NDArray[np.bool_], Table, str]: ...
def dedup_files(
    inputs: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    options: str,
    progress: bool | Callable[[str, int, int], object] | None,
) -> str: ...

@final
class Table:
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def rows(self, start: int, end: int) -> list[dict[str, Any]]: ...
    def __len__(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
