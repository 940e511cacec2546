//! What frames say of themselves, read without decompressing: RFC 8878, section 3.1.
//!
//! One pass over the headers of frames and blocks, a few bytes for each 128 KiB of content, tells how
//! much the bytes at hand can become at most. A claim above that is a lie, and is refused before
//! anything is reserved.

use super::context::Settings;
use crate::compression::CompressionError;

const MAGIC: u32 = 0xfd2f_b528;
const LARGEST_BLOCK: u64 = 128 << 10;

/// What all frames of some data hold together.
pub(super) struct Survey {
    /// The sum of the sizes in the headers, if each frame has one.
    pub(super) content_size: Option<u64>,
    /// The most that the blocks can hold.
    pub(super) bound: u64,
}

/// A cursor over bytes that may end anywhere.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], CompressionError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CompressionError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of up to eight bytes, least significant first.
    fn number(&mut self, length: usize) -> Result<u64, CompressionError> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// What stands before the blocks of a frame.
pub(super) enum Header {
    /// Metadata of so many bytes.
    Skippable(u64),
    Frame(Frame),
}

pub(super) struct Frame {
    pub(super) content_size: Option<u64>,
    window: u64,
    checksum: bool,
}

impl Frame {
    pub(super) fn check_window(&self, settings: &Settings) -> Result<(), CompressionError> {
        if self.window > 1 << settings.max_window_log {
            return Err(CompressionError::WindowTooLarge { limit_log: settings.max_window_log });
        }
        Ok(())
    }
}

/// The header at the beginning of `data`; [`CompressionError::Truncated`] if it needs more bytes.
pub(super) fn header(data: &[u8], settings: &Settings) -> Result<Header, CompressionError> {
    read_header(&mut Bytes(data), settings)
}

pub(super) fn survey(data: &[u8], settings: &Settings) -> Result<Survey, CompressionError> {
    let mut bytes = Bytes(data);
    let mut all = Survey { content_size: Some(0), bound: 0 };
    if data.is_empty() {
        return Err(CompressionError::Truncated);
    }
    while !bytes.0.is_empty() {
        let frame = match read_header(&mut bytes, settings)? {
            Header::Frame(frame) => frame,
            Header::Skippable(length) => {
                bytes.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                continue;
            }
        };
        let bound = blocks(&mut bytes, frame.window.min(LARGEST_BLOCK))?;
        if let Some(size) = frame.content_size.filter(|&size| size > bound) {
            return Err(CompressionError::malformed(format!(
                "a frame claims {size} bytes of content, and its blocks can hold {bound} at most"
            )));
        }
        frame.check_window(settings)?;
        if frame.checksum {
            bytes.take(4)?;
        }
        all.bound = all.bound.saturating_add(bound);
        let sizes = all.content_size.zip(frame.content_size);
        all.content_size = sizes.and_then(|(before, size)| before.checked_add(size));
    }
    Ok(all)
}

fn read_header(bytes: &mut Bytes<'_>, settings: &Settings) -> Result<Header, CompressionError> {
    let magic = bytes.number(4)? as u32;
    if magic & 0xffff_fff0 == 0x184d_2a50 {
        return Ok(Header::Skippable(bytes.number(4)?));
    }
    if magic != MAGIC {
        return Err(CompressionError::malformed(format!(
            "no zstd frame begins with {magic:#010x}"
        )));
    }
    let descriptor = bytes.number(1)?;
    if descriptor & 8 != 0 {
        return Err(CompressionError::malformed("a frame with a reserved bit set"));
    }
    let single_segment = descriptor & 32 != 0;
    let mut window = 0;
    if !single_segment {
        let byte = bytes.number(1)?;
        let base = 1_u64 << (10 + (byte >> 3));
        window = base + base / 8 * (byte & 7);
    }
    let dictionary = bytes.number([0, 1, 2, 4][(descriptor & 3) as usize])? as u32;
    let content_size = match (descriptor >> 6, single_segment) {
        (0, false) => None,
        (0, true) => Some(bytes.number(1)?),
        (1, _) => Some(bytes.number(2)? + 256),
        (2, _) => Some(bytes.number(4)?),
        _ => Some(bytes.number(8)?),
    };
    if single_segment {
        window = content_size.unwrap_or(0);
    }
    let own = settings.dictionary.as_ref().and_then(|dictionary| dictionary.id());
    if dictionary != 0 && own != Some(dictionary) {
        return Err(CompressionError::WrongDictionary { needed: Some(dictionary) });
    }
    Ok(Header::Frame(Frame { content_size, window, checksum: descriptor & 4 != 0 }))
}

/// Passes over all blocks of a frame; returns the most they can hold.
fn blocks(bytes: &mut Bytes<'_>, largest: u64) -> Result<u64, CompressionError> {
    let mut bound = 0_u64;
    loop {
        let header = bytes.number(3)?;
        let size = header >> 3;
        let (stored, content) = match header >> 1 & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, largest),
            _ => return Err(CompressionError::malformed("a block of a reserved type")),
        };
        // zstd's readers of a whole and of a stream disagree on these; the format forbids them.
        if size > largest {
            return Err(CompressionError::malformed(format!(
                "a block of {size} bytes in a frame whose blocks have {largest} at most"
            )));
        }
        bytes.take(stored as usize)?;
        bound = bound.saturating_add(content);
        if header & 1 == 1 {
            return Ok(bound);
        }
    }
}
