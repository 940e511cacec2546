//! Indexes from Python.

use crate::dedup::{Progress, parse_options, run};
use crate::error;
use crate::operation::PyOperation;
use crate::storage::{PyStorage, plain};
use crate::{column, numpy_api, tokens};
use bytes::Bytes;
use mithril_core::MithrilError;
use mithril_dedup::{
    Batch, Control, DedupOptions, Documents, IndexMatches, IndexOptions, MinHashIndex, TextBuilder,
    TextFiles, Threads, ids_of_column, read_texts,
};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An index; the class `mithril.MinHashIndex` wraps it.
///
/// Whoever searches it has a version of it that does not change. Writers that take long change a clone,
/// which takes the place of what it was cloned from if that is still there.
#[pyclass(name = "MinHashIndex", module = "mithril._native", frozen)]
pub(crate) struct PyMinHashIndex {
    /// Locked by those who have the GIL, for moments: no fork finds it locked.
    index: Mutex<Arc<MinHashIndex>>,
}

/// Offsets, ids and similarities.
type Matches<'py> =
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<f64>>);

#[pymethods]
impl PyMinHashIndex {
    #[new]
    fn new(py: Python, options: &str) -> PyResult<Self> {
        let index = MinHashIndex::try_new(parse_options::<IndexOptions>(options)?);
        Ok(Self::of(index.map_err(|error| error::to_python(py, &error))?))
    }

    /// The index of what `to_objects` has given.
    #[staticmethod]
    fn from_objects(py: Python, manifest: &[u8], segments: Vec<Bound<PyBytes>>) -> PyResult<Self> {
        let copy = |segment: &Bound<PyBytes>| Bytes::copy_from_slice(segment.as_bytes());
        let segments = segments.iter().map(copy).collect();
        let index = py.detach(|| MinHashIndex::from_objects(manifest, segments));
        Ok(Self::of(index.map_err(|error| error::to_python(py, &error))?))
    }

    /// `(manifest, segments)`: the index by value.
    fn to_objects<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>)> {
        let objects = Arc::make_mut(&mut self.lock()).to_objects();
        let (manifest, segments) = objects.map_err(|error| error::to_python(py, &error))?;
        let segments = segments.iter().map(|segment| PyBytes::new(py, segment));
        Ok((PyBytes::new(py, &manifest), segments.collect()))
    }

    /// The ids of the documents that were added.
    fn add<'py>(
        &self,
        column: &Bound<'py, PyAny>,
        ids: Option<&Bound<'py, PyAny>>,
        options: &str,
        progress: Progress,
    ) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let py = column.py();
        let threads = threads(py, options)?;
        numpy_api::import(py)?;
        let ids = ids.map(self::ids).transpose()?;
        let documents = column::documents(column)?;
        let ids = self.add_documents(py, &documents, ids, threads, &progress)?;
        Ok(ids.into_pyarray(py))
    }

    /// The number of documents of files that were added.
    fn add_files(
        &self,
        py: Python,
        inputs: Vec<PathBuf>,
        files: &str,
        options: &str,
        progress: Progress,
    ) -> PyResult<usize> {
        let (files, threads) = (parse_options(files)?, threads(py, options)?);
        let (documents, ids) = read(py, &inputs, &files, threads, &progress)?;
        self.add_documents(py, &documents, ids, threads, &progress).map(|ids| ids.len())
    }

    /// `(id, similarity)` of what is like a text.
    fn query(&self, text: &Bound<PyString>, threshold: Option<f64>) -> PyResult<Vec<(u64, f64)>> {
        let py = text.py();
        let index = self.get();
        let found = match text.to_str() {
            Ok(text) => py.detach(|| index.query(text, threshold)),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(py) => {
                let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
                let bytes: Vec<u8> = bytes.extract()?;
                py.detach(|| {
                    let (mut texts, mut documents) = (TextBuilder::default(), Documents::new());
                    texts.append_surrogates(bytes);
                    documents.push_texts(texts)?;
                    index.query(documents.text(0).unwrap_or_default(), threshold)
                })
            }
            Err(error) => return Err(error),
        };
        let found = found.map_err(|error| error::to_python(py, &error))?;
        Ok(found.into_iter().map(|found| (found.id, found.similarity)).collect())
    }

    /// What is like each text of a column.
    fn query_batch<'py>(
        &self,
        column: &Bound<'py, PyAny>,
        threshold: Option<f64>,
        options: &str,
        progress: Progress,
    ) -> PyResult<Matches<'py>> {
        let py = column.py();
        let threads = threads(py, options)?;
        numpy_api::import(py)?;
        let documents = column::documents(column)?;
        self.query_documents(py, &documents, threshold, threads, &progress)
    }

    /// What is like each text of files, with the ids of these texts if they have some.
    fn query_files<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<PathBuf>,
        files: &str,
        threshold: Option<f64>,
        options: &str,
        progress: Progress,
    ) -> PyResult<(Option<Vec<u64>>, Matches<'py>)> {
        let (files, threads) = (parse_options(files)?, threads(py, options)?);
        numpy_api::import(py)?;
        let (documents, ids) = read(py, &inputs, &files, threads, &progress)?;
        Ok((ids, self.query_documents(py, &documents, threshold, threads, &progress)?))
    }

    fn remove(&self, py: Python, ids: &Bound<PyAny>) -> PyResult<()> {
        let ids = self::ids(ids)?;
        let removed = Arc::make_mut(&mut self.lock()).remove(&ids);
        removed.map_err(|error| error::to_python(py, &error))
    }

    fn merge(&self, py: Python, other: &Self) -> PyResult<()> {
        let other = other.get();
        self.change(py, None, |index, _| index.merge(&other))
    }

    fn compact(&self, py: Python, options: &str) -> PyResult<()> {
        let threads = threads(py, options)?;
        self.change(py, threads, MinHashIndex::compact)
    }

    fn save(&self, py: Python, store: &PyStorage, prefix: String) -> PyResult<PyOperation> {
        let snapshot = Arc::make_mut(&mut self.lock()).snapshot();
        let snapshot = snapshot.map_err(|error| error::to_python(py, &error))?;
        let place = store.place(Some(prefix.clone()));
        let (store, within) = (Arc::clone(&store.store), place.clone());
        let work = async move { Ok::<_, MithrilError>(snapshot.save(&store, &prefix).await) };
        Ok(PyOperation::new(place, work, move |py, saved| {
            saved.map_err(|error| error::of_index(py, error, &within))?;
            plain(py, ())
        }))
    }

    #[staticmethod]
    fn open(store: &PyStorage, prefix: String) -> PyOperation {
        let place = store.place(Some(prefix.clone()));
        let (store, within) = (Arc::clone(&store.store), place.clone());
        let work = async move { Ok::<_, MithrilError>(MinHashIndex::open(&store, &prefix).await) };
        PyOperation::new(place, work, move |py, opened| {
            let index = opened.map_err(|error| error::of_index(py, error, &within))?;
            plain(py, Self::of(index))
        })
    }

    /// How many segments were deleted that nothing names.
    #[staticmethod]
    fn sweep(store: &PyStorage, prefix: String) -> PyOperation {
        let place = store.place(Some(prefix.clone()));
        let (store, within) = (Arc::clone(&store.store), place.clone());
        let work = async move { Ok::<_, MithrilError>(MinHashIndex::sweep(&store, &prefix).await) };
        PyOperation::new(place, work, move |py, swept| {
            plain(py, swept.map_err(|error| error::of_index(py, error, &within))?)
        })
    }

    /// What the index holds, as JSON.
    fn stats(&self, py: Python) -> PyResult<String> {
        let index = self.get();
        let stats = run(py, &Progress::Callback(None), |_| index.stats())?;
        serde_json::to_string(&stats).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The options, as JSON.
    fn options(&self) -> PyResult<String> {
        serde_json::to_string(&self.get().options())
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        numpy_api::import(py)?;
        let index = self.get();
        Ok(py.detach(|| index.ids()).into_pyarray(py))
    }

    fn __len__(&self) -> usize {
        self.get().len()
    }

    fn __contains__(&self, id: &Bound<PyAny>) -> bool {
        id.extract().is_ok_and(|id| self.get().contains(id))
    }
}

impl PyMinHashIndex {
    fn of(index: MinHashIndex) -> Self {
        Self { index: Mutex::new(Arc::new(index)) }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<MinHashIndex>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index as it is now.
    pub(crate) fn get(&self) -> Arc<MinHashIndex> {
        Arc::clone(&self.lock())
    }

    fn add_documents(
        &self,
        py: Python,
        documents: &Documents,
        ids: Option<Vec<u64>>,
        threads: Option<usize>,
        progress: &Progress,
    ) -> PyResult<Vec<u64>> {
        let index = self.get();
        let ids = ids.as_deref();
        let batch = quickly_or(py, documents, threads, progress, |control| {
            index.check_ids(documents.len(), ids)?;
            index.sketch(documents, control)
        })?;
        drop(index);
        // Not locked any more where Python may run again: the next one to lock it would keep the GIL.
        let added = {
            let mut index = self.lock();
            let has_room = index.has_room(batch.len());
            has_room.then(|| Arc::make_mut(&mut index).insert(&batch, ids))
        };
        if let Some(added) = added {
            return added.map_err(|error| error::to_python(py, &error));
        }
        self.change(py, threads, |index, _| index.insert(&batch, ids))
    }

    fn query_documents<'py>(
        &self,
        py: Python<'py>,
        documents: &Documents,
        threshold: Option<f64>,
        threads: Option<usize>,
        progress: &Progress,
    ) -> PyResult<Matches<'py>> {
        let index = self.get();
        let found = quickly_or(py, documents, threads, progress, |control| {
            index.query_batch(documents, threshold, control)
        })?;
        let IndexMatches { offsets, ids, similarities } = found;
        let offsets: Vec<i64> = offsets.into_iter().map(|offset| offset as i64).collect();
        Ok((offsets.into_pyarray(py), ids.into_pyarray(py), similarities.into_pyarray(py)))
    }

    /// Changes a clone, and again one of what another writer has made meanwhile.
    fn change<T: Send>(
        &self,
        py: Python,
        threads: Option<usize>,
        work: impl Fn(&mut MinHashIndex, Control) -> mithril_dedup::Result<T> + Sync,
    ) -> PyResult<T> {
        loop {
            let base = self.get();
            let (next, outcome) = run(py, &Progress::Callback(None), |control| {
                let mut next = MinHashIndex::clone(&base);
                let outcome = Threads::try_new(threads)?.install(|| work(&mut next, control))?;
                Ok((next, outcome))
            })?;
            let mut current = self.lock();
            if Arc::ptr_eq(&current, &base) {
                *current = Arc::new(next);
                return Ok(outcome);
            }
        }
    }
}

/// Does the work on so many threads, or at once if it is about few documents and nobody wants to be told.
fn quickly_or<T: Send>(
    py: Python,
    documents: &Documents,
    threads: Option<usize>,
    progress: &Progress,
    work: impl Fn(Control) -> mithril_dedup::Result<T> + Send + Sync,
) -> PyResult<T> {
    if matches!(progress, Progress::Callback(None)) && Batch::is_quick(documents) {
        let done = py.detach(|| work(Control::default()));
        return done.map_err(|error| error::to_python(py, &error));
    }
    run(py, progress, |control| Threads::try_new(threads)?.install(|| work(control)))
}

fn threads(py: Python, options: &str) -> PyResult<Option<usize>> {
    let DedupOptions { threads, .. } = parse_options(options)?;
    Threads::check(threads).map_err(|error| error::to_python(py, &error))?;
    Ok(threads)
}

/// The ids of an Arrow column, an array or a sequence of integers.
fn ids(ids: &Bound<PyAny>) -> PyResult<Vec<u64>> {
    if !ids.hasattr("__arrow_c_stream__")? && !ids.hasattr("__arrow_c_array__")? {
        numpy_api::import(ids.py())?;
        return tokens::whole_numbers("ids", ids);
    }
    let column = column::values(ids)?;
    ids_of_column("ids", &column).map_err(|error| error::to_python(ids.py(), &error))
}

/// The texts of files, and the ids if a column of them was named.
fn read(
    py: Python,
    inputs: &[PathBuf],
    files: &TextFiles,
    threads: Option<usize>,
    progress: &Progress,
) -> PyResult<(Documents, Option<Vec<u64>>)> {
    run(py, progress, |control| {
        let read = || read_texts(inputs, files, control);
        let (documents, column) = Threads::try_new(threads)?.install(read)?;
        let name = files.id_column.as_deref().unwrap_or_default();
        let ids = column.map(|column| ids_of_column(name, &column)).transpose()?;
        Ok((documents, ids))
    })
}
