//! A Bloom filter for each band (Bloom, CACM 1970).

use crate::column::zeros;
use crate::error::Result;

/// Bits that a hash sets: best where a filter has about nine bits for each hash.
const BITS: u64 = 6;

#[derive(Debug)]
pub(super) struct Bloom {
    bands: usize,
    /// Words of each band.
    width: usize,
    words: Vec<u64>,
}

impl Bloom {
    pub(super) fn try_new(bands: usize, bytes: usize) -> Result<Self> {
        let width = bytes / 8 / bands.max(1);
        Ok(Self { bands, width, words: zeros(width, bands)? })
    }

    /// The places of a hash of a band: word and bit.
    fn places(&self, band: usize, hash: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let (bits, start) = (self.width as u64 * 64, band * self.width);
        // The steps of one hash, as of two that are independent (Kirsch and Mitzenmacher, ESA 2006).
        let step = hash.rotate_left(32) | 1;
        (0..BITS).map(move |at| {
            let mixed = hash.wrapping_add(step.wrapping_mul(at));
            let bit = ((u128::from(mixed) * u128::from(bits)) >> 64) as u64;
            (start + (bit / 64) as usize, 1 << (bit % 64))
        })
    }

    pub(super) fn add(&mut self, hashes: &[u64]) {
        for (band, &hash) in hashes.iter().enumerate().take(self.bands) {
            for (word, bit) in self.places(band, hash) {
                if let Some(word) = self.words.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    /// Whether a band has the hash, probably.
    pub(super) fn has(&self, hashes: &[u64]) -> bool {
        hashes.iter().enumerate().take(self.bands).any(|(band, &hash)| {
            let is_set = |(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0);
            self.places(band, hash).all(is_set)
        })
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}
