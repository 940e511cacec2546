//! zstd: standard frames, dictionaries, and bounds on what a frame may ask for.

mod context;
mod decode;
mod dictionary;
mod encode;
mod frame;

use super::limit::DEFAULT_MAX_OUTPUT_SIZE;
use super::stream::{Limited, StreamDecoder, StreamEncoder};
use super::{CompressionError, CompressionLevel, Compressor};
use context::{Contexts, Settings};
use dictionary::Dictionary;
use std::sync::Arc;

/// The base-2 logarithm of the largest window that is read unless
/// [`ZstdCompressor::with_max_window_log`] says otherwise: 27, as the command `zstd` has it.
pub const DEFAULT_MAX_WINDOW_LOG: u32 = 27;

/// Compresses into zstd frames and reads all of them, those of the command `zstd` too.
///
/// | level | zstd's |
/// |---|---|
/// | [`Fastest`](CompressionLevel::Fastest) | 1 |
/// | [`Fast`](CompressionLevel::Fast) | 2 |
/// | [`Default`](CompressionLevel::Default) | 3 |
/// | [`Best`](CompressionLevel::Best) | 19 |
/// | [`Custom`](CompressionLevel::Custom) | the number, from -131072 to 22; 0 is zstd's default, 3 |
///
/// Frames have a checksum, and the content's size where the data is given as a whole. Contexts are
/// kept between calls; a compressor may be used from many threads at a time.
///
/// ```
/// use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};
///
/// let zstd = ZstdCompressor::new(CompressionLevel::Default).with_max_output_size(1 << 20);
/// let bomb = zstd.compress(&vec![0; 2 << 20])?;
/// assert!(bomb.len() < 200);
/// assert!(zstd.decompress(&bomb).is_err());
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ZstdCompressor {
    settings: Settings,
    max_output_size: Option<u64>,
    contexts: Contexts,
}

impl ZstdCompressor {
    /// A compressor without a dictionary.
    #[must_use]
    pub fn new(level: CompressionLevel) -> Self {
        Self::with_settings(level, None)
    }

    /// A compressor with a dictionary, for many small objects that are alike.
    ///
    /// `dict` is one that [`train_dictionary`](Self::train_dictionary) or `zstd --train` made, or any
    /// bytes that resemble the data. Bytes that begin as a trained dictionary and are none are
    /// reported by each use; [`try_with_dictionary`](Self::try_with_dictionary) reports them at once.
    /// Whoever decompresses needs the same dictionary; a frame of another one is an error.
    ///
    /// ```
    /// use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};
    ///
    /// let like = br#"{"id": 1000, "language": "en", "text": ""}"#;
    /// let with = ZstdCompressor::with_dictionary(like, CompressionLevel::Default);
    /// let without = ZstdCompressor::new(CompressionLevel::Default);
    /// let object = br#"{"id": 1234, "language": "en", "text": "short"}"#;
    /// assert!(with.compress(object)?.len() < without.compress(object)?.len());
    /// assert_eq!(with.decompress(&with.compress(object)?)?, object);
    /// # Ok::<(), mithril_core::CompressionError>(())
    /// ```
    #[must_use]
    pub fn with_dictionary(dict: &[u8], level: CompressionLevel) -> Self {
        Self::with_settings(level, Some(dict))
    }

    /// As [`with_dictionary`](Self::with_dictionary), but looks at the dictionary now.
    ///
    /// # Errors
    /// [`CompressionError::InvalidDictionary`] if it begins as a trained one and cannot be read.
    ///
    /// ```
    /// use mithril_core::{CompressionLevel, ZstdCompressor};
    ///
    /// let broken = [0x37, 0xa4, 0x30, 0xec, 1, 0, 0, 0, 255, 255];
    /// assert!(ZstdCompressor::try_with_dictionary(&broken, CompressionLevel::Default).is_err());
    /// ```
    pub fn try_with_dictionary(
        dict: &[u8],
        level: CompressionLevel,
    ) -> Result<Self, CompressionError> {
        let compressor = Self::with_dictionary(dict, level);
        compressor.settings.check()?;
        Ok(compressor)
    }

    fn with_settings(level: CompressionLevel, dict: Option<&[u8]>) -> Self {
        let settings = Settings {
            level: number(level),
            checksum: true,
            max_window_log: DEFAULT_MAX_WINDOW_LOG,
            window_log: None,
            entropy_only: false,
            dictionary: dict.filter(|dict| !dict.is_empty()).map(Dictionary::new).map(Arc::new),
        };
        Self { settings, max_output_size: None, contexts: Contexts::default() }
    }

    /// Makes a dictionary of at most `max_size` bytes from samples of what will be compressed.
    ///
    /// zstd advises samples of a hundred times the dictionary's size in all, and dictionaries of
    /// about 100 KiB; each sample is to be one object as it will be compressed, some dozens at least.
    ///
    /// # Errors
    /// [`CompressionError::CompressionFailed`] if there are fewer than 8 samples of 8 bytes or more,
    /// if they are too few or too much alike for a dictionary, or if `max_size` is below 256.
    ///
    /// ```
    /// use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};
    ///
    /// let record = |id: u64| {
    ///     let language = ["en", "de", "fr", "ja"][id as usize % 4];
    ///     format!(r#"{{"id": {id}, "language": "{language}", "source": "web", "text": ""}}"#)
    /// };
    /// let samples: Vec<String> = (0..2000).map(record).collect();
    /// let dictionary = ZstdCompressor::train_dictionary(&samples, 4096)?;
    /// let zstd = ZstdCompressor::try_with_dictionary(&dictionary, CompressionLevel::Default)?;
    /// let object = record(2001);
    /// let without = ZstdCompressor::default().compress(object.as_bytes())?;
    /// assert!(zstd.compress(object.as_bytes())?.len() < without.len());
    /// # Ok::<(), mithril_core::CompressionError>(())
    /// ```
    pub fn train_dictionary<S: AsRef<[u8]>>(
        samples: &[S],
        max_size: usize,
    ) -> Result<Vec<u8>, CompressionError> {
        dictionary::train(samples, max_size)
    }

    /// Stops every decompression, also of streams, at this many bytes of output.
    ///
    /// Without it the limit is [`DEFAULT_MAX_OUTPUT_SIZE`] for results in memory, and none for
    /// streams.
    #[must_use]
    pub fn with_max_output_size(mut self, bytes: u64) -> Self {
        self.max_output_size = Some(bytes);
        self
    }

    /// Reads frames with windows of up to `2^log` bytes, from 10 to 31 (30 where a pointer has 32
    /// bits): the memory that a stream may take. Moved into that range.
    #[must_use]
    pub fn with_max_window_log(mut self, log: u32) -> Self {
        self.settings.max_window_log = log.clamp(10, if usize::BITS < 64 { 30 } else { 31 });
        self
    }

    /// Whether a checksum is written; one that is there is always verified. On unless this is
    /// called: leave it out only where what surrounds the frame has one of its own.
    #[must_use]
    pub fn with_checksum(mut self, checksum: bool) -> Self {
        self.settings.checksum = checksum;
        self.contexts = Contexts::default();
        self
    }

    /// Looks for matches in the last `2^log` bytes, in place of as many as the level has.
    pub(super) fn with_window_log(mut self, log: u32) -> Self {
        self.settings.window_log = Some(log);
        self.contexts = Contexts::default();
        self
    }

    /// Codes bytes by how often they come, and looks for no matches; the level is to be 1.
    pub(super) fn with_entropy_only(mut self) -> Self {
        self.settings.entropy_only = true;
        self.contexts = Contexts::default();
        self
    }

    /// The identifier of the dictionary, which frames carry; none without a dictionary and for one
    /// that was not trained.
    #[must_use]
    pub fn dictionary_id(&self) -> Option<u32> {
        self.settings.dictionary.as_ref().and_then(|dictionary| dictionary.id())
    }
}

impl Default for ZstdCompressor {
    /// The default level, no dictionary.
    fn default() -> Self {
        Self::new(CompressionLevel::Default)
    }
}

impl Compressor for ZstdCompressor {
    fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        self.contexts.compress(&self.settings, data)
    }

    fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        self.decompress_limited(data, self.max_output_size.unwrap_or(DEFAULT_MAX_OUTPUT_SIZE))
    }

    fn decompress_limited(
        &self,
        data: &[u8],
        max_output_size: u64,
    ) -> Result<Vec<u8>, CompressionError> {
        self.contexts.decompress(&self.settings, data, max_output_size)
    }

    fn encoder(&self, content_size: Option<u64>) -> Option<Box<dyn StreamEncoder>> {
        Some(Box::new(encode::Encoder::new(self.settings.clone(), content_size)))
    }

    fn decoder(&self) -> Option<Box<dyn StreamDecoder>> {
        let decoder = decode::Decoder::new(self.settings.clone());
        match self.max_output_size {
            None => Some(Box::new(decoder)),
            Some(limit) => Some(Box::new(Limited::new(decoder, limit))),
        }
    }

    fn name(&self) -> &'static str {
        "zstd"
    }
}

fn number(level: CompressionLevel) -> i32 {
    match level {
        CompressionLevel::Fastest => 1,
        CompressionLevel::Fast => 2,
        CompressionLevel::Default => 3,
        CompressionLevel::Best => 19,
        CompressionLevel::Custom(level) => {
            let range = ::zstd::compression_level_range();
            level.clamp(*range.start(), *range.end())
        }
    }
}
