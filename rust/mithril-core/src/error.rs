//! The one error type of the crate.

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MithrilError {
    /// An argument is outside what the function accepts; the text names it and the accepted range.
    #[error("Invalid argument: {0}")]
    InvalidArgument(String),
}

/// A result whose error is [`MithrilError`].
pub type Result<T> = std::result::Result<T, MithrilError>;
