//! From what a server answered to an error that names the key, the place and the cause, and no
//! secret.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use object_store::Error;
use object_store::client::HttpError;

use super::secrets::Secrets;
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
    secrets: Secrets,
}

impl Place {
    pub(crate) fn new(
        url: String,
        endpoint: &str,
        bucket: String,
        secrets: impl IntoIterator<Item = Option<String>>,
    ) -> Self {
        let (user, endpoint) = user_and_host(endpoint);
        let password = user.split_once(':').map(|(_, password)| password.to_owned());
        let secrets = secrets.into_iter().chain([Some(user), password]).flatten();
        let inner = Inner { url, endpoint, bucket, secrets: Secrets::new(secrets) };
        Self { inner: Arc::new(inner) }
    }

    /// The key, quoted, and where it is.
    pub(crate) fn of(&self, key: &str) -> String {
        if key.is_empty() { self.to_string() } else { format!("{} in {self}", shown(key)) }
    }

    pub(crate) fn settings_error(&self, error: &Error) -> StorageError {
        StorageError::Other(format!("{self}: {}", self.inner.secrets.hide(&chain(error))))
    }

    pub(crate) fn error(&self, key: &str, error: &Error) -> StorageError {
        let answer = Answer::read(&chain(error), &self.inner.secrets);
        let place = self.of(key);
        let told = format!("{place}: {answer}");
        let transport = error_is_transport(error);
        // The client tells only some requests' failures apart, and not those of listings.
        match answer.code.as_deref() {
            Some("NoSuchBucket") => {
                return StorageError::NotFound(format!(
                    "{self}: there is no bucket {:?}",
                    self.inner.bucket
                ));
            }
            // The object is not what is missing.
            Some("NoSuchUpload") => return StorageError::Other(told),
            _ => {}
        }
        match error {
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
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.inner.url, self.inner.endpoint)
    }
}

/// What the client's error says about the server's answer, without secrets. Its types are private,
/// its text is not.
struct Answer {
    status: Option<u16>,
    /// The `Code` and the `Message` of S3's and Google's error documents.
    code: Option<String>,
    message: Option<String>,
    text: String,
}

impl Answer {
    fn read(text: &str, secrets: &Secrets) -> Self {
        let status =
            text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        Self {
            status,
            code: element(text, "Code"),
            message: element(text, "Message").map(|message| cut(&secrets.hide(&message))),
            text: cut(&secrets.hide(text)),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = &self.code else {
            return f.write_str(&self.text);
        };
        // The rest of such a document may repeat what was signed: tokens, too.
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        f.write_str(code)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

/// The beginning of a text that may be the page of a proxy, of any length. Secrets are hidden before:
/// the cut might leave half of one.
fn cut(text: &str) -> String {
    const SHOWN: usize = 600;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
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

/// What stands before the host in an endpoint, which may be a user and a password, and the endpoint
/// without it.
fn user_and_host(endpoint: &str) -> (String, String) {
    let (scheme, rest) = match endpoint.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), endpoint),
    };
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    (user.to_owned(), scheme + host)
}
