//! What another project would do with `mithril_core::python`.

use std::time::Duration;

use mithril_core::python::{
    CasException, CompressionException, MithrilException, StorageException, bytes_to_numpy,
    numpy_to_bytes, run_async, to_py_err,
};
use mithril_core::{
    Blake3Hash, CompressionLevel, Compressor, ContentAddressable, ContentAddressedStore, DType,
    HashFunction, LocalStorage, MithrilError, StorageBackend, ZstdCompressor,
};
use pyo3::prelude::*;

#[pymodule]
fn mithril_extension(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MithrilException", py.get_type::<MithrilException>())?;
    module.add("StorageException", py.get_type::<StorageException>())?;
    module.add("CompressionException", py.get_type::<CompressionException>())?;
    module.add("CasException", py.get_type::<CasException>())?;
    module.add_function(wrap_pyfunction!(blake3, module)?)?;
    module.add_function(wrap_pyfunction!(is_copied, module)?)?;
    module.add_function(wrap_pyfunction!(round_trip, module)?)?;
    module.add_function(wrap_pyfunction!(from_bytes, module)?)?;
    module.add_function(wrap_pyfunction!(get, module)?)?;
    module.add_function(wrap_pyfunction!(retrieve, module)?)?;
    module.add_function(wrap_pyfunction!(decompress, module)?)?;
    module.add_function(wrap_pyfunction!(invalid_argument, module)?)?;
    module.add_function(wrap_pyfunction!(sleep, module)?)?;
    Ok(())
}

#[pyfunction]
fn blake3(py: Python<'_>, array: &Bound<'_, PyAny>) -> PyResult<String> {
    let bytes = numpy_to_bytes(py, array)?;
    Ok(Blake3Hash::new().hash_hex(&bytes))
}

#[pyfunction]
fn is_copied(py: Python<'_>, array: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(numpy_to_bytes(py, array)?.is_copy())
}

fn dtype(name: &str) -> PyResult<DType> {
    DType::from_numpy_str(name)
        .ok_or_else(|| to_py_err(MithrilError::InvalidArgument(format!("dtype {name:?}"))))
}

/// To bytes, through a compressor, and back.
#[pyfunction]
fn round_trip<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let bytes = numpy_to_bytes(py, array)?;
    let zstd = ZstdCompressor::new(CompressionLevel::Fastest);
    let packed = zstd.compress(&bytes).map_err(|error| to_py_err(error.into()))?;
    let unpacked = zstd.decompress(&packed).map_err(|error| to_py_err(error.into()))?;
    bytes_to_numpy(py, &unpacked, dtype(name)?)
}

#[pyfunction]
fn from_bytes<'py>(py: Python<'py>, data: &[u8], name: &str) -> PyResult<Bound<'py, PyAny>> {
    bytes_to_numpy(py, data, dtype(name)?)
}

#[pyfunction]
fn get(py: Python<'_>, root: &str, key: &str) -> PyResult<Vec<u8>> {
    let store = LocalStorage::new(root).map_err(|error| to_py_err(error.into()))?;
    run_async(py, async move { Ok(store.get(key).await?.to_vec()) })
}

#[pyfunction]
fn retrieve(py: Python<'_>, root: &str, address: &str) -> PyResult<Vec<u8>> {
    let store = LocalStorage::new(root).map_err(|error| to_py_err(error.into()))?;
    let cas = ContentAddressedStore::new(store, Blake3Hash::new());
    run_async(py, async move { Ok(cas.retrieve(address).await?.to_vec()) })
}

#[pyfunction]
fn decompress(data: &[u8]) -> PyResult<Vec<u8>> {
    let zstd = ZstdCompressor::new(CompressionLevel::Default);
    zstd.decompress(data).map_err(|error| to_py_err(error.into()))
}

#[pyfunction]
fn invalid_argument() -> PyResult<()> {
    Err(to_py_err(MithrilError::InvalidArgument("what is wrong".to_owned())))
}

#[pyfunction]
fn sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    run_async(py, async move {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        Ok(())
    })
}
