//! Signatures and band hashes of whole columns, on all threads.

use crate::banding::Banding;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::Shingling;
use crate::shingle::{Shingler, split_piece};
use crate::threads::on_a_pool;
use mithril_core::minhash::ngram::ngram_hashes;
use mithril_core::minhash::{Scheme, datasketch};
use mithril_core::{MinHashSignature, MinHasher};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::ops::Range;

/// About how many bytes of text a thread takes at a time: few enough that no thread waits long for
/// another at the end, and enough that taking them costs nothing.
const SPAN: usize = 64 << 10;
/// Bytes of a text from which on all threads share it: a thread would take some milliseconds.
pub(crate) const LARGE: usize = 4 << 20;
/// What a row costs whatever its text, in bytes of text.
const ROW: usize = 256;

/// Signatures and band hashes of whole columns.
///
/// All run on the threads that they are called on: those of [`Threads::install`](crate::Threads::install),
/// and from a thread of no pool on new ones, as many as the machine has. The outcome is the same
/// whatever their number.
///
/// The tokens of a text are the hashes of its shingles: [`Shingler::hashes`], and for datasketch's
/// schemes datasketch's own hash of the bytes of each shingle, as [`Shingler::hashes_with`] gives them.
pub trait HashColumn {
    /// The signature of every text, row after row: `documents.len()` times `num_permutations` values.
    ///
    /// A text without a shingle, and null, have the signature of the empty set.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so, [`DedupError::InvalidArgument`] when
    /// `shingling` makes no sense or the memory is not there.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_core::MinHasher;
    /// use mithril_dedup::{Control, Documents, HashColumn, Shingling, Threads};
    /// use std::sync::Arc;
    ///
    /// let column: ArrayRef = Arc::new(StringArray::from(vec![
    ///     Some("the quick brown fox jumps over the dog"),
    ///     Some("The quick brown fox jumps over the dog!"),
    ///     None,
    /// ]));
    /// let documents = Documents::try_from_chunks([column])?;
    /// let threads = Threads::try_new(Some(2))?;
    /// let values = threads.install(|| {
    ///     MinHasher::new(64).hash_column(&documents, Shingling::default(), Control::default())
    /// })?;
    /// assert_eq!(values[..64], values[64..128]);
    /// assert_eq!(values[128..], [u64::MAX; 64]);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    fn hash_column(
        &self,
        documents: &Documents,
        shingling: Shingling,
        control: Control,
    ) -> Result<Vec<u64>>;

    /// As [`hash_column`](Self::hash_column), into memory that is there: `values` has the places of all
    /// signatures, and what it holds is overwritten.
    ///
    /// # Errors
    ///
    /// As [`hash_column`](Self::hash_column), and [`DedupError::InvalidArgument`] when `values` has more places
    /// or fewer. Some of them may be written then.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_core::MinHasher;
    /// use mithril_dedup::{Control, Documents, HashColumn, Shingling};
    /// use std::sync::Arc;
    ///
    /// let column: ArrayRef = Arc::new(StringArray::from(vec!["one text", "another"]));
    /// let documents = Documents::try_from_chunks([column])?;
    /// let (hasher, mut values) = (MinHasher::new(16), [0; 32]);
    /// hasher.hash_column_into(&documents, Shingling::default(), &mut values, Control::default())?;
    /// assert_eq!(values[..], hasher.hash_column(&documents, Shingling::default(), Control::default())?);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    fn hash_column_into(
        &self,
        documents: &Documents,
        shingling: Shingling,
        values: &mut [u64],
        control: Control,
    ) -> Result<()>;

    /// The band hashes of every text, row after row: `documents.len()` times `banding.bands` values,
    /// those of [`MinHashSignature::band_hashes`]. No signature is held.
    ///
    /// A text without a shingle, and null, are like nothing and belong into no bucket: they have
    /// [`MinHashSignature::EMPTY`] in every band. Any other text has it in one with probability 2⁻⁶⁴.
    ///
    /// # Errors
    ///
    /// As [`hash_column`](Self::hash_column), and [`DedupError::InvalidArgument`] when `banding` has no
    /// band, no row, or needs more values than a signature has.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_core::{MinHashSignature, MinHasher};
    /// use mithril_dedup::{Banding, Control, Documents, HashColumn, Shingling};
    /// use std::sync::Arc;
    ///
    /// let column: ArrayRef = Arc::new(StringArray::from(vec!["one text", "One text!", ""]));
    /// let documents = Documents::try_from_chunks([column])?;
    /// let banding = Banding::for_recall(0.8, 0.99, 128)?;
    /// let hashes = MinHasher::new(128).band_column(
    ///     &documents,
    ///     Shingling::default(),
    ///     banding,
    ///     Control::default(),
    /// )?;
    /// let rows: Vec<&[u64]> = hashes.chunks(banding.bands).collect();
    /// assert_eq!(rows[0], rows[1]);
    /// assert!(rows[2].iter().all(|&hash| hash == MinHashSignature::EMPTY));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    fn band_column(
        &self,
        documents: &Documents,
        shingling: Shingling,
        banding: Banding,
        control: Control,
    ) -> Result<Vec<u64>>;

    /// The signature of every row of tokens: [`MinHasher::hash_rows`] on all threads.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so, [`DedupError::InvalidArgument`] when
    /// `offsets` do not fit, with the row, or the memory is not there.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// use mithril_dedup::{Control, HashColumn};
    /// let hasher = MinHasher::new(16);
    /// let values = hasher.hash_token_rows(&[7, 8, 9], &[0, 2, 3], Control::default())?;
    /// assert_eq!(values[..16], hasher.hash_tokens(&[7, 8]).values);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    fn hash_token_rows(
        &self,
        tokens: &[u64],
        offsets: &[usize],
        control: Control,
    ) -> Result<Vec<u64>>;

    /// As [`hash_token_rows`](Self::hash_token_rows), into memory that is there: `values` has the places of
    /// all signatures, and what it holds is overwritten.
    ///
    /// # Errors
    ///
    /// As [`hash_token_rows`](Self::hash_token_rows), and [`DedupError::InvalidArgument`] when `values` has
    /// more places or fewer. Some of them may be written then.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// use mithril_dedup::{Control, HashColumn};
    /// let (hasher, mut values) = (MinHasher::new(16), [0; 32]);
    /// hasher.hash_token_rows_into(&[7, 8, 9], &[0, 2, 3], &mut values, Control::default())?;
    /// assert_eq!(values[..16], hasher.hash_tokens(&[7, 8]).values);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    fn hash_token_rows_into(
        &self,
        tokens: &[u64],
        offsets: &[usize],
        values: &mut [u64],
        control: Control,
    ) -> Result<()>;
}

impl HashColumn for MinHasher {
    fn hash_column(
        &self,
        documents: &Documents,
        shingling: Shingling,
        control: Control,
    ) -> Result<Vec<u64>> {
        let mut values = zeros(documents.len(), self.num_permutations())?;
        self.hash_column_into(documents, shingling, &mut values, control)?;
        Ok(values)
    }

    fn hash_column_into(
        &self,
        documents: &Documents,
        shingling: Shingling,
        values: &mut [u64],
        control: Control,
    ) -> Result<()> {
        shingling.check()?;
        check_room(documents.len(), self.num_permutations(), values)?;
        let rows = all(documents);
        let places = Places { signatures: Some(values), bands: None };
        on_a_pool(|| sketch(self, documents, &rows, shingling, places, control))
    }

    fn band_column(
        &self,
        documents: &Documents,
        shingling: Shingling,
        banding: Banding,
        control: Control,
    ) -> Result<Vec<u64>> {
        shingling.check()?;
        let Banding { bands, rows } = banding;
        let needed = bands.checked_mul(rows);
        if !needed.is_some_and(|needed| (1..=self.num_permutations()).contains(&needed)) {
            return Err(DedupError::InvalidArgument(format!(
                "{bands} bands of {rows} rows cannot be cut from signatures of {} values",
                self.num_permutations()
            )));
        }
        let rows = all(documents);
        let mut hashes = zeros(documents.len(), bands)?;
        let places = Places { signatures: None, bands: Some((banding, &mut hashes)) };
        on_a_pool(|| sketch(self, documents, &rows, shingling, places, control))?;
        Ok(hashes)
    }

    fn hash_token_rows(
        &self,
        tokens: &[u64],
        offsets: &[usize],
        control: Control,
    ) -> Result<Vec<u64>> {
        let rows = Self::check_offsets(offsets, tokens.len())?;
        let mut values = zeros(rows, self.num_permutations())?;
        self.hash_token_rows_into(tokens, offsets, &mut values, control)?;
        Ok(values)
    }

    fn hash_token_rows_into(
        &self,
        tokens: &[u64],
        offsets: &[usize],
        values: &mut [u64],
        control: Control,
    ) -> Result<()> {
        let rows = Self::check_offsets(offsets, tokens.len())?;
        check_room(rows, self.num_permutations(), values)?;
        let row_of = |row: usize| match offsets.get(row..).unwrap_or_default() {
            &[start, end, ..] => tokens.get(start..end).unwrap_or_default(),
            _ => &[],
        };
        on_a_pool(|| {
            in_spans(
                rows,
                |row| size_of_val(row_of(row)),
                [(values, self.num_permutations()), (&mut [], 0)],
                control,
                || (),
                |(), row, [values, _]| Ok(self.sketch(row_of(row), values)?),
            )
        })
    }
}

/// Whether there is room for `width` values in each of `rows` rows, and no more.
fn check_room(rows: usize, width: usize, values: &[u64]) -> Result<()> {
    if rows.checked_mul(width) == Some(values.len()) {
        return Ok(());
    }
    Err(DedupError::InvalidArgument(format!(
        "{rows} signatures of {width} values each do not fill the {} places there are",
        values.len()
    )))
}

fn all(documents: &Documents) -> Vec<u32> {
    (0..documents.len() as u32).collect()
}

/// Where goes what is kept of each text, row after row.
pub(crate) struct Places<'a> {
    /// `num_permutations` values for each text.
    pub(crate) signatures: Option<&'a mut [u64]>,
    /// A hash for each band of each text; [`MinHashSignature::EMPTY`] for one without a shingle.
    pub(crate) bands: Option<(Banding, &'a mut [u64])>,
}

/// Sketches the texts of `rows` on the threads that it is called on.
pub(crate) fn sketch(
    hasher: &MinHasher,
    documents: &Documents,
    rows: &[u32],
    shingling: Shingling,
    places: Places,
    control: Control,
) -> Result<()> {
    let width = hasher.num_permutations();
    let (banding, band_hashes) = places.bands.unwrap_or((Banding { bands: 0, rows: 1 }, &mut []));
    let keep_signatures = places.signatures.is_some();
    let signatures = places.signatures.map_or((&mut [][..], 0), |signatures| (signatures, width));
    let text = |index: usize| {
        let row = rows.get(index).copied().unwrap_or(u32::MAX);
        documents.text(row as usize).unwrap_or_default()
    };
    in_spans(
        rows.len(),
        |index| {
            documents.length(rows.get(index).copied().unwrap_or(u32::MAX) as usize).unwrap_or(0)
        },
        [signatures, (band_hashes, banding.bands)],
        control,
        || (Shingler::new(shingling), vec![0; width]),
        |(shingler, passing), index, [kept, hashes]| {
            let values = if keep_signatures { kept } else { passing };
            if sketch_text(hasher, shingler, text(index), values, control)? {
                MinHashSignature::band_hashes(values, banding.rows, hashes);
            } else {
                hashes.fill(MinHashSignature::EMPTY);
            }
            Ok(())
        },
    )
}

/// Sketches one text; false if it has no shingle.
pub(crate) fn sketch_text(
    hasher: &MinHasher,
    shingler: &mut Shingler,
    text: &str,
    values: &mut [u64],
    control: Control,
) -> Result<bool> {
    if let Scheme::Datasketch(scheme) = hasher.scheme() {
        let tokens = shingler.hashes_with(text, |shingle| datasketch::token_hash(scheme, shingle));
        hasher.sketch(tokens, values)?;
        return Ok(!tokens.is_empty());
    }
    if text.len() >= LARGE && rayon::current_num_threads() > 1 {
        return sketch_large(hasher, shingler, text, values, control);
    }
    let (mut has_shingles, mut more) = (false, Vec::new());
    shingler.for_each_run(text, |hashes| {
        control.check()?;
        if has_shingles {
            more.resize(values.len(), 0);
            hasher.sketch(hashes, &mut more)?;
            unite(values, &more);
        } else {
            hasher.sketch(hashes, values)?;
            has_shingles = !hashes.is_empty();
        }
        Ok::<(), DedupError>(())
    })?;
    Ok(has_shingles)
}

/// The signature of the union of two sets, element by element.
fn unite(values: &mut [u64], more: &[u64]) {
    for (value, other) in values.iter_mut().zip(more) {
        *value = (*value).min(*other);
    }
}

/// As [`sketch_text`], with the parts of one text on all threads.
fn sketch_large(
    hasher: &MinHasher,
    shingler: &mut Shingler,
    text: &str,
    values: &mut [u64],
    control: Control,
) -> Result<bool> {
    let shingling = shingler.shingling();
    let prepared = shingling.prepared(text);
    let plain = if prepared.is_some() { shingling.for_prepared() } else { shingling };
    let (mut rest, mut parts) = (prepared.as_deref().unwrap_or(text), Vec::new());
    while !rest.is_empty() {
        let (part, after) = split_piece(rest, LARGE / 4);
        parts.push(part);
        rest = after;
    }
    let tokens: Vec<Vec<u64>> = parts
        .par_iter()
        .map_init(
            || Shingler::new(plain),
            |shingler, part| {
                control.check()?;
                Ok(shingler.tokens(part).to_vec())
            },
        )
        .collect::<Result<_>>()?;
    if tokens.iter().map(Vec::len).sum::<usize>() < plain.ngram {
        // One shingle, or none, whatever its length.
        let whole = shingler.hashes(text);
        hasher.sketch(whole, values)?;
        return Ok(!whole.is_empty());
    }
    let part_values = tokens.par_iter().enumerate().map(|(part, begun)| {
        control.check()?;
        // The shingles that begin in this part end in those that follow.
        let following = tokens.iter().skip(part + 1).flatten().take(plain.ngram - 1);
        let run: Vec<u64> = begun.iter().chain(following).copied().collect();
        let mut values = vec![0; hasher.num_permutations()];
        let mut own = Vec::new();
        if run.len() >= plain.ngram {
            ngram_hashes(&run, plain.ngram, &mut own);
        }
        hasher.sketch(&own, &mut values)?;
        Ok(values)
    });
    let part_values: Vec<Vec<u64>> = part_values.collect::<Result<_>>()?;
    hasher.sketch(&[], values)?;
    for more in &part_values {
        unite(values, more);
    }
    Ok(true)
}

/// Rows that one thread takes at a time, with their places in the two outputs.
struct Span<'a> {
    rows: Range<usize>,
    cost: usize,
    places: [&'a mut [u64]; 2],
}

/// Fills two outputs of so many values a row: calls `fill` for every row, in parallel.
///
/// Rows are dealt out by their bytes, those with very many first: a long one neither keeps short
/// ones waiting, nor is what all wait for in the end.
fn in_spans<S>(
    count: usize,
    bytes: impl Fn(usize) -> usize,
    outputs: [(&mut [u64], usize); 2],
    control: Control,
    state: impl Fn() -> S + Sync + Send,
    fill: impl Fn(&mut S, usize, [&mut [u64]; 2]) -> Result<()> + Sync + Send,
) -> Result<()> {
    control.begin("sketching", count as u64);
    let [(mut first_rest, one), (mut second_rest, two)] = outputs;
    let mut spans: Vec<Span> = cut(count, bytes)
        .map(|(rows, cost)| {
            let places = [
                first_rest.split_off_mut(..rows.len() * one).unwrap_or_default(),
                second_rest.split_off_mut(..rows.len() * two).unwrap_or_default(),
            ];
            Span { rows, cost, places }
        })
        .collect();
    // Stable: all but the long ones stay in the order in which their texts lie in memory.
    spans.sort_by_key(|span| Reverse(span.cost / SPAN));
    // A bridge hands them out in this order, whatever thread asks.
    spans.into_iter().par_bridge().try_for_each_init(state, |state, span| {
        let [mut first, mut second] = span.places;
        let rows = span.rows.len() as u64;
        for row in span.rows {
            fill(
                state,
                row,
                [
                    first.split_off_mut(..one).unwrap_or_default(),
                    second.split_off_mut(..two).unwrap_or_default(),
                ],
            )?;
        }
        control.advance(rows)
    })
}

/// Runs of rows with their costs: a long row alone, others together up to [`SPAN`].
fn cut(
    count: usize,
    bytes: impl Fn(usize) -> usize,
) -> impl Iterator<Item = (Range<usize>, usize)> {
    let cost_of = move |row: usize| bytes(row).saturating_add(ROW);
    let mut start = 0;
    std::iter::from_fn(move || {
        let (mut end, mut cost) = (start, 0_usize);
        while end < count {
            let more = cost.saturating_add(cost_of(end));
            if end > start && more > SPAN {
                break;
            }
            (end, cost) = (end + 1, more);
        }
        let rows = start..end;
        start = end;
        (!rows.is_empty()).then_some((rows, cost))
    })
}

/// Room for `width` values in each of `rows` rows.
pub(crate) fn zeros<T: Copy + Default>(rows: usize, width: usize) -> Result<Vec<T>> {
    let too_large = || {
        DedupError::InvalidArgument(format!(
            "{rows} rows of {width} values each do not fit into memory: take fewer rows at a time"
        ))
    };
    let len = rows.checked_mul(width).ok_or_else(too_large)?;
    // A question only: the memory below comes from the system with zeros in it.
    Vec::<T>::new().try_reserve_exact(len).map_err(|_| too_large())?;
    Ok(vec![T::default(); len])
}
