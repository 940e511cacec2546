//! Which store, with which settings, as the package passes them.

use mithril_core::{
    GcsStorage, LocalStorage, MemoryStorage, S3Storage, StorageBackend, StorageConfig, StorageError,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A store and its settings; what is null is taken from the environment, or is the default.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Config {
    Memory {},
    Local {
        path: PathBuf,
        durable: bool,
    },
    Temporary {
        durable: bool,
    },
    S3 {
        bucket: String,
        prefix: Option<String>,
        endpoint: Option<String>,
        region: Option<String>,
        access_key_id: Option<String>,
        secret_access_key: Option<String>,
        session_token: Option<String>,
        anonymous: Option<bool>,
        path_style: Option<bool>,
        connection: Connection,
    },
    Gcs {
        bucket: String,
        prefix: Option<String>,
        endpoint: Option<String>,
        service_account_key: Option<String>,
        service_account_path: Option<String>,
        anonymous: Option<bool>,
        connection: Connection,
    },
}

/// How a server is spoken to; times are in seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    allow_http: Option<bool>,
    retries: Option<usize>,
    retry_timeout: Option<f64>,
    timeout: Option<f64>,
    connect_timeout: Option<f64>,
    part_size: Option<usize>,
}

/// A store, and what it is called where nothing else may be known of it.
pub(super) type Opened = (Arc<dyn StorageBackend>, String);

/// Each setting that is given, by the method of the builder that sets it.
macro_rules! given {
    ($builder:expr, $($value:expr => $with:ident),+ $(,)?) => {{
        let builder = $builder;
        $(let builder = match $value { Some(value) => builder.$with(value), None => builder };)+
        builder
    }};
}

impl Config {
    pub(super) fn open(self) -> Result<Opened, StorageError> {
        match self {
            Self::Memory {} => {
                Ok((Arc::new(MemoryStorage::new()), StorageConfig::Memory.to_string()))
            }
            Self::Local { path, durable } => Ok(folder(LocalStorage::new(path)?, durable)),
            Self::Temporary { durable } => Ok(folder(LocalStorage::temp()?, durable)),
            Self::S3 {
                bucket,
                prefix,
                endpoint,
                region,
                access_key_id,
                secret_access_key,
                session_token,
                anonymous,
                path_style,
                connection,
            } => {
                let builder = given!(S3Storage::builder(&bucket).with_prefix(prefix.clone()),
                    endpoint => with_endpoint,
                    region => with_region,
                    session_token => with_session_token,
                    anonymous => with_anonymous,
                    path_style => with_path_style,
                );
                let builder = match (access_key_id, secret_access_key) {
                    (Some(id), Some(secret)) => builder.with_credentials(id, secret),
                    (None, None) => builder,
                    _ => {
                        return Err(StorageError::Other(
                            "access_key_id and secret_access_key go together".to_owned(),
                        ));
                    }
                };
                let store = connection.set(builder)?.build()?;
                Ok((Arc::new(store), StorageConfig::S3 { bucket, prefix }.to_string()))
            }
            Self::Gcs {
                bucket,
                prefix,
                endpoint,
                service_account_key,
                service_account_path,
                anonymous,
                connection,
            } => {
                let builder = given!(GcsStorage::builder(&bucket).with_prefix(prefix.clone()),
                    endpoint => with_endpoint,
                    service_account_key => with_service_account_key,
                    service_account_path => with_service_account_path,
                    anonymous => with_anonymous,
                );
                let store = connection.set(builder)?.build()?;
                Ok((Arc::new(store), StorageConfig::Gcs { bucket, prefix }.to_string()))
            }
        }
    }
}

fn folder(store: LocalStorage, durable: bool) -> Opened {
    let url = StorageConfig::Local { path: store.root().to_owned() }.to_string();
    (Arc::new(store.with_durability(durable)), url)
}

impl Connection {
    fn set<B: Remote>(self, builder: B) -> Result<B, StorageError> {
        let seconds = |name: &str, value: Option<f64>| {
            let convert = |value| {
                Duration::try_from_secs_f64(value).map_err(|error| {
                    StorageError::Other(format!("{name}: {value} seconds: {error}"))
                })
            };
            value.map(convert).transpose()
        };
        Ok(given!(builder,
            self.allow_http => allow_http,
            self.retries => retries,
            seconds("retry_timeout", self.retry_timeout)? => retry_timeout,
            seconds("timeout", self.timeout)? => timeout,
            seconds("connect_timeout", self.connect_timeout)? => connect_timeout,
            self.part_size => part_size,
        ))
    }
}

/// The builders of `mithril-core`, which have the same setters.
trait Remote: Sized {
    fn allow_http(self, value: bool) -> Self;
    fn retries(self, value: usize) -> Self;
    fn retry_timeout(self, value: Duration) -> Self;
    fn timeout(self, value: Duration) -> Self;
    fn connect_timeout(self, value: Duration) -> Self;
    fn part_size(self, value: usize) -> Self;
}

macro_rules! remote {
    ($($builder:ty),+) => {$(
        impl Remote for $builder {
            fn allow_http(self, value: bool) -> Self { self.with_allow_http(value) }
            fn retries(self, value: usize) -> Self { self.with_retries(value) }
            fn retry_timeout(self, value: Duration) -> Self { self.with_retry_timeout(value) }
            fn timeout(self, value: Duration) -> Self { self.with_timeout(value) }
            fn connect_timeout(self, value: Duration) -> Self { self.with_connect_timeout(value) }
            fn part_size(self, value: usize) -> Self { self.with_part_size(value) }
        }
    )+};
}

remote!(mithril_core::S3StorageBuilder, mithril_core::GcsStorageBuilder);

/// What a URL says of a store.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Parsed {
    Memory,
    Local { path: PathBuf },
    S3 { bucket: String, prefix: Option<String> },
    Gcs { bucket: String, prefix: Option<String> },
}

impl Parsed {
    pub(super) fn of(url: &str) -> Result<Self, StorageError> {
        match url.parse()? {
            StorageConfig::Local { path } => Ok(Self::Local { path }),
            StorageConfig::S3 { bucket, prefix } => Ok(Self::S3 { bucket, prefix }),
            StorageConfig::Gcs { bucket, prefix } => Ok(Self::Gcs { bucket, prefix }),
            StorageConfig::Memory => Ok(Self::Memory),
            other => Err(StorageError::Unsupported(format!("the store {other}"))),
        }
    }
}
