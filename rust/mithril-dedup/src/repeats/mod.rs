//! Lines or paragraphs that many texts share: they go from all texts but the first.
//!
//! Parts are counted by a 128-bit hash (XXH3) of what they say, in blocks of texts, so that beside the texts there
//! is only a table of distinct parts; and one goes only if its bytes are those of the first, since equal hashes can
//! be made on purpose.

mod outcome;
mod parts;
mod spooled;

use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::hash_keys::BuildAsItIs;
use crate::options::DedupOptions;
use crate::spill::Spill;
pub(crate) use outcome::{Edits, integers, removed_texts};
use parts::Part;
pub(crate) use parts::Unit;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
pub(crate) use spooled::Spooled;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// Tables that are filled in parallel, chosen by the upper bits of a hash.
const TABLES: usize = 64;
/// What texts and all that is made of their parts take in memory, in times of what the texts do.
const TIMES_TEXT: u64 = 5;
/// Texts between two fillings of the tables.
const BLOCK: usize = 1 << 16;
const CHUNK: usize = 256;

/// A line or a paragraph that was removed from a row, since it stands elsewhere before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The row, counted from zero over the whole input, without references.
    pub row: u64,
    /// The number of the line or paragraph in its text, from zero.
    pub part: u64,
    /// The row in which it stays.
    pub kept_row: u64,
    /// Its number there.
    pub kept_part: u64,
    /// How often it stood in all texts, references included.
    pub count: u64,
    /// Whether the row in which it stays is a reference, which `kept_row` counts then.
    pub against: bool,
    /// Its bytes in the text of the row, with what ended it.
    pub bytes: Range<usize>,
}

/// The account of what was removed within rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// The lines or paragraphs that were long enough to be looked at.
    pub parts: u64,
    /// Those of them that differ.
    pub distinct: u64,
    /// The parts removed.
    pub removed_parts: u64,
    /// Their bytes, in UTF-8, with what ended them.
    pub removed_bytes: u64,
    /// The rows that lost something, and stay.
    pub changed: u64,
}

/// What was found to repeat.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Ascending by row and part; none if they are in a temporary file.
    pub(crate) removed: Vec<Repeat>,
    pub(crate) spooled: Option<Spooled>,
    /// The rows of which nothing is left, ascending.
    pub(crate) emptied: Vec<u64>,
    pub(crate) account: Repeats,
}

impl Found {
    /// Takes what goes from the next row.
    fn extend(&mut self, row: Option<RowRepeats>) {
        let Some(row) = row else { return };
        match row.removed.first() {
            Some(first) if row.emptied => self.emptied.push(first.row),
            _ => self.account.changed += 1,
        }
        self.account.removed_parts += row.removed.len() as u64;
        self.account.removed_bytes +=
            row.removed.iter().map(|repeat| repeat.bytes.len() as u64).sum::<u64>();
        self.removed.extend(row.removed);
    }
}

impl Repeats {
    fn add(&mut self, other: Self) {
        self.parts += other.parts;
        self.distinct += other.distinct;
        self.removed_parts += other.removed_parts;
        self.removed_bytes += other.removed_bytes;
        self.changed += other.changed;
    }
}

/// Where a part has come first, and how often it came.
#[derive(Debug, Clone, Copy)]
struct First {
    count: u32,
    row: u32,
    number: u64,
    start: u64,
    length: u64,
}

type Table = HashMap<u128, First, BuildAsItIs>;

/// Whether texts of so many bytes, and all that is made of their parts, fit into so much memory.
pub(crate) fn fits(text_bytes: u64, memory: u64) -> bool {
    text_bytes.saturating_mul(TIMES_TEXT) <= memory
}

impl First {
    /// Counts another of the same, which may come before.
    fn meet(&mut self, other: Self) {
        let count = self.count.saturating_add(other.count);
        if (other.row, other.number) < (self.row, self.number) {
            *self = other;
        }
        self.count = count;
    }
}

/// Finds the parts that occur at least `min_count` times, and all but the first of each of them; by temporary files if
/// there are some.
pub(crate) fn find(
    documents: &Documents,
    unit: Unit,
    options: &DedupOptions,
    spill: Option<&Spill>,
    control: Control,
) -> Result<Found> {
    if let Some(spill) = spill {
        return spooled::find(documents, unit, options, spill, control);
    }
    let texts = Texts { documents, unit, options };
    let tables = texts.count(control)?;
    let references = documents.references();
    control.begin("matching", (documents.len() - references) as u64);
    let rows: Vec<usize> = (references..documents.len()).collect();
    let found: Vec<Found> = rows
        .par_chunks(CHUNK)
        .map(|rows| {
            let mut found = Found::default();
            for &row in rows {
                found.extend(texts.repeats_in(row, &tables));
            }
            control.advance(rows.len() as u64)?;
            Ok(found)
        })
        .collect::<Result<_>>()?;
    let mut all = Found::default();
    all.account.distinct = tables.iter().map(|table| table.len() as u64).sum();
    all.account.parts =
        tables.iter().flat_map(|table| table.values()).map(|first| u64::from(first.count)).sum();
    for found in found {
        all.removed.extend(found.removed);
        all.emptied.extend(found.emptied);
        all.account.add(found.account);
    }
    Ok(all)
}

/// What goes from one row.
struct RowRepeats {
    removed: Vec<Repeat>,
    emptied: bool,
}

#[derive(Clone, Copy)]
struct Texts<'a> {
    documents: &'a Documents,
    unit: Unit,
    options: &'a DedupOptions,
}

impl<'a> Texts<'a> {
    /// The text of a row whose parts are compared: texts that are not Unicode stay whole.
    fn text(self, row: usize) -> Option<&'a str> {
        let is_compared = self.documents.is_compared(row) && !self.documents.is_raw(row);
        self.documents.text(row).filter(|_| is_compared)
    }

    /// What a part is compared by, if it is long enough to be.
    fn prepared<'c>(&self, content: &'c str) -> Option<Cow<'c, str>> {
        if content.is_empty() {
            return None;
        }
        let whole =
            self.options.shingling.whole(content).map_or(Cow::Borrowed(content), Cow::Owned);
        let least = self.options.min_length;
        let is_long = whole.len() >= least && whole.chars().take(least).count() >= least;
        (is_long && !whole.is_empty()).then_some(whole)
    }

    /// Counts the parts of all texts.
    fn count(self, control: Control) -> Result<Vec<Table>> {
        let mut tables: Vec<Table> = Vec::new();
        tables.resize_with(TABLES, Table::default);
        let len = self.documents.len();
        control.begin("hashing", len as u64);
        for start in (0..len).step_by(BLOCK) {
            let rows: Vec<usize> = (start..len.min(start + BLOCK)).collect();
            let hashed: Vec<Vec<Vec<(u128, First)>>> = rows
                .par_chunks(CHUNK)
                .map(|rows| {
                    control.advance(rows.len() as u64)?;
                    Ok(self.hash(rows))
                })
                .collect::<Result<_>>()?;
            tables.par_iter_mut().enumerate().for_each(|(at, table)| {
                for &(hash, first) in hashed.iter().filter_map(|chunk| chunk.get(at)).flatten() {
                    table.entry(hash).and_modify(|known| known.meet(first)).or_insert(first);
                }
            });
        }
        Ok(tables)
    }

    /// The parts of some texts, by the table that they are counted in.
    fn hash(self, rows: &[usize]) -> Vec<Vec<(u128, First)>> {
        let mut hashed = vec![Vec::new(); TABLES];
        for &row in rows {
            self.each_part(row, |hash, first| {
                if let Some(table) = hashed.get_mut(table_of(hash)) {
                    table.push((hash, first));
                }
            });
        }
        hashed
    }

    /// The parts of a text that are long enough to be compared.
    fn each_part(self, row: usize, mut take: impl FnMut(u128, First)) {
        let Some(text) = self.text(row) else { return };
        for Part { number, content, .. } in self.unit.cut(text) {
            let (start, length) = (content.start as u64, content.len() as u64);
            if let Some(prepared) = text.get(content).and_then(|part| self.prepared(part)) {
                let first = First { count: 1, row: row as u32, number, start, length };
                take(xxh3_128(prepared.as_bytes()), first);
            }
        }
    }

    /// What goes from a row, by tables of all parts.
    fn repeats_in(self, row: usize, tables: &[Table]) -> Option<RowRepeats> {
        let mut buffer = Vec::new();
        self.repeats(row, |part, content| {
            let hash = xxh3_128(self.prepared(content)?.as_bytes());
            let first = tables.get(table_of(hash))?.get(&hash)?;
            let goes = self.goes(row, part.number, first);
            (goes && self.is_same(first, content, &mut buffer)).then_some(*first)
        })
    }

    /// What goes from a row: the parts for which there is one that stays.
    fn repeats(
        self,
        row: usize,
        mut find: impl FnMut(&Part, &'a str) -> Option<First>,
    ) -> Option<RowRepeats> {
        let text = self.text(row)?;
        let references = self.documents.references();
        let (mut removed, mut left) = (Vec::new(), 0);
        for part in self.unit.cut(text) {
            let content = text.get(part.content.clone())?;
            let Some(first) = find(&part, content) else {
                left += content.len();
                continue;
            };
            let kept = first.row as usize;
            let against = kept < references;
            removed.push(Repeat {
                row: (row - references) as u64,
                part: part.number,
                kept_row: (if against { kept } else { kept - references }) as u64,
                kept_part: first.number,
                count: first.count.into(),
                against,
                bytes: part.whole,
            });
        }
        (!removed.is_empty()).then_some(RowRepeats { removed, emptied: left == 0 })
    }

    /// Whether a part goes, if it says the same as this first one.
    fn goes(self, row: usize, number: u64, first: &First) -> bool {
        let kept = first.row as usize;
        let is_first = (kept, first.number) == (row, number);
        let is_against = kept < self.documents.references();
        let is_often = u64::from(first.count) >= self.options.min_count;
        !is_first && is_often && (self.options.within || is_against)
    }

    /// Whether a part says the same as a first one.
    fn is_same(self, first: &First, content: &str, buffer: &mut Vec<u8>) -> bool {
        let start = first.start as usize;
        let bytes = start..start + first.length as usize;
        let first = self.documents.part_by(first.row as usize, bytes, buffer);
        first
            .is_some_and(|first| first == content || self.prepared(first) == self.prepared(content))
    }
}

fn table_of(hash: u128) -> usize {
    (hash >> 122) as usize
}
