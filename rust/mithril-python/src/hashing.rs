//! Hashing from Python: the functions, hashers that follow `hashlib`, and whole columns.

#![expect(clippy::doc_markdown, reason = "what Python shows is not Markdown")]

use crate::buffer::Input;
use crate::interrupt::{self, Signals};
use crate::{column, error, numpy_api};
use mithril_core::{Blake3Hash, HashFunction, Hasher, Sha256Hash, XxHash, XxHash3, par_compute};
use mithril_dedup::{Control, DedupError, hash_rows};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyType};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Up to so many bytes are hashed before another thread could have taken the GIL; as in `hashlib`.
const SMALL: usize = 2048;
/// The bytes that are hashed between two looks for signals.
const STRETCH: usize = 16 << 20;
/// Up to so many bytes are hashed in one go, which takes a tenth of a second at most.
const WHOLE: usize = 128 << 20;
/// What is copied at a time of bytes that can change: all threads find work in it.
const PIECE: usize = 1 << 20;
/// Bytes from which on a batch or a column is watched for signals, which costs a thread.
const LONG: usize = 64 << 20;

/// A hash function under the name that Python gives it.
struct Named {
    name: &'static str,
    function: &'static dyn HashFunction,
    /// Whether the digest is [`HashFunction::hash_u64`], and not [`HashFunction::hash`].
    is_number: bool,
    block_size: usize,
}

const fn named(
    name: &'static str,
    function: &'static dyn HashFunction,
    is_number: bool,
    block_size: usize,
) -> Named {
    Named { name, function, is_number, block_size }
}

static ALGORITHMS: [Named; 6] = [
    named("xxh64", &XxHash, false, 32),
    named("xxh3", &XxHash3, false, 64),
    named("xxh3_64", &XxHash3, true, 64),
    named("xxh3_128", &XxHash3, false, 64),
    named("blake3", &Blake3Hash, false, 64),
    named("sha256", &Sha256Hash, false, 64),
];

impl Named {
    fn of(py: Python, name: &str) -> PyResult<&'static Self> {
        ALGORITHMS.iter().find(|one| one.name == name).ok_or_else(|| {
            let names: Vec<&str> = ALGORITHMS.iter().map(|one| one.name).collect();
            let message = format!("no hash function {name:?}; known are: {}", names.join(", "));
            error::of_kind(py, "invalid_argument", &message)
        })
    }

    fn digest_size(&self) -> usize {
        if self.is_number { size_of::<u64>() } else { self.function.output_size() }
    }

    fn of_bytes(&self, data: &[u8]) -> Vec<u8> {
        if self.is_number {
            self.function.hash_u64(data).to_be_bytes().into()
        } else {
            self.function.hash(data)
        }
    }

    fn of_hasher(&self, hasher: Box<dyn Hasher>) -> Vec<u8> {
        if self.is_number { hasher.finalize_u64().to_be_bytes().into() } else { hasher.finalize() }
    }

    fn of_input(&self, input: &Input) -> Vec<u8> {
        match input {
            Input::Fixed(bytes) => self.of_bytes(bytes),
            Input::Changing(_) => {
                let mut hasher = self.function.hasher();
                let Ok(()) = input.for_each_piece_of(PIECE, |piece| {
                    hasher.update(piece);
                    Ok::<(), Infallible>(())
                });
                self.of_hasher(hasher)
            }
        }
    }
}

/// Hashes all of an input with the GIL released, unless it is small, and with an eye on signals if it
/// is large.
fn hashed<R: Send>(
    py: Python,
    function: &'static dyn HashFunction,
    data: &Bound<PyAny>,
    whole: impl Fn(&[u8]) -> R + Send + Sync,
    end: impl FnOnce(Box<dyn Hasher>) -> R + Send,
) -> PyResult<R> {
    let input = Input::of(data)?;
    match &input {
        Input::Fixed(bytes) if bytes.len() <= SMALL => Ok(whole(bytes)),
        Input::Fixed(bytes) if bytes.len() <= WHOLE => Ok(py.detach(|| whole(bytes))),
        _ => {
            let mut hasher = function.hasher();
            update(py, hasher.as_mut(), &input)?;
            Ok(py.detach(|| end(hasher)))
        }
    }
}

/// Adds all of an input to a hasher with the GIL released, until it is done or a signal comes.
fn update(py: Python, hasher: &mut dyn Hasher, input: &Input) -> PyResult<()> {
    py.detach(|| {
        let mut signals = Signals::new();
        input.for_each_piece_of(PIECE, |piece| {
            for stretch in piece.chunks(STRETCH) {
                hasher.update(stretch);
                signals.look()?;
            }
            Ok(())
        })
    })
}

/// A hash function: bytes in, a hash out.
///
/// Anything with the buffer protocol is hashed where it is, numpy arrays of any element type included
/// (in C order). The GIL is released meanwhile; Ctrl-C stops a long one. Pickled, it is its name.
///
/// Attributes:
///     name: The name of the function: "xxh64", "xxh3", "blake3" or "sha256".
///     output_size: The number of bytes in a hash.
#[pyclass(name = "HashFunction", module = "mithril", frozen, subclass)]
pub(crate) struct PyHashFunction(&'static Named);

#[pymethods]
impl PyHashFunction {
    #[new]
    fn new(py: Python, name: &str) -> PyResult<Self> {
        Named::of(py, name).map(Self)
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.0.name
    }

    #[getter]
    fn output_size(&self) -> usize {
        self.0.digest_size()
    }

    /// Hash bytes.
    ///
    /// Args:
    ///     data: Anything with the buffer protocol.
    ///
    /// Returns:
    ///     The hash: `output_size` bytes in the function's canonical order, which is that of its
    ///     hexadecimal form.
    #[pyo3(signature = (data, /))]
    fn hash<'py>(&self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let py = data.py();
        Ok(PyBytes::new(py, &self.digest(data)?))
    }

    /// Hash bytes.
    ///
    /// Args:
    ///     data: Anything with the buffer protocol.
    ///
    /// Returns:
    ///     The hash in lower-case hexadecimal digits, two for each byte.
    #[pyo3(signature = (data, /))]
    fn hash_hex<'py>(&self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.hash(data)?.call_method0("hex")
    }

    /// Hash bytes to a number, for tables and filters.
    ///
    /// Args:
    ///     data: Anything with the buffer protocol.
    ///
    /// Returns:
    ///     An integer of 64 bits: the hash of XXH64, XXH3 with 64 bits, or the first 8 bytes of
    ///     another hash, most significant first.
    #[pyo3(signature = (data, /))]
    fn hash_u64(&self, data: &Bound<PyAny>) -> PyResult<u64> {
        let function = self.0.function;
        let whole = |bytes: &[u8]| function.hash_u64(bytes);
        hashed(data.py(), function, data, whole, Hasher::finalize_u64)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (&'static str,)) {
        (slf.get_type(), (slf.get().0.name,))
    }

    /// Begin a hash of data that comes in pieces.
    ///
    /// Returns:
    ///     A hasher as those of hashlib.
    fn hasher(&self) -> PyHasher {
        PyHasher::begin(self.0)
    }
}

impl PyHashFunction {
    fn digest(&self, data: &Bound<PyAny>) -> PyResult<Vec<u8>> {
        let named = self.0;
        let whole = |bytes: &[u8]| named.of_bytes(bytes);
        hashed(data.py(), named.function, data, whole, |hasher| named.of_hasher(hasher))
    }
}

/// The state of a hash whose data comes in pieces, as the objects of hashlib.
///
/// `digest` may be asked for at any time, and more data may follow. Large pieces are hashed with the
/// GIL released. It works wherever hashlib's objects do, as in `hashlib.file_digest`.
///
/// Attributes:
///     name: The name of the function.
///     digest_size: The number of bytes in a digest.
///     block_size: The number of bytes that the function takes at a time, as HMAC asks for it.
///
/// Example:
///     >>> import hashlib
///     >>> import mithril
///     >>> hasher = mithril.sha256(b"con")
///     >>> hasher.update(b"tent")
///     >>> hasher.digest() == hashlib.sha256(b"content").digest()
///     True
#[pyclass(name = "Hasher", module = "mithril", frozen, weakref)]
pub(crate) struct PyHasher {
    named: &'static Named,
    /// None once an update was stopped in its middle: what it would then hash, nobody has asked for.
    state: Mutex<Option<Box<dyn Hasher>>>,
}

#[pymethods]
impl PyHasher {
    /// A hasher of the function with this name.
    #[new]
    fn new(py: Python, name: &str) -> PyResult<Self> {
        Named::of(py, name).map(Self::begin)
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.named.name
    }

    #[getter]
    fn digest_size(&self) -> usize {
        self.named.digest_size()
    }

    #[getter]
    fn block_size(&self) -> usize {
        self.named.block_size
    }

    /// Add the next piece of the data.
    ///
    /// If Ctrl-C stops it the hasher is of no use any more, and says so.
    ///
    /// Args:
    ///     data: Anything with the buffer protocol.
    #[pyo3(signature = (data, /))]
    fn update(&self, data: &Bound<PyAny>) -> PyResult<()> {
        let py = data.py();
        let input = Input::of(data)?;
        if input.len() > STRETCH {
            // Not under the lock: a signal's handler may use this hasher.
            let mut hasher = self.with(py, Option::take).ok_or_else(stopped)?;
            update(py, hasher.as_mut(), &input)?;
            self.with(py, |state| *state = Some(hasher));
            return Ok(());
        }
        self.with(py, |state| {
            let hasher = state.as_mut().ok_or_else(stopped)?;
            let mut add = || {
                let Ok(()) = input.for_each_piece_of(PIECE, |piece| {
                    hasher.update(piece);
                    Ok::<(), Infallible>(())
                });
            };
            if input.len() <= SMALL {
                add();
            } else {
                py.detach(add);
            }
            Ok(())
        })
    }

    /// Return the hash of the data so far.
    ///
    /// Returns:
    ///     `digest_size` bytes.
    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.named.of_hasher(self.copied(py)?)))
    }

    /// Return the hash of the data so far in hexadecimal digits.
    ///
    /// Returns:
    ///     Two lower-case digits for each byte.
    fn hexdigest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.digest(py)?.call_method0("hex")
    }

    /// Return a hasher that goes on from here by itself.
    ///
    /// Returns:
    ///     Another hasher with the same data so far.
    fn copy(&self, py: Python) -> PyResult<Self> {
        Ok(Self { named: self.named, state: Mutex::new(Some(self.copied(py)?)) })
    }

    fn __repr__(&self) -> String {
        format!("<mithril.Hasher of {}>", self.named.name)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(format!(
            "a hasher is in the middle of its data and does not pickle; pickle the function: {}",
            self.named.name
        )))
    }
}

impl PyHasher {
    fn begin(named: &'static Named) -> Self {
        Self { named, state: Mutex::new(Some(named.function.hasher())) }
    }

    fn with<R>(&self, py: Python, work: impl FnOnce(&mut Option<Box<dyn Hasher>>) -> R) -> R {
        // The GIL is released while another thread has the lock.
        let mut state = self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        work(&mut state)
    }

    fn copied(&self, py: Python) -> PyResult<Box<dyn Hasher>> {
        self.with(py, |state| state.as_ref().and_then(|hasher| hasher.try_clone()))
            .ok_or_else(stopped)
    }
}

fn stopped() -> PyErr {
    PyRuntimeError::new_err(
        "this hasher was left by an update that was stopped, or one is under way in another thread",
    )
}

/// The digests of many buffers.
#[pyfunction]
pub(crate) fn hash_many<'py>(
    py: Python<'py>,
    name: &str,
    buffers: Vec<Bound<'py, PyAny>>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let named = Named::of(py, name)?;
    let inputs = Input::of_each(&buffers)?;
    let bytes: usize = inputs.iter().map(Input::len).sum();
    let digests = watched(py, bytes, |stop| {
        let one = |input: &Input| {
            if stop.load(Ordering::Relaxed) { Vec::new() } else { named.of_input(input) }
        };
        if bytes <= SMALL {
            return Ok(inputs.iter().map(one).collect());
        }
        // Many small ones are one piece of work.
        let chunk = inputs.len().div_ceil(64).max(1);
        let digests: Vec<Vec<Vec<u8>>> =
            par_compute(inputs.chunks(chunk).collect(), |inputs| inputs.iter().map(one).collect());
        Ok(digests.into_iter().flatten().collect::<Vec<_>>())
    })?;
    Ok(digests.iter().map(|digest| PyBytes::new(py, digest)).collect())
}

/// The hash of every row of a column.
#[pyfunction]
pub(crate) fn hash_column<'py>(
    name: &str,
    column: &Bound<'py, PyAny>,
    null: u64,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let py = column.py();
    let function = Named::of(py, name)?.function;
    numpy_api::import(py)?;
    let chunks = column::byte_chunks(column)?;
    let bytes = chunks.iter().map(|chunk| chunk.get_array_memory_size()).sum();
    let hashes = watched(py, bytes, |stop| {
        hash_rows(&chunks, function, null, Control { stop, ..Control::default() })
    })?;
    Ok(hashes.into_pyarray(py))
}

/// Computes with the GIL released; with an eye on signals where there is much to do.
fn watched<T: Send>(
    py: Python,
    bytes: usize,
    work: impl FnOnce(&AtomicBool) -> Result<T, DedupError> + Send,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    if bytes > LONG {
        return interrupt::run(py, &stop, work);
    }
    py.detach(|| work(&stop)).map_err(|error| error::to_python(py, &error))
}
