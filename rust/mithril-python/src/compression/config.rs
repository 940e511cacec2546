//! Which compressor, with which settings, as the package passes them.

use mithril_core::{
    AdaptiveCompressor, CompressionLevel, Compressor, DEFAULT_MAX_OUTPUT_SIZE, DType,
    Lz4Compressor, MithrilError, ZstdCompressor,
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A compressor and its settings; what is null is the default.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Config {
    Zstd { level: Value, checksum: bool, max_output_size: Option<u64>, max_window_log: Option<u32> },
    Lz4 { level: Value, checksum: bool, max_output_size: Option<u64> },
    Adaptive { dtype: Option<String>, max_output_size: Option<u64> },
}

/// A compressor, and the identifier of its dictionary.
pub(super) type Made = (Arc<dyn Compressor>, Option<u32>);

impl Config {
    /// The most bytes that decompressing may give.
    pub(super) fn max_output_size(&self) -> u64 {
        let (Self::Zstd { max_output_size, .. }
        | Self::Lz4 { max_output_size, .. }
        | Self::Adaptive { max_output_size, .. }) = self;
        max_output_size.unwrap_or(DEFAULT_MAX_OUTPUT_SIZE)
    }

    pub(super) fn make(self, dictionary: &[u8]) -> Result<Made, MithrilError> {
        match self {
            Self::Zstd { level, checksum, max_output_size, max_window_log } => {
                let level = level_of(&level)?;
                let mut zstd = ZstdCompressor::try_with_dictionary(dictionary, level)?;
                if !checksum {
                    zstd = zstd.with_checksum(false);
                }
                if let Some(size) = max_output_size {
                    zstd = zstd.with_max_output_size(size);
                }
                if let Some(log) = max_window_log {
                    zstd = zstd.with_max_window_log(log);
                }
                let id = zstd.dictionary_id();
                Ok((Arc::new(zstd), id))
            }
            Self::Lz4 { level, checksum, max_output_size } => {
                let mut lz4 = Lz4Compressor::new(level_of(&level)?).with_checksum(checksum);
                if let Some(size) = max_output_size {
                    lz4 = lz4.with_max_output_size(size);
                }
                Ok((Arc::new(lz4), None))
            }
            Self::Adaptive { dtype, max_output_size } => {
                let mut adaptive = AdaptiveCompressor::new();
                if let Some(name) = dtype {
                    adaptive = adaptive.with_dtype(dtype_of(&name)?);
                }
                if let Some(size) = max_output_size {
                    adaptive = adaptive.with_max_output_size(size);
                }
                Ok((Arc::new(adaptive), None))
            }
        }
    }
}

fn level_of(value: &Value) -> Result<CompressionLevel, MithrilError> {
    let level = match value.as_str() {
        Some("fastest") => Some(CompressionLevel::Fastest),
        Some("fast") => Some(CompressionLevel::Fast),
        Some("default") => Some(CompressionLevel::Default),
        Some("best") => Some(CompressionLevel::Best),
        Some(_) => None,
        None => {
            value.as_i64().and_then(|level| level.try_into().ok()).map(CompressionLevel::Custom)
        }
    };
    level.ok_or_else(|| {
        MithrilError::InvalidArgument(format!(
            "level must be \"fastest\", \"fast\", \"default\", \"best\" or the codec's own number, not {value}"
        ))
    })
}

/// The element type that numpy has under this name.
pub(super) fn dtype_of(name: &str) -> Result<DType, MithrilError> {
    DType::from_numpy_str(name).ok_or_else(|| {
        let names: Vec<&str> = DType::ALL.iter().map(DType::to_numpy_str).collect();
        MithrilError::InvalidArgument(format!(
            "elements of the type {name:?} are not known; known are: {}",
            names.join(", ")
        ))
    })
}
