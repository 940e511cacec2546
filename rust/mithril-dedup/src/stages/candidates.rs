//! From equal bands to the pairs that are to be compared.

use super::decide::State;
use super::fingerprints::{Fingerprint, Fingerprints};
use super::rows::{block_of, row_of};
use super::tables::{batch, deal, ids, of_ids, of_pairs, values};
use crate::error::Result;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use std::sync::Arc;

/// The pairs of a part of the bands of all blocks, and the crowds: buckets of more than `crowd` members, or of fewer
/// where there would be more pairs than `most`, which are left as they are. Rows that `state` says to be removed are
/// in no bucket.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table that is none of bands, and for
/// ids of no row.
///
/// ```
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt64Array};
/// use mithril_dedup::stages::{Decisions, Rows, candidates};
/// use std::sync::Arc;
///
/// let band: ArrayRef = Arc::new(UInt64Array::from(vec![7, 7, 8, 9, 9, 9]));
/// let id: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 0, 0, 1, 2]));
/// let bands = RecordBatch::try_from_iter([("band", band), ("id", id)])?;
/// let decisions = Decisions::new(Rows::new([3]));
/// let state = decisions.state()?;
/// let (pairs, crowds) = candidates(&[bands], &state, 2, 1000)?;
/// assert_eq!((pairs.num_rows(), crowds.num_rows()), (1, 3));
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn candidates(
    bands: &[RecordBatch],
    state: &State,
    crowd: usize,
    most: usize,
) -> Result<(RecordBatch, RecordBatch)> {
    let mut members: Vec<(u64, i64)> = Vec::new();
    for table in bands {
        let rows = values::<UInt64Type>(table, "band")?.iter().zip(ids(table, "id")?);
        for (&band, &id) in rows {
            if !state.is_removed(id)? {
                members.push((band, id));
            }
        }
    }
    members.sort_unstable();
    members.dedup();
    let mut sizes = Vec::new();
    let buckets = || members.chunk_by(|one, two| one.0 == two.0);
    sizes.extend(buckets().map(<[_]>::len).filter(|size| (2..=crowd).contains(size)));
    let crowd = halved(crowd, most, |crowd| {
        sizes.iter().filter(|&&size| size <= crowd).map(|&size| pairs_of(size)).sum()
    });
    let mut pairs = Vec::new();
    let (mut bands, mut ids) = (Vec::new(), Vec::new());
    for bucket in buckets() {
        let of_bucket = bucket.iter().map(|member| member.1);
        if bucket.len() > crowd {
            bands.extend(bucket.iter().map(|member| member.0));
            ids.extend(of_bucket);
        } else {
            let of_bucket: Vec<i64> = of_bucket.collect();
            all_pairs(&of_bucket, &mut pairs);
        }
    }
    let crowds =
        batch([("band", Arc::new(UInt64Array::from(bands)) as ArrayRef), ("id", of_ids(ids))])?;
    Ok((of_pairs(pairs)?, crowds))
}

fn pairs_of(size: usize) -> usize {
    size * size.saturating_sub(1) / 2
}

/// The number, halved until there are at most so many pairs for it.
fn halved(mut number: usize, most: usize, pairs: impl Fn(usize) -> usize) -> usize {
    while number > 1 && pairs(number) > most {
        number /= 2;
    }
    number
}

/// How many undecided rows of each crowd are pivots: `width`, or fewer where there would be more pairs than `most`.
fn pivots_of(crowds: &RecordBatch, state: &State, (width, most): (usize, usize)) -> Result<usize> {
    let mut sizes = Vec::new();
    for bucket in buckets(crowds)? {
        let mut open = 0;
        for &id in bucket {
            open += usize::from(state.is_open(id)?);
            if open == width {
                break;
            }
        }
        sizes.push(open);
    }
    let pairs = |width| sizes.iter().map(|&open| pairs_of(open.min(width))).sum();
    Ok(halved(width, most, pairs))
}

/// Adds each two of the ids, which are ascending, as the later and the earlier.
fn all_pairs(ids: &[i64], pairs: &mut Vec<(i64, i64)>) {
    for (at, &later) in ids.iter().enumerate() {
        pairs.extend(ids.iter().take(at).map(|&earlier| (later, earlier)));
    }
}

/// The members of each crowd, ascending.
fn buckets(crowds: &RecordBatch) -> Result<impl Iterator<Item = &[i64]>> {
    let bands = values::<UInt64Type>(crowds, "band")?;
    let ids = ids(crowds, "id")?;
    let mut end = 0;
    Ok(bands.chunk_by(|one, two| one == two).map(move |bucket| {
        let start = end;
        end += bucket.len();
        ids.get(start..end).unwrap_or_default()
    }))
}

/// The pairs among the pivots of each crowd, its first `width` undecided rows or fewer where there would be more pairs
/// than `most`; and the ids of the other undecided rows, which have to wait. Pairs that `prints` rule out are left
/// out.
///
/// # Errors
///
/// As [`candidates`].
pub fn pivots(
    crowds: &RecordBatch,
    state: &State,
    (width, most): (usize, usize),
    prints: &Fingerprints,
) -> Result<(RecordBatch, RecordBatch)> {
    let width = pivots_of(crowds, state, (width, most))?;
    let (mut pairs, mut waiting) = (Vec::new(), Vec::new());
    for bucket in buckets(crowds)? {
        let mut first: Vec<Member> = Vec::new();
        for &id in bucket {
            if !state.is_open(id)? {
                continue;
            }
            if first.len() < width {
                let print = prints.of(id);
                let may_match = |&&(_, other): &&Member| prints.may_match(print, other);
                pairs.extend(first.iter().filter(may_match).map(|&(earlier, _)| (id, earlier)));
                first.push((id, print));
            } else {
                waiting.push(id);
            }
        }
    }
    waiting.sort_unstable();
    waiting.dedup();
    Ok((of_pairs(pairs)?, batch([("id", of_ids(waiting))])?))
}

/// The pairs of every row that was undecided `before` and is kept `after` with each that comes after it in its
/// crowds, but for those of two pivots, which [`pivots`] of the same arguments gave before. Of `slices` that are
/// about alike, it gives one.
///
/// Removed rows are among them: what is kept by now may be more like them than what they went for.
///
/// # Errors
///
/// As [`candidates`].
pub fn spread(
    crowds: &RecordBatch,
    (before, after): (&State, &State),
    (width, most): (usize, usize),
    (slice, slices): (usize, usize),
    prints: &Fingerprints,
) -> Result<RecordBatch> {
    let width = pivots_of(crowds, before, (width, most))?;
    let mut pairs = Vec::new();
    for_each_to_compare(
        crowds,
        (before, after),
        width,
        |id, kept| {
            if row_of(id) % slices.max(1) == slice {
                let print = prints.of(id);
                let may_match = |&&(_, other): &&Member| prints.may_match(print, other);
                pairs.extend(kept.iter().filter(may_match).map(|&(earlier, _)| (id, earlier)));
            }
        },
        prints,
    )?;
    of_pairs(pairs)
}

/// How many pairs [`spread`] gives over all slices, those that are in two crowds counted twice.
///
/// # Errors
///
/// As [`candidates`].
pub fn spread_size(
    crowds: &RecordBatch,
    (before, after): (&State, &State),
    (width, most): (usize, usize),
    prints: &Fingerprints,
) -> Result<usize> {
    let width = pivots_of(crowds, before, (width, most))?;
    let mut size = 0;
    for_each_to_compare(
        crowds,
        (before, after),
        width,
        |id, kept| {
            let print = prints.of(id);
            size += kept.iter().filter(|&&(_, other)| prints.may_match(print, other)).count();
        },
        prints,
    )?;
    Ok(size)
}

/// A row and its fingerprint, if it has one.
type Member<'a> = (i64, Option<&'a Fingerprint>);

/// Calls `visit` with the rows that are to be compared with what was kept before them in a crowd, and these.
fn for_each_to_compare<'a>(
    crowds: &RecordBatch,
    (before, after): (&State, &State),
    width: usize,
    mut visit: impl FnMut(i64, &[Member<'a>]),
    prints: &'a Fingerprints,
) -> Result<()> {
    for bucket in buckets(crowds)? {
        let (mut kept, mut pivots) = (Vec::new(), 0);
        for &id in bucket {
            let is_pivot = pivots < width && before.is_open(id)?;
            if is_pivot {
                pivots += 1;
            } else if !before.is_kept(id)? {
                visit(id, &kept);
            }
            if is_pivot && after.is_kept(id)? {
                kept.push((id, prints.of(id)));
            }
        }
    }
    Ok(())
}

/// Collects pairs, each once, in the order of the later and then of the earlier.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table that is none of pairs.
pub fn gather(pairs: &[RecordBatch]) -> Result<RecordBatch> {
    let mut all = Vec::new();
    for table in pairs {
        let rows = ids(table, "later")?.iter().zip(ids(table, "earlier")?);
        all.extend(rows.map(|(&later, &earlier)| (later, earlier)));
    }
    of_pairs(all)
}

/// The group of the block of an id, `groups` being the first block of each.
fn group_of(groups: &[u32], id: i64) -> usize {
    groups.partition_point(|&first| first <= block_of(id)).saturating_sub(1)
}

/// Deals the rows of a table out by the group of the block of an id, `column`; `groups` has the first block of
/// each.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table without that column.
pub fn split_ids(table: &RecordBatch, column: &str, groups: &[u32]) -> Result<Vec<RecordBatch>> {
    let ids = ids(table, column)?;
    deal(table, groups.len(), |row| group_of(groups, ids.get(row).copied().unwrap_or(0)))
}
