//! Which store, as data: for configuration files and command lines.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{
    BoxedStorage, GcsStorage, LocalStorage, MemoryStorage, S3Storage, StorageBackend, StorageError,
};

/// Which store to open.
///
/// It is written as a URL (`Display` and `FromStr`):
///
/// ```
/// use mithril_core::StorageConfig;
///
/// let config: StorageConfig = "s3://corpus/cleaned/2026".parse()?;
/// assert_eq!(
///     config,
///     StorageConfig::S3 { bucket: "corpus".into(), prefix: Some("cleaned/2026".into()) }
/// );
/// assert_eq!(config.to_string(), "s3://corpus/cleaned/2026");
/// # Ok::<(), mithril_core::StorageError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageConfig {
    /// No store was named. [`create_storage`] refuses it, and [`CoreConfig::merge`] takes the other
    /// configuration's store instead.
    ///
    /// [`CoreConfig::merge`]: crate::CoreConfig::merge
    #[default]
    Unset,
    /// A folder: `file:///absolute/path`, or a plain path.
    Local {
        /// The folder; it is made if it is not there.
        path: PathBuf,
    },
    /// A bucket of S3 or of a server that speaks its language: `s3://bucket/prefix`. Endpoint, region
    /// and credentials come from the environment (`AWS_*`).
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What all keys begin with, without a slash at its ends.
        prefix: Option<String>,
    },
    /// A bucket of Google Cloud Storage: `gs://bucket/prefix`. Credentials come from the environment
    /// (`GOOGLE_*`).
    Gcs {
        /// The bucket's name.
        bucket: String,
        /// What all keys begin with, without a slash at its ends.
        prefix: Option<String>,
    },
    /// The memory of this process, for tests: `memory://`.
    Memory,
}

/// Opens the store that `config` names, without touching the network.
///
/// # Errors
///
/// `Other` if no store is named or its settings in the environment make no sense, `Io` if
/// the folder of a local store cannot be made.
///
/// ```
/// use mithril_core::{StorageConfig, create_storage};
///
/// let storage = create_storage("memory://".parse()?)?;
/// # let _ = storage;
/// # Ok::<(), mithril_core::StorageError>(())
/// ```
pub fn create_storage(config: StorageConfig) -> Result<Box<dyn StorageBackend>, StorageError> {
    let storage: BoxedStorage = match config {
        StorageConfig::Unset => {
            return Err(StorageError::Other(
                "no store was named; give a URL such as file:///data or s3://bucket/prefix"
                    .to_owned(),
            ));
        }
        StorageConfig::Local { path } => Box::new(LocalStorage::new(path)?),
        StorageConfig::S3 { bucket, prefix } => {
            Box::new(S3Storage::builder(bucket).with_prefix(prefix).build()?)
        }
        StorageConfig::Gcs { bucket, prefix } => {
            Box::new(GcsStorage::builder(bucket).with_prefix(prefix).build()?)
        }
        StorageConfig::Memory => Box::new(MemoryStorage::new()),
    };
    Ok(storage)
}

impl FromStr for StorageConfig {
    type Err = StorageError;

    fn from_str(url: &str) -> Result<Self, StorageError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return match url {
                "" => Err(invalid(url, "it is empty")),
                path => Ok(Self::Local { path: PathBuf::from(path) }),
            };
        };
        match scheme {
            "file" => local(url, rest),
            "memory" if rest.is_empty() || rest == "/" => Ok(Self::Memory),
            "memory" => Err(invalid(url, "a memory store has no name; write memory://")),
            "s3" | "s3a" => {
                let (bucket, prefix) = bucket_and_prefix(url, rest)?;
                Ok(Self::S3 { bucket, prefix })
            }
            "gs" | "gcs" => {
                let (bucket, prefix) = bucket_and_prefix(url, rest)?;
                Ok(Self::Gcs { bucket, prefix })
            }
            _ => Err(invalid(url, "known are file://, memory://, s3:// and gs://")),
        }
    }
}

impl fmt::Display for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, bucket, prefix) = match self {
            Self::Unset => return Ok(()),
            Self::Memory => return f.write_str("memory://"),
            // A relative path has no URL; it is its own form.
            Self::Local { path } if path.is_absolute() => {
                return write!(f, "file://{}", escaped(path));
            }
            Self::Local { path } => return write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } => ("s3", bucket, prefix),
            Self::Gcs { bucket, prefix } => ("gs", bucket, prefix),
        };
        write!(f, "{scheme}://{bucket}")?;
        match prefix {
            Some(prefix) => write!(f, "/{prefix}"),
            None => Ok(()),
        }
    }
}

/// `%`, `?` and `#` mean something in a URL; all else a path may hold stays readable.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

fn local(url: &str, rest: &str) -> Result<StorageConfig, StorageError> {
    let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(invalid(url, "the path of a file URL is absolute: file:///data"));
    }
    let path = unescaped(path).ok_or_else(|| invalid(url, "it has a broken %-escape"))?;
    Ok(StorageConfig::Local { path: PathBuf::from(path) })
}

/// The text with `%XX` resolved; none if an escape is not two hexadecimal digits or the outcome is
/// not UTF-8 or holds a NUL.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|&byte| byte != 0)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Object keys are not escaped in such URLs: `s3://bucket/50%` names the prefix `50%`, as the
/// command line tools of the stores have it.
fn bucket_and_prefix(url: &str, rest: &str) -> Result<(String, Option<String>), StorageError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    super::bucket::check_bucket(bucket).map_err(|fault| {
        let has_user = rest.contains('@');
        let no_user = "a key does not belong into it, but into the environment";
        invalid(url, if has_user { no_user } else { &fault })
    })?;
    let prefix = super::bucket::checked_prefix(Some(prefix))?;
    Ok((bucket.to_owned(), prefix))
}

fn invalid(url: &str, fault: &str) -> StorageError {
    // What stands before an `@` may be a secret that somebody pasted.
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://...@{rest}"),
        _ => url.to_owned(),
    };
    StorageError::Other(format!("store URL {shown:?}: {fault}"))
}
