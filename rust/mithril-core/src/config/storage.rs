//! A store in a configuration: a URL, or a table.

use crate::{StorageConfig, StorageError};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

/// One struct for all kinds rather than an enum with a tag: serde buffers such an enum, and its errors
/// then know neither the key nor the line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Local,
    S3,
    Gcs,
    Memory,
}

/// As a table, which is exact where the URL of a relative path is not; nothing if no store is named.
impl Serialize for StorageConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = |kind| Table { kind, path: None, bucket: None, prefix: None };
        let in_bucket = |kind, bucket: &String, prefix: &Option<String>| Table {
            bucket: Some(bucket.clone()),
            prefix: prefix.clone(),
            ..table(kind)
        };
        match self {
            Self::Unset => return serializer.serialize_none(),
            Self::Memory => table(Kind::Memory),
            Self::Local { path } => Table { path: Some(path.clone()), ..table(Kind::Local) },
            Self::S3 { bucket, prefix } => in_bucket(Kind::S3, bucket, prefix),
            Self::Gcs { bucket, prefix } => in_bucket(Kind::Gcs, bucket, prefix),
        }
        .serialize(serializer)
    }
}

/// From a URL or a table; a null names no store.
impl<'de> Deserialize<'de> for StorageConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UrlOrTable)
    }
}

struct UrlOrTable;

impl<'de> Visitor<'de> for UrlOrTable {
    type Value = StorageConfig;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the URL of a store, or a table with its type")
    }

    fn visit_unit<E: Error>(self) -> Result<StorageConfig, E> {
        Ok(StorageConfig::Unset)
    }

    fn visit_none<E: Error>(self) -> Result<StorageConfig, E> {
        Ok(StorageConfig::Unset)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<StorageConfig, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<StorageConfig, E> {
        from_url(url).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StorageConfig, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        table.checked().map_err(A::Error::custom)
    }
}

impl Table {
    fn checked(self) -> Result<StorageConfig, String> {
        match (self.kind, self.path, self.bucket, self.prefix) {
            (Kind::Local, Some(path), None, None) if !path.as_os_str().is_empty() => {
                Ok(StorageConfig::Local { path })
            }
            (Kind::Local, ..) => Err("a local store has a path, and nothing else".to_owned()),
            (Kind::S3, None, Some(bucket), prefix) => in_bucket("s3", &bucket, prefix),
            (Kind::S3, ..) => Err("an s3 store has a bucket, and perhaps a prefix".to_owned()),
            (Kind::Gcs, None, Some(bucket), prefix) => in_bucket("gs", &bucket, prefix),
            (Kind::Gcs, ..) => Err("a gcs store has a bucket, and perhaps a prefix".to_owned()),
            (Kind::Memory, None, None, None) => Ok(StorageConfig::Memory),
            (Kind::Memory, ..) => Err("a memory store has nothing but its type".to_owned()),
        }
    }
}

/// Checked as the URL is, by being one.
fn in_bucket(scheme: &str, bucket: &str, prefix: Option<String>) -> Result<StorageConfig, String> {
    if bucket.contains('/') {
        return Err(format!("the bucket {bucket:?} has a slash; what follows it is the prefix"));
    }
    let url = format!("{scheme}://{bucket}/{}", prefix.unwrap_or_default());
    from_url(&url)
}

/// The store of a URL; an error is the text of [`StorageError::Other`], which says all.
pub(super) fn from_url(url: &str) -> Result<StorageConfig, String> {
    url.parse().map_err(|error| match error {
        StorageError::Other(message) => message,
        error => error.to_string(),
    })
}
