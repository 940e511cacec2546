//! Names of buckets, and the prefix below which a store keeps its objects.

use super::StorageError;
use super::key::check_key;

/// Errors: what is wrong with the name. Stores differ in detail; this refuses what all refuse and
/// what would change the meaning of a URL.
pub(crate) fn check_bucket(bucket: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() {
        return Err("the name of the bucket is missing".to_owned());
    }
    if bucket.len() > 255 || !bucket.chars().all(allowed) || bucket.contains("..") {
        // What stands before an `@` may be a key that somebody pasted.
        let shown = match bucket.rsplit_once('@') {
            Some((_, rest)) => format!("...@{rest}"),
            None => bucket.to_owned(),
        };
        return Err(format!(
            "{shown:?} is no name of a bucket: letters, digits, single dots, dashes"
        ));
    }
    Ok(())
}

/// The prefix without slashes at its ends; none if nothing is left.
///
/// Errors: `InvalidKey` if no key could begin with it.
pub(crate) fn checked_prefix(prefix: Option<&str>) -> Result<Option<String>, StorageError> {
    let prefix = prefix.unwrap_or_default().trim_matches('/');
    if prefix.is_empty() {
        return Ok(None);
    }
    check_key(prefix)?;
    Ok(Some(prefix.to_owned()))
}
