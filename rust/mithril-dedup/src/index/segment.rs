//! A segment: documents that are never changed again, in the bytes of the object that they are saved as.
//!
//! Documents are numbered in the order of their ids. Each band is a sorted array of 64-bit entries, a
//! fingerprint in the upper half and the number of a document in the lower.

use super::object::{Image, Kind, damaged, parse};
use super::options::{OPTIONS_BYTES, Shape};
use super::part::Part;
use super::rows::{Batch, Row, nth};
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::threads::on_a_pool;
use bytes::Bytes;
use rayon::prelude::*;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

const SECTIONS: [&str; 4] = ["options", "ids", "bands", "codes"];
/// What stands for a document that does not go on into a merged segment.
const GONE: u32 = u32::MAX;
/// About how far interpolation is off: entries that are looked at first.
const NEAR: usize = 32;

/// Documents that are never changed again.
pub(super) struct Segment {
    /// What nobody else is called.
    pub(super) name: u128,
    pub(super) data: Bytes,
    /// That of the header, which has those of the sections.
    pub(super) checksum: u64,
    pub(super) documents: usize,
    /// Whether the bytes are those of a file.
    pub(super) is_mapped: bool,
    bands: usize,
    code_bytes: usize,
    places: [Range<usize>; 4],
    stored: AtomicBool,
}

impl Segment {
    /// The segment of the given rows of a batch, whose ids are in `ids`.
    pub(super) fn build(batch: &Batch, ids: &[u64], rows: Vec<u32>) -> Result<Self> {
        let shape = batch.shape;
        let id = |row: u32| ids.get(row as usize).copied().unwrap_or_default();
        let mut order = rows;
        if !order.is_sorted_by_key(|&row| id(row)) {
            order.sort_unstable_by_key(|&row| id(row));
        }
        let filled: Vec<(u32, Row)> = (0..)
            .zip(&order)
            .filter_map(|(number, &row)| Some((number, batch.row(row as usize)?)))
            .collect();
        let mut image = new_image(&shape, order.len(), filled.len())?;
        for (place, &row) in image.section("ids").as_chunks_mut().0.iter_mut().zip(&order) {
            *place = id(row).to_le_bytes();
        }
        if shape.code.is_some() {
            let places = image.section("codes").chunks_exact_mut(shape.code_bytes());
            for (place, &row) in places.zip(&order) {
                place.copy_from_slice(batch.code(row as usize));
            }
        }
        let entries = |band: usize, entries: &mut Vec<u64>| {
            let fingerprint = |row: &Row| row.fingerprints.get(band).copied().unwrap_or_default();
            entries.extend(filled.iter().map(|(number, row)| entry(fingerprint(row), *number)));
            entries.sort_unstable();
        };
        fill_bands(image.section("bands"), filled.len(), Control::default(), entries)?;
        Ok(Self::of(image, shape, order.len()))
    }

    /// The segment of what has not been removed from `parts`; they have no id in common.
    pub(super) fn merge(shape: &Shape, parts: &[&Part], control: Control) -> Result<Self> {
        let mut live: Vec<(u64, u32, u32)> = Vec::new();
        for (index, part) in (0..).zip(parts) {
            let ids = part.segment.ids().iter().zip(0..);
            let ids = ids.filter(|&(_, number)| !part.removed.contains(number));
            live.extend(ids.map(|(&id, number)| (u64::from_le_bytes(id), index, number)));
        }
        live.sort_unstable();
        control.check()?;
        let mut renumbered: Vec<Vec<u32>> =
            parts.iter().map(|part| vec![GONE; part.segment.documents]).collect();
        for (new, &(_, index, number)) in (0..).zip(&live) {
            let numbers = renumbered.get_mut(index as usize);
            if let Some(place) = numbers.and_then(|numbers| numbers.get_mut(number as usize)) {
                *place = new;
            }
        }
        // Entries that are past the documents can only be in a forged segment.
        let moved = |index: usize, band: usize| {
            let numbers = renumbered.get(index).map(Vec::as_slice).unwrap_or_default();
            let entries = parts.get(index).map(|part| part.segment.band(band)).unwrap_or_default();
            entries.iter().filter_map(|&bytes| {
                let (fingerprint, number) = split(u64::from_le_bytes(bytes));
                let new = numbers.get(number as usize).copied().filter(|&new| new != GONE)?;
                Some(entry(fingerprint, new))
            })
        };
        let filled = (0..parts.len()).map(|index| moved(index, 0).count()).sum();
        let mut image = new_image(shape, live.len(), filled)?;
        for (place, (id, ..)) in image.section("ids").as_chunks_mut().0.iter_mut().zip(&live) {
            *place = id.to_le_bytes();
        }
        if shape.code.is_some() {
            let places = image.section("codes").chunks_exact_mut(shape.code_bytes());
            for (place, &(_, index, number)) in places.zip(&live) {
                let part = parts.get(index as usize);
                place.copy_from_slice(
                    part.map(|part| part.segment.code(number)).unwrap_or_default(),
                );
            }
        }
        let entries = |band: usize, entries: &mut Vec<u64>| {
            (0..parts.len()).for_each(|index| entries.extend(moved(index, band)));
            #[expect(clippy::stable_sort_primitive, reason = "it finds the runs that are sorted")]
            entries.sort();
        };
        fill_bands(image.section("bands"), filled, control, entries)?;
        Ok(Self::of(image, *shape, live.len()))
    }

    fn of(image: Image, shape: Shape, documents: usize) -> Self {
        let places = SECTIONS.map(|name| image.place(name));
        let (data, checksum) = image.finish();
        Self {
            name: super::name::unique(),
            data,
            checksum,
            documents,
            is_mapped: false,
            bands: shape.banding.bands,
            code_bytes: shape.code_bytes(),
            places,
            stored: AtomicBool::new(false),
        }
    }

    /// Reads the object of a segment of an index of this shape.
    pub(super) fn parse(
        object: &str,
        name: u128,
        shape: &Shape,
        data: Bytes,
        is_mapped: bool,
    ) -> Result<Self> {
        let wrong = |problem: &str| Err(damaged(object, problem));
        let (places, checksum) = parse(object, Kind::Segment, &SECTIONS, &data)?;
        let Ok(places) = <[Range<usize>; 4]>::try_from(places) else {
            return wrong("it has other sections than a segment has");
        };
        let [options, ids, bands, codes] = &places;
        if data.get(options.clone()).unwrap_or_default() != shape.to_bytes() {
            return wrong("it was made with other options than the index that names it");
        }
        let documents = ids.len() / 8;
        if !ids.len().is_multiple_of(8) || documents > u32::MAX as usize {
            return wrong("its section ids holds no whole number of documents, or too many");
        }
        let width = 8 * shape.banding.bands;
        if !bands.len().is_multiple_of(width) || bands.len() / width > documents {
            return wrong("its section bands does not fit the number of documents");
        }
        if codes.len() != documents * shape.code_bytes() {
            return wrong("its section codes does not fit the number of documents");
        }
        Ok(Self {
            name,
            data,
            checksum,
            documents,
            is_mapped,
            bands: shape.banding.bands,
            code_bytes: shape.code_bytes(),
            places,
            stored: AtomicBool::new(true),
        })
    }

    /// Whether a manifest in some store names it: such a segment is only rewritten by `compact`.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn set_stored(&self) {
        self.stored.store(true, Ordering::Relaxed);
    }

    fn section(&self, place: &Range<usize>) -> &[u8] {
        self.data.get(place.clone()).unwrap_or_default()
    }

    /// The ids in ascending order, each in its bytes.
    pub(super) fn ids(&self) -> &[[u8; 8]] {
        let [_, ids, ..] = &self.places;
        self.section(ids).as_chunks().0
    }

    /// The id of a document.
    pub(super) fn id(&self, number: u32) -> Option<u64> {
        self.ids().get(number as usize).copied().map(u64::from_le_bytes)
    }

    /// The number of the document with this id.
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        let found = self.ids().binary_search_by(|bytes| u64::from_le_bytes(*bytes).cmp(&id));
        found.ok().map(|number| number as u32)
    }

    /// The entries of a band in ascending order, each in its bytes.
    pub(super) fn band(&self, band: usize) -> &[[u8; 8]] {
        let [_, _, bands, _] = &self.places;
        let entries: &[[u8; 8]] = self.section(bands).as_chunks().0;
        nth(entries, entries.len() / self.bands, band)
    }

    /// The code of a document.
    pub(super) fn code(&self, number: u32) -> &[u8] {
        let [.., codes] = &self.places;
        nth(self.section(codes), self.code_bytes, number as usize)
    }

    /// Appends the number of every document that shares a band with `row`, once for each of these.
    pub(super) fn candidates(&self, row: Row, found: &mut Vec<u32>) {
        for (band, &fingerprint) in row.fingerprints.iter().enumerate() {
            let entries = self.band(band);
            let start = lower_bound(entries, entry(fingerprint, 0));
            let bucket = entries.get(start..).unwrap_or_default().iter();
            let bucket = bucket.map(|&bytes| split(u64::from_le_bytes(bytes)));
            found.extend(bucket.take_while(|(one, _)| *one == fingerprint).map(|(_, at)| at));
        }
    }
}

fn new_image(shape: &Shape, documents: usize, filled: usize) -> Result<Image> {
    if documents > u32::MAX as usize {
        return Err(DedupError::InvalidArgument(format!(
            "a segment of an index has at most {} documents, not {documents}",
            u32::MAX
        )));
    }
    let lengths = [
        OPTIONS_BYTES,
        8 * documents,
        8 * filled * shape.banding.bands,
        documents * shape.code_bytes(),
    ];
    let [a, b, c, d] = SECTIONS;
    let [options, ids, bands, codes] = lengths;
    let sections = [(a, options), (b, ids), (c, bands), (d, codes)];
    let mut image = Image::new(Kind::Segment, &sections)?;
    image.section("options").copy_from_slice(&shape.to_bytes());
    Ok(image)
}

/// Fills the section of the bands, each of `filled` entries, on the threads that it is called on.
fn fill_bands(
    section: &mut [u8],
    filled: usize,
    control: Control,
    entries: impl Fn(usize, &mut Vec<u64>) + Sync,
) -> Result<()> {
    if filled == 0 {
        return Ok(());
    }
    on_a_pool(|| {
        section.par_chunks_mut(8 * filled).enumerate().try_for_each(|(band, places)| {
            control.check()?;
            let mut sorted = Vec::with_capacity(filled);
            entries(band, &mut sorted);
            for (place, entry) in places.as_chunks_mut().0.iter_mut().zip(sorted) {
                *place = entry.to_le_bytes();
            }
            Ok(())
        })
    })
}

fn entry(fingerprint: u32, number: u32) -> u64 {
    u64::from(fingerprint) << 32 | u64::from(number)
}

/// The fingerprint and the number of the document of an entry.
pub(super) fn split(entry: u64) -> (u32, u32) {
    ((entry >> 32) as u32, entry as u32)
}

/// How many entries are below `key`.
///
/// Fingerprints are hashes: where one lies is known to within the square root of their number. From
/// there steps that double find where it is, so that large buckets, which shift all others, cost
/// little more.
fn lower_bound(entries: &[[u8; 8]], key: u64) -> usize {
    let is_below = |at: usize| entries.get(at).is_some_and(|&one| u64::from_le_bytes(one) < key);
    let guess = ((u128::from(key) * entries.len() as u128) >> 64) as usize;
    let (mut low, mut high, mut step) = (guess, guess, NEAR);
    if is_below(guess) {
        while is_below(high) {
            low = high + 1;
            high = high.saturating_add(step).min(entries.len());
            step *= 2;
        }
    } else {
        while low > 0 && !is_below(low) {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
        }
    }
    let between = entries.get(low..high).unwrap_or_default();
    low + between.partition_point(|&one| u64::from_le_bytes(one) < key)
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("name", &super::name::text(self.name))
            .field("documents", &self.documents)
            .finish_non_exhaustive()
    }
}
