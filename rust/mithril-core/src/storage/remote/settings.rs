//! How a store behind a network is spoken to, whichever it is.

use std::time::Duration;

use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};

use super::connection::Connector;
use crate::storage::StorageError;

/// S3 takes no smaller parts but the last.
const SMALLEST_PART: usize = 5 << 20;
/// Four of them are under way at a time: 64 MiB of memory, and 10,000 of them make 156 GiB.
const PART: usize = 16 << 20;

/// All that is not a limit of time, for which there are settings of our own.
const FROM_THE_ENVIRONMENT: [ClientConfigKey; 6] = [
    ClientConfigKey::AllowInvalidCertificates,
    ClientConfigKey::NoSystemCertificates,
    ClientConfigKey::ProxyUrl,
    ClientConfigKey::ProxyCaCertificate,
    ClientConfigKey::ProxyExcludes,
    ClientConfigKey::UserAgent,
];

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) retries: usize,
    pub(crate) retry_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) allow_http: Option<bool>,
    pub(crate) part_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retries: 5,
            retry_timeout: Duration::from_secs(180),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            allow_http: None,
            part_size: PART,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.part_size < SMALLEST_PART {
            return Err(StorageError::Other(format!(
                "a part size of {} bytes: stores take parts of at least {SMALLEST_PART}",
                self.part_size
            )));
        }
        Ok(())
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector { timeout: self.timeout }
    }

    pub(crate) fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: self.retries,
            retry_timeout: self.retry_timeout,
        }
    }

    /// What the environment says about connections (`AWS_PROXY_URL` and the like) and what was set here. A limit on the whole request would end every large transfer;
    /// what is limited is the time in which nothing arrives.
    pub(crate) fn client(
        &self,
        http_allowed: bool,
        environment: impl Fn(ClientConfigKey) -> Option<String>,
    ) -> ClientOptions {
        let options =
            FROM_THE_ENVIRONMENT.into_iter().fold(ClientOptions::new(), |options, key| {
                match environment(key) {
                    Some(value) => options.with_config(key, value),
                    None => options,
                }
            });
        options
            .with_timeout_disabled()
            .with_connect_timeout(self.connect_timeout)
            .with_allow_http(http_allowed)
    }
}

/// The setters that every builder of such a store has.
macro_rules! with_settings {
    () => {
        /// Whether the endpoint may be `http://`, where anybody on the way can read along.
        pub fn with_allow_http(mut self, allow: bool) -> Self {
            self.settings.allow_http = Some(allow);
            self
        }

        /// How often a request is tried again after a failure that may pass: 5 times if not set.
        pub fn with_retries(mut self, retries: usize) -> Self {
            self.settings.retries = retries;
            self
        }

        /// How long after its beginning a request is still tried again: 180 s if not set.
        pub fn with_retry_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.retry_timeout = timeout;
            self
        }

        /// For how long nothing may arrive before a server counts as stalled: 60 s if not set. What is
        /// being sent has longer, by a second for each 64 KiB.
        pub fn with_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.timeout = timeout;
            self
        }

        /// How long connecting may take: 5 s if not set.
        pub fn with_connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.connect_timeout = timeout;
            self
        }

        /// The size of the parts, in bytes, in which large objects are sent: 16 MiB if not set, at
        /// least 5 MiB. Four parts are under way at a time, and an object has at most 10,000.
        pub fn with_part_size(mut self, bytes: usize) -> Self {
            self.settings.part_size = bytes;
            self
        }
    };
}

pub(crate) use with_settings;
