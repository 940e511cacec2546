//! What a run has removed within rows, and the texts without it.

use super::{Repeat, Spooled, Unit};
use crate::deduplicator::Deduplication;
use crate::documents::Documents;
use crate::error::Result;
use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, LargeStringArray, LargeStringBuilder, RecordBatch,
};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

impl Deduplication {
    /// The text of a row, counted without references, without what was removed of it.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_dedup::{Control, DedupOptions, Deduplicator, Documents, Method};
    /// use std::sync::Arc;
    ///
    /// let column: ArrayRef = Arc::new(StringArray::from(vec![
    ///     "Subscribe to our newsletter!\nThe first article.",
    ///     "The second article.\nSubscribe to our newsletter!",
    /// ]));
    /// let documents = Documents::try_from_chunks([column])?;
    /// let options = DedupOptions { method: Method::Lines, ..DedupOptions::default() };
    /// let result =
    ///     Deduplicator::try_new(options)?.deduplicate(&documents, None, Control::default())?;
    /// assert_eq!(result.text(&documents, 1).as_deref(), Some("The second article."));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    #[must_use]
    pub fn text<'a>(&self, documents: &'a Documents, row: usize) -> Option<Cow<'a, str>> {
        // Nothing has to be read for results that are not written to files.
        self.edits().left_of(documents, documents.references() + row, row).ok().flatten()
    }

    /// What takes out of texts what was removed within them.
    pub(crate) fn edits(&self) -> Edits<'_> {
        Edits { outcome: self, window: None, held: Vec::new() }
    }

    /// Whether something was removed within some rows.
    pub(crate) fn has_repeats(&self, rows: Range<usize>) -> Result<bool> {
        match &self.spooled {
            Some(spooled) => spooled.has(rows),
            None => Ok(!of_rows(&self.repeats, rows).is_empty()),
        }
    }

    /// All that was removed within rows, up to about so many at a time.
    pub(crate) fn repeats_in_turn(
        &self,
        most: usize,
    ) -> Box<dyn Iterator<Item = Result<Cow<'_, [Repeat]>>> + '_> {
        let Some(spooled) = &self.spooled else {
            return Box::new(self.repeats.chunks(most).map(|repeats| Ok(Cow::Borrowed(repeats))));
        };
        let mut windows = spooled.all();
        let mut rest: Vec<Repeat> = Vec::new();
        Box::new(std::iter::from_fn(move || {
            while rest.len() < most {
                match windows.next() {
                    Some(Ok(more)) => rest.extend(more),
                    Some(Err(error)) => return Some(Err(error)),
                    None => break,
                }
            }
            let after = rest.split_off(rest.len().min(most));
            let here = std::mem::replace(&mut rest, after);
            (!here.is_empty()).then(|| Ok(Cow::Owned(here)))
        }))
    }

    /// What was removed within rows as an Arrow table: `row`, `part`, `kept_row`, `kept_part` and `count` (int64),
    /// `text` (string), and where there were references `against` (bool).
    ///
    /// # Errors
    ///
    /// None in practice: the columns have equal lengths.
    pub fn repeats_batch(&self, documents: &Documents) -> Result<RecordBatch> {
        let integers = |value| integers(&self.repeats, value);
        let mut columns = vec![
            ("row", integers(|one| one.row)),
            ("part", integers(|one| one.part)),
            ("kept_row", integers(|one| one.kept_row)),
            ("kept_part", integers(|one| one.kept_part)),
            ("count", integers(|one| one.count)),
            ("text", Arc::new(removed_texts(&self.repeats, documents))),
        ];
        if self.report.against > 0 {
            let against =
                self.repeats.iter().map(|one| Some(one.against)).collect::<BooleanArray>();
            columns.push(("against", Arc::new(against)));
        }
        let columns = columns.into_iter().map(|(name, column)| (name, column, false));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// Takes out of texts what was removed within them; rows that follow each other are read together.
pub(crate) struct Edits<'a> {
    outcome: &'a Deduplication,
    /// The window of rows that was read last, and what was removed within them.
    window: Option<usize>,
    held: Vec<Repeat>,
}

impl Edits<'_> {
    /// The text of a row without what was removed of it, if anything was.
    pub(crate) fn edited(&mut self, row: usize, text: &str) -> Result<Option<String>> {
        let Some(unit) = Unit::of(self.outcome.report.options.method) else { return Ok(None) };
        let repeats = match &self.outcome.spooled {
            None => &self.outcome.repeats,
            Some(spooled) => {
                let window = Spooled::window_of(row);
                if self.window != Some(window) {
                    self.held = spooled.window(window)?;
                    self.window = Some(window);
                }
                &self.held
            }
        };
        let repeats = of_rows(repeats, row..row + 1);
        let without = || unit.without(text, repeats.iter().map(|repeat| &repeat.bytes));
        Ok((!repeats.is_empty()).then(without))
    }

    /// The text of a row, which is the document of this number, without what was removed of it.
    pub(crate) fn left_of<'a>(
        &mut self,
        documents: &'a Documents,
        document: usize,
        row: usize,
    ) -> Result<Option<Cow<'a, str>>> {
        let Some(text) = documents.text(document) else { return Ok(None) };
        Ok(Some(self.edited(row, text)?.map_or(Cow::Borrowed(text), Cow::Owned)))
    }
}

/// Those of some rows, of repeats that ascend by row.
pub(super) fn of_rows(repeats: &[Repeat], rows: Range<usize>) -> &[Repeat] {
    let at = |row: usize| repeats.partition_point(|repeat| repeat.row < row as u64);
    repeats.get(at(rows.start)..at(rows.end)).unwrap_or_default()
}

/// A column of numbers of what was removed.
pub(crate) fn integers(repeats: &[Repeat], value: fn(&Repeat) -> u64) -> ArrayRef {
    Arc::new(repeats.iter().map(|one| Some(value(one) as i64)).collect::<Int64Array>())
}

/// What was removed, without white space around it.
pub(crate) fn removed_texts(repeats: &[Repeat], documents: &Documents) -> LargeStringArray {
    let (mut texts, mut buffer) = (LargeStringBuilder::new(), Vec::new());
    for repeat in repeats {
        let row = documents.references() + repeat.row as usize;
        let text = documents.part_by(row, repeat.bytes.clone(), &mut buffer);
        texts.append_value(text.map(str::trim).unwrap_or_default());
    }
    texts.finish()
}
