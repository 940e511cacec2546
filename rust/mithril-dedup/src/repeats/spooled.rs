//! The same for more parts than fit into memory: by temporary files, one part of all hashes after the other.
//!
//! Parts go to a file by their hashes. Of each share of the hashes a table tells where each part comes first; all others
//! go to a second file by their rows. With the texts of some rows at hand, what goes of them is checked, and written.

use super::outcome::of_rows;
use super::{First, Found, Repeat, Repeats, Table, Texts, Unit};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::DedupOptions;
use crate::spill::{PartitionWriter, Partitions, RECORD, Record, Runs, Spill};
use crate::threads::in_turn;
use rayon::current_num_threads;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows that are cut at a time.
const ROWS: usize = 32;
/// Rows whose repeats are found by one entry of an index.
const WINDOW: usize = 16;
/// The bytes of text for each part, about; more parts than that make tables larger.
const BYTES_OF_PART: u64 = 24;
/// What a part takes in a table, about.
const MEMORY_OF_PART: u64 = 100;
/// The share of the memory that tables have, of all threads.
const SHARE: u64 = 4;
const LEAST_PARTITIONS: u64 = 64;
const MOST_PARTITIONS: u64 = 4096;

/// What was removed within rows, in a temporary file.
#[derive(Debug)]
pub(crate) struct Spooled {
    runs: Runs<RECORD>,
    /// Where the repeats of each [`WINDOW`] of rows are: the place of a run, those of it before, and how many.
    windows: Vec<Window>,
}

type Window = (u64, u32, u32);

impl Spooled {
    /// The number of the window that a row is in.
    pub(super) fn window_of(row: usize) -> usize {
        row / WINDOW
    }

    /// Whether something was removed within some rows.
    pub(crate) fn has(&self, rows: Range<usize>) -> Result<bool> {
        for window in rows.start / WINDOW..rows.end.div_ceil(WINDOW) {
            let is_empty = self.windows.get(window).is_none_or(|&(_, _, count)| count == 0);
            let is_inside = rows.start <= window * WINDOW && (window + 1) * WINDOW <= rows.end;
            if !is_empty && (is_inside || !of_rows(&self.window(window)?, rows.clone()).is_empty())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All that was removed, some rows after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = Result<Vec<Repeat>>> + '_ {
        let filled = |&window: &usize| self.windows.get(window).is_some_and(|one| one.2 > 0);
        (0..self.windows.len()).filter(filled).map(|window| self.window(window))
    }

    /// What was removed within the rows of a window, ascending by row and part.
    pub(super) fn window(&self, window: usize) -> Result<Vec<Repeat>> {
        let Some(&(run, first, count)) = self.windows.get(window) else { return Ok(Vec::new()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        let records = self.runs.read(run, first.into(), count.into())?;
        Ok(records.into_iter().map(repeat_of).collect())
    }
}

/// As [`find`](super::find), in little memory.
pub(super) fn find(
    documents: &Documents,
    unit: Unit,
    options: &DedupOptions,
    spill: &Spill,
    control: Control,
) -> Result<Found> {
    let search = Search { texts: Texts { documents, unit, options }, spill, control };
    let parts = search.hash()?;
    let ranges =
        Ranges::of(documents, (parts.bytes() * 2 / search.memory_of_thread()) as usize + 1);
    control.begin("matching", (parts.count() + ranges.count) as u64);
    let (repeating, account) = search.match_up(&parts, ranges)?;
    drop(parts);
    search.check(&repeating, ranges, account)
}

struct Search<'a> {
    texts: Texts<'a>,
    spill: &'a Spill,
    control: Control<'a>,
}

/// The rows in ranges of whole windows.
#[derive(Clone, Copy)]
struct Ranges {
    rows: usize,
    each: usize,
    count: usize,
}

impl Ranges {
    fn of(documents: &Documents, wanted: usize) -> Self {
        let rows = documents.len() - documents.references();
        let windows = rows.div_ceil(WINDOW).max(1);
        let each = windows.div_ceil(wanted.min(MOST_PARTITIONS as usize).min(windows)) * WINDOW;
        Self { rows, each, count: rows.div_ceil(each).max(1) }
    }

    fn rows(self, range: usize) -> Range<usize> {
        range * self.each..((range + 1) * self.each).min(self.rows)
    }
}

impl Search<'_> {
    fn memory_of_thread(&self) -> u64 {
        (self.spill.memory() / SHARE / current_num_threads() as u64).max(1)
    }

    /// All parts that are long enough, by their hashes.
    fn hash(&self) -> Result<Partitions> {
        let Self { texts, spill, control } = self;
        let documents = texts.documents;
        let lengths = (0..documents.len()).filter_map(|row| documents.length(row));
        let expected = lengths.map(|length| length as u64).sum::<u64>() / BYTES_OF_PART;
        let wanted = expected * MEMORY_OF_PART / self.memory_of_thread();
        let wanted = wanted.clamp(LEAST_PARTITIONS, MOST_PARTITIONS) as usize;
        let parts = Partitions::new(spill, "parts", wanted)?;
        control.begin("hashing", documents.len() as u64);
        let hash = |writer: &mut PartitionWriter, block: usize| {
            let rows = block * ROWS..documents.len().min((block + 1) * ROWS);
            let mut outcome = Ok(());
            for row in rows.clone() {
                texts.each_part(row, |hash, first| {
                    let push = |record| writer.push(partition_of(hash, parts.count()), record);
                    if outcome.is_ok() {
                        outcome = record_of(hash, first).and_then(push);
                    }
                });
            }
            outcome?;
            control.advance(rows.len() as u64)
        };
        let blocks = documents.len().div_ceil(ROWS);
        in_turn(current_num_threads(), blocks, || parts.writer(), hash, PartitionWriter::finish)?;
        Ok(parts)
    }

    /// The parts that may go, by their rows, and how many parts there are.
    fn match_up(&self, parts: &Partitions, ranges: Ranges) -> Result<(Partitions, Repeats)> {
        let Self { texts, spill, control } = self;
        let references = texts.documents.references();
        let repeating = Partitions::new(spill, "repeating", ranges.count)?;
        let account = Mutex::new(Repeats::default());
        let match_up = |(table, writer): &mut (Table, PartitionWriter), part: usize| {
            table.clear();
            parts.read(part, |record| {
                let (hash, first) = first_of(record);
                table.entry(hash).and_modify(|known| known.meet(first)).or_insert(first);
                Ok(())
            })?;
            let count = table.values().map(|first| u64::from(first.count)).sum();
            let here = Repeats { parts: count, distinct: table.len() as u64, ..Repeats::default() };
            account.lock().unwrap_or_else(PoisonError::into_inner).add(here);
            parts.read(part, |record| {
                let (hash, here) = first_of(record);
                let row = here.row as usize;
                let first = table.get(&hash).filter(|first| texts.goes(row, here.number, first));
                let (Some(first), Some(own)) = (first, row.checked_sub(references)) else {
                    return Ok(());
                };
                let (removed, kept) =
                    (place(here.row, here.number), place(first.row, first.number));
                let record = [removed, kept, first.start, first.length, first.count.into()];
                writer.push(own / ranges.each, record)
            })?;
            control.advance(1)
        };
        let own = || (Table::default(), repeating.writer());
        in_turn(current_num_threads(), parts.count(), own, match_up, |(_, writer)| {
            writer.finish()
        })?;
        Ok((repeating, account.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    /// What goes, since it says the same as what stays.
    fn check(&self, repeating: &Partitions, ranges: Ranges, account: Repeats) -> Result<Found> {
        let runs = Runs::new(self.spill, "repeats")?;
        let check = |range: usize| {
            let rows = ranges.rows(range);
            let Found { removed, emptied, account, .. } =
                of_range(self.texts, repeating, range, rows.clone())?;
            let records: Vec<Record> = removed.iter().map(repeat_record).collect();
            let run = runs.write(&records)?;
            let mut windows: Vec<Window> = Vec::new();
            let mut first = 0;
            for start in rows.step_by(WINDOW) {
                let end = (start + WINDOW) as u64;
                let end = removed.partition_point(|repeat| repeat.row < end) as u32;
                windows.push((run, first, end - first));
                first = end;
            }
            self.control.advance(1)?;
            Ok((windows, emptied, account))
        };
        let done = (0..ranges.count).into_par_iter().map(check).collect::<Result<Vec<_>>>()?;
        let mut all = Found { account, ..Found::default() };
        let mut windows = Vec::with_capacity(ranges.rows.div_ceil(WINDOW));
        for (of_range, emptied, account) in done {
            windows.extend(of_range);
            all.emptied.extend(emptied);
            all.account.add(account);
        }
        all.spooled = Some(Spooled { runs, windows });
        Ok(all)
    }
}

/// What goes of the rows of a range.
fn of_range(
    texts: Texts,
    repeating: &Partitions,
    range: usize,
    rows: Range<usize>,
) -> Result<Found> {
    let references = texts.documents.references();
    let mut records = Vec::new();
    repeating.read(range, |record| {
        records.push(record);
        Ok(())
    })?;
    records.sort_unstable();
    let mut found = Found::default();
    let mut rest = records.as_slice();
    for row in rows {
        let row = references + row;
        let count = rest.partition_point(|[place, ..]| place >> 32 <= row as u64);
        let (here, after) = rest.split_at(count);
        rest = after;
        let mut here = here.iter().peekable();
        if here.peek().is_none() {
            continue;
        }
        let mut buffer = Vec::new();
        let repeats = texts.repeats(row, |part, content| {
            let is_this = |[found, ..]: &&Record| *found == place(row as u32, part.number);
            let &[_, kept, start, length, count] = here.next_if(is_this)?;
            let (_, first) = first_of([0, 0, kept, start, length]);
            let first = First { count: count as u32, ..first };
            texts.is_same(&first, content, &mut buffer).then_some(first)
        });
        found.extend(repeats);
    }
    Ok(found)
}

fn partition_of(hash: u128, partitions: usize) -> usize {
    (((hash >> 64) * partitions as u128) >> 64) as usize
}

/// A row and a number in it.
fn place(row: u32, number: u64) -> u64 {
    u64::from(row) << 32 | number
}

fn record_of(hash: u128, first: First) -> Result<Record> {
    if first.number > u64::from(u32::MAX) {
        let problem = format!("a text has more than {} lines", u32::MAX);
        return Err(DedupError::InvalidArgument(problem));
    }
    let place = place(first.row, first.number);
    Ok([hash as u64, (hash >> 64) as u64, place, first.start, first.length])
}

fn first_of([low, high, place, start, length]: Record) -> (u128, First) {
    let (row, number) = ((place >> 32) as u32, place & u64::from(u32::MAX));
    (u128::from(high) << 64 | u128::from(low), First { count: 1, row, number, start, length })
}

/// Whether the row in which it stays is a reference.
const AGAINST: u64 = 1 << 63;

fn repeat_record(repeat: &Repeat) -> Record {
    [
        place(repeat.row as u32, repeat.part),
        place(repeat.kept_row as u32, repeat.kept_part),
        repeat.count | if repeat.against { AGAINST } else { 0 },
        repeat.bytes.start as u64,
        repeat.bytes.end as u64,
    ]
}

fn repeat_of([removed, kept, count, start, end]: Record) -> Repeat {
    let low = u64::from(u32::MAX);
    Repeat {
        row: removed >> 32,
        part: removed & low,
        kept_row: kept >> 32,
        kept_part: kept & low,
        count: count & !AGAINST,
        against: count & AGAINST != 0,
        bytes: start as usize..end as usize,
    }
}
