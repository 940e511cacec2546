//! Arrays: a header that says the element type and the shape, and an adaptive frame with the elements.
//!
//! # The format, version 1
//!
//! ```text
//! magic       4 bytes: 93 4d 54 4e (".MTN")
//! version     1 byte: 1
//! dtype       1 byte: 1 bool, 2 int8, 3 int16, 4 int32, 5 int64, 6 uint8, 7 uint16, 8 uint32,
//!             9 uint64, 10 float16, 11 bfloat16, 12 float32, 13 float64
//! dimensions  1 byte, at most 64
//! shape       the length of each dimension as a LEB128 varint
//! elements    frames of the adaptive compressor (version 1), to the end: the elements in C order,
//!             least significant byte first; a bool is one byte, 0 or 1
//! ```
//!
//! The elements have at most 2^63 - 1 bytes, also where a dimension of length 0 is counted as 1.

use super::adaptive::format::{read_byte, read_number, write_number};
use super::error::read_whole;
use super::{AdaptiveCompressor, CompressionError, Compressor, DEFAULT_MAX_OUTPUT_SIZE};
use crate::types::DType;

const MAGIC: [u8; 4] = [0x93, b'M', b'T', b'N'];
const VERSION: u8 = 1;
/// As many as numpy has.
const MOST_DIMENSIONS: usize = 64;

/// The types by their codes, the first of which is 1.
const CODES: [DType; 13] = [
    DType::Bool,
    DType::Int8,
    DType::Int16,
    DType::Int32,
    DType::Int64,
    DType::UInt8,
    DType::UInt16,
    DType::UInt32,
    DType::UInt64,
    DType::Float16,
    DType::BFloat16,
    DType::Float32,
    DType::Float64,
];

/// What compressed arrays say before their elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayHeader {
    /// The type of an element.
    pub dtype: DType,
    /// The length of each dimension; none for a single number.
    pub shape: Vec<u64>,
}

impl ArrayHeader {
    /// The bytes of all elements, if they are no more than any memory can hold.
    #[must_use]
    pub fn size_bytes(&self) -> Option<u64> {
        let width = self.dtype.size_bytes() as u64;
        let dimensions = self.shape.iter();
        let most = dimensions.clone().try_fold(width, |size, &one| size.checked_mul(one.max(1)))?;
        let size = if dimensions.clone().any(|&one| one == 0) { 0 } else { most };
        i64::try_from(most).is_ok().then_some(size)
    }

    /// Reads the header of a compressed array, and returns it with what follows.
    ///
    /// # Errors
    ///
    /// [`CompressionError::Truncated`], and [`CompressionError::DecompressionFailed`] for what is no
    /// header, or one whose elements no memory could hold.
    ///
    /// ```
    /// use mithril_core::{ArrayHeader, DType, compress_array};
    ///
    /// let array = compress_array(&[0; 24], &[2, 3], DType::Float32)?;
    /// let (header, _elements) = ArrayHeader::read(&array)?;
    /// assert_eq!((header.dtype, header.shape), (DType::Float32, vec![2, 3]));
    /// # Ok::<(), mithril_core::CompressionError>(())
    /// ```
    pub fn read(mut data: &[u8]) -> Result<(Self, &[u8]), CompressionError> {
        let malformed = |what: String| CompressionError::malformed(what);
        let mut magic = [0; 4];
        read_whole(&mut data, &mut magic)?;
        if magic != MAGIC {
            return Err(malformed("no array of compress_array begins so".to_owned()));
        }
        let version = read_byte(&mut data)?;
        if version != VERSION {
            return Err(malformed(format!(
                "an array of version {version}, and this release reads version {VERSION}"
            )));
        }
        let code = read_byte(&mut data)?;
        let dtype = usize::from(code).checked_sub(1).and_then(|index| CODES.get(index));
        let dtype = *dtype.ok_or_else(|| malformed(format!("elements of the type {code}")))?;
        let dimensions = usize::from(read_byte(&mut data)?);
        if dimensions > MOST_DIMENSIONS {
            return Err(malformed(format!("an array of {dimensions} dimensions")));
        }
        let mut shape = Vec::with_capacity(dimensions);
        for _ in 0..dimensions {
            shape.push(read_number(&mut data)?);
        }
        let header = Self { dtype, shape };
        if header.size_bytes().is_none() {
            return Err(malformed(format!("an array of the shape {:?}", header.shape)));
        }
        Ok((header, data))
    }

    fn write(&self, output: &mut Vec<u8>) {
        output.extend(MAGIC);
        let code = CODES.iter().position(|&one| one == self.dtype).map_or(0, |index| index + 1);
        output.extend([VERSION, code as u8, self.shape.len() as u8]);
        for &length in &self.shape {
            write_number(length, output);
        }
    }
}

/// Compresses an array so that its element type and its shape come back with it.
///
/// `data` are the elements in C order, least significant byte first. Bytes that stand at the same place
/// of an element are brought together, and coded by what a sample shows: see [`AdaptiveCompressor`]. The
/// [format](self) is ours alone.
///
/// # Errors
///
/// [`CompressionError::CompressionFailed`] if the bytes are not those of such an array.
///
/// ```
/// use mithril_core::{DType, compress_array, decompress_array};
///
/// let elements: Vec<u8> = (0..600_u16).flat_map(u16::to_le_bytes).collect();
/// let compressed = compress_array(&elements, &[20, 30], DType::UInt16)?;
/// assert!(compressed.len() < elements.len());
/// let (header, back) = decompress_array(&compressed, None)?;
/// assert_eq!((header.dtype, header.shape, back), (DType::UInt16, vec![20, 30], elements));
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
pub fn compress_array(
    data: &[u8],
    shape: &[u64],
    dtype: DType,
) -> Result<Vec<u8>, CompressionError> {
    let header = ArrayHeader { dtype, shape: shape.to_vec() };
    if shape.len() > MOST_DIMENSIONS || header.size_bytes() != Some(data.len() as u64) {
        return Err(CompressionError::CompressionFailed(format!(
            "{} bytes are no array of the shape {shape:?} of {}",
            data.len(),
            dtype.to_numpy_str()
        )));
    }
    let mut output = Vec::new();
    header.write(&mut output);
    AdaptiveCompressor::new().with_dtype(dtype).compress_into(data, &mut output)?;
    Ok(output)
}

/// What [`compress_array`] was given: the header, and the elements as bytes.
///
/// Nothing of the header is believed: memory is reserved for what the bytes at hand can hold, and an
/// array of more than `max_output_size` bytes, [`DEFAULT_MAX_OUTPUT_SIZE`] if none is given, is refused
/// before any of it is decompressed.
///
/// # Errors
///
/// Those of [`ArrayHeader::read`] and of [`Compressor::decompress`], and elements that are more or fewer
/// than the shape says.
///
/// ```
/// use mithril_core::{CompressionError, DType, compress_array, decompress_array};
///
/// let compressed = compress_array(&[1; 4000], &[1000], DType::Int32)?;
/// let refused = decompress_array(&compressed, Some(3999));
/// assert!(matches!(refused, Err(CompressionError::OutputTooLarge { limit: 3999 })));
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
pub fn decompress_array(
    data: &[u8],
    max_output_size: Option<u64>,
) -> Result<(ArrayHeader, Vec<u8>), CompressionError> {
    let limit = max_output_size.unwrap_or(DEFAULT_MAX_OUTPUT_SIZE);
    let (header, frames) = ArrayHeader::read(data)?;
    let size = header.size_bytes().unwrap_or(u64::MAX);
    if size > limit {
        return Err(CompressionError::OutputTooLarge { limit });
    }
    let wrong = |found: &str| {
        CompressionError::malformed(format!(
            "an array of the shape {:?} has {size} bytes, and {found}",
            header.shape
        ))
    };
    let decompressed = AdaptiveCompressor::new().decompress_limited(frames, size);
    let elements = decompressed.map_err(|error| match error {
        CompressionError::OutputTooLarge { .. } => wrong("there are more"),
        error => error,
    })?;
    if elements.len() as u64 != size {
        return Err(wrong(&format!("there are {}", elements.len())));
    }
    // Other bytes would be neither true nor false to whoever computes with them.
    if header.dtype == DType::Bool && elements.iter().any(|&byte| byte > 1) {
        return Err(CompressionError::malformed("a bool that is neither 0 nor 1"));
    }
    Ok((header, elements))
}
