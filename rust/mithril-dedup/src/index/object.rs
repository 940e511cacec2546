//! The frame that the objects of an index have: a header, a table of sections, and the sections.
//!
//! `docs/minhash-index.md` has it to the byte. Sections begin at multiples of 64 in the order of the table, with
//! nothing between them but zeros, so that an object can be mapped into memory and read as it lies.

use crate::error::{DedupError, Result};
use bytes::Bytes;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

pub(super) const MAGIC: [u8; 8] = *b"MTHRLIDX";
const VERSION: u32 = 1;
/// The header, and what sections are aligned to.
const UNIT: usize = 64;
const ENTRY: usize = 32;
/// Where the header has its checksum.
const CHECKSUM: Range<usize> = 32..40;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest = 1,
    Segment = 2,
}

/// An error about an object of an index.
pub(super) fn damaged(object: &str, problem: impl Into<String>) -> DedupError {
    DedupError::IndexDamaged { object: object.to_owned(), problem: problem.into() }
}

/// The bytes of a number.
pub(super) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    number(bytes, at).map(u64::from_le_bytes).unwrap_or_default()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    number(bytes, at).map(u32::from_le_bytes).unwrap_or_default()
}

/// Where the sections of the given lengths lie, and the length of the object.
fn places(lengths: impl ExactSizeIterator<Item = u64>) -> Option<(Vec<Range<usize>>, usize)> {
    let mut end = UNIT + ENTRY * lengths.len();
    let places = lengths.map(|length| {
        let start = end.checked_next_multiple_of(UNIT)?;
        end = start.checked_add(usize::try_from(length).ok()?)?;
        Some(start..end)
    });
    let places = places.collect::<Option<_>>()?;
    Some((places, end))
}

/// An object that is being made.
pub(super) struct Image {
    kind: Kind,
    names: Vec<&'static str>,
    places: Vec<Range<usize>>,
    bytes: Vec<u8>,
}

impl Image {
    /// An object whose sections hold zeros.
    pub(super) fn new(kind: Kind, sections: &[(&'static str, usize)]) -> Result<Self> {
        let too_large = || {
            DedupError::InvalidArgument(
                "a segment of the index does not fit into memory: add fewer documents at a time"
                    .to_owned(),
            )
        };
        let lengths = sections.iter().map(|&(_, length)| length as u64);
        let (places, end) = places(lengths).ok_or_else(too_large)?;
        // A question only: the memory below comes from the system with zeros in it.
        Vec::<u8>::new().try_reserve_exact(end).map_err(|_| too_large())?;
        let names = sections.iter().map(|&(name, _)| name).collect();
        Ok(Self { kind, names, places, bytes: vec![0; end] })
    }

    /// Where a section lies.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        let at = self.names.iter().position(|&one| one == name);
        at.and_then(|at| self.places.get(at)).cloned().unwrap_or(0..0)
    }

    /// The bytes of a section.
    pub(super) fn section(&mut self, name: &str) -> &mut [u8] {
        let place = self.place(name);
        self.bytes.get_mut(place).unwrap_or_default()
    }

    /// The object, and the checksum of its header.
    pub(super) fn finish(mut self) -> (Bytes, u64) {
        let mut head = Vec::with_capacity(UNIT + ENTRY * self.names.len());
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend((self.kind as u32).to_le_bytes());
        head.extend((self.names.len() as u32).to_le_bytes());
        head.extend([0; 4]);
        head.extend((self.bytes.len() as u64).to_le_bytes());
        head.resize(UNIT, 0);
        for (name, place) in self.names.iter().zip(&self.places) {
            head.extend(name_bytes(name));
            head.extend((place.start as u64).to_le_bytes());
            head.extend((place.len() as u64).to_le_bytes());
            let section = self.bytes.get(place.clone()).unwrap_or_default();
            head.extend(xxh3_64(section).to_le_bytes());
        }
        let checksum = xxh3_64(&head);
        for (place, byte) in head.iter_mut().skip(CHECKSUM.start).zip(checksum.to_le_bytes()) {
            *place = byte;
        }
        for (place, byte) in self.bytes.iter_mut().zip(head) {
            *place = byte;
        }
        (Bytes::from(self.bytes), checksum)
    }
}

fn name_bytes(name: &str) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    bytes
}

/// The places of the sections of an object, which has exactly `names`, and the checksum of its header.
///
/// Every byte has been looked at: an object that has changed in any way is an error.
pub(super) fn parse(
    object: &str,
    kind: Kind,
    names: &[&str],
    data: &[u8],
) -> Result<(Vec<Range<usize>>, u64)> {
    let wrong = |problem: String| Err(damaged(object, problem));
    let cut = |needed: u64| {
        wrong(format!("it is cut: {} of at least {needed} bytes are there", data.len()))
    };
    if !data.starts_with(&MAGIC) {
        if MAGIC.starts_with(data) {
            return cut(UNIT as u64);
        }
        return wrong("it is no part of an index of Mithril".to_owned());
    }
    if data.len() < UNIT {
        return cut(UNIT as u64);
    }
    let version = u32_at(data, 8);
    if version != VERSION {
        return wrong(format!(
            "it is of version {version} of the format, and this version of Mithril reads version {VERSION}"
        ));
    }
    let size = u64_at(data, 24);
    if (data.len() as u64) < size {
        return cut(size);
    }
    let head_end = UNIT + ENTRY * names.len();
    let same_count = u32_at(data, 16) as usize == names.len();
    let Some(head) = data.get(..head_end).filter(|_| same_count) else {
        return wrong(format!("it has {} sections in place of {}", u32_at(data, 16), names.len()));
    };
    let mut zeroed = head.to_vec();
    for place in zeroed.iter_mut().take(CHECKSUM.end).skip(CHECKSUM.start) {
        *place = 0;
    }
    let checksum = xxh3_64(&zeroed);
    if checksum != u64_at(data, CHECKSUM.start) {
        return wrong("its header is damaged: the checksum is another".to_owned());
    }
    if u32_at(data, 12) != kind as u32 {
        return wrong(format!("it is of kind {} in place of {}", u32_at(data, 12), kind as u32));
    }
    if (data.len() as u64) > size {
        return wrong(format!("{} bytes follow its end", data.len() as u64 - size));
    }
    let entries = head.get(UNIT..).unwrap_or_default().chunks_exact(ENTRY);
    let laid_out = places(entries.clone().map(|entry| u64_at(entry, 16)));
    let Some((places, _)) = laid_out.filter(|&(_, end)| end as u64 == size) else {
        return wrong("its sections are not as long as it is".to_owned());
    };
    let mut end = head_end;
    for ((entry, name), place) in entries.zip(names).zip(&places) {
        if !entry.starts_with(&name_bytes(name)) || u64_at(entry, 8) != place.start as u64 {
            return wrong(format!("it has another section where {name} belongs"));
        }
        if data.get(end..place.start).unwrap_or_default().iter().any(|&byte| byte != 0) {
            return wrong(format!("there is something before its section {name}"));
        }
        let section = data.get(place.clone()).unwrap_or_default();
        if xxh3_64(section) != u64_at(entry, 24) {
            return wrong(format!("its section {name} is damaged: the checksum is another"));
        }
        end = place.end;
    }
    Ok((places, checksum))
}
