//! The engine cut into stages, for engines that spread work over machines.
//!
//! Each stage is a pure function over Arrow tables: what calls it decides where it runs, and moves tables between
//! stages. Together they remove the rows that [`Deduplicator`](crate::Deduplicator) removes with the same options,
//! for the same kept rows; the package's `mithril.cluster` has the order in which they are called.
//!
//! Rows have ids, [`id_of`] their block (a file, say) and their place there; rows are decided in the order of ids.
//!
//! | table | columns |
//! |---|---|
//! | digests | `digest` (16 bytes), `id` |
//! | bands | `band` (uint64), `id`: a row for each band of each text |
//! | copies | `id`, `first` |
//! | pairs | `later`, `earlier`: what is to be compared |
//! | crowds | `band`, `id`: buckets that are too large to compare all with all, sorted |
//! | texts | `id`, `text` |
//! | fingerprints | `id`, `bits` (128 bytes), `size` |
//! | counts | `count` (uint8): how common shingles are, about |
//! | postings | `shingle` (uint64), `id`, `size`, `after` (uint32), `is_first`: the rarest shingles of each text |
//! | edges | `later`, `earlier`, `jaccard`: pairs that are verified |
//! | state | `kept`, `removed`: a bit each for each row there is, in the order of ids |
//! | duplicates | `id`, `kept_id`, `jaccard`, `exact_copy` |
//!
//! Ids are int64, and similarities float64.
//!
//! 1. [`sign`] takes the texts of a block to digests and bands.
//! 2. [`find_copies`] takes equal digests to copies: these are decided with the first of their text.
//! 3. [`candidates`] takes equal bands to pairs. A bucket of many members comes out as it is, among the crowds.
//! 4. [`pivots`] takes some of the first undecided rows of each crowd to pairs among them.
//! 5. [`gather`] collects pairs, [`pick`] the texts that they need of a block, or [`select`] of texts that are at hand,
//!    and [`verify`] compares.
//! 6. [`Decisions::settle`] decides the rows that edges and crowds allow to decide.
//! 7. [`spread`] takes what was kept in crowds to pairs with all that come after it there; then 5, and 6, which
//!    only removes; and from 4 on with more pivots, until every row is decided. [`fingerprints`] of the rows of crowds
//!    rule out most of the pairs that are not alike then.
//!    Instead, once that is few pairs, [`join`] gives all that are left to compare at once: those of rows that meet at
//!    one of their rarest [`postings`], by [`count_shingles`] of all.
//! 8. [`assign`] finds for every removed row the kept one that is most like it, [`resolve`] and [`finish`] do it
//!    for copies.
//!
//! A row is kept only when all before it that it shares a bucket with are decided, or were compared with it: the
//! outcome is that of deciding one after the other. Every round decides at least the first undecided row, and once
//! there are as many pivots as a bucket has undecided members, all of it: the number of rounds is logarithmic, as long
//! as a task has room for the pairs of so many.

mod candidates;
mod copies;
mod decide;
mod fingerprints;
mod join;
mod rows;
mod sign;
mod tables;
mod verify;

pub use candidates::{candidates, gather, pivots, split_ids, spread, spread_size};
pub use copies::{find_copies, finish, resolve};
pub use decide::{Decisions, State, assign, gather_edges};
pub use fingerprints::{Fingerprints, fingerprints};
pub use join::{add_counts, count_shingles, join, join_size, postings, sharing_a_band};
pub use rows::{MAX_BLOCKS, ROW_BITS, Rows, id_of};
pub use sign::{Counts, Signed, pick, select, sign};
pub use verify::verify;

use crate::error::{DedupError, Result};
use crate::options::{Cluster, DedupOptions, Keep, Method, Verify};

/// Whether stages can do what the options ask for.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for an option out of range, and for anything but the removal of near-duplicates
/// by shingle sets, the first of them kept.
///
/// ```
/// use mithril_dedup::{DedupOptions, Keep, stages};
/// let longest = DedupOptions { keep: Keep::Longest, ..DedupOptions::default() };
/// assert!(stages::check(&DedupOptions::default()).is_ok());
/// assert!(stages::check(&longest).is_err());
/// ```
pub fn check(options: &DedupOptions) -> Result<()> {
    options.banding()?;
    let only = |is_so: bool, text: &str| {
        let message = || DedupError::InvalidArgument(format!("past one machine, {text}"));
        if is_so { Ok(()) } else { Err(message()) }
    };
    only(options.method == Method::MinHash, "method must be minhash")?;
    only(options.verify == Verify::Exact, "verify must be exact")?;
    only(options.keep == Keep::First, "keep must be first")?;
    only(options.cluster == Cluster::Direct, "cluster must be direct")?;
    only(options.within, "rows are compared with each other: within must be true")?;
    only(options.audit == 0, "there is no audit")
}
