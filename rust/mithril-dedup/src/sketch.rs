//! From documents to signatures and bands.

use crate::banding::Banding;
use crate::column::{self, Places, zeros};
use crate::control::{Control, Done};
use crate::documents::Documents;
use crate::error::Result;
use crate::options::{DedupOptions, Verify};
use crate::spill::{Columns, RowSpool, Rows, Spill};
use mithril_core::{MinHashSignature, MinHasher};
use std::borrow::Cow;
use std::ops::Range;

/// Documents that are sketched before what they have become goes to temporary files.
const BLOCK: usize = 1 << 16;
/// What this stage is called in what is kept of a run.
const STAGE: &str = "sketch";

/// What is kept of each document; documents are numbered by their position in keep order.
pub(crate) struct Sketches {
    bands: BandHashes,
    pub(crate) signatures: Signatures,
}

/// The band hashes of all documents.
enum BandHashes {
    /// Row by row, so many each.
    Held(Vec<u64>, usize),
    Spilled(Columns),
}

/// The values of all documents, held only when signatures verify.
#[derive(Debug)]
pub(crate) enum Signatures {
    /// Row by row, so many each.
    Held(Vec<u64>, usize),
    Spilled(Rows),
}

impl Signatures {
    /// Those of no document.
    pub(crate) fn none() -> Self {
        Self::Held(Vec::new(), 0)
    }

    /// The signature of a document.
    pub(crate) fn get(&self, position: u32) -> Cow<'_, [u64]> {
        let position = position as usize;
        match self {
            Self::Held(values, width) => {
                let range = position * width..(position + 1) * width;
                Cow::Borrowed(values.get(range).unwrap_or_default())
            }
            Self::Spilled(rows) => Cow::Owned(rows.get(position)),
        }
    }
}

impl Sketches {
    /// Sketches the texts of `rows`.
    pub(crate) fn make(
        documents: &Documents,
        rows: &[u32],
        (options, banding): (&DedupOptions, Banding),
        spill: Option<&Spill>,
        control: Control,
    ) -> Result<Self> {
        let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
        let keep_signatures = options.verify == Verify::Signature;
        let width = if keep_signatures { options.permutations } else { 0 };
        let sketch =
            |rows: &[u32], band_hashes: &mut [u64], values: &mut [u64], control: Control| {
                let places = Places {
                    signatures: keep_signatures.then_some(values),
                    bands: Some((banding, band_hashes)),
                };
                column::sketch(&hasher, documents, rows, options.shingling, places, control)
            };
        let bands = banding.bands;
        let Some(spill) = spill else {
            let mut band_hashes = zeros(rows.len(), bands)?;
            let mut values = zeros(rows.len(), width)?;
            sketch(rows, &mut band_hashes, &mut values, control)?;
            let signatures = Signatures::Held(values, width);
            return Ok(Self { bands: BandHashes::Held(band_hashes, bands), signatures });
        };
        let columns = Columns::new(spill, rows.len(), bands)?;
        let signatures = keep_signatures.then(|| RowSpool::new(spill, width)).transpose()?;
        let block = BLOCK.min(rows.len());
        let mut next = (zeros(block, bands)?, zeros(block, width)?);
        let mut before = (zeros(block, bands)?, zeros(block, width)?);
        control.begin("sketching", rows.len() as u64);
        let progress = Done(control.progress);
        let control = Control { progress: &progress, ..control };
        // A block is written while the next one is sketched.
        let mut waiting = 0..0;
        let write = |rows: Range<usize>, (band_hashes, values): &(Vec<u64>, Vec<u64>)| {
            let (first, rows) = (rows.start, rows.len());
            if rows == 0 {
                return Ok(());
            }
            let bands =
                columns.write(first, band_hashes.get(..rows * bands).unwrap_or_default())?;
            let values = values.get(..rows * width).unwrap_or_default();
            let values = signatures.as_ref().map(|signatures| signatures.write(first, values));
            let entry = (bands, values.transpose()?.unwrap_or_default());
            spill.keep_unit((STAGE, first / BLOCK), &entry)
        };
        let is_done = |first: usize, rows: usize| {
            let hold = |&(bands, values): &(u64, u64)| {
                let hold = |signatures: &RowSpool| signatures.hold(first, rows, values);
                columns.hold(first, rows, bands) && signatures.as_ref().is_none_or(hold)
            };
            spill.kept_unit((STAGE, first / BLOCK), hold).is_some()
        };
        let mut end = 0;
        for rows in rows.chunks(BLOCK) {
            let first = end;
            end += rows.len();
            if is_done(first, rows.len()) {
                control.advance(rows.len() as u64)?;
                continue;
            }
            let bands_of_rows = next.0.get_mut(..rows.len() * bands).unwrap_or_default();
            let values = next.1.get_mut(..rows.len() * width).unwrap_or_default();
            let (sketching, written) = rayon::join(
                || sketch(rows, bands_of_rows, values, control),
                || write(waiting.clone(), &before),
            );
            sketching.and(written)?;
            std::mem::swap(&mut next, &mut before);
            waiting = first..end;
        }
        write(waiting, &before)?;
        let signatures = signatures.map(|spool| spool.finish().map(Signatures::Spilled));
        let signatures = signatures.transpose()?.unwrap_or_else(Signatures::none);
        Ok(Self { bands: BandHashes::Spilled(columns), signatures })
    }

    /// The number of bands.
    pub(crate) fn bands(&self) -> usize {
        match &self.bands {
            BandHashes::Held(_, bands) => *bands,
            BandHashes::Spilled(columns) => columns.columns(),
        }
    }

    /// The number of documents.
    pub(crate) fn len(&self) -> usize {
        match &self.bands {
            BandHashes::Held(hashes, bands) => hashes.len() / (*bands).max(1),
            BandHashes::Spilled(columns) => columns.rows(),
        }
    }

    /// How many bands are worth while to be looked at together: those of which a document's hashes are near each
    /// other.
    pub(crate) fn bands_together(&self, most: usize) -> usize {
        match &self.bands {
            BandHashes::Held(..) => most,
            BandHashes::Spilled(_) => 1,
        }
    }

    /// The hashes of some bands, to be gone through; in `room` if they have to be read.
    pub(crate) fn in_bands<'a>(
        &'a self,
        bands: Range<usize>,
        room: &'a mut Vec<Vec<u8>>,
    ) -> Result<InBands<'a>> {
        match &self.bands {
            BandHashes::Held(hashes, width) => Ok(InBands::Held { hashes, width: *width, bands }),
            BandHashes::Spilled(columns) => {
                room.resize_with(bands.len(), Vec::new);
                room.iter_mut().zip(bands).try_for_each(|(room, band)| columns.read(band, room))?;
                Ok(InBands::Read(room))
            }
        }
    }
}

/// The hashes of some bands.
pub(crate) enum InBands<'a> {
    Held { hashes: &'a [u64], width: usize, bands: Range<usize> },
    Read(&'a [Vec<u8>]),
}

impl InBands<'_> {
    /// Calls `visit` with each document that has a shingle, the place of each band among these, and its hash. One
    /// without falls into no bucket.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u32, usize, u64)) {
        match self {
            Self::Held { hashes, width, bands } => {
                for (document, hashes) in (0_u32..).zip(hashes.chunks_exact((*width).max(1))) {
                    let hashes = hashes.get(bands.clone()).unwrap_or_default();
                    for (band, &hash) in hashes.iter().enumerate() {
                        if hash != MinHashSignature::EMPTY {
                            visit(document, band, hash);
                        }
                    }
                }
            }
            Self::Read(columns) => {
                for (band, hashes) in columns.iter().enumerate() {
                    for (document, &hash) in (0_u32..).zip(hashes.as_chunks().0) {
                        let hash = u64::from_le_bytes(hash);
                        if hash != MinHashSignature::EMPTY {
                            visit(document, band, hash);
                        }
                    }
                }
            }
        }
    }
}
