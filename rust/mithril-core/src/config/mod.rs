//! Settings from a file or the environment.
//!
//! A file is TOML, JSON or YAML, by its suffix; all keys are optional:
//!
//! ```toml
//! storage = "s3://corpus/cleaned"
//! temp_dir = "/var/tmp"
//! log_level = "info"
//! ```
//!
//! `storage` is a URL, or a table:
//!
//! ```toml
//! [storage]
//! type = "s3"         # or "gcs", with a bucket and a prefix; "local", with a path; "memory"
//! bucket = "corpus"
//! prefix = "cleaned"
//! ```
//!
//! | variable | sets |
//! |---|---|
//! | `MITHRIL_STORAGE` | `storage`, as a URL |
//! | `MITHRIL_TEMP_DIR` | `temp_dir` |
//! | `MITHRIL_LOG_LEVEL` | `log_level` |
//! | `MITHRIL_NUM_THREADS` | nothing here: the threads of [`runtime`](mod@crate::runtime) |
//!
//! A key or a variable `MITHRIL_*` that is none of these is an error: one that is misspelt would else
//! go unnoticed.

mod environment;
mod file;
mod storage;

use crate::{Result, StorageConfig};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// Settings that the building blocks share.
///
/// A field that was left out is `Unset` or `None`. Of several sources, such as a file and the
/// environment, [`merge`](Self::merge) makes one.
///
/// ```
/// use mithril_core::{CoreConfig, StorageConfig};
///
/// let config = CoreConfig {
///     storage: StorageConfig::Memory,
///     temp_dir: None,
///     log_level: Some("debug".to_owned()),
/// };
/// assert_eq!(CoreConfig::default().merge(config.clone()), config);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoreConfig {
    /// The store that data is read from and written to.
    #[serde(skip_serializing_if = "is_unset")]
    pub storage: StorageConfig,
    /// The folder for temporary files; the system's if none is given.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "folder")]
    pub temp_dir: Option<PathBuf>,
    /// What is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`. Read in upper or lower case,
    /// and kept in lower.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "level")]
    pub log_level: Option<String>,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl CoreConfig {
    /// Reads a file whose name ends in `.toml`, `.json`, `.yaml` or `.yml`; an empty one sets nothing.
    ///
    /// # Errors
    ///
    /// `Io`, with the path, if the file cannot be read; `Config`, with path, line and key, if it has
    /// another suffix, is longer than 1 MiB, is not of its format, or has an unknown key or a value
    /// that makes no sense.
    ///
    /// ```
    /// use mithril_core::{CoreConfig, StorageConfig};
    ///
    /// let folder = std::env::temp_dir().join(format!("mithril-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder)?;
    /// let path = folder.join("mithril.toml");
    /// std::fs::write(&path, "storage = \"memory://\"\nlog_levle = \"info\"\n")?;
    /// let error = CoreConfig::from_file(&path).unwrap_err().to_string();
    /// assert!(error.contains("mithril.toml:2"));
    /// assert!(error.contains("unknown field `log_levle`"));
    ///
    /// std::fs::write(&path, "storage = \"memory://\"\n")?;
    /// assert_eq!(CoreConfig::from_file(&path)?.storage, StorageConfig::Memory);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        file::read(path.as_ref())
    }

    /// Reads the environment variables `MITHRIL_*`; an empty one counts as not set.
    ///
    /// # Errors
    ///
    /// `Config`, with the variable's name, for an unknown variable or a value that makes no sense.
    ///
    /// ```
    /// # fn main() -> mithril_core::Result<()> {
    /// use mithril_core::CoreConfig;
    ///
    /// let defaults = CoreConfig { log_level: Some("warn".to_owned()), ..CoreConfig::default() };
    /// let config = defaults.merge(CoreConfig::from_env()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_env() -> Result<Self> {
        Self::from_variables(std::env::vars_os())
    }

    /// Reads variables as [`from_env`](Self::from_env) does, from any source; names that do not begin
    /// with `MITHRIL_` are passed over.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use mithril_core::CoreConfig;
    ///
    /// let config = CoreConfig::from_variables([("MITHRIL_LOG_LEVEL", "WARN"), ("HOME", "/root")])?;
    /// assert_eq!(config.log_level.as_deref(), Some("warn"));
    ///
    /// let error = CoreConfig::from_variables([("MITHRIL_LOG_LEVEL", "loud")]).unwrap_err();
    /// assert!(error.to_string().contains("MITHRIL_LOG_LEVEL"));
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn from_variables<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: Into<std::ffi::OsString>,
        V: Into<std::ffi::OsString>,
    {
        environment::read(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
    }

    /// This configuration, with every field that `other` gives taken from there.
    ///
    /// A field that `other` leaves out does not erase this one's. A store is taken whole: the prefix
    /// of one is never put into the bucket of the other.
    ///
    /// ```
    /// use mithril_core::{CoreConfig, StorageConfig};
    ///
    /// let file = CoreConfig {
    ///     storage: StorageConfig::Memory,
    ///     log_level: Some("info".to_owned()),
    ///     ..CoreConfig::default()
    /// };
    /// let variables = CoreConfig { log_level: Some("trace".to_owned()), ..CoreConfig::default() };
    /// let merged = file.merge(variables);
    /// assert_eq!(merged.storage, StorageConfig::Memory);
    /// assert_eq!(merged.log_level.as_deref(), Some("trace"));
    /// ```
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            storage: if is_unset(&other.storage) { self.storage } else { other.storage },
            temp_dir: other.temp_dir.or(self.temp_dir),
            log_level: other.log_level.or(self.log_level),
        }
    }
}

fn is_unset(storage: &StorageConfig) -> bool {
    *storage == StorageConfig::Unset
}

/// The level in lower case; an error names it and those there are.
fn checked_level(level: &str) -> std::result::Result<String, String> {
    let level = level.to_ascii_lowercase();
    if LEVELS.contains(&level.as_str()) {
        return Ok(level);
    }
    Err(format!("unknown level {level:?}, expected one of {}", LEVELS.join(", ")))
}

fn level<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    let level = Option::<String>::deserialize(deserializer)?;
    level.map(|level| checked_level(&level)).transpose().map_err(serde::de::Error::custom)
}

fn folder<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<PathBuf>, D::Error> {
    let folder = Option::<PathBuf>::deserialize(deserializer)?;
    if folder.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
        return Err(serde::de::Error::custom(
            "the path is empty; leave the key out for the default",
        ));
    }
    Ok(folder)
}
