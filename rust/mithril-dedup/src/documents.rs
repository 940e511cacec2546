//! A column of texts, in the memory that Arrow holds them in.

use crate::error::{DedupError, Result};
use crate::spill::{Piece, SpooledTexts, TextSpool};
use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, LargeStringArray, LargeStringBuilder, StringArray,
    StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// The most documents that one run can hold: rows are numbered with 32 bits inside.
pub const MAX_DOCUMENTS: usize = u32::MAX as usize;

/// A column of texts in chunks; null is a document without a text.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::Documents;
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a text"), None]));
/// let documents = Documents::try_from_chunks([column])?;
/// assert_eq!(documents.text(0), Some("a text"));
/// assert_eq!(documents.text(1), None);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
///
/// A clone shares the texts.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    chunks: Vec<Chunk>,
    /// The first row of each chunk.
    starts: Vec<usize>,
    len: usize,
    /// How many of the first are references.
    references: usize,
    /// Those that are compared with nothing.
    set_aside: HashSet<usize>,
    /// The bytes of texts that are not valid Unicode; the column holds them with U+FFFD.
    raw: HashMap<usize, Box<[u8]>>,
}

/// Places of texts that are not valid Unicode, and their bytes.
pub(crate) type Raw = Vec<(usize, Box<[u8]>)>;

#[derive(Debug, Clone)]
enum Chunk {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    /// All null; the `Null` type has no values.
    Null,
    Spooled(SpooledTexts),
}

impl Documents {
    /// A column of no documents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The documents of `chunks`, in their order.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn try_from_chunks(chunks: impl IntoIterator<Item = ArrayRef>) -> Result<Self> {
        let mut documents = Self::new();
        for chunk in chunks {
            documents.push(&chunk)?;
        }
        Ok(documents)
    }

    /// Whether texts can be taken from a column of this type.
    #[must_use]
    pub fn accepts(data_type: &DataType) -> bool {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
            DataType::Dictionary(_, values) => Self::accepts(values),
            _ => false,
        }
    }

    /// Appends the texts of an Arrow array without copying them.
    ///
    /// # Errors
    ///
    /// [`DedupError::ColumnType`] for an array that does not hold strings,
    /// [`DedupError::InvalidArgument`] past [`MAX_DOCUMENTS`].
    pub fn push(&mut self, array: &ArrayRef) -> Result<()> {
        let chunk = match array.data_type() {
            DataType::Utf8 => Chunk::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Chunk::LargeUtf8(array.as_string().clone()),
            DataType::Utf8View => Chunk::Utf8View(array.as_string_view().clone()),
            DataType::Null => Chunk::Null,
            // A view refers to the dictionary's values: only the 16 bytes of each view are new.
            other if Self::accepts(other) => {
                Chunk::Utf8View(cast(array, &DataType::Utf8View)?.as_string_view().clone())
            }
            other => {
                return Err(DedupError::ColumnType {
                    column: "text".to_owned(),
                    found: other.to_string(),
                    expected: "a column of strings is needed",
                });
            }
        };
        let start = self.len;
        self.grow(array.len())?;
        self.starts.push(start);
        self.chunks.push(chunk);
        Ok(())
    }

    /// Appends the texts of a builder.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_texts(&mut self, mut texts: TextBuilder) -> Result<()> {
        let start = self.len;
        self.push(&(Arc::new(texts.column.finish()) as ArrayRef))?;
        self.raw.extend(texts.raw.into_iter().map(|(row, bytes)| (start + row, bytes)));
        Ok(())
    }

    /// Appends texts that are in a temporary file, with the bytes of those that are not valid Unicode.
    pub(crate) fn push_spooled(&mut self, texts: SpooledTexts, raw: Raw) -> Result<()> {
        let start = self.len;
        self.grow(texts.len())?;
        self.starts.push(start);
        self.chunks.push(Chunk::Spooled(texts));
        self.raw.extend(raw.into_iter().map(|(row, bytes)| (start + row, bytes)));
        Ok(())
    }

    /// Appends the documents of another column.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push). The references of `others` are documents like all others.
    pub fn append(&mut self, others: Self) -> Result<()> {
        let start = self.len;
        self.grow(others.len)?;
        self.chunks.extend(others.chunks);
        self.starts.extend(others.starts.into_iter().map(|other| start + other));
        self.raw.extend(others.raw.into_iter().map(|(row, bytes)| (start + row, bytes)));
        Ok(())
    }

    fn grow(&mut self, count: usize) -> Result<()> {
        if self.len + count > MAX_DOCUMENTS {
            return Err(DedupError::InvalidArgument(format!(
                "more than {MAX_DOCUMENTS} documents in one run"
            )));
        }
        self.len += count;
        Ok(())
    }

    /// Makes all documents so far references: those that come after them are compared with them, and go if they
    /// are alike. References are not compared with each other, and none of them goes.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_dedup::{Control, DedupOptions, Deduplicator, Documents};
    /// use std::sync::Arc;
    ///
    /// let test_set: ArrayRef = Arc::new(StringArray::from(vec!["What is the capital of France?"]));
    /// let rows: ArrayRef =
    ///     Arc::new(StringArray::from(vec!["a text", "what is the capital of FRANCE"]));
    /// let mut documents = Documents::try_from_chunks([test_set])?;
    /// documents.become_references();
    /// documents.push(&rows)?;
    /// let result = Deduplicator::try_new(DedupOptions::default())?
    ///     .deduplicate(&documents, None, Control::default())?;
    /// assert_eq!(result.keep, [true, false]);
    /// assert_eq!((result.duplicates[0].kept_row, result.duplicates[0].against), (0, true));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn become_references(&mut self) {
        self.references = self.len;
    }

    /// Leaves documents out of all comparisons: they stay, and none goes for them.
    pub fn set_aside(&mut self, rows: impl IntoIterator<Item = usize>) {
        self.set_aside.extend(rows);
    }

    /// Whether a document is compared with others: it has a text, and was not [set aside](Self::set_aside).
    pub(crate) fn is_compared(&self, row: usize) -> bool {
        self.length(row).is_some_and(|length| length > 0)
            && (self.set_aside.is_empty() || !self.set_aside.contains(&row))
    }

    /// The number of references, which are the first documents.
    #[must_use]
    pub fn references(&self) -> usize {
        self.references
    }

    /// The number of documents, null ones and references included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text of a row; `None` for null and past the end.
    #[must_use]
    pub fn text(&self, row: usize) -> Option<&str> {
        let (chunk, at) = self.chunk(row)?;
        match chunk {
            Chunk::Utf8(array) => (at < array.len() && array.is_valid(at)).then(|| array.value(at)),
            Chunk::LargeUtf8(array) => {
                (at < array.len() && array.is_valid(at)).then(|| array.value(at))
            }
            Chunk::Utf8View(array) => {
                (at < array.len() && array.is_valid(at)).then(|| array.value(at))
            }
            Chunk::Null => None,
            Chunk::Spooled(texts) => texts.get(at),
        }
    }

    /// A part of a text; of one in a temporary file, no more than that is read, into a buffer.
    pub(crate) fn part_by<'b>(
        &'b self,
        row: usize,
        bytes: Range<usize>,
        buffer: &'b mut Vec<u8>,
    ) -> Option<&'b str> {
        match self.chunk(row) {
            Some((Chunk::Spooled(texts), at)) => texts.part_by(at, bytes, buffer),
            _ => self.text(row)?.get(bytes),
        }
    }

    /// The length of a text in bytes, without looking at it, unless it is null.
    pub(crate) fn length(&self, row: usize) -> Option<usize> {
        match self.chunk(row) {
            Some((Chunk::Spooled(texts), at)) => texts.length(at),
            _ => self.text(row).map(str::len),
        }
    }

    /// The bytes of memory that the texts take.
    pub(crate) fn memory(&self) -> u64 {
        let of = |chunk: &Chunk| match chunk {
            Chunk::Utf8(array) => array.get_array_memory_size(),
            Chunk::LargeUtf8(array) => array.get_array_memory_size(),
            Chunk::Utf8View(array) => array.get_array_memory_size(),
            Chunk::Null | Chunk::Spooled(_) => 0,
        };
        self.chunks.iter().map(|chunk| of(chunk) as u64).sum()
    }

    /// The chunk of a row, and its place there.
    fn chunk(&self, row: usize) -> Option<(&Chunk, usize)> {
        let index = self.starts.partition_point(|&start| start <= row).checked_sub(1)?;
        Some((self.chunks.get(index)?, row - self.starts.get(index)?))
    }

    /// Whether a text is not valid Unicode.
    pub(crate) fn is_raw(&self, row: usize) -> bool {
        !self.raw.is_empty() && self.raw.contains_key(&row)
    }

    /// The bytes that say what a row is: those of its text, or of the original where that is not
    /// valid Unicode.
    #[must_use]
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        if !self.raw.is_empty()
            && let Some(bytes) = self.raw.get(&row)
        {
            return Some(bytes);
        }
        self.text(row).map(str::as_bytes)
    }
}

/// Collects texts that are not in Arrow memory yet, row by row.
///
/// ```
/// use mithril_dedup::{Documents, TextBuilder};
/// let mut texts = TextBuilder::default();
/// texts.append_str("a text");
/// texts.append_null();
/// texts.append_surrogates(b"half a \xed\xa0\xbd".to_vec());
/// let mut documents = Documents::new();
/// documents.push_texts(texts)?;
/// assert_eq!(documents.text(2), Some("half a \u{fffd}"));
/// assert_eq!(documents.bytes(2), Some(&b"half a \xed\xa0\xbd"[..]));
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug, Default)]
pub struct TextBuilder {
    column: LargeStringBuilder,
    raw: Raw,
}

impl TextBuilder {
    /// Appends a text.
    pub fn append_str(&mut self, text: &str) {
        self.column.append_value(text);
    }

    /// Appends a document without a text.
    pub fn append_null(&mut self) {
        self.column.append_null();
    }

    /// Appends a text with lone surrogates, which JSON and Python strings can hold and UTF-8 cannot,
    /// each encoded in three bytes as other characters of its size are (WTF-8).
    ///
    /// Its text has U+FFFD in their place, and shingles come from that; whether two rows are exact
    /// copies is told by the bytes.
    pub fn append_surrogates(&mut self, bytes: Vec<u8>) {
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            let (valid, after) = rest.split_at(error.valid_up_to());
            text.push_str(&String::from_utf8_lossy(valid));
            text.push(char::REPLACEMENT_CHARACTER);
            rest = after.get(3..).unwrap_or_default();
        }
        text.push_str(&String::from_utf8_lossy(rest));
        self.raw.push((self.column.len(), bytes.into()));
        self.column.append_value(text);
    }

    /// The bytes of the texts so far.
    pub(crate) fn bytes(&self) -> usize {
        self.column.values_slice().len()
    }

    /// Writes the texts so far to a temporary file, and begins anew.
    pub(crate) fn spool(&mut self, spool: &TextSpool) -> Result<(Piece, Raw)> {
        let texts = self.column.finish();
        Ok((spool.write(texts.iter())?, std::mem::take(&mut self.raw)))
    }

    /// The number of documents so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.column.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
