//! The parts of streams: a machine in each direction, whose files are Python's.

use super::fail;
use crate::buffer::{Input, PyRustBytes};
use mithril_core::{CompressionError, Compressor, StreamDecoder, StreamEncoder};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use std::io::{self, BufReader, Read};
use std::sync::{Mutex, PoisonError};

/// What is read from a file at a time.
const CHUNK: usize = 256 << 10;

/// What compresses a stream: bytes in, bytes of the frame out.
#[pyclass(name = "Encoder", module = "mithril._native", frozen)]
pub(crate) struct PyEncoder {
    /// None after the end, and after an error.
    encoder: Mutex<Option<Box<dyn StreamEncoder>>>,
}

impl PyEncoder {
    pub(super) fn begin(py: Python, compressor: &dyn Compressor) -> PyResult<Self> {
        let encoder = compressor.encoder(None).ok_or_else(|| no_stream(py, compressor))?;
        Ok(Self { encoder: Mutex::new(Some(encoder)) })
    }

    fn step(
        &self,
        py: Python,
        is_last: bool,
        step: impl FnOnce(&mut dyn StreamEncoder, &mut Vec<u8>) -> Result<(), CompressionError> + Send,
    ) -> PyResult<PyRustBytes> {
        let mut state = self.encoder.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let mut encoder = state.take().ok_or_else(over)?;
        let stepped = py.detach(|| {
            let mut output = Vec::new();
            step(&mut *encoder, &mut output).map(|()| (encoder, output))
        });
        let (encoder, output) = stepped.map_err(|error| fail(py, error))?;
        *state = (!is_last).then_some(encoder);
        Ok(PyRustBytes(output.into()))
    }
}

#[pymethods]
impl PyEncoder {
    fn write(&self, data: &Bound<PyAny>) -> PyResult<PyRustBytes> {
        let input = Input::of(data)?;
        self.step(data.py(), false, |encoder, output| {
            input.for_each_piece(|piece| encoder.write(piece, output))
        })
    }

    fn flush(&self, py: Python) -> PyResult<PyRustBytes> {
        self.step(py, false, |encoder, output| encoder.flush(output))
    }

    fn finish(&self, py: Python) -> PyResult<PyRustBytes> {
        self.step(py, true, |encoder, output| encoder.finish(output))
    }
}

/// What decompresses a stream that is read from a file.
#[pyclass(name = "Decoder", module = "mithril._native", frozen)]
pub(crate) struct PyDecoder {
    /// None after an error.
    reading: Mutex<Option<Reading>>,
}

struct Reading {
    decoder: Box<dyn StreamDecoder>,
    source: BufReader<File>,
}

impl PyDecoder {
    pub(super) fn begin(
        py: Python,
        compressor: &dyn Compressor,
        file: Py<PyAny>,
    ) -> PyResult<Self> {
        let decoder = compressor.decoder().ok_or_else(|| no_stream(py, compressor))?;
        let source = BufReader::with_capacity(CHUNK, File { read: file.getattr(py, "read")? });
        Ok(Self { reading: Mutex::new(Some(Reading { decoder, source })) })
    }
}

#[pymethods]
impl PyDecoder {
    /// At most `size` bytes; none at the end, and else at least one.
    fn read(&self, py: Python, size: usize) -> PyResult<PyRustBytes> {
        let taken = {
            // Not held while the file is read: that may run any Python code.
            let mut state =
                self.reading.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
            state.take()
        };
        let mut reading = taken.ok_or_else(over)?;
        let outcome = py.detach(|| {
            let mut output = vec![0; size];
            let length = reading.decoder.read(&mut reading.source, &mut output)?;
            output.truncate(length);
            Ok((reading, output))
        });
        let (reading, output) = outcome.map_err(|error| raised_by_file(py, error))?;
        *self.reading.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner) = Some(reading);
        Ok(PyRustBytes(output.into()))
    }
}

/// A file of Python's, on the thread that Python called on.
struct File {
    read: Py<PyAny>,
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let data = self.read.bind(py).call1((buffer.len(),))?;
            if data.is_none() {
                return Err(PyTypeError::new_err(
                    "the file has nothing to read yet: it must block",
                ));
            }
            let data = Input::of(&data)?.into_bytes(py);
            let out = buffer.get_mut(..data.len()).ok_or_else(|| {
                PyTypeError::new_err("the file gave more bytes than were asked for")
            })?;
            out.copy_from_slice(&data);
            Ok(data.len())
        })
        .map_err(io::Error::other)
    }
}

/// What the file raised, as it was, or the exception for an error of the data.
fn raised_by_file(py: Python, error: CompressionError) -> PyErr {
    match error {
        CompressionError::Io(error) => match error.downcast::<PyErr>() {
            Ok(raised) => raised,
            Err(error) => fail(py, CompressionError::Io(error)),
        },
        error => fail(py, error),
    }
}

fn no_stream(py: Python, compressor: &dyn Compressor) -> PyErr {
    let what = format!("the compressor {:?} has no streaming form", compressor.name());
    fail(py, CompressionError::CompressionFailed(what))
}

fn over() -> PyErr {
    PyRuntimeError::new_err(
        "the stream has ended, has failed before, or is in use by another thread",
    )
}
