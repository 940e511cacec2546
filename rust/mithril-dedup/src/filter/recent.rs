//! The documents that were added last, up to so many, by their bands.
//!
//! A ring: the newest takes the place of the oldest. The documents of a bucket are linked from the newest to the
//! oldest; a link to one that is forgotten ends it, as does one to a document that is not older, which may stand where
//! the number of a forgotten one has come around.

use crate::column::zeros;
use crate::error::Result;

/// Documents of a bucket that are looked at, the newest first.
const MOST: usize = 64;

/// As many numbers as links tell apart, 0 being none.
const NUMBERS: u64 = u32::MAX as u64;

#[derive(Debug)]
pub(super) struct Recent {
    bands: usize,
    /// The bytes of a code.
    width: usize,
    capacity: usize,
    /// How many were ever added, and so the number of the next; in links numbers come around.
    added: u64,
    /// For each band and bucket the number after that of its newest document, 0 for none.
    heads: Vec<u32>,
    /// Buckets of a band less 1; a power of two of them.
    mask: usize,
    /// For each place and band: the hash, and the link.
    hashes: Vec<u64>,
    links: Vec<u32>,
    codes: Vec<u8>,
}

impl Recent {
    pub(super) fn try_new(capacity: usize, bands: usize, width: usize) -> Result<Self> {
        let buckets = capacity.next_power_of_two();
        Ok(Self {
            bands,
            width,
            capacity,
            added: 0,
            heads: zeros(buckets, bands)?,
            mask: buckets - 1,
            hashes: zeros(capacity, bands)?,
            links: zeros(capacity, bands)?,
            codes: zeros(capacity, width)?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.added.min(self.capacity as u64) as usize
    }

    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// Starts to count from a number, with no document.
    pub(super) fn count_from(&mut self, added: u64) {
        self.added = added;
    }

    fn place(&self, number: u64) -> usize {
        (number % self.capacity as u64) as usize
    }

    fn hashes_at(&self, place: usize) -> &[u64] {
        self.hashes.get(place * self.bands..(place + 1) * self.bands).unwrap_or_default()
    }

    fn code_at(&self, place: usize) -> &[u8] {
        self.codes.get(place * self.width..(place + 1) * self.width).unwrap_or_default()
    }

    /// The bands of the document that the next one would take the place of.
    pub(super) fn oldest_if_full(&self) -> Option<&[u64]> {
        (self.len() == self.capacity).then(|| self.hashes_at(self.place(self.added)))
    }

    /// Hashes and code of every document that is remembered, the oldest first.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&[u64], &[u8])> {
        (self.added - self.len() as u64..self.added).map(|number| {
            let place = self.place(number);
            (self.hashes_at(place), self.code_at(place))
        })
    }

    fn bucket(&self, band: usize, hash: u64) -> usize {
        band * (self.mask + 1) + (hash as usize & self.mask)
    }

    /// Whether there is a document that shares a band and is alike by its code.
    pub(super) fn find(
        &self,
        hashes: &[u64],
        is_alike: impl Fn(&[u8]) -> bool,
        passed_over: &mut u64,
    ) -> bool {
        let (next, length) = (self.added % NUMBERS, self.len() as u64);
        // Documents are met in several bands, mostly one after the other.
        let mut last = None;
        for (band, &hash) in hashes.iter().enumerate() {
            let (mut age, mut looked_at) = (0_u64, 0);
            let mut link = self.heads.get(self.bucket(band, hash)).copied().unwrap_or_default();
            while link != 0 {
                let age_here = (next + NUMBERS - (u64::from(link) - 1)) % NUMBERS;
                if age_here <= age || age_here > length {
                    break;
                }
                age = age_here;
                let place = self.place(self.added - age);
                let at = place * self.bands + band;
                if self.hashes.get(at) == Some(&hash) && last != Some(place) {
                    if is_alike(self.code_at(place)) {
                        return true;
                    }
                    last = Some(place);
                }
                looked_at += 1;
                if looked_at == MOST {
                    *passed_over += 1;
                    break;
                }
                link = self.links.get(at).copied().unwrap_or_default();
            }
        }
        false
    }

    pub(super) fn add(&mut self, hashes: &[u64], code: &[u8]) {
        let place = self.place(self.added);
        // One more, so that 0 is none.
        let number = (self.added % NUMBERS) as u32 + 1;
        for (band, &hash) in hashes.iter().enumerate().take(self.bands) {
            let bucket = self.bucket(band, hash);
            let at = place * self.bands + band;
            if let (Some(head), Some(link), Some(own)) =
                (self.heads.get_mut(bucket), self.links.get_mut(at), self.hashes.get_mut(at))
            {
                *link = std::mem::replace(head, number);
                *own = hash;
            }
        }
        if let Some(own) = self.codes.get_mut(place * self.width..(place + 1) * self.width) {
            own.copy_from_slice(code);
        }
        self.added += 1;
    }
}
