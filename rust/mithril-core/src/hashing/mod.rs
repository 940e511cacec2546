//! Hash functions behind one trait: fast ones for buckets, cryptographic ones for addresses.
//!
//! | function | bytes | cryptographic | `hash_u64` |
//! |---|---|---|---|
//! | [`XxHash`] (XXH64) | 8 | no | the hash |
//! | [`XxHash3`] (XXH3, 128 bits) | 16 | no | XXH3 of 64 bits |
//! | [`Blake3Hash`] | 32 | yes | the first 8 bytes |
//! | [`Sha256Hash`] | 32 | yes | the first 8 bytes |
//!
//! Bytes are in the canonical order of each function, most significant first where it defines a
//! number, so that the hexadecimal form is that of `xxhsum`, `b3sum` and `sha256sum`. The hash of any
//! split of the data through [`Hasher`] is that of the whole; all of them are persisted formats, held
//! to published test vectors.

mod blake3;
mod pointer;
mod sha256;
mod xxhash;

pub use blake3::Blake3Hash;
pub use sha256::Sha256Hash;
pub use xxhash::{XxHash, XxHash3};

/// A hash function.
///
/// ```
/// use mithril_core::{Blake3Hash, HashFunction};
///
/// let function = Blake3Hash::new();
/// let mut hasher = function.hasher();
/// hasher.update(b"con");
/// hasher.update(b"tent");
/// assert_eq!(hasher.finalize(), function.hash(b"content"));
/// assert_eq!(function.hash_hex(b"content").len(), 2 * function.output_size());
/// ```
///
/// `Box<dyn HashFunction>`, `Arc<dyn HashFunction>` and references are hash functions too:
///
/// ```
/// use mithril_core::{Blake3Hash, HashFunction, Sha256Hash};
///
/// let functions: [Box<dyn HashFunction>; 2] =
///     [Box::new(Blake3Hash::new()), Box::new(Sha256Hash::new())];
/// assert_eq!(functions.map(|function| function.name()), ["blake3", "sha256"]);
/// ```
pub trait HashFunction: Send + Sync {
    /// The hash of `data`, [`output_size`](Self::output_size) bytes.
    fn hash(&self, data: &[u8]) -> Vec<u8>;

    /// The hash of `data` in lower-case hexadecimal.
    fn hash_hex(&self, data: &[u8]) -> String {
        hex(&self.hash(data))
    }

    /// The hash of `data` as a number, for tables and filters.
    fn hash_u64(&self, data: &[u8]) -> u64;

    /// A hasher for data that comes in pieces.
    fn hasher(&self) -> Box<dyn Hasher>;

    /// The number of bytes in a hash.
    fn output_size(&self) -> usize;

    /// The name of the function: `"xxh64"`, `"xxh3"`, `"blake3"` or `"sha256"`.
    fn name(&self) -> &'static str;
}

/// The state of a hash whose data comes in pieces.
pub trait Hasher: Send {
    /// Adds the next piece.
    fn update(&mut self, data: &[u8]);

    /// The hash of all pieces, as [`HashFunction::hash`] of the whole.
    fn finalize(self: Box<Self>) -> Vec<u8>;

    /// The hash of all pieces, as [`HashFunction::hash_u64`] of the whole.
    fn finalize_u64(self: Box<Self>) -> u64;

    /// A hasher that goes on from here by itself, or none if this one cannot be copied.
    ///
    /// Those of this crate can. A copy is also how a hash is taken before the data has ended:
    ///
    /// ```
    /// use mithril_core::{HashFunction, XxHash};
    ///
    /// let mut hasher = XxHash::new().hasher();
    /// hasher.update(b"con");
    /// let early = hasher.try_clone().map(|copy| copy.finalize());
    /// assert_eq!(early, Some(XxHash::new().hash(b"con")));
    /// hasher.update(b"tent");
    /// assert_eq!(hasher.finalize(), XxHash::new().hash(b"content"));
    /// ```
    fn try_clone(&self) -> Option<Box<dyn Hasher>> {
        None
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| DIGITS.get(usize::from(digit))).collect()
}

/// The first eight bytes of a hash as a number, most significant first.
fn first_u64(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
