//! Hashes of the rows of a column, on all threads.

use crate::control::Control;
use crate::error::{DedupError, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, GenericByteArray, GenericByteViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowNativeType, BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType,
    LargeBinaryType, LargeUtf8Type, StringViewType, Utf8Type,
};
use mithril_core::{HashFunction, par_compute};

/// About how many bytes of a column a thread takes at a time.
const SPAN: usize = 256 << 10;
/// The most rows that a thread takes at a time, however short.
const MOST_ROWS: usize = 16 << 10;
/// Bytes of a column up to which the calling thread is done before others would have begun.
const SMALL: usize = 32 << 10;
/// What a row costs whatever its length, in bytes.
const ROW: usize = 16;

/// [`HashFunction::hash_u64`] of every row of a column of strings or bytes, chunk after chunk; `null`
/// for those that are null.
///
/// Strings are hashed as their UTF-8. Columns are of any of Arrow's types of strings and bytes, or
/// dictionaries of them. Long columns are hashed on the threads of [`par_compute`]; the outcome is the
/// same whatever their number.
///
/// # Errors
///
/// [`DedupError::ColumnType`] for a column of another type, [`DedupError::Interrupted`] when the control
/// says so, [`DedupError::InvalidArgument`] when the memory is not there.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_core::{HashFunction, XxHash3};
/// use mithril_dedup::{Control, hash_rows};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a text"), None]));
/// let hashes = hash_rows(&[column], &XxHash3, 0, Control::default())?;
/// assert_eq!(hashes, [XxHash3.hash_u64(b"a text"), 0]);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn hash_rows(
    chunks: &[ArrayRef],
    function: &dyn HashFunction,
    null: u64,
    control: Control,
) -> Result<Vec<u64>> {
    let chunks: Vec<ArrayRef> = chunks.iter().map(plain).collect::<Result<_>>()?;
    let rows: usize = chunks.iter().map(Array::len).sum();
    let mut hashes = Vec::new();
    hashes.try_reserve_exact(rows).map_err(|_| {
        DedupError::InvalidArgument(format!("no memory for the hashes of {rows} rows"))
    })?;
    hashes.resize(rows, null);
    let bytes: usize = chunks.iter().map(size).sum();
    let mut rest = hashes.as_mut_slice();
    let mut spans = Vec::new();
    for chunk in &chunks {
        let most = (SPAN * chunk.len() / size(chunk).max(1)).clamp(1, MOST_ROWS);
        for start in (0..chunk.len()).step_by(most) {
            let (span, after) = rest.split_at_mut(most.min(chunk.len() - start));
            spans.push((chunk, start, span));
            rest = after;
        }
    }
    let hash = |(chunk, start, span): (&ArrayRef, usize, &mut [u64])| {
        control.check()?;
        fill(&chunk.slice(start, span.len()), function, span);
        Ok(())
    };
    if bytes <= SMALL {
        spans.into_iter().try_for_each(hash)?;
    } else {
        par_compute(spans, hash).into_iter().collect::<Result<()>>()?;
    }
    Ok(hashes)
}

/// A chunk whose rows are strings or bytes.
fn plain(chunk: &ArrayRef) -> Result<ArrayRef> {
    match chunk.data_type() {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Null => Ok(chunk.clone()),
        // Views refer to the dictionary's values: only the 16 bytes of each are new.
        DataType::Dictionary(_, values) => match **values {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Ok(cast(chunk, &DataType::Utf8View)?)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Ok(cast(chunk, &DataType::BinaryView)?)
            }
            _ => Err(other_type(chunk.data_type())),
        },
        other => Err(other_type(other)),
    }
}

fn other_type(found: &DataType) -> DedupError {
    DedupError::ColumnType {
        column: "column".to_owned(),
        found: found.to_string(),
        expected: "a column of strings or of bytes is needed",
    }
}

/// About the bytes of a chunk: what is read to hash it.
fn size(chunk: &ArrayRef) -> usize {
    let values = match chunk.data_type() {
        DataType::Utf8 => extent(chunk.as_bytes::<Utf8Type>()),
        DataType::LargeUtf8 => extent(chunk.as_bytes::<LargeUtf8Type>()),
        DataType::Binary => extent(chunk.as_bytes::<BinaryType>()),
        DataType::LargeBinary => extent(chunk.as_bytes::<LargeBinaryType>()),
        DataType::FixedSizeBinary(width) => {
            usize::try_from(*width).unwrap_or(0).saturating_mul(chunk.len())
        }
        DataType::Utf8View => viewed(chunk.as_byte_view::<StringViewType>()),
        DataType::BinaryView => viewed(chunk.as_byte_view::<BinaryViewType>()),
        _ => 0,
    };
    values.saturating_add(ROW * chunk.len())
}

fn extent<T: ByteArrayType>(array: &GenericByteArray<T>) -> usize {
    let offsets = array.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => last.as_usize().saturating_sub(first.as_usize()),
        _ => 0,
    }
}

fn viewed<T: ByteViewType>(array: &GenericByteViewArray<T>) -> usize {
    // The lower half of a view is the length.
    array.views().iter().map(|&view| view as u32 as usize).sum()
}

/// Hashes a part of a chunk; null rows stay as they are.
fn fill(part: &ArrayRef, function: &dyn HashFunction, hashes: &mut [u64]) {
    match part.data_type() {
        DataType::Utf8 => bytes(part.as_bytes::<Utf8Type>(), function, hashes),
        DataType::LargeUtf8 => bytes(part.as_bytes::<LargeUtf8Type>(), function, hashes),
        DataType::Binary => bytes(part.as_bytes::<BinaryType>(), function, hashes),
        DataType::LargeBinary => bytes(part.as_bytes::<LargeBinaryType>(), function, hashes),
        DataType::Utf8View => views(part.as_byte_view::<StringViewType>(), function, hashes),
        DataType::BinaryView => views(part.as_byte_view::<BinaryViewType>(), function, hashes),
        DataType::FixedSizeBinary(_) => fixed(part.as_fixed_size_binary(), function, hashes),
        _ => {}
    }
}

fn bytes<T: ByteArrayType>(
    array: &GenericByteArray<T>,
    function: &dyn HashFunction,
    hashes: &mut [u64],
) {
    for (row, hash) in array.iter().zip(hashes) {
        if let Some(row) = row {
            *hash = function.hash_u64(row.as_ref());
        }
    }
}

fn views<T: ByteViewType>(
    array: &GenericByteViewArray<T>,
    function: &dyn HashFunction,
    hashes: &mut [u64],
) {
    for (row, hash) in array.iter().zip(hashes) {
        if let Some(row) = row {
            *hash = function.hash_u64(row.as_ref());
        }
    }
}

fn fixed(array: &FixedSizeBinaryArray, function: &dyn HashFunction, hashes: &mut [u64]) {
    for (row, hash) in array.iter().zip(hashes) {
        if let Some(row) = row {
            *hash = function.hash_u64(row);
        }
    }
}
