//! The content-addressed store from Python.

use crate::buffer::{Input, PyRustBytes};
use crate::dedup::parse_options;
use crate::error::{self, Place};
use crate::operation::PyOperation;
use crate::storage::{Opening, PyByteStream, PyStorage, PyUpload, bytes, open, plain};
use futures_util::FutureExt;
use mithril_core::cas::tensor_header;
use mithril_core::{
    AdaptiveCompressor, Blake3Hash, CasError, CompressionLevel, Compressor, ContentAddressable,
    ContentAddressedStore, DType, Damage, HashFunction, Lz4Compressor, MithrilError, RepairOptions,
    Sha256Hash, StorageBackend, TensorMeta, XxHash, XxHash3, ZstdCompressor,
};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

type Cas = ContentAddressedStore<Arc<dyn StorageBackend>, Box<dyn HashFunction>>;

/// How contents are addressed and packed; names are those of the keyword arguments.
#[derive(Default, Serialize, Deserialize)]
struct Configuration {
    hash: Hash,
    compressor: Option<Codec>,
    level: Level,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hash {
    #[default]
    Blake3,
    Sha256,
    Xxh3,
    Xxh64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Codec {
    Zstd,
    Lz4,
    Adaptive,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "must be fastest, fast, default, best or a whole number of 32 bits")]
enum Level {
    Number(i32),
    Named(Name),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Fastest,
    Fast,
    Default,
    Best,
}

impl Default for Level {
    fn default() -> Self {
        Self::Named(Name::Default)
    }
}

impl From<Level> for CompressionLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Number(level) => Self::Custom(level),
            Level::Named(Name::Fastest) => Self::Fastest,
            Level::Named(Name::Fast) => Self::Fast,
            Level::Named(Name::Default) => Self::Default,
            Level::Named(Name::Best) => Self::Best,
        }
    }
}

impl From<Hash> for Box<dyn HashFunction> {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Blake3 => Box::new(Blake3Hash::new()),
            Hash::Sha256 => Box::new(Sha256Hash::new()),
            Hash::Xxh3 => Box::new(XxHash3::new()),
            Hash::Xxh64 => Box::new(XxHash::new()),
        }
    }
}

/// The compressor of a configuration; the error is what is wrong with it.
fn compressor(
    codec: Option<Codec>,
    level: Level,
) -> Result<Option<Box<dyn Compressor>>, MithrilError> {
    let has_level = !matches!(level, Level::Named(Name::Default));
    let refused =
        |what: &str| Err(MithrilError::InvalidArgument(format!("level: {what} has no levels")));
    Ok(Some(match codec {
        None if has_level => return refused("a store without a compressor"),
        Some(Codec::Adaptive) if has_level => return refused("the compressor \"adaptive\""),
        None => return Ok(None),
        Some(Codec::Adaptive) => Box::new(AdaptiveCompressor::new()),
        Some(Codec::Zstd) => Box::new(ZstdCompressor::new(level.into())),
        Some(Codec::Lz4) => Box::new(Lz4Compressor::new(level.into())),
    }))
}

/// A content-addressed store; the class `mithril.ContentAddressedStore` wraps it.
#[pyclass(name = "ContentAddressedStore", module = "mithril._native", frozen)]
pub(crate) struct PyContentAddressedStore {
    cas: Arc<Cas>,
    url: Arc<str>,
}

/// The address and the fault of each damaged content.
type Damaged = Vec<(String, String)>;

fn damaged(damage: Vec<Damage>) -> Damaged {
    damage.into_iter().map(|Damage { address, fault }| (address, fault)).collect()
}

fn pieces<'a>(cas: &'a Arc<Cas>, address: &'a str) -> Opening<'a, CasError> {
    cas.retrieve_stream(address).boxed()
}

#[pymethods]
impl PyContentAddressedStore {
    #[new]
    fn new(py: Python, store: &PyStorage, configuration: &str) -> PyResult<Self> {
        let Configuration { hash, compressor: codec, level } = parse_options(configuration)?;
        let compressor =
            compressor(codec, level).map_err(|error| error::at(py, error, &Place::default()))?;
        let cas = Cas::new(Arc::clone(&store.store), hash.into());
        let cas = match compressor {
            Some(compressor) => cas.with_compression(compressor),
            None => cas,
        };
        Ok(Self { cas: Arc::new(cas), url: Arc::clone(&store.url) })
    }

    fn store(&self, py: Python, data: &Bound<PyAny>) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let store = |cas: Arc<Cas>| async move { cas.store(data).await };
        Ok(self.operation(None, store, plain))
    }

    /// One entry a content: its address, or the exception.
    fn store_many(
        &self,
        py: Python,
        contents: Vec<Bound<PyAny>>,
        concurrency: usize,
    ) -> PyResult<PyOperation> {
        let contents = contents.iter().map(|data| Ok(Input::of(data)?.into_bytes(py)));
        let contents: Vec<_> = contents.collect::<PyResult<_>>()?;
        let store = move |cas: Arc<Cas>| async move {
            Ok::<_, CasError>(cas.store_many(contents, concurrency).await)
        };
        let place = self.place(None);
        Ok(self.operation(None, store, move |py, outcomes| {
            let entries = outcomes.into_iter().map(|outcome| match outcome {
                Ok(address) => plain(py, address),
                Err(error) => Ok(error::at(py, error.into(), &place).into_value(py).into_any()),
            });
            plain(py, entries.collect::<PyResult<Vec<_>>>()?)
        }))
    }

    fn upload(&self) -> PyUpload {
        let cas = Arc::clone(&self.cas);
        PyUpload::begin(self.place(None), |pieces| async move {
            Ok(Some(cas.store_stream(pieces).await?))
        })
    }

    fn retrieve(&self, address: String) -> PyOperation {
        self.on_address(address, |cas, address| async move { cas.retrieve(&address).await }, bytes)
    }

    /// One entry an address: bytes, or the exception.
    fn retrieve_many(&self, addresses: Vec<String>, concurrency: usize) -> PyOperation {
        let url = Arc::clone(&self.url);
        let retrieve = move |cas: Arc<Cas>| async move {
            let outcomes = cas.retrieve_many(addresses.clone(), concurrency).await;
            Ok::<_, CasError>((addresses, outcomes))
        };
        self.operation(None, retrieve, move |py, (addresses, outcomes)| {
            let entries = addresses.into_iter().zip(outcomes).map(|(address, outcome)| {
                let place = || Place { key: Some(address), store: Some(Arc::clone(&url)) };
                match outcome {
                    Ok(data) => bytes(py, data),
                    Err(error) => {
                        Ok(error::at(py, error.into(), &place()).into_value(py).into_any())
                    }
                }
            });
            plain(py, entries.collect::<PyResult<Vec<_>>>()?)
        })
    }

    fn retrieve_stream(&self, address: String) -> PyOperation {
        let place = self.place(Some(address.clone()));
        let opened = open(Arc::clone(&self.cas), address, place.clone(), pieces);
        PyOperation::new(place, opened, plain::<PyByteStream>)
    }

    fn store_array(
        &self,
        py: Python,
        data: &Bound<PyAny>,
        dtype: &str,
        shape: Vec<usize>,
    ) -> PyResult<PyOperation> {
        let invalid = |error| error::at(py, error, &self.place(None));
        let dtype = DType::from_numpy_str(dtype).ok_or_else(|| {
            invalid(MithrilError::InvalidArgument(format!("no type {dtype:?} of arrays")))
        })?;
        let meta = TensorMeta::new("", shape, dtype);
        let header = tensor_header(&meta).map_err(invalid)?;
        let data = Input::of(data)?;
        if data.len() as u64 != meta.size_bytes {
            let message = format!("{meta:?} is not what {} bytes are", data.len());
            return Err(invalid(MithrilError::InvalidArgument(message)));
        }
        let content = data.into_bytes_after(py, &header);
        let store = |cas: Arc<Cas>| async move { cas.store(content).await };
        Ok(self.operation(None, store, plain))
    }

    /// `(dtype, shape, bytes)` of an array.
    fn retrieve_array(&self, address: String) -> PyOperation {
        self.on_address(
            address,
            |cas, address| async move { cas.retrieve_tensor(&address).await },
            |py, (meta, data)| {
                plain(py, (meta.dtype.to_numpy_str(), meta.shape, PyRustBytes(data)))
            },
        )
    }

    fn contains(&self, address: String) -> PyOperation {
        self.on_address(address, |cas, address| async move { cas.contains(&address).await }, plain)
    }

    fn delete(&self, address: String) -> PyOperation {
        self.on_address(address, |cas, address| async move { cas.delete(&address).await }, plain)
    }

    fn references(&self, address: String) -> PyOperation {
        self.on_address(
            address,
            |cas, address| async move { cas.references(&address).await },
            plain,
        )
    }

    fn set_references(&self, address: String, references: u64) -> PyOperation {
        self.on_address(
            address,
            move |cas, address| async move { cas.set_references(&address, references).await },
            plain,
        )
    }

    fn list(&self) -> PyOperation {
        self.operation(None, |cas| async move { cas.list().await }, plain)
    }

    /// `(contents, bytes, bytes that were not stored again)`.
    fn stats(&self) -> PyOperation {
        let stats = |cas: Arc<Cas>| async move { cas.stats().await };
        self.operation(None, stats, |py, stats| {
            plain(py, (stats.total_objects, stats.total_bytes, stats.deduplicated_bytes))
        })
    }

    /// `(checked, bytes, damaged)`.
    fn verify(&self, share: f64, seed: u64) -> PyOperation {
        let verify = move |cas: Arc<Cas>| async move { cas.verify(share, seed).await };
        self.operation(None, verify, |py, report| {
            plain(py, (report.checked, report.bytes, damaged(report.damaged)))
        })
    }

    /// `(rebuilt, swept objects, swept bytes, damaged)`.
    fn repair(
        &self,
        keep_unreferenced: bool,
        discard_damaged: bool,
        exclusive: bool,
    ) -> PyOperation {
        let options = RepairOptions { keep_unreferenced, discard_damaged, exclusive };
        let repair = move |cas: Arc<Cas>| async move { cas.repair(options).await };
        self.operation(None, repair, |py, report| {
            let damaged = damaged(report.damaged);
            plain(py, (report.rebuilt, report.swept_objects, report.swept_bytes, damaged))
        })
    }
}

impl PyContentAddressedStore {
    fn place(&self, key: Option<String>) -> Place {
        Place { key, store: Some(Arc::clone(&self.url)) }
    }

    fn operation<T, W>(
        &self,
        key: Option<String>,
        work: impl FnOnce(Arc<Cas>) -> W,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyOperation
    where
        T: Send + 'static,
        W: Future<Output = Result<T, CasError>> + Send + 'static,
    {
        PyOperation::new(self.place(key), work(Arc::clone(&self.cas)), convert)
    }

    /// An operation on one address.
    fn on_address<T, W>(
        &self,
        address: String,
        work: impl FnOnce(Arc<Cas>, String) -> W,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyOperation
    where
        T: Send + 'static,
        W: Future<Output = Result<T, CasError>> + Send + 'static,
    {
        self.operation(Some(address.clone()), |cas| work(cas, address), convert)
    }
}
