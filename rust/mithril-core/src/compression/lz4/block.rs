//! Blocks: LZ4's sequences, without a frame around them.

use crate::compression::CompressionError;
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use std::cell::RefCell;

/// How far back a match may reach.
pub(super) const WINDOW: usize = 64 << 10;

/// The bytes of a block, compressed into a buffer that is used again.
pub(super) struct Packer {
    table: CompressTable,
    buffer: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { table: CompressTable::default(), buffer: Vec::new() }
    }

    /// `block` compressed, or none if that does not make it smaller.
    pub(super) fn pack(&mut self, block: &[u8]) -> Result<Option<&[u8]>, CompressionError> {
        let most = get_maximum_output_size(block.len());
        if self.buffer.len() < most {
            self.buffer.resize(most, 0);
        }
        let length = compress_into_with_table(block, &mut self.buffer, &mut self.table)
            .map_err(|error| CompressionError::CompressionFailed(error.to_string()))?;
        Ok(self.buffer.get(..length).filter(|packed| packed.len() < block.len()))
    }
}

thread_local! {
    static PACKER: RefCell<Packer> = RefCell::new(Packer::new());
}

/// Gives `take` a small block, compressed by a packer that each thread has, or none if that does not make it
/// smaller: to make a packer takes longer than to compress a line of text.
pub(super) fn pack_small(
    block: &[u8],
    take: impl FnOnce(Option<&[u8]>),
) -> Result<(), CompressionError> {
    PACKER.with_borrow_mut(|packer| packer.pack(block).map(take))
}

/// Up to so many bytes are a small block: the table for them is the smaller one.
pub(super) const SMALL: usize = 16 << 10;

/// Appends the content of `packed`, at most `most` bytes, to `output`, whose last `history` bytes
/// may be referred to.
pub(super) fn unpack(
    packed: &[u8],
    most: usize,
    history: usize,
    output: &mut Vec<u8>,
) -> Result<usize, CompressionError> {
    // No byte stands for more than 255: a small block of a frame with large ones needs little room.
    let room = most.min(packed.len().saturating_mul(255));
    let start = output.len();
    output.resize(start + room, 0);
    let (before, after) = output.split_at_mut(start);
    let known = before.get(start - history.min(start)..).unwrap_or_default();
    let unpacked = if known.is_empty() {
        decompress_into(packed, after)
    } else {
        decompress_into_with_dict(packed, after, known)
    };
    let length = unpacked.map_err(|error| {
        CompressionError::malformed(format!("a block of LZ4 cannot be read: {error}"))
    })?;
    output.truncate(start + length);
    Ok(length)
}
