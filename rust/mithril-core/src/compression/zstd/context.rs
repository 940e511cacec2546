//! zstd's contexts, with our settings in them, and kept between calls.

use super::dictionary::Dictionary;
use super::{decode, frame};
use crate::compression::CompressionError;
use crate::compression::limit::{preallocation, reserve};
use std::fmt;
use std::sync::{Arc, Mutex};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, compress_bound, get_error_name};

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) level: i32,
    pub(super) checksum: bool,
    pub(super) max_window_log: u32,
    /// The window that is written, where it is not the level's.
    pub(super) window_log: Option<u32>,
    /// Whether bytes are only coded by how often they come, without a search for matches.
    pub(super) entropy_only: bool,
    pub(super) dictionary: Option<Arc<Dictionary>>,
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), CompressionError> {
        self.dictionary.as_ref().map_or(Ok(()), |dictionary| dictionary.check(self.level))
    }

    pub(super) fn compressor(&self) -> Result<CCtx<'static>, CompressionError> {
        self.check()?;
        let mut context = CCtx::try_create().ok_or_else(no_memory)?;
        let failed = |code| CompressionError::CompressionFailed(get_error_name(code).to_owned());
        context.set_parameter(CParameter::CompressionLevel(self.level)).map_err(failed)?;
        context.set_parameter(CParameter::ChecksumFlag(self.checksum)).map_err(failed)?;
        if let Some(log) = self.window_log {
            context.set_parameter(CParameter::WindowLog(log)).map_err(failed)?;
        }
        if self.entropy_only {
            // The smallest table for the longest matches that the strategy knows: next to none is
            // found, and then the search takes ever longer steps. Levels below zero search as little,
            // but do not code literals either.
            context.set_parameter(CParameter::HashLog(6)).map_err(failed)?;
            context.set_parameter(CParameter::MinMatch(7)).map_err(failed)?;
        }
        if let Some(dictionary) = &self.dictionary {
            context.load_dictionary(dictionary.bytes()).map_err(failed)?;
        }
        Ok(context)
    }

    pub(super) fn decompressor(&self) -> Result<DCtx<'static>, CompressionError> {
        self.check()?;
        let mut context = DCtx::try_create().ok_or_else(no_memory)?;
        let failed = |code| self.error(code);
        context.set_parameter(DParameter::WindowLogMax(self.max_window_log)).map_err(failed)?;
        if let Some(dictionary) = &self.dictionary {
            context.load_dictionary(dictionary.bytes()).map_err(failed)?;
        }
        Ok(context)
    }

    /// What a code of zstd means; their numbers are part of its interface.
    pub(super) fn error(&self, code: usize) -> CompressionError {
        match code.wrapping_neg() {
            16 => CompressionError::WindowTooLarge { limit_log: self.max_window_log },
            22 => CompressionError::ChecksumMismatch,
            30 => CompressionError::InvalidDictionary,
            32 => CompressionError::WrongDictionary { needed: None },
            _ => CompressionError::malformed(get_error_name(code)),
        }
    }
}

fn no_memory() -> CompressionError {
    CompressionError::CompressionFailed("no memory for zstd's context".to_owned())
}

/// Contexts that wait for the next call: a new one costs more than a small object does.
///
/// Made anew by `clone`, and whenever another thread is at the lock: nobody waits for it, so that a
/// process forked while it is held goes on.
#[derive(Default)]
pub(super) struct Contexts {
    compressors: Mutex<Vec<CCtx<'static>>>,
    decompressors: Mutex<Vec<DCtx<'static>>>,
}

/// Frames of up to so many bytes are made on the stack, and then have their size: to give back what a larger
/// allocation has too much takes as long as compressing a line of text.
const SCRATCH: usize = 1024;
/// As many contexts are kept as cores are likely to use; the memory of more is given back.
const KEPT: usize = 16;

fn take<T>(kept: &Mutex<Vec<T>>) -> Option<T> {
    kept.try_lock().ok()?.pop()
}

fn keep<T>(kept: &Mutex<Vec<T>>, context: T) {
    if let Ok(mut kept) = kept.try_lock()
        && kept.len() < KEPT
    {
        kept.push(context);
    }
}

impl Contexts {
    pub(super) fn compress(
        &self,
        settings: &Settings,
        data: &[u8],
    ) -> Result<Vec<u8>, CompressionError> {
        let mut context = take(&self.compressors).map_or_else(|| settings.compressor(), Ok)?;
        let failed = |code| CompressionError::CompressionFailed(get_error_name(code).to_owned());
        // A context that failed is not kept.
        let frame = if compress_bound(data.len()) <= SCRATCH {
            let mut scratch = [0; SCRATCH];
            let length = context.compress2(&mut scratch[..], data).map_err(failed)?;
            scratch.get(..length).unwrap_or_default().to_vec()
        } else {
            let mut frame = Vec::new();
            reserve(&mut frame, compress_bound(data.len()))?;
            context.compress2(&mut frame, data).map_err(failed)?;
            frame.shrink_to_fit();
            frame
        };
        keep(&self.compressors, context);
        Ok(frame)
    }

    pub(super) fn decompress(
        &self,
        settings: &Settings,
        data: &[u8],
        limit: u64,
    ) -> Result<Vec<u8>, CompressionError> {
        let survey = frame::survey(data, settings)?;
        if survey.content_size.is_some_and(|size| size > limit) {
            return Err(CompressionError::OutputTooLarge { limit });
        }
        let mut context = take(&self.decompressors).map_or_else(|| settings.decompressor(), Ok)?;
        let mut output = Vec::new();
        let most = survey.content_size.unwrap_or(survey.bound);
        if most <= limit.min(preallocation(data.len())) {
            reserve(&mut output, most as usize)?;
            context.decompress(&mut output, data).map_err(|code| settings.error(code))?;
            if survey.content_size.is_none() {
                output.shrink_to_fit();
            }
        } else {
            decode::grow(&mut context, settings, data, limit, &mut output)?;
            if survey.content_size.is_some_and(|size| size != output.len() as u64) {
                return Err(CompressionError::malformed("a frame holds other than its size says"));
            }
        }
        keep(&self.decompressors, context);
        Ok(output)
    }
}

impl Clone for Contexts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Contexts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Contexts")
    }
}
