//! Stores from Python. Every verb makes an operation, which is waited for or awaited.

mod config;
mod stream;

pub(crate) use stream::{Opening, PyByteStream, PyUpload, open};

use crate::buffer::{Input, PyRustBytes};
use crate::error::{self, Place};
use crate::operation::PyOperation;
use config::{Config, Parsed};
use futures_util::TryStreamExt;
use mithril_core::{ObjectMeta, PutCondition, StorageBackend, StorageError};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A store; the classes of the package wrap it.
#[pyclass(name = "Storage", module = "mithril._native", frozen, weakref)]
pub(crate) struct PyStorage {
    pub(crate) store: Arc<dyn StorageBackend>,
    pub(crate) url: Arc<str>,
}

/// `(key, size, microseconds since 1970, etag, content type)`.
type Meta = (String, u64, i64, Option<String>, Option<String>);

fn meta(meta: ObjectMeta) -> Meta {
    let ObjectMeta { key, size, last_modified, etag, content_type } = meta;
    (key, size, last_modified.timestamp_micros(), etag, content_type)
}

/// What goes to Python as it is.
pub(crate) fn plain<T: for<'py> IntoPyObject<'py>>(py: Python, value: T) -> PyResult<Py<PyAny>> {
    value.into_py_any(py)
}

pub(crate) fn bytes(py: Python, value: bytes::Bytes) -> PyResult<Py<PyAny>> {
    PyRustBytes(value).into_py_any(py)
}

fn pieces<'a>(store: &'a Arc<dyn StorageBackend>, key: &'a str) -> Opening<'a, StorageError> {
    store.get_stream(key)
}

/// What the URL of a store says, as JSON.
#[pyfunction]
pub(crate) fn parse_url(py: Python, url: &str) -> PyResult<String> {
    let parsed = Parsed::of(url)
        .map_err(|error| invalid(py, &error.to_string().replacen("Other: ", "", 1)))?;
    serde_json::to_string(&parsed).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn invalid(py: Python, message: &str) -> PyErr {
    error::at(
        py,
        mithril_core::MithrilError::InvalidArgument(message.to_owned()),
        &Place::default(),
    )
}

#[pymethods]
impl PyStorage {
    #[new]
    fn new(py: Python, config: &str) -> PyResult<Self> {
        let config: Config =
            serde_json::from_str(config).map_err(|error| invalid(py, &error.to_string()))?;
        let opened = py.detach(|| config.open());
        let (store, url) =
            opened.map_err(|error| error::at(py, error.into(), &Place::default()))?;
        Ok(Self { store, url: url.into() })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    fn get(&self, key: String) -> PyOperation {
        self.on_key(key, |store, key| async move { store.get(&key).await }, bytes)
    }

    fn get_opt(&self, key: String) -> PyOperation {
        self.on_key(
            key,
            |store, key| async move { store.get_opt(&key).await },
            |py, found| plain(py, found.map(PyRustBytes)),
        )
    }

    fn get_range(&self, key: String, start: u64, end: u64) -> PyOperation {
        let get = move |store: Arc<dyn StorageBackend>, key: String| async move {
            store.get_range(&key, start..end).await
        };
        self.on_key(key, get, bytes)
    }

    fn get_ranges(&self, key: String, ranges: Vec<(u64, u64)>) -> PyOperation {
        let ranges: Vec<Range<u64>> = ranges.into_iter().map(|(start, end)| start..end).collect();
        let get = move |store: Arc<dyn StorageBackend>, key: String| async move {
            store.get_ranges(&key, &ranges).await
        };
        self.on_key(key, get, |py, parts| {
            plain(py, parts.into_iter().map(PyRustBytes).collect::<Vec<_>>())
        })
    }

    /// One entry a key: bytes, or the exception.
    fn get_many(&self, keys: Vec<String>, concurrency: usize) -> PyOperation {
        let (store, url) = (Arc::clone(&self.store), Arc::clone(&self.url));
        let work = async move {
            let outcomes = store.get_many(&keys, concurrency).await;
            Ok::<_, StorageError>((keys, outcomes))
        };
        PyOperation::new(self.place(None), work, move |py, (keys, outcomes)| {
            let entries = keys.into_iter().zip(outcomes).map(|(key, outcome)| match outcome {
                Ok(data) => bytes(py, data),
                Err(error) => {
                    let place = Place { key: Some(key), store: Some(Arc::clone(&url)) };
                    Ok(error::at(py, error.into(), &place).into_value(py).into_any())
                }
            });
            plain(py, entries.collect::<PyResult<Vec<_>>>()?)
        })
    }

    fn put(&self, py: Python, key: String, data: &Bound<PyAny>) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let put = |store: Arc<dyn StorageBackend>, key: String| async move {
            store.put(&key, data).await
        };
        Ok(self.on_key(key, put, plain))
    }

    /// The etag of an object that is written if there is none, or if the one there has `etag`.
    fn put_if(
        &self,
        py: Python,
        key: String,
        data: &Bound<PyAny>,
        etag: Option<String>,
    ) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let condition = etag.map_or(PutCondition::Absent, PutCondition::Matches);
        let put = |store: Arc<dyn StorageBackend>, key: String| async move {
            store.put_if(&key, data, condition).await
        };
        Ok(self.on_key(key, put, plain))
    }

    fn delete(&self, key: String) -> PyOperation {
        self.on_key(key, |store, key| async move { store.delete(&key).await }, plain)
    }

    fn exists(&self, key: String) -> PyOperation {
        self.on_key(key, |store, key| async move { store.exists(&key).await }, plain)
    }

    fn list(&self, prefix: String) -> PyOperation {
        self.on_key(prefix, |store, prefix| async move { store.list(&prefix).await }, plain)
    }

    fn list_objects(&self, prefix: String) -> PyOperation {
        let list = |store: Arc<dyn StorageBackend>, prefix: String| async move {
            store.list_stream(&prefix).try_collect::<Vec<_>>().await
        };
        self.on_key(prefix, list, |py, metas| {
            plain(py, metas.into_iter().map(meta).collect::<Vec<_>>())
        })
    }

    /// `(what lies directly below, folders)`.
    fn list_folder(&self, prefix: String) -> PyOperation {
        self.on_key(
            prefix,
            |store, prefix| async move { store.list_folder(&prefix).await },
            |py, found| {
                let objects: Vec<_> = found.objects.into_iter().map(meta).collect();
                plain(py, (objects, found.folders))
            },
        )
    }

    fn is_folder(&self, folder: String) -> PyOperation {
        self.on_key(folder, |store, folder| async move { store.is_folder(&folder).await }, plain)
    }

    fn head(&self, key: String) -> PyOperation {
        self.on_key(
            key,
            |store, key| async move { store.head(&key).await },
            |py, found| plain(py, meta(found)),
        )
    }

    fn copy(&self, source: String, target: String) -> PyOperation {
        let copy = move |store: Arc<dyn StorageBackend>, source: String| async move {
            store.copy(&source, &target).await
        };
        self.on_key(source, copy, plain)
    }

    fn rename(&self, source: String, target: String) -> PyOperation {
        let rename = move |store: Arc<dyn StorageBackend>, source: String| async move {
            store.rename(&source, &target).await
        };
        self.on_key(source, rename, plain)
    }

    fn get_stream(&self, key: String) -> PyOperation {
        let place = self.place(Some(key.clone()));
        let store = Arc::clone(&self.store);
        let opened = open(store, key, place.clone(), pieces);
        PyOperation::new(place, opened, plain::<PyByteStream>)
    }

    fn upload(&self, key: String) -> PyUpload {
        let (store, place) = (Arc::clone(&self.store), self.place(Some(key.clone())));
        PyUpload::begin(place, |pieces| async move {
            store.try_put_stream(&key, pieces).await?;
            Ok(None)
        })
    }
}

impl PyStorage {
    pub(crate) fn place(&self, key: Option<String>) -> Place {
        Place { key, store: Some(Arc::clone(&self.url)) }
    }

    /// An operation on one key.
    fn on_key<T, W>(
        &self,
        key: String,
        work: impl FnOnce(Arc<dyn StorageBackend>, String) -> W,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyOperation
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StorageError>> + Send + 'static,
    {
        let place = self.place(Some(key.clone()));
        PyOperation::new(place, work(Arc::clone(&self.store), key), convert)
    }
}
