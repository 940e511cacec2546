"""Near-duplicate removal for text, with every removal verified.

    >>> import mithril
    >>> result = mithril.deduplicate(["one text", "another", "One text!"])
    >>> result.keep
    array([ True,  True, False])
    >>> result.duplicates.to_pylist()
    [{'row': 2, 'kept_row': 0, 'jaccard': 1.0, 'exact_copy': False}]

`deduplicate` works on a column of texts in memory, `dedup_files` from files to a clean copy.
`MinHashIndex` finds what is like a text among documents that come and go, and can be saved.
`MinHasher` makes the signatures, for those who do something else with them. `open_store` opens
folders and buckets, and `ContentAddressedStore` keeps each content in them once. `ZstdCompressor`,
`Lz4Compressor` and `AdaptiveCompressor` compress, and `compress_array` does it for arrays; `xxh64`,
`xxh3_64`, `blake3` and `sha256` hash, and `hash_column` does it for columns.
"""

from mithril import fork as _fork  # noqa: F401 - what it registers is what it is for
from mithril._native import Bytes, __version__
from mithril.cas import CasStats, ContentAddressedStore, Damage, RepairReport, VerifyReport
from mithril.compression import (
    AdaptiveCompressor,
    Compressor,
    Lz4Compressor,
    ZstdCompressor,
    compress_array,
    compress_array_async,
    decompress_array,
    decompress_array_async,
)
from mithril.config import CoreConfig
from mithril.dedup import deduplicate
from mithril.exceptions import (
    AccessDeniedException,
    CannotResumeException,
    CasException,
    CompressionException,
    ContentNotFoundException,
    DedupException,
    IndexException,
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
from mithril.explain import Explanation, explain_removed
from mithril.files import Plan, dedup_files, plan_files, sample_files
from mithril.filter import DedupFilter, FilterStats
from mithril.hashing import (
    Blake3Hash,
    Hasher,
    HashFunction,
    Sha256Hash,
    XxHash,
    XxHash3,
    blake3,
    hash_column,
    hash_many,
    sha256,
    xxh3_64,
    xxh3_128,
    xxh64,
)
from mithril.index import IndexMatch, IndexStats, MinHashIndex
from mithril.minhash import MinHasher
from mithril.report import Audit, Report
from mithril.result import Cluster, DedupResult
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
    "AdaptiveCompressor",
    "Audit",
    "Blake3Hash",
    "ByteStream",
    "Bytes",
    "CannotResumeException",
    "CasException",
    "CasStats",
    "Cluster",
    "CompressionException",
    "Compressor",
    "ContentAddressedStore",
    "ContentNotFoundException",
    "CoreConfig",
    "DType",
    "Damage",
    "DedupException",
    "DedupFilter",
    "DedupResult",
    "Explanation",
    "FilterStats",
    "GcsStorage",
    "HashFunction",
    "Hasher",
    "IndexException",
    "IndexMatch",
    "IndexStats",
    "InvalidAddressException",
    "InvalidArgumentException",
    "InvalidKeyException",
    "LocalStorage",
    "Lz4Compressor",
    "MemoryStorage",
    "MinHashIndex",
    "MinHashSignature",
    "MinHasher",
    "MithrilException",
    "NotFoundException",
    "ObjectChangedException",
    "ObjectExistsException",
    "ObjectMeta",
    "ObjectNotFoundException",
    "OutputInTheWayException",
    "Plan",
    "RepairReport",
    "Report",
    "S3Storage",
    "Sha256Hash",
    "Storage",
    "StorageException",
    "StoreConnectionException",
    "Table",
    "TensorMeta",
    "VerifyReport",
    "XxHash",
    "XxHash3",
    "ZstdCompressor",
    "__version__",
    "blake3",
    "bytes_to_numpy",
    "compress_array",
    "compress_array_async",
    "decompress_array",
    "decompress_array_async",
    "dedup_files",
    "deduplicate",
    "explain_removed",
    "hash_column",
    "hash_many",
    "numpy_to_bytes",
    "open_store",
    "plan_files",
    "sample_files",
    "sha256",
    "xxh3_64",
    "xxh3_128",
    "xxh64",
]
