//! Compressors from Python: whole data, batches, and the parts of streams.

mod array;
mod config;
mod stream;

pub(crate) use array::{compress_array, decompress_array};
pub(crate) use stream::{PyDecoder, PyEncoder};

use crate::buffer::{Input, PyRustBytes};
use crate::compute::compute;
use crate::error::{self, Place};
use crate::operation::PyOperation;
use bytes::Bytes;
use config::Config;
use mithril_core::{CompressionError, Compressor, MithrilError, ZstdCompressor, par_compute};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Up to so many bytes are worked on where the operation is first looked at: another thread would take
/// longer to wake.
const SMALL: usize = 16 << 10;
/// What small data may become there; if it is more, it goes to another thread after all.
const SMALL_OUTPUT: u64 = 256 << 10;

/// A compressor; the classes of the package wrap it.
#[pyclass(name = "Compressor", module = "mithril._native", frozen, weakref)]
pub(crate) struct PyCompressor {
    compressor: Arc<dyn Compressor>,
    dictionary_id: Option<u32>,
    max_output_size: u64,
}

fn fail(py: Python, error: impl Into<MithrilError>) -> PyErr {
    error::at(py, error.into(), &Place::default())
}

fn to_python(py: Python, data: Bytes) -> PyResult<Py<PyAny>> {
    PyRustBytes(data).into_py_any(py)
}

#[pymethods]
impl PyCompressor {
    #[new]
    fn new(py: Python, config: &str, dictionary: Option<&Bound<PyAny>>) -> PyResult<Self> {
        let config: Config = serde_json::from_str(config)
            .map_err(|error| fail(py, MithrilError::InvalidArgument(error.to_string())))?;
        let dictionary = dictionary.map(Input::of).transpose()?;
        let dictionary = dictionary.map(|input| input.into_bytes(py)).unwrap_or_default();
        let max_output_size = config.max_output_size();
        let made = py.detach(|| config.make(&dictionary));
        let (compressor, dictionary_id) = made.map_err(|error| fail(py, error))?;
        Ok(Self { compressor, dictionary_id, max_output_size })
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.compressor.name()
    }

    #[getter]
    fn dictionary_id(&self) -> Option<u32> {
        self.dictionary_id
    }

    fn compress(&self, py: Python, data: &Bound<PyAny>) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let compressor = Arc::clone(&self.compressor);
        let work = async move {
            if data.len() <= SMALL {
                return Ok(compressor.compress(&data)?.into());
            }
            compute(move |_| compressor.compress(&data).map(Bytes::from)).await
        };
        Ok(PyOperation::new::<_, MithrilError>(Place::default(), work, to_python))
    }

    fn decompress(
        &self,
        py: Python,
        data: &Bound<PyAny>,
        max_output_size: Option<u64>,
    ) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let compressor = Arc::clone(&self.compressor);
        let most = max_output_size.unwrap_or(self.max_output_size);
        let work = async move {
            if data.len() <= SMALL {
                match compressor.decompress_limited(&data, most.min(SMALL_OUTPUT)) {
                    // It may be that only the limit of this try was passed.
                    Err(CompressionError::OutputTooLarge { .. }) if most > SMALL_OUTPUT => {}
                    outcome => return Ok(outcome?.into()),
                }
            }
            compute(move |_| compressor.decompress_limited(&data, most).map(Bytes::from)).await
        };
        Ok(PyOperation::new::<_, MithrilError>(Place::default(), work, to_python))
    }

    fn compress_many(&self, py: Python, items: Vec<Bound<PyAny>>) -> PyResult<PyOperation> {
        let compressor = Arc::clone(&self.compressor);
        many(py, &items, move |data| compressor.compress(data).map(Bytes::from))
    }

    fn decompress_many(
        &self,
        py: Python,
        items: Vec<Bound<PyAny>>,
        max_output_size: Option<u64>,
    ) -> PyResult<PyOperation> {
        let compressor = Arc::clone(&self.compressor);
        let most = max_output_size.unwrap_or(self.max_output_size);
        many(py, &items, move |data| compressor.decompress_limited(data, most).map(Bytes::from))
    }

    fn estimate_ratio(&self, py: Python, sample: &Bound<PyAny>) -> PyResult<f64> {
        let sample = Input::of(sample)?.into_bytes(py);
        Ok(py.detach(|| f64::from(self.compressor.estimate_ratio(&sample))))
    }

    fn encoder(&self, py: Python) -> PyResult<PyEncoder> {
        PyEncoder::begin(py, &*self.compressor)
    }

    fn decoder(&self, py: Python, file: Py<PyAny>) -> PyResult<PyDecoder> {
        PyDecoder::begin(py, &*self.compressor, file)
    }

    /// A dictionary made from samples.
    #[staticmethod]
    fn train_dictionary(
        py: Python,
        samples: Vec<Bound<PyAny>>,
        max_size: usize,
    ) -> PyResult<PyOperation> {
        let samples = all(py, &samples)?;
        let work =
            compute(move |_| ZstdCompressor::train_dictionary(&samples, max_size).map(Bytes::from));
        Ok(PyOperation::new(Place::default(), work, to_python))
    }
}

fn all(py: Python, items: &[Bound<PyAny>]) -> PyResult<Vec<Bytes>> {
    Ok(Input::of_each(items)?.into_iter().map(|input| input.into_bytes(py)).collect())
}

/// The same for each of many, on all threads; an error says which it was.
fn many(
    py: Python,
    items: &[Bound<PyAny>],
    work: impl Fn(&[u8]) -> Result<Bytes, CompressionError> + Send + Sync + 'static,
) -> PyResult<PyOperation> {
    let items = all(py, items)?;
    let count = items.len();
    let all = compute(move |stop: &AtomicBool| {
        let outcomes = par_compute(items, |item| {
            if stop.load(Ordering::Relaxed) { Ok(Bytes::new()) } else { work(&item) }
        });
        Ok::<_, MithrilError>(outcomes)
    });
    Ok(PyOperation::new(Place::default(), all, move |py, outcomes| {
        let outputs = outcomes.into_iter().enumerate().map(|(at, outcome)| {
            outcome.map(PyRustBytes).map_err(|error| {
                let error = fail(py, error);
                // An exception takes notes; without one it still says what is wrong.
                let note = format!("item {at} of {count}");
                let _ = error.value(py).call_method1("add_note", (note,));
                error
            })
        });
        outputs.collect::<PyResult<Vec<_>>>()?.into_py_any(py)
    }))
}
