//! From the texts of a block to digests and bands, and to the texts that are asked for.

use super::rows::{MAX_BLOCKS, block_of, id_of, row_of};
use super::tables::{batch, ids, of_ids};
use crate::column::{self, Places, zeros};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::DedupOptions;
use arrow::array::{ArrayRef, FixedSizeBinaryArray, LargeStringBuilder, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use mithril_core::{Blake3Hash, HashFunction, MinHashSignature, MinHasher};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Bytes of a digest. Half of what BLAKE3 gives: to find two texts of equal digests takes 2⁶⁴ trials.
const DIGEST: usize = 16;
type Digest = [u8; DIGEST];

/// What is told of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Its rows.
    pub rows: u64,
    /// Those without a text.
    pub null_texts: u64,
    /// Those whose text is empty.
    pub empty_texts: u64,
    /// The bytes of all texts.
    pub bytes: u64,
}

/// What [`sign`] makes of a block.
#[derive(Debug, Clone)]
pub struct Signed {
    /// A digest for each distinct text, in parts: equal digests of all blocks are in the same.
    pub digests: Vec<RecordBatch>,
    /// The bands of each distinct text that has a shingle, in parts: equal bands are in the same.
    pub bands: Vec<RecordBatch>,
    /// The further copies of each text in the block, ascending, with the first of it.
    pub copies: RecordBatch,
    /// What is told of the block.
    pub counts: Counts,
}

/// Signs the texts of a block, on the threads that it is called on.
///
/// Texts are the same whose digests are: the first 128 bits of BLAKE3, so that none need meet whose texts are on
/// different machines. Null and empty texts are compared with nothing and come out nowhere.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for options that stages do not know, no part, and a block past the last that
/// ids have room for; [`DedupError::Interrupted`] when the control says so.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::{Control, DedupOptions, Documents, stages};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["one text", "another", "one text", ""]));
/// let documents = Documents::try_from_chunks([column])?;
/// let options = DedupOptions::default();
/// let signed = stages::sign(&documents, 7, 1, &options, Control::default())?;
/// assert_eq!(signed.digests[0].num_rows(), 2);
/// assert_eq!(signed.bands[0].num_rows(), 2 * options.banding()?.bands);
/// assert_eq!(signed.copies.num_rows(), 1);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn sign(
    documents: &Documents,
    block: u32,
    parts: usize,
    options: &DedupOptions,
    control: Control,
) -> Result<Signed> {
    super::check(options)?;
    if parts == 0 || block >= MAX_BLOCKS {
        return Err(DedupError::InvalidArgument(format!(
            "blocks are below {MAX_BLOCKS}, and dealt out to a part at least: not block {block} to {parts}"
        )));
    }
    let mut firsts: HashMap<Digest, u32> = HashMap::new();
    let (mut distinct, mut digests) = (Vec::new(), Vec::new());
    let (mut copies, mut of_copies) = (Vec::new(), Vec::new());
    let mut counts = Counts { rows: documents.len() as u64, ..Counts::default() };
    for row in 0..documents.len() {
        let Some(text) = documents.bytes(row) else {
            counts.null_texts += 1;
            continue;
        };
        counts.bytes += text.len() as u64;
        if text.is_empty() {
            counts.empty_texts += 1;
            continue;
        }
        let digest = digest(text);
        match firsts.entry(digest) {
            Entry::Occupied(first) => {
                copies.push(id_of(block, row));
                of_copies.push(id_of(block, *first.get() as usize));
            }
            Entry::Vacant(place) => {
                place.insert(row as u32);
                distinct.push(row as u32);
                digests.push(digest);
            }
        }
        control.check()?;
    }
    drop(firsts);

    let banding = options.banding()?;
    let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
    let mut band_hashes = zeros(distinct.len(), banding.bands)?;
    let places = Places { signatures: None, bands: Some((banding, &mut band_hashes)) };
    column::sketch(&hasher, documents, &distinct, options.shingling, places, control)?;

    let mut digest_parts: Vec<Vec<(Digest, i64)>> = vec![Vec::new(); parts];
    for (&digest, &row) in digests.iter().zip(&distinct) {
        let (head, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        if let Some(part) = digest_parts.get_mut(part_of(u64::from_be_bytes(*head), parts)) {
            part.push((digest, id_of(block, row as usize)));
        }
    }
    let mut band_parts: Vec<Vec<(u64, i64)>> = vec![Vec::new(); parts];
    for (hashes, &row) in band_hashes.chunks_exact(banding.bands.max(1)).zip(&distinct) {
        if hashes.iter().all(|&hash| hash == MinHashSignature::EMPTY) {
            continue;
        }
        for &hash in hashes {
            if let Some(part) = band_parts.get_mut(part_of(hash, parts)) {
                part.push((hash, id_of(block, row as usize)));
            }
        }
    }
    Ok(Signed {
        digests: digest_parts.into_iter().map(of_digests).collect::<Result<_>>()?,
        bands: band_parts.into_iter().map(of_bands).collect::<Result<_>>()?,
        copies: batch([("id", of_ids(copies)), ("first", of_ids(of_copies))])?,
        counts,
    })
}

fn digest(text: &[u8]) -> Digest {
    let whole = Blake3Hash::new().hash(text);
    whole.first_chunk().copied().unwrap_or_default()
}

/// The part of a hash, by its upper bits.
fn part_of(hash: u64, parts: usize) -> usize {
    ((u128::from(hash) * parts as u128) >> 64) as usize
}

fn of_digests(rows: Vec<(Digest, i64)>) -> Result<RecordBatch> {
    let digests = rows.iter().map(|row| Some(row.0));
    let digests = FixedSizeBinaryArray::try_from_sparse_iter_with_size(digests, DIGEST as i32)?;
    let ids = rows.into_iter().map(|row| row.1).collect();
    batch([("digest", Arc::new(digests) as ArrayRef), ("id", of_ids(ids))])
}

fn of_bands(rows: Vec<(u64, i64)>) -> Result<RecordBatch> {
    let (bands, ids): (Vec<u64>, Vec<i64>) = rows.into_iter().unzip();
    batch([("band", Arc::new(UInt64Array::from(bands)) as ArrayRef), ("id", of_ids(ids))])
}

/// The texts of a block that a table needs: of the rows in one of its columns, `later` or `earlier` of pairs, or `id`;
/// each once.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table without that column, and for a row that the block does not have: it
/// is not what it was when it was signed.
///
/// ```
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use mithril_dedup::{Documents, stages};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["one text", "another"]));
/// let documents = Documents::try_from_chunks([column])?;
/// let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as ArrayRef;
/// let row = |block, row| stages::id_of(block, row);
/// let pairs = RecordBatch::try_from_iter([
///     ("later", ids(vec![row(4, 0), row(4, 1)])),
///     ("earlier", ids(vec![row(3, 1), row(3, 1)])),
/// ])?;
/// assert_eq!(stages::pick(&documents, 3, &pairs, "earlier")?.num_rows(), 1);
/// assert_eq!(stages::pick(&documents, 4, &pairs, "later")?.num_rows(), 2);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn pick(
    documents: &Documents,
    block: u32,
    table: &RecordBatch,
    column: &str,
) -> Result<RecordBatch> {
    let wanted = each_once(ids(table, column)?.iter().filter(|&&id| block_of(id) == block));
    let mut texts = LargeStringBuilder::new();
    for &id in &wanted {
        let text = documents.text(row_of(id)).ok_or_else(|| {
            DedupError::InvalidArgument(format!(
                "block {block} has no text in row {} any more: it has changed since it was signed",
                row_of(id)
            ))
        })?;
        texts.append_value(text);
    }
    batch([("id", of_ids(wanted)), ("text", Arc::new(texts.finish()) as ArrayRef)])
}

/// As [`pick`], of texts that were picked before: `texts`, in the order of ids. Rows that are not among them are left
/// out: others may have them.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for tables without such columns.
///
/// ```
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use mithril_dedup::stages;
/// use std::sync::Arc;
///
/// let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as ArrayRef;
/// let text: ArrayRef = Arc::new(StringArray::from(vec!["one text", "another"]));
/// let texts = RecordBatch::try_from_iter([("id", ids(vec![3, 8])), ("text", text)])?;
/// let pairs = RecordBatch::try_from_iter([("later", ids(vec![8, 8])), ("earlier", ids(vec![3, 5]))])?;
/// assert_eq!(stages::select(&texts, &pairs, "later")?.num_rows(), 1);
/// assert_eq!(stages::select(&texts, &pairs, "earlier")?.num_rows(), 1);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn select(texts: &RecordBatch, table: &RecordBatch, column: &str) -> Result<RecordBatch> {
    let held = ids(texts, "id")?;
    let wanted = each_once(ids(table, column)?.iter());
    let place = |id: &i64| held.binary_search(id).ok().map(|place| place as u64);
    let places: Vec<u64> = wanted.iter().filter_map(place).collect();
    Ok(take_record_batch(texts, &UInt64Array::from(places))?)
}

fn each_once<'a>(ids: impl Iterator<Item = &'a i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
