//! From what a server answered to an error that names the key, the place and the cause, and no
//! secret.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use object_store::Error;
use object_store::client::HttpError;

use crate::storage::StorageError;
use crate::storage::key::shown;

/// What every message about a store says.
#[derive(Clone)]
pub(crate) struct Place {
    inner: Arc<Inner>,
}

struct Inner {
    /// `s3://bucket/prefix`
    url: String,
    endpoint: String,
    bucket: String,
    /// What no message may hold, whoever wrote it.
    secrets: Vec<String>,
}

impl Place {
    pub(crate) fn new(
        url: String,
        endpoint: &str,
        bucket: String,
        secrets: impl IntoIterator<Item = Option<String>>,
    ) -> Self {
        let secrets = secrets.into_iter().flatten().filter(|secret| !secret.is_empty()).collect();
        let inner = Inner { url, endpoint: without_user(endpoint), bucket, secrets };
        Self { inner: Arc::new(inner) }
    }

    /// The key, quoted, and where it is.
    pub(crate) fn of(&self, key: &str) -> String {
        if key.is_empty() { self.to_string() } else { format!("{} in {self}", shown(key)) }
    }

    pub(crate) fn settings_error(&self, error: &Error) -> StorageError {
        StorageError::Other(self.clean(&format!("{self}: {}", chain(error))))
    }

    pub(crate) fn error(&self, key: &str, error: &Error) -> StorageError {
        let answer = Answer::read(&chain(error));
        let place = self.of(key);
        let told = self.clean(&format!("{place}: {answer}"));
        let transport = error_is_transport(error);
        match error {
            Error::NotFound { .. } if answer.code.as_deref() == Some("NoSuchBucket") => {
                StorageError::NotFound(format!(
                    "{self}: there is no bucket {:?}",
                    self.inner.bucket
                ))
            }
            Error::NotFound { .. } => StorageError::NotFound(place),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                StorageError::PermissionDenied(told)
            }
            Error::AlreadyExists { .. } => StorageError::AlreadyExists(place),
            Error::Precondition { .. } => StorageError::Changed(place),
            Error::InvalidPath { .. } => StorageError::InvalidKey(told),
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                StorageError::Unsupported(told)
            }
            _ if transport => StorageError::Connection(told),
            _ => match answer.status {
                Some(416) => StorageError::InvalidRange(told),
                Some(401 | 403) => StorageError::PermissionDenied(told),
                Some(408 | 429 | 500..) => StorageError::Connection(told),
                _ if answer.text.contains("Requested range") => StorageError::InvalidRange(told),
                _ => StorageError::Other(told),
            },
        }
    }

    fn clean(&self, text: &str) -> String {
        let secrets = self.inner.secrets.iter();
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "..."))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.inner.url, self.inner.endpoint)
    }
}

/// What the client's error says about the server's answer. Its types are private, its text is not.
struct Answer {
    status: Option<u16>,
    /// The `Code` and the `Message` of S3's and Google's error documents.
    code: Option<String>,
    message: Option<String>,
    text: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let status =
            text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        Self {
            status,
            code: element(text, "Code"),
            message: element(text, "Message"),
            text: text.to_owned(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = &self.code else {
            const SHOWN: usize = 600;
            let end = self.text.char_indices().nth(SHOWN).map_or(self.text.len(), |(at, _)| at);
            return f.write_str(self.text.get(..end).unwrap_or_default());
        };
        // The rest of such a document may repeat what was signed: tokens, too.
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        f.write_str(code)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

/// The text of the first such element of an XML document within `text`.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content.trim().to_owned()).filter(|content| !content.is_empty())
}

/// The causes that the error's own text does not repeat, joined.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

fn error_is_transport(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<HttpError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The endpoint without a user and a password that may stand in it.
fn without_user(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let slash = if path.is_empty() { "" } else { "/" };
            format!("{scheme}://{host}{slash}{path}")
        }
        None => endpoint.to_owned(),
    }
}
