//! A filter as bytes.
//!
//! ```text
//! bytes 0..8   "MTRLFLTR"
//! bytes 8..12  the version, 1
//! bytes 12..16 the length of the options
//! ...          the options as JSON
//! ...          four numbers of 64 bits: documents seen, dropped, passed over, added
//! ...          the number of documents, and of each, the oldest first, the hashes of its bands and its code
//! ...          the number of the Bloom filters' words, and these
//! ...          XXH3-64 of all before
//! ```
//!
//! Numbers are little-endian and, where nothing else is said, of 64 bits.

use super::{DedupFilter, FilterOptions};
use crate::error::{DedupError, Result};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"MTRLFLTR";
const VERSION: u32 = 1;
/// No filter has seen so many documents, and none that goes on from there comes to an end of its numbers.
const MOST: u64 = 1 << 62;

impl DedupFilter {
    /// All that it remembers, for a filter that goes on where this one is.
    ///
    /// # Errors
    ///
    /// None in practice: options can be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let options = serde_json::to_vec(&self.options).map_err(wrong)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((options.len() as u32).to_le_bytes());
        bytes.extend(options);
        let stats = self.stats;
        for number in [stats.seen, stats.dropped, stats.passed_over, self.recent.added()] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.recent.len() as u64).to_le_bytes());
        for (hashes, code) in self.recent.documents() {
            bytes.extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
            bytes.extend_from_slice(code);
        }
        let words = self.bloom.as_ref().map(super::Bloom::words).unwrap_or_default();
        bytes.extend((words.len() as u64).to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let checksum = xxh3_64(&bytes);
        bytes.extend(checksum.to_le_bytes());
        Ok(bytes)
    }

    /// The filter that [`to_bytes`](Self::to_bytes) has written.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for bytes that are no filter, damaged, or of a later version.
    pub fn try_from_bytes(bytes: &[u8]) -> Result<Self> {
        let Some((content, checksum)) = bytes.split_last_chunk::<8>() else {
            return Err(wrong("it is too short"));
        };
        let mut rest = Rest(content);
        if rest.take(MAGIC.len())? != MAGIC {
            return Err(wrong("it begins as none does"));
        }
        let version = rest.small()?;
        if version != VERSION {
            return Err(wrong(format!(
                "it has version {version}, and this release reads {VERSION}"
            )));
        }
        if xxh3_64(content) != u64::from_le_bytes(*checksum) {
            return Err(wrong("it is damaged: its checksum differs"));
        }
        let length = rest.small()? as usize;
        let options: FilterOptions = serde_json::from_slice(rest.take(length)?)
            .map_err(|error| wrong(format!("its options cannot be read: {error}")))?;
        let mut filter = Self::try_new(options)?;
        filter.stats.seen = rest.number()?;
        filter.stats.dropped = rest.number()?;
        filter.stats.passed_over = rest.number()?;
        let added = rest.number()?;
        let stats = filter.stats;
        if [stats.seen, stats.dropped, stats.passed_over, added].iter().any(|&count| count > MOST) {
            return Err(wrong("it claims to have seen more than anybody could"));
        }
        let count = rest.number()?;
        if count != added.min(filter.options.max_documents as u64) {
            return Err(wrong(format!("it claims to remember {count} documents")));
        }
        filter.recent.count_from(added - count);
        let mut hashes = vec![0; filter.banding.bands];
        let width = filter.code.map_or(0, crate::index::Code::bytes);
        for _ in 0..count {
            for hash in &mut hashes {
                *hash = rest.number()?;
            }
            filter.recent.add(&hashes, rest.take(width)?);
        }
        let words = rest.number()?;
        let own = filter.bloom.as_mut().map(super::Bloom::words_mut).unwrap_or_default();
        if words != own.len() as u64 {
            return Err(wrong(format!("it has {words} words of Bloom filters, not {}", own.len())));
        }
        for word in own {
            *word = rest.number()?;
        }
        if !rest.0.is_empty() {
            return Err(wrong(format!("{} bytes follow it", rest.0.len())));
        }
        Ok(filter)
    }
}

fn wrong(problem: impl std::fmt::Display) -> DedupError {
    DedupError::InvalidArgument(format!("this is no state of a filter: {problem}"))
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let taken = self.0.split_at_checked(length);
        let (taken, rest) = taken.ok_or_else(|| wrong("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn small(&mut self) -> Result<u32> {
        Ok(self.take(4)?.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }

    fn number(&mut self) -> Result<u64> {
        Ok(self.take(8)?.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}
