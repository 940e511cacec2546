//! The manifest: the one object of an index that changes, and says which segments belong to it.

use super::name;
use super::object::{Image, Kind, damaged, number, parse};
use super::options::{OPTIONS_BYTES, Shape};
use super::part::Removed;
use crate::error::Result;
use bytes::Bytes;
use std::collections::HashSet;

const SECTIONS: [&str; 4] = ["options", "state", "segments", "removed"];
const STATE: usize = 32;
const SEGMENT: usize = 48;

/// What a manifest says.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) shape: Shape,
    /// What no other manifest has; 0 for one that was never in a store.
    pub(super) revision: u128,
    pub(super) next_id: Option<u64>,
    pub(super) segments: Vec<Named>,
}

/// A segment as a manifest has it.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: u128,
    pub(super) documents: usize,
    /// The length of its object in bytes.
    pub(super) bytes: u64,
    /// That of its header.
    pub(super) checksum: u64,
    pub(super) removed: Removed,
}

impl Manifest {
    /// The object, as `docs/minhash-index.md` has it.
    pub(super) fn to_bytes(&self) -> Result<Bytes> {
        let mut state = Vec::with_capacity(STATE);
        state.extend(self.revision.to_le_bytes());
        state.extend(self.next_id.unwrap_or_default().to_le_bytes());
        state.extend(u64::from(self.next_id.is_some()).to_le_bytes());
        let mut segments = Vec::with_capacity(SEGMENT * self.segments.len());
        let mut removed = Vec::new();
        for segment in &self.segments {
            segments.extend(segment.name.to_le_bytes());
            segments.extend((segment.documents as u64).to_le_bytes());
            segments.extend((segment.removed.count as u64).to_le_bytes());
            segments.extend(segment.bytes.to_le_bytes());
            segments.extend(segment.checksum.to_le_bytes());
            removed.extend(segment.removed.to_bytes());
        }
        let [a, b, c, d] = SECTIONS;
        let sections = [(a, OPTIONS_BYTES), (b, STATE), (c, segments.len()), (d, removed.len())];
        let mut image = Image::new(Kind::Manifest, &sections)?;
        image.section(a).copy_from_slice(&self.shape.to_bytes());
        image.section(b).copy_from_slice(&state);
        image.section(c).copy_from_slice(&segments);
        image.section(d).copy_from_slice(&removed);
        Ok(image.finish().0)
    }

    /// Reads the manifest `object`.
    pub(super) fn parse(object: &str, data: &[u8]) -> Result<Self> {
        let wrong = |problem: &str| damaged(object, problem);
        let (places, _) = parse(object, Kind::Manifest, &SECTIONS, data)?;
        let section = |at: usize| {
            places.get(at).and_then(|place| data.get(place.clone())).unwrap_or_default()
        };
        let shape = Shape::from_bytes(object, section(0))?;
        let wide =
            |bytes: &[u8], at: usize| number(bytes, at).map(u64::from_le_bytes).unwrap_or_default();
        let state = section(1);
        let next_id = match (state.len(), wide(state, 24)) {
            (STATE, 0) if wide(state, 16) == 0 => None,
            (STATE, 1) => Some(wide(state, 16)),
            _ => return Err(wrong("its section state is none")),
        };
        let revision = number(state, 0).map(u128::from_le_bytes).unwrap_or_default();
        if !section(2).len().is_multiple_of(SEGMENT) {
            return Err(wrong("its section segments holds no whole number of segments"));
        }
        let mut bits = section(3);
        let mut names = HashSet::new();
        let mut segments = Vec::new();
        for entry in section(2).chunks_exact(SEGMENT) {
            let name = number(entry, 0).map(u128::from_le_bytes).unwrap_or_default();
            if !names.insert(name) {
                return Err(wrong(&format!("it names segment {} twice", name::text(name))));
            }
            let documents = usize::try_from(wide(entry, 16)).unwrap_or(usize::MAX);
            let count = wide(entry, 24);
            let mut removed = Removed::default();
            if count > 0 {
                let words = bits.split_off(..documents.div_ceil(64).saturating_mul(8));
                removed = words
                    .and_then(|words| Removed::from_bytes(words, documents))
                    .filter(|removed| removed.count as u64 == count)
                    .ok_or_else(|| wrong("its section removed does not fit its segments"))?;
            }
            let (bytes, checksum) = (wide(entry, 32), wide(entry, 40));
            segments.push(Named { name, documents, bytes, checksum, removed });
        }
        if !bits.is_empty() {
            return Err(wrong("its section removed is longer than its segments need"));
        }
        Ok(Self { shape, revision, next_id, segments })
    }
}
