//! Arrow IPC: what is looked at before a library reads it, and which types Parquet has no name for.

use super::input_file::{InputFile, guarded};
use crate::error::{DedupError, Result};
use crate::spill::of_the_machine;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Message, root_as_footer, root_as_message};
use parquet::arrow::arrow_writer::ArrowWriter;
use std::fmt::Display;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

/// How an IPC file begins, but for one that is a stream.
const MAGIC: &[u8] = b"ARROW1";
/// The bytes of the magic, and of what fills it up.
const HEAD: usize = 8;
/// The length of the footer, and the magic once more.
const TAIL: u64 = 10;
/// What comes before a message: that it is one, and the length of its head.
const WORD: usize = 4;
const CONTINUATION: [u8; WORD] = [0xff; WORD];
/// The most that zstd makes of a byte: a block of 128 kB from four.
const MOST_COMPRESSED: u64 = 1 << 15;

/// Whether a file is one of IPC, and not a stream; every length in it is looked at, since memory for it is asked for
/// before it turns out that there are not as many bytes.
pub(super) fn check(file: &InputFile, reader: &mut (impl Read + Seek)) -> Result<bool> {
    let mut magic = [0; MAGIC.len()];
    let is_file = reader.read_exact(&mut magic).is_ok() && magic == MAGIC;
    if is_file {
        check_footer(file, reader)?;
    }
    reader.rewind().map_err(|error| DedupError::read(&file.path, error))?;
    Ok(is_file)
}

/// A stream, message by message, each looked at as a whole before any of it is passed on. What is in a file is a stream
/// too, between its magics.
struct Messages<R> {
    stream: R,
    /// How many bytes there are at most behind what was read.
    left: u64,
    message: Cursor<Vec<u8>>,
    is_ended: bool,
}

/// The messages of a stream, or of what begins as a file.
pub(super) fn messages(file: &InputFile, mut reader: impl Read) -> Result<impl Read> {
    let mut head = Vec::with_capacity(HEAD);
    let read = reader.by_ref().take(HEAD as u64).read_to_end(&mut head);
    read.map_err(|error| DedupError::read(&file.path, error))?;
    if head.starts_with(MAGIC) {
        head.clear();
    }
    let stream = Cursor::new(head).chain(reader);
    let message = Cursor::new(Vec::new());
    Ok(Messages { stream, left: file.size, message, is_ended: false })
}

impl<R: Read> Messages<R> {
    /// Appends so many bytes to the message; whether there are as many.
    fn take(&mut self, count: u64) -> io::Result<bool> {
        let message = self.message.get_mut();
        let read = (&mut self.stream).take(count.min(self.left)).read_to_end(message)? as u64;
        self.left -= read;
        Ok(read == count)
    }

    /// As [`take`](Self::take), of what a message says that there is.
    fn take_all(&mut self, count: u64) -> io::Result<()> {
        if self.take(count)? { Ok(()) } else { Err(damaged()) }
    }

    /// Reads the next message, if there is one.
    fn next(&mut self) -> io::Result<()> {
        self.message = Cursor::new(Vec::new());
        let mut length = 0;
        for _ in 0..2 {
            if !self.take(WORD as u64)? {
                // What is cut off between two messages is not missed.
                self.message = Cursor::new(Vec::new());
                self.is_ended = true;
                return Ok(());
            }
            let word = self.message.get_ref().last_chunk().copied().unwrap_or([0; WORD]);
            length = u64::from(u32::from_le_bytes(word));
            if word != CONTINUATION {
                break;
            }
        }
        self.is_ended = length == 0;
        if length > 0 {
            let head = self.message.get_ref().len();
            self.take_all(length)?;
            let metadata = self.message.get_ref().get(head..).unwrap_or_default().to_vec();
            let message = root_as_message(&metadata).map_err(not_read)?;
            let body = u64::try_from(message.bodyLength()).map_err(|_| damaged())?;
            let begin = self.message.get_ref().len() as u64;
            self.take_all(body)?;
            check_batch(&mut self.message, message, (begin, begin + body))?;
        }
        self.message.set_position(0);
        Ok(())
    }
}

impl<R: Read> Read for Messages<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.message.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.is_ended {
                return Ok(read);
            }
            self.next()?;
        }
    }
}

fn damaged() -> io::Error {
    io::Error::other("damaged: it names bytes that are not there")
}

fn not_read(error: impl Display) -> io::Error {
    io::Error::other(format!("damaged: {error}"))
}

fn check_footer(file: &InputFile, reader: &mut (impl Read + Seek)) -> Result<()> {
    let wrong = |error: io::Error| DedupError::read(&file.path, error);
    if file.size < HEAD as u64 + TAIL {
        return Err(wrong(damaged()));
    }
    let mut tail = [0; TAIL as usize];
    reader.seek(SeekFrom::End(-(TAIL as i64))).map_err(wrong)?;
    reader.read_exact(&mut tail).map_err(wrong)?;
    let length = guarded(file, || Ok(read_footer_length(tail)?))? as u64;
    let start = file.size.checked_sub(TAIL + length).ok_or_else(|| wrong(damaged()))?;
    let mut footer = vec![0; length as usize];
    reader.seek(SeekFrom::Start(start)).map_err(wrong)?;
    reader.read_exact(&mut footer).map_err(wrong)?;
    let footer = root_as_footer(&footer).map_err(|error| wrong(not_read(error)))?;
    let blocks = footer.recordBatches().into_iter().chain(footer.dictionaries()).flatten();
    for block in blocks {
        let lengths = [block.offset(), block.metaDataLength().into(), block.bodyLength()];
        let lengths = lengths.map(u64::try_from);
        let [Ok(offset), Ok(metadata), Ok(body)] = lengths else { return Err(wrong(damaged())) };
        let end = offset.checked_add(metadata).and_then(|end| end.checked_add(body));
        if end.is_none_or(|end| end > file.size) {
            return Err(wrong(damaged()));
        }
        check_message(reader, (offset, file.size)).map_err(wrong)?;
    }
    Ok(())
}

/// Looks at the lengths of the message at `start` of so many bytes.
fn check_message(reader: &mut (impl Read + Seek), (start, size): (u64, u64)) -> io::Result<()> {
    let mut at = start;
    reader.seek(SeekFrom::Start(at))?;
    let mut word = [0; WORD];
    for _ in 0..2 {
        if at + WORD as u64 > size {
            return Ok(());
        }
        reader.read_exact(&mut word)?;
        at += WORD as u64;
        if word != CONTINUATION {
            break;
        }
    }
    let length = u64::from(u32::from_le_bytes(word));
    if length == 0 {
        return Ok(());
    }
    if at + length > size {
        return Err(damaged());
    }
    let mut metadata = vec![0; length as usize];
    reader.read_exact(&mut metadata)?;
    let message = root_as_message(&metadata).map_err(not_read)?;
    let begin = at + length;
    let body = u64::try_from(message.bodyLength()).ok();
    let end = body.and_then(|body| begin.checked_add(body)).filter(|&end| end <= size);
    check_batch(reader, message, (begin, end.ok_or_else(damaged)?))
}

/// Looks at the compressed buffers of a message, whose body has these bounds.
fn check_batch(
    reader: &mut (impl Read + Seek),
    message: Message,
    body: (u64, u64),
) -> io::Result<()> {
    let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let batch = message.header_as_record_batch().or(dictionary);
    if let Some(batch) = batch.filter(|batch| batch.compression().is_some()) {
        for buffer in batch.buffers().into_iter().flatten() {
            check_buffer(reader, body, (buffer.offset(), buffer.length()))?;
        }
    }
    Ok(())
}

/// Looks at what a compressed buffer says that it will be.
fn check_buffer(
    reader: &mut (impl Read + Seek),
    (begin, end): (u64, u64),
    (offset, length): (i64, i64),
) -> io::Result<()> {
    let place = u64::try_from(offset).ok().and_then(|offset| begin.checked_add(offset));
    let (Some(place), Ok(length)) = (place, u64::try_from(length)) else {
        return Err(damaged());
    };
    if length == 0 {
        return Ok(());
    }
    if length < 8 || place.checked_add(length).is_none_or(|last| last > end) {
        return Err(damaged());
    }
    let mut claim = [0; 8];
    reader.seek(SeekFrom::Start(place))?;
    reader.read_exact(&mut claim)?;
    let most = length.saturating_mul(MOST_COMPRESSED).min(of_the_machine().unwrap_or(u64::MAX));
    match i64::from_le_bytes(claim) {
        // It is not compressed after all.
        -1 => Ok(()),
        claim if u64::try_from(claim).is_ok_and(|claim| claim <= most) => Ok(()),
        _ => Err(damaged()),
    }
}

/// The schema to write rows of a file with: types that Parquet would read back as others become the nearest that it
/// has.
///
/// # Errors
///
/// [`DedupError::Read`] for a type that it has nothing for.
pub(super) fn parquet_schema(file: &InputFile, schema: &SchemaRef) -> Result<SchemaRef> {
    let fields: Fields = schema.fields().iter().map(|field| as_parquet(field, false)).collect();
    let mapped = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let open = || Ok(ArrowWriter::try_new(io::sink(), Arc::clone(&mapped), None)?);
    guarded(file, open).map_err(|error| {
        let said = error.to_string();
        DedupError::read(&file.path, format!("it has a column that Parquet cannot hold: {said}"))
    })?;
    Ok(mapped)
}

/// A batch with the types of that schema.
pub(super) fn to_schema(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn as_parquet(field: &FieldRef, is_nested: bool) -> FieldRef {
    let inner = |field: &FieldRef| as_parquet(field, true);
    let data_type = match field.data_type() {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 if is_nested => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        // Within others their values are written: row groups may have more of them than the keys can count.
        DataType::Dictionary(_, values) if is_nested || !values.is_string() => {
            let values = Field::new(field.name(), values.as_ref().clone(), field.is_nullable());
            as_parquet(&Arc::new(values), is_nested).data_type().clone()
        }
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}
