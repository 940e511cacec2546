//! Compression in pieces: the machines behind it, and the reader and writer around them.
//!
//! A [`StreamEncoder`] or [`StreamDecoder`] holds the state of one stream and does no input or output
//! of its own: the sink or source is passed to each call, so that a binding may lend another one each
//! time. [`CompressWriter`] and [`DecompressReader`] own theirs. The memory of a stream is bounded by
//! the blocks and windows of its format, whatever its length.

use super::Compressor;
use super::error::{CompressionError, read_up_to};
use std::io::{self, Read, Write};

/// The bytes that are read at a time. Data no longer than this is compressed as a whole, so that its
/// frame says its size.
pub(crate) const CHUNK: usize = 256 << 10;

/// The state of a stream that is being compressed.
pub trait StreamEncoder: Send {
    /// Takes the next piece, and writes to `sink` what is ready.
    ///
    /// # Errors
    /// Those of the sink and of the codec; after one, the stream cannot go on.
    fn write(&mut self, data: &[u8], sink: &mut dyn Write) -> Result<(), CompressionError>;

    /// Writes all that was taken, so that a reader can have it; costs some of the ratio.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn flush(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError>;

    /// Writes what remains and the end of the frame; nothing may follow.
    ///
    /// # Errors
    /// As [`write`](Self::write), and data whose length is not the one that was announced.
    fn finish(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError>;
}

/// The state of a stream that is being decompressed.
pub trait StreamDecoder: Send {
    /// Fills the beginning of `buffer` with what comes next, and returns its length; 0 for a buffer
    /// that is not empty means that the source has ended, at the end of a frame.
    ///
    /// `source` is read ahead of what is returned. A checksum stands at the end of what it covers:
    /// bytes of a damaged frame may be returned before the error is.
    ///
    /// # Errors
    /// Those of the source, and data that is damaged, cut or larger than allowed.
    fn read(&mut self, source: &mut dyn Read, buffer: &mut [u8])
    -> Result<usize, CompressionError>;
}

/// Writes into another writer, compressed.
///
/// [`finish`](Self::finish) ends the frame; a writer that is dropped without it leaves a frame that
/// readers refuse as cut.
///
/// ```
/// use mithril_core::{CompressWriter, CompressionLevel, Compressor, Lz4Compressor};
/// use std::io::Write;
///
/// let lz4 = Lz4Compressor::new(CompressionLevel::Default);
/// let mut writer = CompressWriter::try_new(&lz4, Vec::new())?;
/// writer.write_all(b"in pieces, ")?;
/// writer.write_all(b"one by one")?;
/// let frame = writer.finish()?;
/// assert_eq!(lz4.decompress(&frame)?, b"in pieces, one by one");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CompressWriter<W: Write> {
    encoder: Box<dyn StreamEncoder>,
    sink: W,
}

impl<W: Write> CompressWriter<W> {
    /// A writer of one frame into `sink`.
    ///
    /// # Errors
    /// [`CompressionError::CompressionFailed`] for a compressor that works on whole data only.
    pub fn try_new(compressor: &dyn Compressor, sink: W) -> Result<Self, CompressionError> {
        let encoder = compressor.encoder(None).ok_or_else(|| {
            CompressionError::CompressionFailed(format!(
                "the compressor {:?} has no streaming form; use compress on the whole data",
                compressor.name()
            ))
        })?;
        Ok(Self { encoder, sink })
    }

    /// Ends the frame and returns the sink.
    ///
    /// # Errors
    /// Those of [`StreamEncoder::finish`].
    pub fn finish(mut self) -> Result<W, CompressionError> {
        self.encoder.finish(&mut self.sink)?;
        self.sink.flush()?;
        Ok(self.sink)
    }
}

impl<W: Write> Write for CompressWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.encoder.write(data, &mut self.sink)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush(&mut self.sink)?;
        self.sink.flush()
    }
}

/// Reads another reader, decompressed.
///
/// Errors of the data come as [`io::Error`] with a [`CompressionError`] inside, which
/// `CompressionError::from` takes out.
///
/// ```
/// use mithril_core::{CompressionLevel, Compressor, DecompressReader, ZstdCompressor};
/// use std::io::{BufRead, BufReader};
///
/// let zstd = ZstdCompressor::new(CompressionLevel::Default);
/// let frame = zstd.compress(b"one\ntwo\n")?;
/// let reader = DecompressReader::try_new(&zstd, frame.as_slice())?;
/// let lines: Result<Vec<_>, _> = BufReader::new(reader).lines().collect();
/// assert_eq!(lines?, ["one", "two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DecompressReader<R: Read> {
    decoder: Box<dyn StreamDecoder>,
    source: R,
}

impl<R: Read> DecompressReader<R> {
    /// A reader of all frames of `source`.
    ///
    /// # Errors
    /// [`CompressionError::DecompressionFailed`] for a compressor that works on whole data only.
    pub fn try_new(compressor: &dyn Compressor, source: R) -> Result<Self, CompressionError> {
        let decoder = compressor.decoder().ok_or_else(|| {
            CompressionError::DecompressionFailed(format!(
                "the compressor {:?} has no streaming form; use decompress on the whole data",
                compressor.name()
            ))
        })?;
        Ok(Self { decoder, source })
    }

    /// The source, past what was read ahead.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.source
    }
}

impl<R: Read> Read for DecompressReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.decoder.read(&mut self.source, buffer)?)
    }
}

/// Stops a decoder at a number of bytes.
pub(crate) struct Limited<D> {
    decoder: D,
    limit: u64,
    left: u64,
}

impl<D: StreamDecoder> Limited<D> {
    pub(crate) fn new(decoder: D, limit: u64) -> Self {
        Self { decoder, limit, left: limit }
    }
}

impl<D: StreamDecoder> StreamDecoder for Limited<D> {
    fn read(
        &mut self,
        source: &mut dyn Read,
        buffer: &mut [u8],
    ) -> Result<usize, CompressionError> {
        if self.left == 0 && !buffer.is_empty() {
            // Whether there is more than the limit, only one more byte can tell.
            return match self.decoder.read(source, &mut [0])? {
                0 => Ok(0),
                _ => Err(CompressionError::OutputTooLarge { limit: self.limit }),
            };
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.decoder.read(source, buffer.get_mut(..length).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// A writer that counts.
pub(crate) struct Counted<'a> {
    inner: &'a mut dyn Write,
    pub(crate) written: u64,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(inner: &'a mut dyn Write) -> Self {
        Self { inner, written: 0 }
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What [`Compressor::compress_stream`] does.
pub(crate) fn compress_all(
    compressor: &(impl Compressor + ?Sized),
    reader: &mut dyn Read,
    writer: &mut dyn Write,
) -> Result<u64, CompressionError> {
    let mut sink = Counted::new(writer);
    let mut chunk = vec![0; CHUNK];
    let mut length = read_up_to(reader, &mut chunk)?;
    let encoder = if length < CHUNK { None } else { compressor.encoder(None) };
    if let Some(mut encoder) = encoder {
        while let Some(data) = chunk.get(..length).filter(|data| !data.is_empty()) {
            encoder.write(data, &mut sink)?;
            length = read_up_to(reader, &mut chunk)?;
        }
        encoder.finish(&mut sink)?;
    } else {
        chunk.truncate(length);
        if length == CHUNK {
            reader.read_to_end(&mut chunk)?;
        }
        sink.write_all(&compressor.compress(&chunk)?)?;
    }
    sink.flush()?;
    Ok(sink.written)
}

/// What [`Compressor::decompress_stream`] does.
pub(crate) fn decompress_all(
    compressor: &(impl Compressor + ?Sized),
    reader: &mut dyn Read,
    writer: &mut dyn Write,
) -> Result<u64, CompressionError> {
    let mut sink = Counted::new(writer);
    if let Some(mut decoder) = compressor.decoder() {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = decoder.read(reader, &mut chunk)?;
            match chunk.get(..length) {
                None | Some([]) => break,
                Some(data) => sink.write_all(data)?,
            }
        }
    } else {
        let mut data = Vec::new();
        reader.read_to_end(&mut data)?;
        sink.write_all(&compressor.decompress(&data)?)?;
    }
    sink.flush()?;
    Ok(sink.written)
}
