"""Near-duplicate removal for text, with every removal verified.

    >>> import mithril
    >>> result = mithril.deduplicate(["one text", "another", "One text!"])
    >>> result.keep
    array([ True,  True, False])
    >>> result.duplicates.to_pylist()
    [{'row': 2, 'kept_row': 0, 'jaccard': 1.0, 'exact_copy': False}]

`deduplicate` works on a column of texts in memory, `dedup_files` from files to a clean copy.
`MinHasher` makes the signatures, for those who do something else with them.
"""

from mithril._native import __version__
from mithril.dedup import DedupResult, deduplicate
from mithril.exceptions import (
    DedupException,
    InvalidArgumentException,
    MithrilException,
    NotFoundException,
    OutputInTheWayException,
)
from mithril.files import dedup_files
from mithril.minhash import MinHasher
from mithril.report import Report
from mithril.table import Table

__all__ = [
    "DedupException",
    "DedupResult",
    "InvalidArgumentException",
    "MinHasher",
    "MithrilException",
    "NotFoundException",
    "OutputInTheWayException",
    "Report",
    "Table",
    "__version__",
    "dedup_files",
    "deduplicate",
]
