//! The frame's descriptor, as version 1.6.4 of the LZ4 frame format has it.

use crate::compression::CompressionError;
use crate::compression::error::{read_up_to, read_whole};
use std::io::{self, Read};
use xxhash_rust::xxh32::xxh32;

const MAGIC: u32 = 0x184d_2204;
const LEGACY_MAGIC: u32 = 0x184c_2102;

// The bits of the descriptor's first byte, FLG.
const VERSION: u8 = 0b0100_0000;
const VERSION_MASK: u8 = 0b1100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const BLOCK_CHECKSUM: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const RESERVED: u8 = 0b0000_0010;
const DICTIONARY: u8 = 0b0000_0001;

/// The most that a block holds: the four sizes that the format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BlockSize {
    KiB64 = 4,
    KiB256,
    MiB1,
    MiB4,
}

impl BlockSize {
    const ALL: [Self; 4] = [Self::KiB64, Self::KiB256, Self::MiB1, Self::MiB4];

    pub(super) fn bytes(self) -> usize {
        1 << (8 + 2 * self as usize)
    }

    /// The smallest that holds all of `length` bytes, or the largest.
    pub(super) fn holding(length: usize) -> Self {
        Self::ALL.into_iter().find(|size| size.bytes() >= length).unwrap_or(Self::MiB4)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptor {
    pub(super) block_size: BlockSize,
    pub(super) independent: bool,
    pub(super) block_checksum: bool,
    pub(super) content_checksum: bool,
    pub(super) content_size: Option<u64>,
}

impl Descriptor {
    /// The beginning of a frame.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut described = vec![
            VERSION
                | flag(self.independent, INDEPENDENT)
                | flag(self.block_checksum, BLOCK_CHECKSUM)
                | flag(self.content_size.is_some(), CONTENT_SIZE)
                | flag(self.content_checksum, CONTENT_CHECKSUM),
            (self.block_size as u8) << 4,
        ];
        if let Some(size) = self.content_size {
            described.extend(size.to_le_bytes());
        }
        let checksum = header_checksum(&described);
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend(described);
        bytes.push(checksum);
        bytes
    }

    /// The next frame's, with skippable frames before it passed over; none at the end of the source.
    ///
    /// `first` says that nothing was read before: a source without any frame was cut.
    pub(super) fn read(
        source: &mut (impl Read + ?Sized),
        mut first: bool,
    ) -> Result<Option<Self>, CompressionError> {
        loop {
            let mut magic = [0; 4];
            match read_up_to(source, &mut magic)? {
                0 if !first => return Ok(None),
                4 => {}
                _ => return Err(CompressionError::Truncated),
            }
            first = false;
            match u32::from_le_bytes(magic) {
                MAGIC => return Self::read_described(source).map(Some),
                number if number & 0xffff_fff0 == 0x184d_2a50 => skip(source)?,
                LEGACY_MAGIC => {
                    return Err(CompressionError::malformed(
                        "the format of lz4 -l does not tell a whole file from a cut one; compress \
                         without -l",
                    ));
                }
                number => {
                    return Err(CompressionError::malformed(format!(
                        "no LZ4 frame begins with {number:#010x}"
                    )));
                }
            }
        }
    }

    fn read_described(source: &mut (impl Read + ?Sized)) -> Result<Self, CompressionError> {
        let mut described = [0; 14];
        let malformed = |what: &str| Err(CompressionError::malformed(what));
        read_whole(source, &mut described[..2])?;
        let [flags, sizes, ..] = described;
        if flags & VERSION_MASK != VERSION {
            return malformed("an LZ4 frame of a version other than 1");
        }
        if flags & RESERVED != 0 || sizes & 0b1000_1111 != 0 {
            return malformed("an LZ4 frame with a reserved bit set");
        }
        let size_length = if flags & CONTENT_SIZE == 0 { 0 } else { 8 };
        let length = 2 + size_length + if flags & DICTIONARY == 0 { 0 } else { 4 };
        let rest = described.get_mut(2..length).unwrap_or_default();
        read_whole(source, rest)?;
        let mut checksum = [0];
        read_whole(source, &mut checksum)?;
        if [header_checksum(described.get(..length).unwrap_or_default())] != checksum {
            return malformed("the checksum of an LZ4 frame's header differs");
        }
        if flags & DICTIONARY != 0 {
            let id = described.get(2 + size_length..).and_then(|id| id.first_chunk());
            return Err(CompressionError::WrongDictionary {
                needed: id.map(|id| u32::from_le_bytes(*id)),
            });
        }
        let Some(&block_size) = BlockSize::ALL.iter().find(|size| **size as u8 == sizes >> 4)
        else {
            return malformed("an LZ4 frame with blocks of an unknown size");
        };
        let size = described.get(2..).and_then(|size| size.first_chunk());
        Ok(Self {
            block_size,
            independent: flags & INDEPENDENT != 0,
            block_checksum: flags & BLOCK_CHECKSUM != 0,
            content_checksum: flags & CONTENT_CHECKSUM != 0,
            content_size: size.filter(|_| size_length > 0).map(|size| u64::from_le_bytes(*size)),
        })
    }
}

fn header_checksum(described: &[u8]) -> u8 {
    (xxh32(described, 0) >> 8) as u8
}

fn skip(source: &mut (impl Read + ?Sized)) -> Result<(), CompressionError> {
    let mut length = [0; 4];
    read_whole(source, &mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    if io::copy(&mut source.take(length), &mut io::sink())? < length {
        return Err(CompressionError::Truncated);
    }
    Ok(())
}
