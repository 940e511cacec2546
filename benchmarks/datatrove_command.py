"""Deduplicate a folder of Parquet files with datatrove's four stages, as a command of its own.

``python benchmarks/datatrove_command.py FOLDER OUTPUT WORKERS``: its defaults, but for hashes of 64
bits, and a blank tokenizer of spaCy, which is what it takes for English.
"""

from __future__ import annotations

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers.parquet import ParquetWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.typeshelper import Languages


def main(folder: str, output: str, workers: int) -> None:
    """Run the stages one after the other."""
    config = MinhashConfig(hash_config=HashConfig(precision=64))
    reader = ParquetReader(folder, glob_pattern="*.parquet", text_key="text", id_key="none")
    signature = MinhashDedupSignature(
        output_folder=f"{output}/signatures", config=config, language=Languages.english
    )
    buckets = MinhashDedupBuckets(
        input_folder=f"{output}/signatures", output_folder=f"{output}/buckets", config=config
    )
    cluster = MinhashDedupCluster(
        input_folder=f"{output}/buckets", output_folder=f"{output}/remove", config=config
    )
    removal = MinhashDedupFilter(input_folder=f"{output}/remove")
    writer = ParquetWriter(f"{output}/rows")
    for number, (stages, tasks) in enumerate(
        (
            ([reader, signature], workers),
            ([buckets], config.num_buckets),
            ([cluster], 1),
            ([reader, removal, writer], workers),
        )
    ):
        logs = f"{output}/logs{number}"
        LocalPipelineExecutor(stages, tasks=tasks, workers=workers, logging_dir=logs).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
