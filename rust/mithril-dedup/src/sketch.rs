//! From documents to signatures and bands.

use crate::banding::Banding;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::options::{DedupOptions, Verify};
use crate::shingle::Shingler;
use mithril_core::{MinHashSignature, MinHasher};
use rayon::prelude::*;

const CHUNK: usize = 256;

/// What is kept of each document; documents are numbered by their position in keep order.
pub(crate) struct Sketches {
    /// `bands` band hashes for each document.
    band_hashes: Vec<u64>,
    bands: usize,
    /// Whether the document has any shingle; one without falls into no bucket.
    has_shingles: Vec<bool>,
    /// `permutations` values for each document, held only when signatures verify.
    pub(crate) signatures: Vec<u64>,
}

impl Sketches {
    /// Sketches the texts of `rows`.
    pub(crate) fn make(
        documents: &Documents,
        rows: &[u32],
        options: &DedupOptions,
        banding: Banding,
        control: Control,
    ) -> Result<Self> {
        control.begin("sketching", rows.len() as u64);
        let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
        let Banding { bands, rows: band_rows } = banding;
        let permutations = options.permutations;
        // Without signatures the slices below are empty, one for each chunk.
        let held = if options.verify == Verify::Signature { permutations } else { 0 };
        let mut band_hashes = vec![0; rows.len() * bands];
        let mut has_shingles = vec![false; rows.len()];
        let mut signatures = vec![0; rows.len() * held];
        let mut kept_values: Vec<&mut [u64]> = if held == 0 {
            rows.chunks(CHUNK).map(|_| Default::default()).collect()
        } else {
            signatures.chunks_mut(CHUNK * held).collect()
        };
        rows.par_chunks(CHUNK)
            .zip(band_hashes.par_chunks_mut(CHUNK * bands))
            .zip(has_shingles.par_chunks_mut(CHUNK))
            .zip(kept_values.par_iter_mut())
            .try_for_each_init(
                || (Shingler::new(options.shingling), vec![0; permutations]),
                |(shingler, values), (((rows, hashes), has_shingles), kept)| {
                    for (index, (&row, out)) in
                        rows.iter().zip(hashes.chunks_mut(bands)).enumerate()
                    {
                        let tokens =
                            shingler.hashes(documents.text(row as usize).unwrap_or_default());
                        if tokens.is_empty() {
                            continue;
                        }
                        if let Some(flag) = has_shingles.get_mut(index) {
                            *flag = true;
                        }
                        hasher.sketch(tokens, values)?;
                        MinHashSignature::band_hashes(values, band_rows, out);
                        if let Some(place) = kept.chunks_mut(permutations).nth(index) {
                            place.copy_from_slice(values);
                        }
                    }
                    control.advance(rows.len() as u64)
                },
            )?;
        Ok(Self { band_hashes, bands, has_shingles, signatures })
    }

    /// The number of bands.
    pub(crate) fn bands(&self) -> usize {
        self.bands
    }

    /// `(hash, document)` of one band for every document that has a shingle.
    pub(crate) fn band(&self, band: usize) -> impl Iterator<Item = (u64, u32)> + '_ {
        let hashes = self.band_hashes.iter().skip(band).step_by(self.bands);
        let documents = hashes.copied().zip(0_u32..).zip(&self.has_shingles);
        documents.filter_map(|(entry, &has_shingles)| has_shingles.then_some(entry))
    }
}
