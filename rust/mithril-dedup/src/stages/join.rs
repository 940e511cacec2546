//! From the texts of crowds to the pairs among them that can reach the threshold, by their rarest shingles.
//!
//! What one machine does with an index is a join here: postings are dealt out by shingle, and where two rows meet at
//! one of few shingles, they are a pair.

use super::decide::State;
use super::tables::{batch, booleans, deal, documents, each_set, ids, of_ids, of_pairs, values};
use crate::column::{self, Places, zeros};
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::options::DedupOptions;
use crate::rarest::{Goal, Place, Rarity};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{UInt8Type, UInt32Type, UInt64Type};
use mithril_core::{MinHashSignature, MinHasher};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How common the shingles of texts are: a table of `counters` counts (uint8), of which shingles that fall into one
/// share it.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of texts.
pub fn count_shingles(
    texts: &RecordBatch,
    options: &DedupOptions,
    counters: usize,
) -> Result<RecordBatch> {
    let rarity = Rarity::new(counters, goal(options));
    each_set(texts, options.shingling, |_, set| rarity.count(set))?;
    batch([("count", Arc::new(UInt8Array::from(rarity.counts())) as ArrayRef)])
}

/// The sum of tables of counts, as far as a byte goes.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of counts.
pub fn add_counts(tables: &[RecordBatch]) -> Result<RecordBatch> {
    let mut sum: Vec<u8> = Vec::new();
    for table in tables {
        let counts = values::<UInt8Type>(table, "count")?;
        sum.resize(sum.len().max(counts.len()), 0);
        for (count, &more) in sum.iter_mut().zip(counts) {
            *count = count.saturating_add(more);
        }
    }
    batch([("count", Arc::new(UInt8Array::from(sum)) as ArrayRef)])
}

/// The rarest shingles of texts that others have too, by `counts` of all texts, dealt out to `parts` by shingle.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of texts, or of counts.
pub fn postings(
    texts: &RecordBatch,
    options: &DedupOptions,
    counts: &RecordBatch,
    parts: usize,
) -> Result<Vec<RecordBatch>> {
    let rarity = Rarity::of_counts(values::<UInt8Type>(counts, "count")?, goal(options));
    let mut shingles: Vec<u64> = Vec::new();
    let (mut rows, mut sizes, mut afters) = (Vec::new(), Vec::new(), Vec::new());
    let mut firsts: Vec<bool> = Vec::new();
    each_set(texts, options.shingling, |id, set| {
        for (shingle, place, is_first) in rarity.rarest(set.to_vec()).looked_up() {
            shingles.push(shingle);
            rows.push(id);
            sizes.push(place.size);
            afters.push(place.after);
            firsts.push(is_first);
        }
    })?;
    // The lowest bits have chosen the counter; shingles have 61.
    let part_of =
        |row: usize| (shingles.get(row).copied().unwrap_or_default() >> 32) as usize % parts.max(1);
    let table = batch([
        ("shingle", Arc::new(UInt64Array::from(shingles.clone())) as ArrayRef),
        ("id", of_ids(rows)),
        ("size", Arc::new(UInt32Array::from(sizes))),
        ("after", Arc::new(UInt32Array::from(afters))),
        ("is_first", Arc::new(BooleanArray::from(firsts))),
    ])?;
    deal(&table, parts, part_of)
}

/// The pairs of an undecided row and one that comes after it and is not kept, that meet in these postings and can reach
/// the threshold.
///
/// They are all pairs of such rows of crowds that reach it, and others; among them pairs that share no band. Copies of
/// earlier texts are in no crowd, and may have no postings: they go for what their first goes for.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of postings, and for
/// ids of no row.
pub fn join(
    postings: &[RecordBatch],
    state: &State,
    options: &DedupOptions,
) -> Result<RecordBatch> {
    let mut pairs = Vec::new();
    let goal = goal(options);
    for_each_meeting(postings, state, |later, earlier| {
        let [firsts, seconds] = earlier;
        let seconds = if later.is_first { seconds } else { &[] };
        let do_meet =
            |one: &&Posting| goal.do_meet((later.place, later.is_first), (one.place, one.is_first));
        let both = firsts.iter().chain(seconds).filter(do_meet);
        pairs.extend(both.map(|one| (later.id, one.id)));
    })?;
    of_pairs(pairs)
}

/// How many pairs [`join`] looks at.
///
/// # Errors
///
/// As [`join`].
pub fn join_size(postings: &[RecordBatch], state: &State) -> Result<usize> {
    let mut size = 0;
    for_each_meeting(postings, state, |later, [firsts, seconds]| {
        size += firsts.len() + if later.is_first { seconds.len() } else { 0 };
    })?;
    Ok(size)
}

/// A row at one of its rarest shingles.
#[derive(Clone, Copy)]
struct Posting {
    id: i64,
    place: Place,
    is_first: bool,
}

/// Calls `visit` for each shingle with each row that is not kept, and the undecided ones before it there: first those
/// that larger ones look it up for too, and then the others.
fn for_each_meeting(
    postings: &[RecordBatch],
    state: &State,
    mut visit: impl FnMut(&Posting, [&[Posting]; 2]),
) -> Result<()> {
    let mut all: Vec<(u64, Posting)> = Vec::new();
    for table in postings {
        let (sizes, afters) =
            (values::<UInt32Type>(table, "size")?, values::<UInt32Type>(table, "after")?);
        let rows = values::<UInt64Type>(table, "shingle")?.iter().zip(ids(table, "id")?);
        let places = sizes.iter().zip(afters).zip(booleans(table, "is_first")?.values());
        for ((&shingle, &id), ((&size, &after), is_first)) in rows.zip(places) {
            if !state.is_kept(id)? {
                all.push((shingle, Posting { id, place: Place { size, after }, is_first }));
            }
        }
    }
    all.sort_unstable_by_key(|&(shingle, posting)| (shingle, posting.id));
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for list in all.chunk_by(|one, two| one.0 == two.0) {
        firsts.clear();
        seconds.clear();
        for (_, posting) in list {
            visit(posting, [&firsts, &seconds]);
            if state.is_open(posting.id)? {
                if posting.is_first { &mut firsts } else { &mut seconds }.push(*posting);
            }
        }
    }
    Ok(())
}

/// The edges of two rows that share a band, as all do but some of those that [`join`] has found: what shares none is no
/// candidate, on one machine either. `texts` has the texts of all rows in edges.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of edges or texts, and for a text that is missing;
/// [`DedupError::Interrupted`] when the control says so.
pub fn sharing_a_band(
    edges: &RecordBatch,
    texts: &[RecordBatch],
    options: &DedupOptions,
    control: Control,
) -> Result<RecordBatch> {
    let (laters, earliers) = (ids(edges, "later")?, ids(edges, "earlier")?);
    let wanted: HashSet<i64> = laters.iter().chain(earliers).copied().collect();
    let banding = options.banding()?;
    let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
    let mut bands: HashMap<i64, Vec<u64>> = HashMap::new();
    for table in texts {
        let (documents, rows) = (documents(table)?, ids(table, "id")?);
        let chosen = (0_u32..).zip(rows).filter(|(_, id)| wanted.contains(id));
        let chosen: Vec<u32> = chosen.map(|(row, _)| row).collect();
        let mut found = zeros(chosen.len(), banding.bands)?;
        let places = Places { signatures: None, bands: Some((banding, &mut found)) };
        column::sketch(&hasher, &documents, &chosen, options.shingling, places, control)?;
        for (hashes, row) in found.chunks_exact(banding.bands.max(1)).zip(chosen) {
            let id = rows.get(row as usize).copied().unwrap_or_default();
            bands.insert(id, hashes.to_vec());
        }
    }
    let bands_of = |id: i64| {
        let missing = || DedupError::InvalidArgument(format!("the text of row {id} is missing"));
        bands.get(&id).ok_or_else(missing)
    };
    let share = laters.iter().zip(earliers).map(|(&later, &earlier)| {
        let mut both = bands_of(later)?.iter().zip(bands_of(earlier)?);
        Ok(Some(both.any(|(one, other)| one == other && *one != MinHashSignature::EMPTY)))
    });
    let share = share.collect::<Result<BooleanArray>>()?;
    Ok(filter_record_batch(edges, &share)?)
}

fn goal(options: &DedupOptions) -> Goal {
    Goal { threshold: options.threshold, is_containment: false }
}
