//! The parts of a frame as bytes, as the module above defines them.

use crate::compression::CompressionError;
use crate::compression::error::{read_up_to, read_whole};
use std::io::Read;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const MAGIC: [u8; 4] = [0x93, b'M', b'T', b'A'];
pub(super) const VERSION: u8 = 1;
pub(super) const HAS_SIZE: u8 = 1;
pub(super) const HAS_TABLE: u8 = 2;

/// The most content that a block may have.
pub(super) const LARGEST_BLOCK: usize = 16 << 20;

pub(super) const RAW: u8 = 0;
pub(super) const RUN: u8 = 1;
/// The choice that stands for the first name of the table.
pub(super) const TABLE: u8 = 2;
pub(super) const MOST_NAMES: usize = 62;
pub(super) const DEFAULT_NAMES: [&str; 2] = ["lz4", "zstd"];

pub(super) fn checksum(content: &[u8], place: u64) -> [u8; 4] {
    (xxh3_64_with_seed(content, place) as u32).to_le_bytes()
}

pub(in crate::compression) fn write_number(mut number: u64, output: &mut Vec<u8>) {
    while number > 0x7f {
        output.push(number as u8 | 0x80);
        number >>= 7;
    }
    output.push(number as u8);
}

pub(in crate::compression) fn read_byte(
    source: &mut (impl Read + ?Sized),
) -> Result<u8, CompressionError> {
    let mut byte = [0];
    read_whole(source, &mut byte)?;
    Ok(byte[0])
}

pub(in crate::compression) fn read_number(
    source: &mut (impl Read + ?Sized),
) -> Result<u64, CompressionError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = read_byte(source)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            break;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(CompressionError::malformed("a number of more than 64 bits"))
}

/// What stands before the blocks.
pub(super) struct Header {
    pub(super) content_size: Option<u64>,
    pub(super) names: Vec<String>,
}

impl Header {
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        let default = self.names.iter().map(String::as_str).eq(DEFAULT_NAMES);
        let size = if self.content_size.is_some() { HAS_SIZE } else { 0 };
        output.extend(MAGIC);
        output.extend([VERSION, size | if default { 0 } else { HAS_TABLE }]);
        if let Some(size) = self.content_size {
            write_number(size, output);
        }
        if !default {
            output.push(self.names.len() as u8);
            for name in &self.names {
                output.push(name.len() as u8);
                output.extend_from_slice(name.as_bytes());
            }
        }
    }

    /// The next frame's; none at the end of the source, which is an error if it is the `first`.
    pub(super) fn read(
        source: &mut (impl Read + ?Sized),
        first: bool,
    ) -> Result<Option<Self>, CompressionError> {
        let mut magic = [0; 4];
        match read_up_to(source, &mut magic)? {
            0 if !first => return Ok(None),
            4 => {}
            _ => return Err(CompressionError::Truncated),
        }
        if magic != MAGIC {
            return Err(CompressionError::malformed("no frame of AdaptiveCompressor begins so"));
        }
        let version = read_byte(source)?;
        if version != VERSION {
            return Err(CompressionError::malformed(format!(
                "a frame of version {version}, and this release reads version {VERSION}"
            )));
        }
        let flags = read_byte(source)?;
        if flags & !(HAS_SIZE | HAS_TABLE) != 0 {
            return Err(CompressionError::malformed("a frame with a reserved flag set"));
        }
        let content_size = if flags & HAS_SIZE == 0 { None } else { Some(read_number(source)?) };
        let names = if flags & HAS_TABLE == 0 {
            DEFAULT_NAMES.map(str::to_owned).into()
        } else {
            read_table(source)?
        };
        Ok(Some(Self { content_size, names }))
    }
}

fn read_table(source: &mut (impl Read + ?Sized)) -> Result<Vec<String>, CompressionError> {
    let count = usize::from(read_byte(source)?);
    if count > MOST_NAMES {
        return Err(CompressionError::malformed(format!("a table of {count} compressors")));
    }
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        let length = read_byte(source)?;
        if length == 0 {
            return Err(CompressionError::malformed("a compressor without a name"));
        }
        let mut name = vec![0; usize::from(length)];
        read_whole(source, &mut name)?;
        let name = String::from_utf8(name)
            .map_err(|_| CompressionError::malformed("the name of a compressor is not UTF-8"))?;
        names.push(name);
    }
    Ok(names)
}
