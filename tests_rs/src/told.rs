//! What errors of stores have to say, and what they must not.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use mithril_core::{S3Storage, S3StorageBuilder, StorageError};

/// The secret of [`builder`]'s keys.
pub const SECRET: &str = "s3cr3t/with+odd=signs";
/// The token that goes with it.
pub const TOKEN: &str = "t0ken//of+a&session==";

/// A store in a bucket of a server that may do anything, without much patience.
pub fn builder(endpoint: &str) -> S3StorageBuilder {
    S3Storage::builder("the-bucket")
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_credentials("key-id", SECRET)
        .with_session_token(TOKEN)
        .with_retries(2)
        .with_timeout(Duration::from_millis(400))
}

/// All that anybody could print of an error.
#[must_use]
pub fn texts(error: &StorageError) -> String {
    let mut texts = format!("{error}\n{error:?}\n{error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        texts = format!("{texts}\n{error}\n{error:?}");
        source = error.source();
    }
    texts
}

/// Checks that an error names all there is to name, and no secret.
pub fn assert_told(error: &StorageError, endpoint: &str) {
    let texts = texts(error);
    for told in ["the/key", "the-bucket", endpoint] {
        assert!(texts.contains(told), "{told} is not in {texts}");
    }
    assert_no_secret(&texts);
    assert!(error.to_string().len() < 2000, "a message of {} bytes", error.to_string().len());
}

/// Checks that a text holds none of the secrets, not in another form and not in part.
pub fn assert_no_secret(texts: &str) {
    for secret in [SECRET, TOKEN, "s3cr3t", "t0ken", "of%2Ba", "of+a&amp;"] {
        assert!(!texts.contains(secret), "{secret} is in {texts}");
    }
}

/// Pieces that make several parts.
#[must_use]
pub fn large() -> BoxStream<'static, Bytes> {
    stream::iter(vec![Bytes::from(vec![7; 6 << 20]); 6]).boxed()
}
