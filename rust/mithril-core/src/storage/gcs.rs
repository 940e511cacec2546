//! Buckets of Google Cloud Storage.

use std::fmt;
use std::sync::Arc;

use object_store::ClientConfigKey;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};

use super::StorageError;
use super::backend::forward_backend;
use super::bucket::{check_bucket, checked_prefix};
use super::remote::{Place, Remote, Settings, VersionBy, with_settings};

const ENDPOINT: &str = "https://storage.googleapis.com";

/// A bucket of Google Cloud Storage, below a prefix.
///
/// [`new`](Self::new) takes the credentials from the environment (`GOOGLE_SERVICE_ACCOUNT`,
/// `GOOGLE_SERVICE_ACCOUNT_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, else those of the machine).
/// The etag of an object is its generation; listings have none. Everything else is as with
/// [`S3Storage`](crate::S3Storage).
///
/// ```no_run
/// use bytes::Bytes;
/// use mithril_core::{GcsStorage, StorageBackend};
///
/// # async fn example() -> Result<(), mithril_core::StorageError> {
/// let storage = GcsStorage::new("corpus", Some("cleaned/2026")).await?;
/// storage.put("part-0", Bytes::from("some text")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GcsStorage {
    remote: Arc<Remote>,
}

impl GcsStorage {
    /// The bucket, below `prefix`, with all else from the environment.
    ///
    /// # Errors
    ///
    /// `Other` if the settings in the environment make no sense, `InvalidKey` if no key can begin
    /// with the prefix.
    #[expect(clippy::unused_async, reason = "the contract's form; nothing is awaited")]
    pub async fn new(bucket: &str, prefix: Option<&str>) -> Result<Self, StorageError> {
        Self::builder(bucket).with_prefix(prefix.map(str::to_owned)).build()
    }

    /// A builder for the bucket, with the settings of the environment until others are given.
    pub fn builder(bucket: impl Into<String>) -> GcsStorageBuilder {
        GcsStorageBuilder {
            bucket: bucket.into(),
            prefix: None,
            builder: GoogleCloudStorageBuilder::from_env(),
            settings: Settings::default(),
        }
    }
}

forward_backend!([] GcsStorage, this => this.remote);

impl fmt::Debug for GcsStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GcsStorage({})", self.remote.place())
    }
}

/// The settings of a [`GcsStorage`].
///
/// ```
/// use mithril_core::GcsStorage;
///
/// let storage = GcsStorage::builder("corpus").with_anonymous(true).build()?;
/// assert_eq!(
///     format!("{storage:?}"),
///     "GcsStorage(gs://corpus at https://storage.googleapis.com)"
/// );
/// # Ok::<(), mithril_core::StorageError>(())
/// ```
#[must_use]
#[derive(Clone)]
pub struct GcsStorageBuilder {
    bucket: String,
    prefix: Option<String>,
    builder: GoogleCloudStorageBuilder,
    settings: Settings,
}

impl GcsStorageBuilder {
    /// What all keys begin with, without a slash at its ends.
    pub fn with_prefix(mut self, prefix: Option<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// The address of the server, if it is not Google's.
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.builder = self.builder.with_config(Key::BaseUrl, endpoint);
        self
    }

    /// The key of a service account, as the JSON text that Google hands out.
    pub fn with_service_account_key(mut self, json: impl Into<String>) -> Self {
        self.builder = self.builder.with_service_account_key(json);
        self
    }

    /// The file with the key of a service account.
    pub fn with_service_account_path(mut self, path: impl Into<String>) -> Self {
        self.builder = self.builder.with_service_account_path(path);
        self
    }

    /// Requests without a signature, for public buckets.
    pub fn with_anonymous(mut self, anonymous: bool) -> Self {
        self.builder = self.builder.with_skip_signature(anonymous);
        self
    }

    with_settings!();

    /// The store. It touches no network.
    ///
    /// # Errors
    ///
    /// `Other` if the settings make no sense, `InvalidKey` if no key can begin with the prefix.
    pub fn build(self) -> Result<GcsStorage, StorageError> {
        let Self { bucket, prefix, builder, settings } = self;
        check_bucket(&bucket).map_err(StorageError::Other)?;
        settings.check()?;
        let prefix = checked_prefix(prefix.as_deref())?;
        let url = match &prefix {
            Some(prefix) => format!("gs://{bucket}/{prefix}"),
            None => format!("gs://{bucket}"),
        };
        let value = |key: Key| builder.get_config_value(&key);
        let account = value(Key::ServiceAccountKey);
        let secrets = [
            account.as_deref().and_then(|key| member(key, "private_key")),
            account.clone(),
            value(Key::Client(ClientConfigKey::ProxyUrl)).filter(|url| url.contains('@')),
        ];
        let shown = value(Key::BaseUrl)
            .or_else(|| member(account.as_deref()?, "gcs_base_url"))
            .unwrap_or_else(|| ENDPOINT.to_owned());
        let place = Place::new(url, &shown, bucket.clone(), secrets);
        if shown.starts_with("http://") && settings.allow_http != Some(true) {
            return Err(StorageError::Other(format!(
                "{place}: the endpoint is not encrypted; allow that with `with_allow_http`"
            )));
        }
        let options =
            settings.client(settings.allow_http == Some(true), |key| value(Key::Client(key)));
        let builder = builder
            .with_bucket_name(bucket)
            .with_retry(settings.retry())
            .with_client_options(options)
            .with_http_connector(settings.connector());
        let make = Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<_>));
        Ok(GcsStorage {
            remote: Remote::new(make, place, prefix, VersionBy::Generation, settings)?,
        })
    }
}

/// A text in the JSON document that is a service account's key.
fn member(key: &str, name: &str) -> Option<String> {
    let key: serde_json::Value = serde_json::from_str(key).ok()?;
    Some(key.get(name)?.as_str()?.to_owned())
}

impl fmt::Debug for GcsStorageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsStorageBuilder")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
