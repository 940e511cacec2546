//! Settings from files and the environment.

use crate::error::{self, Place};
use mithril_core::{CoreConfig, MithrilError};
use pyo3::prelude::*;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Settings; the class `mithril.CoreConfig` wraps them.
#[pyclass(name = "CoreConfig", module = "mithril._native", frozen)]
pub(crate) struct PyCoreConfig(CoreConfig);

fn raised(py: Python, outcome: mithril_core::Result<CoreConfig>) -> PyResult<PyCoreConfig> {
    outcome.map(PyCoreConfig).map_err(|error| match error {
        // As Python says that a file is not there, or may not be read.
        MithrilError::Io(error) => error.into(),
        error => error::at(py, error, &Place::default()),
    })
}

#[pymethods]
impl PyCoreConfig {
    #[new]
    fn new(
        py: Python,
        storage: Option<String>,
        temp_dir: Option<PathBuf>,
        log_level: Option<String>,
    ) -> PyResult<Self> {
        let mut config = CoreConfig::default();
        for (name, value) in [("storage", storage), ("log_level", log_level)] {
            let Some(value) = value else { continue };
            let table = Value::Object(Map::from_iter([(name.to_owned(), Value::String(value))]));
            let one = serde_json::from_value(table).map_err(|problem| {
                error::of_kind(py, "invalid_argument", &format!("{name}: {problem}"))
            })?;
            config = config.merge(one);
        }
        if temp_dir.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            let message = "temp_dir: the path is empty; leave it out for the default";
            return Err(error::of_kind(py, "invalid_argument", message));
        }
        Ok(Self(CoreConfig { temp_dir, ..config }))
    }

    #[staticmethod]
    fn from_file(py: Python, path: PathBuf) -> PyResult<Self> {
        raised(py, CoreConfig::from_file(path))
    }

    #[staticmethod]
    fn from_variables(py: Python, variables: HashMap<OsString, OsString>) -> PyResult<Self> {
        raised(py, CoreConfig::from_variables(variables))
    }

    fn merge(&self, other: &Self) -> Self {
        Self(self.0.clone().merge(other.0.clone()))
    }

    /// The URL of the store, or its path.
    #[getter]
    fn storage(&self) -> Option<String> {
        let url = self.0.storage.to_string();
        (!url.is_empty()).then_some(url)
    }

    #[getter]
    fn temp_dir(&self) -> Option<&Path> {
        self.0.temp_dir.as_deref()
    }

    #[getter]
    fn log_level(&self) -> Option<&str> {
        self.0.log_level.as_deref()
    }
}
