//! Which keys all stores accept.
//!
//! One rule for all of them, so that data can move from any store to any other: what a file system
//! could not hold, or could take for something else, is refused by S3 and by memory too.

use super::StorageError;

/// The longest key in bytes: S3's limit, with room left for a prefix.
pub(crate) const MAX_KEY_BYTES: usize = 1024;
/// The longest part between two slashes in bytes: the limit of the common file systems.
pub(crate) const MAX_SEGMENT_BYTES: usize = 255;
/// The first part of keys that a local store keeps for itself.
pub(crate) const RESERVED_SEGMENT: &str = ".mithril";

/// Why `key` is not one, if so.
fn fault(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("it is empty".to_owned());
    }
    if key.len() > MAX_KEY_BYTES {
        return Some(format!("it has {} bytes; at most {MAX_KEY_BYTES} are allowed", key.len()));
    }
    if let Some(character) = key.chars().find(|&c| c == '\\' || c.is_ascii_control()) {
        return Some(format!("it contains {character:?}"));
    }
    if key.starts_with('/') {
        return Some("it begins with a slash; keys are relative to the store".to_owned());
    }
    for (index, segment) in key.split('/').enumerate() {
        match segment {
            "" => return Some("it has an empty part beside a slash".to_owned()),
            "." | ".." => return Some(format!("its part {segment:?} would lead elsewhere")),
            RESERVED_SEGMENT if index == 0 => {
                return Some(format!("{RESERVED_SEGMENT:?} is kept for the store itself"));
            }
            _ if segment.len() > MAX_SEGMENT_BYTES => {
                return Some(format!(
                    "a part between slashes has {} bytes; at most {MAX_SEGMENT_BYTES} are allowed",
                    segment.len()
                ));
            }
            _ => {}
        }
    }
    None
}

/// Errors: `InvalidKey` that quotes the key and says what is wrong with it.
pub(crate) fn check_key(key: &str) -> Result<(), StorageError> {
    match fault(key) {
        None => Ok(()),
        Some(fault) => Err(StorageError::InvalidKey(format!("{}: {fault}", shown(key)))),
    }
}

/// Whether `key` may be handed out by a listing: what nobody could ask for is left out.
pub(crate) fn is_key(key: &str) -> bool {
    fault(key).is_none()
}

/// Accepts every text that some key begins with, and the empty one.
///
/// Errors: `InvalidKey`.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), StorageError> {
    if prefix.is_empty() || is_key(prefix) {
        return Ok(());
    }
    // It may end after a slash, or within a part (`.` of `.git`): one letter more makes it a key.
    match fault(&format!("{prefix}x")) {
        None => Ok(()),
        Some(fault) => Err(StorageError::InvalidKey(format!("prefix {}: {fault}", shown(prefix)))),
    }
}

/// `key` in quotes, and cut where it is very long.
pub(crate) fn shown(key: &str) -> String {
    const SHOWN: usize = 200;
    match key.char_indices().nth(SHOWN) {
        None => format!("{key:?}"),
        Some((end, _)) => format!("{:?}...", key.get(..end).unwrap_or_default()),
    }
}
