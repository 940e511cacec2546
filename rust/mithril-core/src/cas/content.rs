//! From content to the bytes in the store and back: hashing and compression, on the thread pool.

use std::sync::Arc;

use bytes::Bytes;

use super::CasError;
use super::record::Place;
use crate::compression::{
    AdaptiveCompressor, CompressionError, CompressionLevel, Compressor, Lz4Compressor,
    ZstdCompressor,
};
use crate::hashing::HashFunction;
use crate::runtime::spawn_blocking;

/// Handing over to the pool costs about 10 µs, in which BLAKE3 hashes this much.
const INLINE: usize = 32 << 10;

/// How content is addressed and packed.
pub(super) struct Codec<H> {
    pub(super) hash: Arc<H>,
    pub(super) compressor: Option<Arc<dyn Compressor>>,
}

/// Content as it lies in the store.
pub(super) struct Packed {
    pub(super) bytes: Bytes,
    /// None if it lies there as it is.
    pub(super) compression: Option<String>,
}

impl<H> Clone for Codec<H> {
    fn clone(&self) -> Self {
        Self { hash: Arc::clone(&self.hash), compressor: self.compressor.clone() }
    }
}

/// Runs `work` here if it is short, and else on the thread pool.
async fn compute<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CasError> {
    if size <= INLINE { Ok(work()) } else { Ok(spawn_blocking(work).await?) }
}

impl<H: HashFunction + 'static> Codec<H> {
    /// Whether equal hashes prove equal content.
    pub(super) fn is_cryptographic(&self) -> bool {
        matches!(self.hash.name(), "blake3" | "sha256")
    }

    pub(super) async fn address(&self, data: &Bytes) -> Result<String, CasError> {
        let (hash, data) = (Arc::clone(&self.hash), data.clone());
        compute(data.len(), move || hash.hash_hex(&data)).await
    }

    /// What does not become smaller stays as it is.
    pub(super) async fn pack(&self, address: &str, data: &Bytes) -> Result<Packed, CasError> {
        let as_it_is = Packed { bytes: data.clone(), compression: None };
        let Some(compressor) = self.compressor.clone() else { return Ok(as_it_is) };
        let name = compressor.name().to_owned();
        let plain = data.clone();
        let packed = compute(data.len(), move || compressor.compress(&plain)).await?;
        let packed = packed
            .map_err(|source| CasError::Compression { address: address.to_owned(), source })?;
        if packed.len() < data.len() {
            Ok(Packed { bytes: Bytes::from(packed), compression: Some(name) })
        } else {
            Ok(as_it_is)
        }
    }

    /// The content that was packed, verified.
    ///
    /// Errors: `Damaged`, `UnknownCompressor`.
    pub(super) async fn unpack(
        &self,
        address: &str,
        place: &Place,
        packed: Bytes,
        limit: u64,
    ) -> Result<Bytes, CasError> {
        let compressor = self.unpacker(address, place)?;
        let (hash, wanted) = (Arc::clone(&self.hash), address.to_owned());
        let unpacked = compute(packed.len(), move || {
            let data = match compressor {
                None => packed,
                Some(compressor) => Bytes::from(
                    compressor
                        .decompress_limited(&packed, limit)
                        .map_err(|error| format!("it cannot be decompressed: {error}"))?,
                ),
            };
            let found = hash.hash_hex(&data);
            if found == wanted { Ok(data) } else { Err(format!("its bytes have the hash {found}")) }
        });
        unpacked.await?.map_err(|fault| CasError::Damaged { address: address.to_owned(), fault })
    }

    /// What decompresses the bytes of a place: the store's own compressor, which may have a
    /// dictionary, or else one whose frames say all that is needed.
    pub(super) fn unpacker(
        &self,
        address: &str,
        place: &Place,
    ) -> Result<Option<Arc<dyn Compressor>>, CasError> {
        let Some(name) = &place.compression else { return Ok(None) };
        if let Some(own) = self.compressor.as_ref().filter(|own| own.name() == name) {
            return Ok(Some(Arc::clone(own)));
        }
        match name.as_str() {
            "zstd" => Ok(Some(Arc::new(ZstdCompressor::new(CompressionLevel::Default)))),
            "lz4" => Ok(Some(Arc::new(Lz4Compressor::new(CompressionLevel::Default)))),
            "adaptive" => Ok(Some(Arc::new(AdaptiveCompressor::new()))),
            _ => {
                Err(CasError::UnknownCompressor { address: address.to_owned(), name: name.clone() })
            }
        }
    }
}

/// An error of a compressor while it was fed from a stream.
pub(super) fn compression_error(address: &str, source: CompressionError) -> CasError {
    CasError::Compression { address: address.to_owned(), source }
}
