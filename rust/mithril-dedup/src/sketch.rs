//! From documents to signatures and bands.

use crate::banding::Banding;
use crate::column::{self, Places, zeros};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::options::{DedupOptions, Verify};
use mithril_core::{MinHashSignature, MinHasher};

/// What is kept of each document; documents are numbered by their position in keep order.
pub(crate) struct Sketches {
    /// `bands` band hashes for each document.
    band_hashes: Vec<u64>,
    bands: usize,
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
        let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
        let mut band_hashes = zeros(rows.len(), banding.bands)?;
        let keep_signatures = options.verify == Verify::Signature;
        let width = if keep_signatures { options.permutations } else { 0 };
        let mut signatures = zeros(rows.len(), width)?;
        let places = Places {
            signatures: keep_signatures.then_some(&mut signatures),
            bands: Some((banding, &mut band_hashes)),
        };
        column::sketch(&hasher, documents, rows, options.shingling, places, control)?;
        Ok(Self { band_hashes, bands: banding.bands, signatures })
    }

    /// The number of bands.
    pub(crate) fn bands(&self) -> usize {
        self.bands
    }

    /// The number of documents.
    pub(crate) fn len(&self) -> usize {
        self.band_hashes.len() / self.bands.max(1)
    }

    /// The band hashes of every document that has a shingle; one without falls into no bucket.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, &[u64])> + '_ {
        let rows = self.band_hashes.chunks_exact(self.bands.max(1));
        (0_u32..)
            .zip(rows)
            .filter(|(_, row)| row.iter().any(|&hash| hash != MinHashSignature::EMPTY))
    }
}
