//! Parquet in and out.

mod int96;

use super::input_file::{Fetched, InputFile, guarded, with_ahead};
use super::output::OutputFolder;
use super::plan::Amount;
use super::rewrite::Rewrite;
use super::scan::{Chunks, Columns, READ, Scan, starts};
use super::sink::Sink;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::spill::{Spill, of_the_machine};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use once_cell::sync::OnceCell;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The size of a batch in memory that is aimed at: little beside what a run may take, and far from the 2 GiB that a
/// string array can hold.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_ROWS: usize = 8192;
/// What is read of the end of an object to have its footer.
const FOOTER: u64 = 64 << 10;
/// Small enough that readers can hold a row group, large enough to compress well.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// What a writer takes: a row group, and what becomes of a batch on its way there.
pub(super) const WRITER_BYTES: u64 = (ROW_GROUP_BYTES + 4 * BATCH_BYTES) as u64;
/// Most writers look after so many rows whether a page is full; they aim at pages of a MiB.
const PAGE_ROWS: u64 = 1024;
const PAGE_BYTES: u64 = 1 << 20;
/// What a page is not to have for it to be read once more.
const LARGE_PAGE: u64 = 8 << 20;

/// Reads the columns that decide, row groups in parallel.
pub(super) fn scan(
    files: &[InputFile],
    columns: Columns,
    spill: &Spill,
    control: Control,
) -> Result<Scan> {
    let footers = with_ahead(files, |file| (file, footer(file)), load)?;
    let metadata = files.iter().zip(&footers);
    let metadata: Vec<_> = metadata
        .map(|(file, footer)| as_views(file, footer, columns.text))
        .collect::<Result<_>>()?;
    let (mut groups, mut text_bytes, mut page) = (Vec::new(), 0, 0);
    let mut lengths = Vec::with_capacity(files.len());
    for (file, metadata) in files.iter().zip(&metadata) {
        let indices = find_columns(file, metadata.schema(), columns)?;
        let mut first_row = 0;
        for (group, contents) in metadata.metadata().row_groups().iter().enumerate() {
            let rows = usize::try_from(contents.num_rows()).unwrap_or(0);
            let bytes = u64::try_from(contents.compressed_size()).unwrap_or(0);
            let text = indices[0].and_then(|root| text_size(metadata, contents, root));
            text_bytes += text.unwrap_or(bytes);
            page = page.max(page_bytes(contents));
            let number = groups.len();
            groups.push(RowGroup { file, metadata, number, group, indices, first_row, bytes });
            first_row += rows;
        }
        lengths.push(first_row);
    }
    control.begin("reading", groups.iter().map(|group| group.bytes).sum());
    let sink = Sink::new(spill, text_bytes, lengths.iter().map(|&rows| rows as u64).sum())?;
    let wanted = |group: &RowGroup| {
        if spill.has_unit((READ, group.number)) {
            return Vec::new();
        }
        let roots: Vec<usize> = group.indices.into_iter().flatten().collect();
        ranges(group.metadata, group.group, |root| roots.contains(&root))
    };
    let read = with_ahead(
        &groups,
        |group| (group.file, wanted(group)),
        |group, fetched| {
            control.check()?;
            let hold = |columns: &Chunks| columns.hold(&sink);
            let read = || group.read(columns, &sink, fetched);
            let columns = spill.unit((READ, group.number), hold, read)?;
            control.advance(group.bytes)?;
            Ok(columns)
        },
    )?;

    let scan = Scan::of_chunks(read, starts(lengths), columns, sink)?;
    let held: usize = footers.iter().map(|footer| footer.metadata().memory_size()).sum();
    let is_held = files.iter().any(InputFile::is_remote) && held as u64 <= spill.memory() / 16;
    let footers = if is_held { footers } else { Vec::new() };
    Ok(Scan { footers, page, ..scan })
}

/// Writes the rows of each file that stay, as they came, files in parallel.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    let files: Vec<_> = rewrite.files().iter().map(|_| OnceCell::new()).collect();
    let begin = |index: usize| {
        let place = rewrite.files().get(index).zip(files.get(index));
        let begun = place
            .map(|(file, cell)| cell.get_or_try_init(|| SecondPass::begin(rewrite, index, file)));
        begun.transpose()
    };
    rewrite.each_file(|index, _| {
        let second = begin(index)?;
        // What comes next is asked for while this is written.
        let next = index + rayon::current_num_threads();
        if next < rewrite.scan.footers.len() {
            begin(next)?;
        }
        second.map_or(Ok(()), |second| second.write(rewrite, index))
    })
}

/// A file that is read for the second time.
struct SecondPass<'a> {
    file: &'a InputFile,
    metadata: ArrowReaderMetadata,
    /// The columns that are read, by their places at the top of the schema.
    roots: Vec<usize>,
    /// The first row group, if it is on its way.
    first: Mutex<Option<Fetched>>,
}

impl<'a> SecondPass<'a> {
    fn begin(rewrite: Rewrite<'a>, index: usize, file: &'a InputFile) -> Result<Self> {
        let metadata = match rewrite.scan.footers.get(index) {
            Some(footer) => footer.clone(),
            None => load(file, None)?,
        };
        // Texts are at hand: in memory, or in a temporary file that the system has in its own, or at least nearer than
        // a bucket, and in smaller pieces than large pages.
        let scan = rewrite.scan;
        let cached = of_the_machine().unwrap_or(0) / 2;
        let is_cached = scan.spooled.is_none_or(|spooled| spooled <= cached);
        let is_near = is_cached || file.is_remote() || scan.page > LARGE_PAGE;
        let at_hand = metadata.schema().column_with_name(rewrite.text_column);
        let at_hand = at_hand.filter(|(_, field)| is_near && is_string(field.data_type()));
        let at_hand = at_hand.map(|(root, _)| root);
        let roots = 0..metadata.schema().fields().len();
        let roots = roots.filter(|&root| Some(root) != at_hand).collect();
        let second = Self { file, metadata, roots, first: Mutex::default() };
        let first = second.fetch(0)?;
        Ok(Self { first: Mutex::new(first), ..second })
    }

    /// Begins to read a row group, if there is one to be read from a bucket.
    fn fetch(&self, group: usize) -> Result<Option<Fetched>> {
        let is_there = group < self.metadata.metadata().num_row_groups() && self.file.is_remote();
        let ranges = ranges(&self.metadata, group, |root| self.roots.contains(&root));
        (is_there && !ranges.is_empty()).then(|| self.file.fetch(ranges)).transpose()
    }

    fn write(&self, rewrite: Rewrite, index: usize) -> Result<()> {
        let Self { file, metadata, roots, first } = self;
        let (scan, keep) = (rewrite.scan, rewrite.keep_of(index));
        let schema = metadata.schema().clone();
        let text_bytes =
            scan.rows(index).filter_map(|row| scan.documents.length(row)).sum::<usize>();
        let groups = 0..metadata.metadata().num_row_groups();
        let mut next = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = groups.map(|group| {
            let here = std::mem::replace(&mut next, self.fetch(group + 1)?);
            let rows = rows_of_bytes(text_bytes, keep.len()).min(batch_rows(metadata, group));
            let handle = here.map_or_else(|| file.open(), Fetched::open)?;
            let metadata = metadata.clone();
            // One reader a row group: a batch over several would merge their dictionaries, which
            // may have more values together than the keys can count.
            guarded(file, || {
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata);
                let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
                let builder = builder.with_row_groups(vec![group]).with_projection(mask);
                Ok(builder.with_batch_size(rows).build()?)
            })
        });
        rewrite.write_survivors(index, file, &schema, all_batches(file, batches))
    }
}

/// The schema of a file, and its first rows.
pub(super) fn head_of_rows(
    file: &InputFile,
    rows: usize,
) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch>>)> {
    let metadata = load(file, None)?;
    let schema = metadata.schema().clone();
    let handle = file.open()?;
    let mut reader = guarded(file, || {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata);
        Ok(builder.with_limit(rows).build()?)
    })?;
    let next = move || guarded(file, || Ok(reader.next().transpose()?)).transpose();
    Ok((schema, std::iter::from_fn(next)))
}

/// The rows and the texts of files, by their footers.
pub(super) fn totals(files: &[InputFile], text_column: &str) -> Result<Amount> {
    let columns = Columns { text: text_column, id: None, by: None };
    let each = with_ahead(
        files,
        |file| (file, footer(file)),
        |file, fetched| {
            let metadata = load(file, fetched)?;
            let [text, ..] = find_columns(file, metadata.schema(), columns)?;
            let mut amount = Amount::default();
            for group in metadata.metadata().row_groups() {
                amount.rows += u64::try_from(group.num_rows()).unwrap_or(0);
                let bytes = text.and_then(|root| text_size(&metadata, group, root));
                amount.text_bytes += bytes.unwrap_or(0);
            }
            Ok(amount)
        },
    )?;
    Ok(each.into_iter().fold(Amount::default(), |all, one| Amount {
        rows: all.rows + one.rows,
        text_bytes: all.text_bytes + one.text_bytes,
    }))
}

/// Writes rows to a file that is no part of an output; returns about how many bytes they have.
pub(super) fn write_rows(
    to: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<u64> {
    let file = File::create_new(to).map_err(|error| DedupError::write(to, error))?;
    let level = ZstdLevel::try_new(1).map_err(|error| DedupError::write(to, error))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let wrong = |error| DedupError::write(to, error);
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(wrong)?;
    let mut bytes = 0;
    for batch in batches {
        let batch = batch?;
        bytes += batch.columns().iter().map(column_bytes).sum::<u64>();
        writer.write(&batch).map_err(wrong)?;
    }
    writer.close().map_err(wrong)?;
    Ok(bytes)
}

/// About the bytes of a slice of a column.
fn column_bytes(column: &ArrayRef) -> u64 {
    column.to_data().get_slice_memory_size().map_or(0, |bytes| bytes as u64)
}

/// Writes a Parquet file of the output.
pub(super) fn write_parquet(
    name: &str,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    folder: &OutputFolder,
) -> Result<()> {
    let wrong = |error| folder.error(name, error);
    let level = ZstdLevel::try_new(3).map_err(wrong)?;
    let entry = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
    let entries: Vec<KeyValue> = schema.metadata().iter().map(entry).collect();
    // Without it a date64 is written as a plain integer; with it, lists are renamed.
    let has_date64 = schema.fields().iter().any(|field| field.data_type() == &DataType::Date64);
    // A row group with more values than its dictionary's keys can count is one that readers refuse.
    let small_keys = schema.fields().iter().any(|field| match field.data_type() {
        DataType::Dictionary(key, _) => key.primitive_width().is_some_and(|width| width < 4),
        _ => false,
    });
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_key_value_metadata((!entries.is_empty()).then_some(entries))
        .set_coerce_types(has_date64)
        .build();
    folder.file(name, |file| {
        // Of a type that Parquet has nothing for, the library panics.
        let unknown = || folder.error(name, "a column is of a type that Parquet cannot hold");
        let write = |batch: &RecordBatch, writer: &mut ArrowWriter<_>| {
            let write = || writer.write(batch).map_err(wrong);
            catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| Err(unknown()))
        };
        let mut writer =
            ArrowWriter::try_new(&mut *file, schema.clone(), Some(properties)).map_err(wrong)?;
        for batch in batches {
            write(&batch?, &mut writer)?;
            if small_keys {
                writer.flush().map_err(wrong)?;
            }
        }
        let close = AssertUnwindSafe(|| writer.close().map_err(wrong));
        catch_unwind(close).unwrap_or_else(|_| Err(unknown()))?;
        Ok(())
    })
}

/// One row group and what to read of it.
struct RowGroup<'a> {
    file: &'a InputFile,
    metadata: &'a ArrowReaderMetadata,
    /// Which it is among those of all files.
    number: usize,
    group: usize,
    /// Where the text, id and keep columns are.
    indices: [Option<usize>; 3],
    first_row: usize,
    bytes: u64,
}

impl RowGroup<'_> {
    /// Reads the text, id and keep columns.
    fn read(&self, columns: Columns, sink: &Sink, fetched: Option<Fetched>) -> Result<Chunks> {
        let mut read = Chunks::default();
        let batch_rows = batch_rows(self.metadata, self.group);
        let mut batches = self.batches(0, batch_rows, fetched)?;
        while let Some(batch) = guarded(self.file, || Ok(batches.next().transpose()?))
            .map_err(|error| self.find_bad_row(read.rows, batch_rows).unwrap_or(error))?
        {
            read.push(&batch, columns, sink)?;
        }
        Ok(read)
    }

    fn batches(
        &self,
        offset: usize,
        batch_rows: usize,
        fetched: Option<Fetched>,
    ) -> Result<ParquetRecordBatchReader> {
        let file = fetched.map_or_else(|| self.file.open(), Fetched::open)?;
        guarded(self.file, || {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            let mask =
                ProjectionMask::roots(builder.parquet_schema(), self.indices.into_iter().flatten());
            Ok(builder
                .with_row_groups(vec![self.group])
                .with_projection(mask)
                .with_offset(offset)
                .with_batch_size(batch_rows)
                .build()?)
        })
    }

    /// Reads a batch that failed again, row by row, to tell which row it was.
    fn find_bad_row(&self, offset: usize, batch_rows: usize) -> Option<DedupError> {
        let mut rows = self.batches(offset, 1, None).ok()?;
        (0..batch_rows).find_map(|index| {
            let failure = guarded(self.file, || Ok(rows.next().transpose()?)).err()?;
            let DedupError::Read { source, .. } = failure else { return None };
            Some(DedupError::BadRow {
                file: self.file.path.clone(),
                place: "row",
                number: (self.first_row + offset + index) as u64,
                problem: source.to_string(),
            })
        })
    }
}

/// Where the footer of a file is, unless it is a long one.
fn footer(file: &InputFile) -> Vec<Range<u64>> {
    let start = file.size.saturating_sub(FOOTER);
    std::iter::once(start..file.size).collect()
}

/// Where the columns of a row group are whose places at the top of the schema are wanted.
fn ranges(
    metadata: &ArrowReaderMetadata,
    group: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Vec<Range<u64>> {
    let schema = metadata.parquet_schema();
    let columns = metadata.metadata().row_groups().get(group).map(RowGroupMetaData::columns);
    let columns = columns.unwrap_or_default().iter().enumerate();
    columns
        .filter(|(leaf, _)| is_wanted(schema.get_column_root_idx(*leaf)))
        .map(|(_, column)| {
            let (start, length) = column.byte_range();
            start..start.saturating_add(length)
        })
        .collect()
}

/// Opens a file and reads its footer, of which the bytes may have been asked for.
fn load(file: &InputFile, fetched: Option<Fetched>) -> Result<ArrowReaderMetadata> {
    let fetched = match fetched {
        None if file.is_remote() => Some(file.fetch(footer(file))?),
        other => other,
    };
    let handle = fetched.map_or_else(|| file.open(), Fetched::open)?;
    let metadata =
        guarded(file, || Ok(ArrowReaderMetadata::load(&handle, ArrowReaderOptions::new())?))?;
    int96::without_overflow(file, metadata)
}

/// The metadata to read strings of the text column as views: a dictionary of long strings that
/// repeat is then held once, and not once for each row, which is more than a string array can hold.
fn as_views(
    file: &InputFile,
    metadata: &ArrowReaderMetadata,
    column: &str,
) -> Result<ArrowReaderMetadata> {
    read_as(file, metadata, |_, field| {
        let is_wanted = is_string(field.data_type()) && field.name() == column;
        is_wanted.then_some(DataType::Utf8View)
    })
}

fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The metadata to read columns as other types: what `choose` gives for a top-level column, by its
/// place and field, or else the type that it has.
fn read_as(
    file: &InputFile,
    metadata: &ArrowReaderMetadata,
    choose: impl Fn(usize, &Field) -> Option<DataType>,
) -> Result<ArrowReaderMetadata> {
    let schema = metadata.schema();
    let fields =
        schema.fields().iter().enumerate().map(|(index, field)| match choose(index, field) {
            Some(chosen) => Arc::new(field.as_ref().clone().with_data_type(chosen)),
            None => Arc::clone(field),
        });
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    guarded(file, || Ok(ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?))
}

/// Where the wanted columns are among the file's.
pub(super) fn find_columns(
    file: &InputFile,
    schema: &SchemaRef,
    columns: Columns,
) -> Result<[Option<usize>; 3]> {
    let find = |name: &str| {
        schema.index_of(name).map_err(|_| DedupError::MissingColumn {
            file: file.path.clone(),
            column: name.to_owned(),
            available: schema.fields().iter().map(|field| field.name().clone()).collect(),
        })
    };
    let text = find(columns.text)?;
    let data_type = schema.field(text).data_type();
    if !Documents::accepts(data_type) {
        return Err(DedupError::ColumnType {
            column: columns.text.to_owned(),
            found: data_type.to_string(),
            expected: "the text column must hold strings",
        });
    }
    Ok([Some(text), columns.id.map(find).transpose()?, columns.by.map(find).transpose()?])
}

/// The bytes of a column of strings in a row group, once they are decompressed.
fn text_size(metadata: &ArrowReaderMetadata, group: &RowGroupMetaData, root: usize) -> Option<u64> {
    let schema = metadata.parquet_schema();
    let leaf = (0..group.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == root)?;
    u64::try_from(group.column(leaf).uncompressed_size()).ok()
}

/// The bytes that the largest page of a row group may have.
fn page_bytes(group: &RowGroupMetaData) -> u64 {
    let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
    let pages = group.columns().iter().map(|column| {
        let bytes = u64::try_from(column.uncompressed_size()).unwrap_or(0);
        bytes.min(PAGE_BYTES.max(bytes / rows * PAGE_ROWS))
    });
    pages.max().unwrap_or(0)
}

/// How many rows of a row group make a batch of a reasonable size.
fn batch_rows(metadata: &ArrowReaderMetadata, group: usize) -> usize {
    let group = metadata.metadata().row_groups().get(group);
    let bytes = group.map_or(0, |group| usize::try_from(group.total_byte_size()).unwrap_or(0));
    let rows = group.map_or(0, |group| usize::try_from(group.num_rows()).unwrap_or(0));
    rows_of_bytes(bytes, rows)
}

fn rows_of_bytes(bytes: usize, rows: usize) -> usize {
    let bytes_per_row = bytes / rows.max(1);
    (BATCH_BYTES / bytes_per_row.max(1)).clamp(1, BATCH_ROWS)
}

/// The batches of all readers.
fn all_batches<'a>(
    file: &'a InputFile,
    mut readers: impl Iterator<Item = Result<ParquetRecordBatchReader>> + 'a,
) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    let mut current: Option<ParquetRecordBatchReader> = None;
    let mut next = move || -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batches) = &mut current
                && let Some(batch) = guarded(file, || Ok(batches.next().transpose()?))?
            {
                return Ok(Some(batch));
            }
            current = match readers.next() {
                Some(reader) => Some(reader?),
                None => return Ok(None),
            };
        }
    };
    std::iter::from_fn(move || next().transpose())
}
