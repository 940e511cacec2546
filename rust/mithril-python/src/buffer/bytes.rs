//! Bytes on their way out: the class `mithril.Bytes`.

#![expect(unsafe_code, reason = "the buffer protocol is a slot that is handed a pointer")]
#![expect(clippy::doc_markdown, reason = "what Python shows is not Markdown")]

use super::Input;
use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyAttributeError, PyBufferError, PyIndexError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PySlice, PyString, PyTuple};
use std::os::raw::c_int;

/// How many bytes `repr` shows.
const SHOWN: usize = 48;

/// What `bytes` can do that is done by making `bytes` of these first.
const METHODS: [&str; 41] = [
    "capitalize",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdigit",
    "islower",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
    "__mod__",
    "__mul__",
    "__rmul__",
];

/// Read-only bytes in the engine's memory, which behave as `bytes` do.
///
/// They have the buffer protocol: `memoryview`, `numpy.frombuffer`, `pyarrow.py_buffer` and
/// `file.write` read them where they are. A slice shares their memory. They equal, and hash as, `bytes`
/// with the same content. Methods of `bytes` work, and give `bytes`; what insists on `bytes` itself,
/// as `json.loads` does, takes `bytes(data)`, which copies.
///
/// Example:
///     >>> from mithril import Bytes
///     >>> data = Bytes(b"some text")
///     >>> data == b"some text", len(data), data[5:], data.upper()
///     (True, 9, Bytes(b'text'), b'SOME TEXT')
///     >>> memoryview(data).readonly
///     True
#[pyclass(name = "Bytes", module = "mithril", frozen, weakref)]
pub(crate) struct PyRustBytes(pub(crate) Bytes);

#[pymethods]
impl PyRustBytes {
    #[new]
    #[pyo3(signature = (data = None, /))]
    fn new(data: Option<&Bound<PyAny>>) -> PyResult<Self> {
        match data {
            Some(data) => Ok(Self(Input::of(data)?.into_bytes(data.py()))),
            None => Ok(Self(Bytes::new())),
        }
    }

    /// # Safety
    ///
    /// `view` is what Python passes to the slot: null, or a place for a view.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no place for the view"));
        }
        let bytes = &slf.get().0;
        // SAFETY: `view` is Python's, and not null. The bytes stay where they are as long as the object
        // lives, which is frozen, and the view holds a reference to it. They are given as read-only.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len() as ffi::Py_ssize_t,
                1,
                flags,
            )
        };
        if filled < 0 { Err(PyErr::fetch(slf.py())) } else { Ok(()) }
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0)
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(slice) = index.cast::<PySlice>() {
            let bounds = slice.indices(self.0.len() as isize)?;
            if bounds.step == 1 {
                let start = bounds.start as usize;
                return Self(self.0.slice(start..start + bounds.slicelength)).into_bound_py_any(py);
            }
            let step = bounds.step;
            let picked: Vec<u8> = (0..bounds.slicelength as isize)
                .filter_map(|at| self.0.get((bounds.start + at * step) as usize).copied())
                .collect();
            return Self(picked.into()).into_bound_py_any(py);
        }
        let at: isize = index
            .extract()
            .map_err(|_| PyTypeError::new_err("an index of Bytes is an integer or a slice"))?;
        let at = if at < 0 { at + self.0.len() as isize } else { at };
        let byte = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        byte.ok_or_else(|| PyIndexError::new_err("index out of range"))?.into_bound_py_any(py)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyMemoryView::from(slf)?.try_iter()?.into_any())
    }

    fn __contains__(&self, item: &Bound<PyAny>) -> PyResult<bool> {
        if let Ok(byte) = item.extract::<u8>() {
            return Ok(self.0.contains(&byte));
        }
        self.__bytes__(item.py()).contains(item)
    }

    fn __richcmp__(&self, other: &Bound<PyAny>, compare: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Ok(input) = Input::of(other) else { return Ok(py.NotImplemented()) };
        match compare {
            CompareOp::Eq => self.equals(&input).into_py_any(py),
            CompareOp::Ne => (!self.equals(&input)).into_py_any(py),
            order => order.matches(self.0.cmp(&input.into_bytes(py))).into_py_any(py),
        }
    }

    fn __hash__(&self, py: Python) -> PyResult<isize> {
        self.__bytes__(py).hash()
    }

    fn __add__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.__bytes__(other.py()).add(other)
    }

    fn __radd__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        other.add(self.__bytes__(other.py()))
    }

    fn __repr__(&self, py: Python) -> PyResult<String> {
        let shown = PyBytes::new(py, self.0.get(..SHOWN).unwrap_or(&self.0)).repr()?;
        Ok(if self.0.len() > SHOWN {
            format!("Bytes({shown}... {} bytes)", self.0.len())
        } else {
            format!("Bytes({shown})")
        })
    }

    /// Decode the bytes to a text; nothing is copied before.
    ///
    /// Args:
    ///     encoding: The encoding.
    ///     errors: What is done about bytes that are not of it, as for `bytes.decode`.
    ///
    /// Returns:
    ///     The text.
    ///
    /// Raises:
    ///     UnicodeDecodeError: The bytes are not of the encoding.
    #[pyo3(signature = (encoding = "utf-8", errors = "strict"))]
    fn decode<'py>(
        slf: &Bound<'py, Self>,
        encoding: &str,
        errors: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().get_type::<PyString>().call1((slf, encoding, errors))
    }

    /// Write the bytes as hexadecimal digits, as `bytes.hex` does.
    ///
    /// Args:
    ///     sep: What stands between groups of digits.
    ///     bytes_per_sep: How many bytes a group has; counted from the right if positive.
    ///
    /// Returns:
    ///     The digits.
    #[pyo3(signature = (*arguments))]
    fn hex<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        PyMemoryView::from(slf)?.call_method1("hex", arguments)
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        if METHODS.contains(&name.to_str()?) {
            return self.__bytes__(name.py()).getattr(name);
        }
        Err(PyAttributeError::new_err(format!("'Bytes' object has no attribute '{name}'")))
    }

    fn __reduce_ex__<'py>(
        slf: &Bound<'py, Self>,
        protocol: u32,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        let py = slf.py();
        let data = if protocol >= 5 {
            // Out of the stream, and without a copy, for those who ask for that.
            py.import("pickle")?.getattr("PickleBuffer")?.call1((slf,))?
        } else {
            slf.get().__bytes__(py).into_any()
        };
        Ok((slf.get_type().into_any(), (data,)))
    }
}

impl PyRustBytes {
    fn equals(&self, other: &Input) -> bool {
        let mut rest = &*self.0;
        let mut same = |piece: &[u8]| {
            let (head, tail) = rest.split_at_checked(piece.len()).ok_or(())?;
            rest = tail;
            if head == piece { Ok(()) } else { Err(()) }
        };
        other.len() == self.0.len() && other.for_each_piece(&mut same).is_ok()
    }
}
