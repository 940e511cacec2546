//! The lines of a file, decompressed.

use super::super::input_file::InputFile;
use super::super::remote::Handle;
use crate::control::Control;
use crate::error::{DedupError, Result};
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 20;
/// The longest line that is read; a longer one is an error and not the end of the memory.
const MAX_LINE: u64 = 1 << 30;
/// Frames of `zstd --long=31`, as large public dumps use them, need a window of this many bits.
const ZSTD_WINDOW_BITS: u32 = 31;

/// What lines are taken to be compressed by, where it has to be guessed: text is by 3 to 5, dumps by up to 10.
const EXPECTED_RATIO: u64 = 8;

/// A guess at the bytes of all lines of a file.
pub(in super::super) fn expected_bytes(file: &InputFile) -> u64 {
    let suffix = file.path.extension().and_then(std::ffi::OsStr::to_str);
    let is_compressed = suffix.is_some_and(|suffix| ["gz", "tgz", "zst"].contains(&suffix));
    if is_compressed { file.size.saturating_mul(EXPECTED_RATIO) } else { file.size }
}

/// The bytes of a plain, gzip or zstd file, which a control counts as they are in the file.
pub(in super::super) fn decompressed<'a>(
    file: &'a InputFile,
    control: Control<'a>,
) -> Result<Box<dyn BufRead + 'a>> {
    let counted = BufReader::with_capacity(BUFFER, Counted { file: file.open()?, control });
    let wrong = |error| DedupError::read(&file.path, error);
    let suffix = file.path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let reader: Box<dyn BufRead> = match suffix.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("gz" | "tgz" | "zst") if file.size == 0 => Box::new(counted),
        Some("gz" | "tgz") => Box::new(BufReader::with_capacity(
            BUFFER,
            flate2::bufread::MultiGzDecoder::new(counted),
        )),
        Some("zst") => {
            let mut decoder = zstd::Decoder::with_buffer(counted).map_err(wrong)?;
            decoder.window_log_max(ZSTD_WINDOW_BITS).map_err(wrong)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
        _ => Box::new(counted),
    };
    Ok(reader)
}

/// Reads the lines of a plain, gzip or zstd file; blank ones are passed over.
pub(super) struct Lines<'a> {
    file: &'a InputFile,
    reader: Box<dyn BufRead + 'a>,
    control: Control<'a>,
    buffer: Vec<u8>,
    number: u64,
}

/// A line that is not blank, without its end.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    number: u64,
}

impl Line<'_> {
    /// This line with another text.
    pub(super) fn with_text(self, text: &str) -> Line<'_> {
        Line { text, number: self.number }
    }

    pub(super) fn error(&self, file: &InputFile, problem: String) -> DedupError {
        bad_line(file, self.number, problem)
    }
}

fn bad_line(file: &InputFile, number: u64, problem: String) -> DedupError {
    DedupError::BadRow { file: file.path.clone(), place: "line", number, problem }
}

impl<'a> Lines<'a> {
    pub(super) fn open(file: &'a InputFile, control: Control<'a>) -> Result<Self> {
        let reader = decompressed(file, control)?;
        Ok(Self { file, reader, control, buffer: Vec::new(), number: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let mut limited = self.reader.by_ref().take(MAX_LINE);
            let read = limited.read_until(b'\n', &mut self.buffer).map_err(|error| {
                bad_line(self.file, self.number, format!("cannot be read: {error}"))
            })?;
            if read == 0 {
                return Ok(None);
            }
            if self.number.is_multiple_of(1024) {
                self.control.check()?;
            }
            if read as u64 == MAX_LINE && self.buffer.last() != Some(&b'\n') {
                return Err(bad_line(
                    self.file,
                    self.number,
                    format!("longer than {MAX_LINE} bytes"),
                ));
            }
            let start =
                if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            if self.buffer.get(start..).is_some_and(|line| !line.trim_ascii().is_empty()) {
                return self.line(start).map(Some);
            }
        }
    }

    /// An error at the line that was read last.
    pub(super) fn error(&self, problem: String) -> DedupError {
        bad_line(self.file, self.number, problem)
    }

    fn line(&self, start: usize) -> Result<Line<'_>> {
        let bytes = self.buffer.get(start..).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let problem = format!("not valid UTF-8 at byte {} of the line", error.valid_up_to());
            bad_line(self.file, self.number, problem)
        })?;
        Ok(Line { text, number: self.number })
    }
}

/// Reports the bytes that are read of a file.
struct Counted<'a> {
    file: Handle,
    control: Control<'a>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.control.progress.increment(read as u64);
        Ok(read)
    }
}
