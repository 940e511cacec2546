//! The record of one address: how many references there are, and where its bytes lie.
//!
//! A line with the XXH3 of what follows in hexadecimal, and a JSON object. Every change of it is one
//! conditional write, so the record is the one place where writers and deleters of an address meet.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64;

const FORMAT: u32 = 1;
/// How many writers remember their last change.
const REMEMBERED: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// The hash function, so that a store that is opened with another one notices.
    pub(super) hash: String,
    /// None are left of a *tombstone*.
    pub(super) references: u64,
    /// Rebuilt from bytes alone: how many references there are is not known, and the bytes stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) pinned: bool,
    #[serde(flatten)]
    pub(super) place: Place,
    /// The bytes of the content.
    pub(super) size: u64,
    /// The bytes that it takes in the store.
    pub(super) stored: u64,
    /// The last changes. One whose answer was lost finds here that it has been made.
    changes: VecDeque<String>,
}

/// Where the bytes of an address lie. Every writer has a place of its own, and none is used twice: a
/// deleter, however late it comes, cannot touch what somebody has stored since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) id: String,
    /// The name of the compressor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compression: Option<String>,
}

impl Record {
    /// The first reference to bytes that have just been written.
    pub(super) fn first(hash: &str, place: Place, size: u64, stored: u64) -> Self {
        Self {
            format: FORMAT,
            hash: hash.to_owned(),
            references: 1,
            pinned: false,
            place,
            size,
            stored,
            changes: VecDeque::new(),
        }
    }

    /// A tombstone where there was no record that could be read.
    pub(super) fn tombstone(hash: &str, place: Place) -> Self {
        Self { references: 0, ..Self::first(hash, place, 0, 0) }
    }

    pub(super) fn is_live(&self) -> bool {
        self.references > 0
    }

    /// The record with another number of references.
    pub(super) fn with_references(&self, references: u64) -> Self {
        Self { references, ..self.clone() }
    }

    /// The record with its number of references declared known or not.
    pub(super) fn pinned(self, pinned: bool) -> Self {
        Self { pinned, ..self }
    }

    /// `next`, with this record's memory of changes.
    pub(super) fn followed_by(&self, next: Self) -> Self {
        Self { changes: self.changes.clone(), ..next }
    }

    pub(super) fn remember(&mut self, change: &str) {
        self.changes.push_back(change.to_owned());
        while self.changes.len() > REMEMBERED {
            self.changes.pop_front();
        }
    }

    pub(super) fn remembers(&self, change: &str) -> bool {
        self.changes.iter().any(|known| known == change)
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok(Bytes::from(format!("{:016x}\n{json}", xxh3_64(json.as_bytes()))))
    }

    /// Errors: what is wrong with the bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (check, json) = bytes.split_at_checked(17).ok_or("its record is cut")?;
        if check != format!("{:016x}\n", xxh3_64(json)).as_bytes() {
            return Err("its record has another checksum".to_owned());
        }
        let record: Self = serde_json::from_slice(json)
            .map_err(|error| format!("its record cannot be read: {error}"))?;
        if record.format != FORMAT {
            return Err(format!("its record has format {}, of another version", record.format));
        }
        if !record.place.is_plain() {
            return Err("its record names a place that no writer would choose".to_owned());
        }
        Ok(record)
    }
}

impl Place {
    /// Whether it makes a key below its address, and no other. A record that was tampered with has the
    /// right checksum and may say anything.
    fn is_plain(&self) -> bool {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let parts = |letter: char| letter == '/' || letter == '\\' || letter.is_control();
        !self.id.is_empty()
            && self.id.bytes().all(is_id)
            && self.compression.as_ref().is_none_or(|name| !name.contains(parts))
    }
}
