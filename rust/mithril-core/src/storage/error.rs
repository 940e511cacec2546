//! What can go wrong with a store.

/// Why a store could not do what it was asked.
///
/// Each text names the key and the store, and the endpoint where there is one. None of them holds a
/// secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no such object, or no such bucket.
    #[error("Object not found: {0}")]
    NotFound(String),

    /// The store knows the caller and refuses, or does not know the caller.
    #[error("Permission denied: {0}")]
    PermissionDenied(String),

    /// The server does not answer, breaks off, or answers that it cannot serve now; retrying did not
    /// help.
    #[error("Connection error: {0}")]
    Connection(String),

    /// The key breaks the rules that [`StorageBackend`](crate::StorageBackend) gives.
    #[error("Invalid key: {0}")]
    InvalidKey(String),

    /// The operating system failed to read or write.
    #[error("IO error: {0}")]
    Io(#[from] std::io::Error),

    /// Anything else.
    #[error("Other: {0}")]
    Other(String),

    /// [`PutCondition::Absent`](crate::PutCondition::Absent) does not hold.
    #[error("Object already exists: {0}")]
    AlreadyExists(String),

    /// [`PutCondition::Matches`](crate::PutCondition::Matches) does not hold: the object has changed
    /// or is gone.
    #[error("Object has changed: {0}")]
    Changed(String),

    /// The range of bytes begins past the end of the object, or ends before it begins.
    #[error("Invalid range: {0}")]
    InvalidRange(String),

    /// The store cannot do this at all.
    #[error("Not supported: {0}")]
    Unsupported(String),
}

impl StorageError {
    /// Whether this says that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// A short stable name of what happened; see [`MithrilError::kind`](crate::MithrilError::kind).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::PermissionDenied(_) => "permission_denied",
            Self::Connection(_) => "connection",
            Self::InvalidKey(_) => "invalid_key",
            Self::Io(_) => "io",
            Self::Other(_) => "other",
            Self::AlreadyExists(_) => "already_exists",
            Self::Changed(_) => "changed",
            Self::InvalidRange(_) => "invalid_range",
            Self::Unsupported(_) => "unsupported",
        }
    }
}
