//! Bytes on their way in.
//!
//! They are of two kinds. Those that nothing can change (`bytes`, [`PyRustBytes`], and views and arrays
//! over their memory) are held, and read wherever and as long as they are needed. All others, such as those
//! of a numpy array or a `bytearray`, can be written to by another thread while the GIL is released;
//! they are copied, whole or a piece at a time, by reads that a write cannot make undefined. What is
//! then computed may be that of no single moment, but it is that of the bytes that were copied.

#![expect(
    unsafe_code,
    reason = "the buffer protocol hands out pointers; each block says who keeps them alive"
)]

use super::PyRustBytes;
use crate::numpy_api::as_array;
use bytes::{Bytes, BytesMut};
use mithril_core::par_compute;
use mithril_core::runtime::PerProcess;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PyString};
use std::mem;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is copied at a time: it stays in the second cache, where what reads it next finds it.
const PIECE: usize = 128 << 10;

/// Up to so many bytes are copied rather than held.
const SMALL: usize = 512;
/// How many views of views are looked through.
const MAX_VIEWS: usize = 16;
/// What a thread copies at a time of many bytes.
const SHARE: usize = 4 << 20;

/// The bytes of a Python object.
pub(crate) enum Input {
    /// Nothing can change these.
    Fixed(Bytes),
    /// These may be written to while they are read; they lie in C order.
    Changing(Changing),
}

/// A buffer that something may write to.
pub(crate) struct Changing(PyUntypedBuffer);

impl Input {
    /// The bytes of whatever has the buffer protocol, in C order; numpy arrays of element types that
    /// the protocol has no name for (`bfloat16`, `datetime64`) too.
    pub(crate) fn of(object: &Bound<PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Fixed(held(bytes)));
        }
        if let Ok(bytes) = object.cast::<PyRustBytes>() {
            return Ok(Self::Fixed(bytes.get().0.clone()));
        }
        let buffer = match PyUntypedBuffer::get(object) {
            Ok(buffer) => buffer,
            // Of no dimension, such as a number of numpy's, whose buffers have no shape.
            Err(error) if error.is_instance_of::<PyBufferError>(object.py()) => {
                return copy_of_view(object);
            }
            Err(error) => match numpy_bytes(object)? {
                Some(bytes) => PyUntypedBuffer::get(&bytes)?,
                None => return Err(not_bytes(object, error)),
            },
        };
        if buffer.format().to_bytes().contains(&b'O') {
            return Err(PyTypeError::new_err("it holds Python objects, which have no bytes"));
        }
        if !buffer.is_c_contiguous() {
            return copy_of_view(object);
        }
        if let Some(part) = part_of_bytes(object, &buffer) {
            return Ok(Self::Fixed(part));
        }
        Ok(Self::Changing(Changing(buffer)))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fixed(bytes) => bytes.len(),
            Self::Changing(buffer) => buffer.0.len_bytes(),
        }
    }

    /// Bytes that nothing can change: these, or a copy.
    pub(crate) fn into_bytes(self, py: Python) -> Bytes {
        match self {
            Self::Fixed(bytes) => bytes,
            Self::Changing(buffer) => py.detach(|| {
                let mut bytes = BytesMut::zeroed(buffer.0.len_bytes());
                if bytes.len() <= SHARE {
                    buffer.read(0, &mut bytes);
                } else {
                    // Most of the time goes into the first touch of the copy's pages.
                    let shares = bytes.chunks_mut(SHARE).enumerate().collect();
                    par_compute(shares, |(at, share)| buffer.read(at * SHARE, share));
                }
                bytes.freeze()
            }),
        }
    }

    /// Bytes that nothing can change: `header`, and a copy of these behind it.
    pub(crate) fn into_bytes_after(self, py: Python, header: &[u8]) -> Bytes {
        py.detach(|| {
            // Fresh pages are zero already: they are written once.
            let mut bytes = BytesMut::zeroed(header.len() + self.len());
            let (front, back) = bytes.split_at_mut(header.len());
            front.copy_from_slice(header);
            match self {
                Self::Fixed(data) => back.copy_from_slice(&data),
                Self::Changing(buffer) => buffer.read(0, back),
            }
            bytes.freeze()
        })
    }

    /// The bytes of each of many objects; an error says which has none.
    pub(crate) fn of_each(objects: &[Bound<PyAny>]) -> PyResult<Vec<Self>> {
        let inputs = objects.iter().enumerate().map(|(at, object)| {
            Self::of(object).inspect_err(|error| {
                // An exception takes notes; without one it still says what is wrong.
                let note = format!("item {at} of {}", objects.len());
                let _ = error.value(object.py()).call_method1("add_note", (note,));
            })
        });
        inputs.collect()
    }

    /// Hands the bytes to `take` one piece after the other, as many at a time as can be without a
    /// copy of them all. To be called with the GIL released if they are many.
    pub(crate) fn for_each_piece<E>(
        &self,
        take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_piece_of(PIECE, take)
    }

    /// As [`for_each_piece`](Self::for_each_piece), with so many bytes copied at a time.
    pub(crate) fn for_each_piece_of<E>(
        &self,
        size: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Fixed(bytes) => take(bytes),
            Self::Changing(buffer) => {
                let mut piece = vec![0; size.min(self.len())];
                for start in (0..self.len()).step_by(size) {
                    let length = size.min(self.len() - start);
                    let piece = piece.get_mut(..length).unwrap_or_default();
                    buffer.read(start, piece);
                    take(piece)?;
                }
                Ok(())
            }
        }
    }
}

impl Changing {
    /// Copies the bytes from `start` on, all of which the buffer has.
    fn read(&self, start: usize, out: &mut [u8]) {
        assert!(start + out.len() <= self.0.len_bytes(), "a piece of the buffer");
        // SAFETY: `start` is within the buffer, by the line above.
        let from = unsafe { self.0.buf_ptr().cast::<u8>().add(start) };
        let head = from.align_offset(size_of::<u64>()).min(out.len());
        let (head, rest) = out.split_at_mut(head);
        let (words, tail) = rest.as_chunks_mut::<{ size_of::<u64>() }>();
        // Atomic reads, since another thread may write meanwhile; words, since bytes would take
        // eight times as long.
        let byte = |at: usize| {
            // SAFETY: callers pass places below `out.len()`; the exporter keeps the memory where it is
            // until the buffer is released, which dropping `self.0` does.
            unsafe { AtomicU8::from_ptr(from.add(at)) }.load(Ordering::Relaxed)
        };
        for (at, out) in head.iter_mut().enumerate() {
            *out = byte(at);
        }
        for (at, out) in words.iter_mut().enumerate() {
            #[expect(clippy::cast_ptr_alignment, reason = "`head` ends where words begin")]
            // SAFETY: as for bytes, and aligned.
            let word = unsafe {
                AtomicU64::from_ptr(from.add(head.len() + at * size_of::<u64>()).cast::<u64>())
            };
            *out = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        let tail_at = head.len() + words.len() * size_of::<u64>();
        for (at, out) in tail.iter_mut().enumerate() {
            *out = byte(tail_at + at);
        }
    }
}

/// The bytes of a `bytes`, which is held as long as they are. A small one is copied: that takes a quarter of
/// the time of holding it, and of letting it go.
fn held(bytes: &Bound<PyBytes>) -> Bytes {
    if bytes.as_bytes().len() <= SMALL {
        return Bytes::copy_from_slice(bytes.as_bytes());
    }
    release(bytes.py());
    Bytes::from_owner(Held(Some(PyBackedBytes::from(bytes.clone()))))
}

/// A `bytes` that is let go of wherever its last reader happens to be.
struct Held(Option<PyBackedBytes>);

/// What was let go of by threads that do not have the GIL.
///
/// pyo3 keeps such a list too, but under one lock for a process and its children: a fork that finds
/// it locked leaves a child that waits for ever.
static LET_GO: PerProcess<Mutex<Vec<PyBackedBytes>>> = PerProcess::new();

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().map(AsRef::as_ref).unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let let_go = LET_GO.get_or_init(Mutex::default);
        let_go.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}

/// Gives back what was let go of; every call that could have done so ends with this.
pub(crate) fn release(_with_the_gil: Python) {
    let let_go = LET_GO.get_or_init(Mutex::default);
    let let_go = mem::take(&mut *let_go.lock().unwrap_or_else(PoisonError::into_inner));
    drop(let_go);
}

/// A copy in C order.
fn copy_of_view(object: &Bound<PyAny>) -> PyResult<Input> {
    let copy = PyMemoryView::from(object)?.call_method0("tobytes")?;
    Ok(Input::Fixed(held(copy.cast::<PyBytes>()?)))
}

/// The bytes of a numpy array as an array of bytes; `None` for another object.
fn numpy_bytes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if as_array(object).is_none() || object.getattr("dtype")?.getattr("hasobject")?.extract()? {
        return Ok(None);
    }
    let numpy = object.py().import("numpy")?;
    let whole = numpy.call_method1("ascontiguousarray", (object,))?;
    let flat = whole.call_method1("reshape", (-1,))?;
    Ok(Some(flat.call_method1("view", (numpy.getattr("uint8")?,))?))
}

/// The part of bytes that nothing can change which a view or an array shows, through any number of
/// views and arrays in between.
///
/// That an array is read-only says nothing: whoever owns its memory may make it writable again. Only
/// `bytes` and [`PyRustBytes`] cannot be.
fn part_of_bytes(object: &Bound<PyAny>, buffer: &PyUntypedBuffer) -> Option<Bytes> {
    let mut object = object.clone();
    for _ in 0..MAX_VIEWS {
        let whole = if let Ok(bytes) = object.cast::<PyBytes>() {
            held(bytes)
        } else if let Ok(bytes) = object.cast::<PyRustBytes>() {
            bytes.get().0.clone()
        } else if as_array(&object).is_some() {
            object = object.getattr("base").ok()?;
            continue;
        } else {
            object = object.cast::<PyMemoryView>().ok()?.getattr("obj").ok()?;
            continue;
        };
        // Whatever led here: what is within these bytes is a part of them.
        let start = (buffer.buf_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        let end = start.checked_add(buffer.len_bytes())?;
        return (end <= whole.len()).then(|| whole.slice(start..end));
    }
    None
}

fn not_bytes(object: &Bound<PyAny>, error: PyErr) -> PyErr {
    let kind =
        object.get_type().qualname().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    if object.is_instance_of::<PyString>() {
        return PyTypeError::new_err("bytes are needed, not str: encode it first");
    }
    if error.is_instance_of::<PyTypeError>(object.py()) {
        return PyTypeError::new_err(format!(
            "an object with the buffer protocol is needed, not {kind}"
        ));
    }
    error
}
