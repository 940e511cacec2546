//! Tokens on their way in: arrays and other buffers without a copy, sequences of integers with one.

use crate::error;
use crate::numpy_api::{self, as_array};
use numpy::{
    PyArray1, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray1, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// The tokens of a Python object: one set of them, or rows with the offsets of their ends.
pub(crate) enum Tokens<'py> {
    Set(Values<'py>),
    Rows(Values<'py>, Vec<usize>),
}

/// Integers where they are, or collected.
pub(crate) enum Values<'py> {
    Array(PyReadonlyArray1<'py, u64>),
    Collected(Vec<u64>),
}

impl Values<'_> {
    pub(crate) fn as_slice(&self) -> PyResult<&[u64]> {
        match self {
            Self::Array(array) => Ok(array.as_slice()?),
            Self::Collected(values) => Ok(values),
        }
    }
}

/// The tokens that the argument `tokens` holds.
pub(crate) fn tokens<'py>(tokens: &Bound<'py, PyAny>) -> PyResult<Tokens<'py>> {
    named("tokens", tokens)
}

/// As [`tokens`], for an argument of another name.
pub(crate) fn named<'py>(name: &str, argument: &Bound<'py, PyAny>) -> PyResult<Tokens<'py>> {
    // What is made of tokens is an array.
    numpy_api::import(argument.py())?;
    let Some(array) = array(argument)? else {
        return collect(name, argument);
    };
    match array.shape() {
        [_] => Ok(Tokens::Set(unsigned(name, &array)?)),
        &[rows, width] => {
            let values = unsigned(name, &array)?;
            Ok(Tokens::Rows(values, (0..=rows).map(|row| row * width).collect()))
        }
        shape => Err(invalid(
            argument.py(),
            &format!("{name} must have one dimension or two, not {}", shape.len()),
        )),
    }
}

/// The offsets that the argument `offsets` holds.
pub(crate) fn offsets(argument: &Bound<PyAny>) -> PyResult<Vec<usize>> {
    let offsets = whole_numbers("offsets", argument)?;
    Ok(offsets.into_iter().map(|offset| offset as usize).collect())
}

/// The integers of any type that an argument holds, none of them below zero.
pub(crate) fn whole_numbers(name: &str, argument: &Bound<PyAny>) -> PyResult<Vec<u64>> {
    let py = argument.py();
    let Some(array) = array(argument)? else {
        let numbers = items(name, argument)?.into_iter().enumerate();
        return numbers.map(|(at, item)| integer(&item, || format!("{name}[{at}]"))).collect();
    };
    let kind = array.dtype().kind();
    if array.ndim() != 1 || !matches!(kind, b'i' | b'u') {
        let message = format!(
            "{name} must be integers in one dimension, not {} in {}",
            array.dtype(),
            array.ndim()
        );
        return Err(invalid(py, &message));
    }
    if kind == b'u' {
        let wide = array.call_method1("astype", ("uint64",))?;
        let wide = wide.cast::<PyArray1<u64>>()?.try_readonly()?;
        return Ok(wide.as_array().to_vec());
    }
    let wide = array.call_method1("astype", ("int64",))?;
    let wide = wide.cast::<PyArray1<i64>>()?.try_readonly()?;
    let not_negative = |(at, &number): (usize, &i64)| {
        u64::try_from(number)
            .map_err(|_| invalid(py, &format!("{name}[{at}] must be at least 0, not {number}")))
    };
    wide.as_array().iter().enumerate().map(not_negative).collect()
}

/// The array that an object is, or that its buffer can be seen as; `None` for an object of neither
/// kind and for an array of objects.
fn array<'py>(argument: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyUntypedArray>>> {
    let array = if let Some(array) = as_array(argument) {
        array.clone()
    } else if let Ok(view) = PyMemoryView::from(argument) {
        let numpy = argument.py().import("numpy")?;
        numpy.call_method1("asarray", (view,))?.cast_into::<PyUntypedArray>()?
    } else {
        return Ok(None);
    };
    Ok((array.dtype().kind() != b'O').then_some(array))
}

/// The elements of an array in C order, copied only if they do not lie so.
fn unsigned<'py>(name: &str, array: &Bound<'py, PyUntypedArray>) -> PyResult<Values<'py>> {
    let py = array.py();
    let numpy = py.import("numpy")?;
    let flat = numpy.call_method1("ascontiguousarray", (array,))?.call_method1("reshape", (-1,))?;
    let Ok(flat) = flat.cast_into::<PyArray1<u64>>() else {
        let message = format!(
            "{name} must be unsigned integers of 64 bits, not {}: pass {name}.astype(\"uint64\")",
            array.dtype()
        );
        return Err(invalid(py, &message));
    };
    Ok(Values::Array(flat.try_readonly()?))
}

/// The integers of an iterable, or the rows of an iterable of iterables.
fn collect<'py>(name: &str, argument: &Bound<'py, PyAny>) -> PyResult<Tokens<'py>> {
    let items = items(name, argument)?;
    let mut values = Vec::with_capacity(items.len());
    if items.first().is_none_or(is_integer) {
        for (at, item) in items.iter().enumerate() {
            values.push(integer(item, || format!("{name}[{at}]"))?);
        }
        return Ok(Tokens::Set(Values::Collected(values)));
    }
    let mut offsets = Vec::with_capacity(items.len() + 1);
    offsets.push(0);
    for (row, item) in items.iter().enumerate() {
        let name = format!("{name}[{row}]");
        if let Some(array) = array(item)? {
            if array.ndim() != 1 {
                let message = format!("{name} must have one dimension, not {}", array.ndim());
                return Err(invalid(item.py(), &message));
            }
            values.extend_from_slice(unsigned(&name, &array)?.as_slice()?);
        } else {
            for (at, item) in self::items(&name, item)?.iter().enumerate() {
                values.push(integer(item, || format!("{name}[{at}]"))?);
            }
        }
        offsets.push(values.len());
    }
    Ok(Tokens::Rows(Values::Collected(values), offsets))
}

fn items<'py>(name: &str, argument: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let Ok(items) = argument.try_iter() else {
        let kind = argument.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!("{name} must be integers, not {kind}")));
    };
    items.collect()
}

fn is_integer(item: &Bound<PyAny>) -> bool {
    // Arrays of numpy have the method too, for the sake of those without a dimension.
    item.hasattr("__index__").unwrap_or(false) && as_array(item).is_none()
}

fn integer(item: &Bound<PyAny>, name: impl Fn() -> String) -> PyResult<u64> {
    // The quick way for what is right.
    if let Ok(value) = item.extract() {
        return Ok(value);
    }
    if !is_integer(item) {
        let kind = item.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!("{} must be an integer, not {kind}", name())));
    }
    let message = format!("{} must be between 0 and 2**64 - 1, not {item}", name());
    Err(invalid(item.py(), &message))
}

fn invalid(py: Python, message: &str) -> PyErr {
    error::of_kind(py, "invalid_argument", message)
}
