//! Buckets of S3, and of the many servers that speak its language.

use std::fmt;
use std::sync::Arc;

use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

use super::StorageError;
use super::backend::forward_backend;
use super::bucket::{check_bucket, checked_prefix};
use super::remote::{Place, Remote, Settings, VersionBy, with_settings};

/// A bucket of S3, below a prefix.
///
/// [`new`](Self::new) takes endpoint, region and credentials from the environment (`AWS_*`), and
/// [`builder`](Self::builder) lets each of them be given. Without keys the instance's or the
/// container's role is asked. No method of construction touches the network.
///
/// Failures that may pass (a refused or broken connection, 429, 5xx) are tried again; what
/// stays is an error that names the key, the bucket and the endpoint, and no secret. Clones share
/// their connections; a forked process makes connections of its own.
///
/// ```no_run
/// use bytes::Bytes;
/// use mithril_core::{S3Storage, StorageBackend};
///
/// # async fn example() -> Result<(), mithril_core::StorageError> {
/// let storage = S3Storage::new("corpus", Some("cleaned/2026")).await?;
/// storage.put("part-0", Bytes::from("some text")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct S3Storage {
    remote: Arc<Remote>,
}

impl S3Storage {
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

    /// The bucket that `AWS_BUCKET_NAME` or `AWS_BUCKET` names.
    ///
    /// # Errors
    ///
    /// `Other` if neither is set, and as [`new`](Self::new).
    #[expect(clippy::unused_async, reason = "the contract's form; nothing is awaited")]
    pub async fn from_env() -> Result<Self, StorageError> {
        let bucket = AmazonS3Builder::from_env().get_config_value(&Key::Bucket);
        let bucket = bucket.ok_or_else(|| {
            StorageError::Other("no bucket: set AWS_BUCKET_NAME or AWS_BUCKET".to_owned())
        })?;
        Self::builder(bucket).build()
    }

    /// A builder for the bucket, with the settings of the environment until others are given.
    pub fn builder(bucket: impl Into<String>) -> S3StorageBuilder {
        S3StorageBuilder {
            bucket: bucket.into(),
            prefix: None,
            builder: AmazonS3Builder::from_env(),
            settings: Settings::default(),
        }
    }
}

forward_backend!([] S3Storage, this => this.remote);

impl fmt::Debug for S3Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Storage({})", self.remote.place())
    }
}

/// The settings of an [`S3Storage`].
///
/// ```
/// use mithril_core::S3Storage;
///
/// let storage = S3Storage::builder("corpus")
///     .with_prefix(Some("cleaned".to_owned()))
///     .with_endpoint("http://127.0.0.1:9000")
///     .with_allow_http(true)
///     .with_region("eu-central-1")
///     .with_credentials("key id", "secret")
///     .build()?;
/// assert_eq!(
///     format!("{storage:?}"),
///     "S3Storage(s3://corpus/cleaned at http://127.0.0.1:9000)"
/// );
/// # Ok::<(), mithril_core::StorageError>(())
/// ```
#[must_use]
#[derive(Clone)]
pub struct S3StorageBuilder {
    bucket: String,
    prefix: Option<String>,
    builder: AmazonS3Builder,
    settings: Settings,
}

impl S3StorageBuilder {
    /// What all keys begin with, without a slash at its ends.
    pub fn with_prefix(mut self, prefix: Option<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// The address of the server, if it is not Amazon's: `https://host:port`. Buckets are then part
    /// of the path, unless [`with_path_style(false)`](Self::with_path_style) says otherwise.
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.builder = self.builder.with_endpoint(endpoint);
        self
    }

    /// The region; `us-east-1` if neither this nor the environment says.
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.builder = self.builder.with_region(region);
        self
    }

    /// The id of the access key and its secret.
    pub fn with_credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        self.builder = self
            .builder
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key);
        self
    }

    /// The token that goes with temporary keys.
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.builder = self.builder.with_token(token);
        self
    }

    /// Requests without a signature, for public buckets.
    pub fn with_anonymous(mut self, anonymous: bool) -> Self {
        self.builder = self.builder.with_skip_signature(anonymous);
        self
    }

    /// Whether the bucket is part of the path (`host/bucket/key`) or of the host's name
    /// (`bucket.host/key`).
    pub fn with_path_style(mut self, path_style: bool) -> Self {
        self.builder = self.builder.with_virtual_hosted_style_request(!path_style);
        self
    }

    with_settings!();

    /// The store. It touches no network.
    ///
    /// # Errors
    ///
    /// `Other` if the settings make no sense, `InvalidKey` if no key can begin with the prefix.
    pub fn build(self) -> Result<S3Storage, StorageError> {
        let Self { bucket, prefix, builder, settings } = self;
        check_bucket(&bucket).map_err(StorageError::Other)?;
        settings.check()?;
        let prefix = checked_prefix(prefix.as_deref())?;
        let value = |key: Key| builder.get_config_value(&key);
        let region = value(Key::Region).or_else(|| value(Key::DefaultRegion));
        let endpoint =
            value(Key::S3Endpoint).or_else(|| value(Key::Endpoint)).unwrap_or_else(|| {
                format!("https://s3.{}.amazonaws.com", region.as_deref().unwrap_or("us-east-1"))
            });
        let allow_http = ClientConfigKey::AllowHttp;
        let http_allowed = settings.allow_http.unwrap_or_else(|| {
            value(Key::Client(allow_http)).is_some_and(|value| value.parse().unwrap_or(false))
        });
        let url = match &prefix {
            Some(prefix) => format!("s3://{bucket}/{prefix}"),
            None => format!("s3://{bucket}"),
        };
        let secrets = [
            value(Key::SecretAccessKey),
            value(Key::Token),
            "aws_sse_customer_key_base64".parse().ok().and_then(value),
            value(Key::Client(ClientConfigKey::ProxyUrl)).filter(|url| url.contains('@')),
        ];
        let place = Place::new(url, &endpoint, bucket.clone(), secrets);
        if endpoint.starts_with("http://") && !http_allowed {
            return Err(StorageError::Other(format!(
                "{place}: the endpoint is not encrypted; allow that with `with_allow_http` or \
                 AWS_ALLOW_HTTP=true"
            )));
        }
        let options = settings.client(http_allowed, |key| value(Key::Client(key)));
        let builder = builder
            .with_bucket_name(bucket)
            .with_disable_bulk_delete(true)
            .with_retry(settings.retry())
            .with_client_options(options)
            .with_http_connector(settings.connector());
        let make = Box::new(move || Ok(Arc::new(builder.clone().build()?) as Arc<_>));
        Ok(S3Storage { remote: Remote::new(make, place, prefix, VersionBy::Etag, settings)? })
    }
}

impl fmt::Debug for S3StorageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3StorageBuilder")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
