"""Near-duplicate removal for text, with every removal verified.

    >>> import mithril
    >>> result = mithril.deduplicate(["one text", "another", "One text!"])
    >>> result.keep
    array([ True,  True, False])
    >>> result.duplicates.to_pylist()
    [{'row': 2, 'kept_row': 0, 'jaccard': 1.0, 'exact_copy': False}]

`deduplicate` works on a column of texts in memory, `dedup_files` from files to a clean copy.
`MinHasher` makes the signatures, for those who do something else with them. `open_store` opens
folders and buckets, and `ContentAddressedStore` keeps each content in them once.
"""

from mithril import fork as _fork  # noqa: F401 - what it registers is what it is for
from mithril._native import Bytes, __version__
from mithril.cas import CasStats, ContentAddressedStore, Damage, RepairReport, VerifyReport
from mithril.config import CoreConfig
from mithril.dedup import DedupResult, deduplicate
from mithril.exceptions import (
    AccessDeniedException,
    CasException,
    CompressionException,
    ContentNotFoundException,
    DedupException,
    InvalidAddressException,
    InvalidArgumentException,
    InvalidKeyException,
    MithrilException,
    NotFoundException,
    ObjectChangedException,
    ObjectExistsException,
    ObjectNotFoundException,
    OutputInTheWayException,
    StorageException,
    StoreConnectionException,
)
from mithril.files import dedup_files
from mithril.minhash import MinHasher
from mithril.report import Report
from mithril.signature import MinHashSignature
from mithril.storage import (
    ByteStream,
    GcsStorage,
    LocalStorage,
    MemoryStorage,
    ObjectMeta,
    S3Storage,
    Storage,
    open_store,
)
from mithril.table import Table
from mithril.types import DType, TensorMeta, bytes_to_numpy, numpy_to_bytes

__all__ = [
    "AccessDeniedException",
    "ByteStream",
    "Bytes",
    "CasException",
    "CasStats",
    "CompressionException",
    "ContentAddressedStore",
    "ContentNotFoundException",
    "CoreConfig",
    "DType",
    "Damage",
    "DedupException",
    "DedupResult",
    "GcsStorage",
    "InvalidAddressException",
    "InvalidArgumentException",
    "InvalidKeyException",
    "LocalStorage",
    "MemoryStorage",
    "MinHashSignature",
    "MinHasher",
    "MithrilException",
    "NotFoundException",
    "ObjectChangedException",
    "ObjectExistsException",
    "ObjectMeta",
    "ObjectNotFoundException",
    "OutputInTheWayException",
    "RepairReport",
    "Report",
    "S3Storage",
    "Storage",
    "StorageException",
    "StoreConnectionException",
    "Table",
    "TensorMeta",
    "VerifyReport",
    "__version__",
    "bytes_to_numpy",
    "dedup_files",
    "deduplicate",
    "numpy_to_bytes",
    "open_store",
]
