//! Compression in pieces.

use super::context::Settings;
use crate::compression::CompressionError;
use crate::compression::stream::StreamEncoder;
use std::io::Write;
use zstd::zstd_safe::{CCtx, InBuffer, OutBuffer, get_error_name};

/// As much as zstd writes at once: a block of 128 KiB that could not be compressed, and headers.
const OUTPUT: usize = (128 << 10) + 32;

pub(super) struct Encoder {
    settings: Settings,
    content_size: Option<u64>,
    /// Made with the first bytes, so that what is wrong with the dictionary is an error of the write.
    context: Option<CCtx<'static>>,
    output: Vec<u8>,
}

fn failed(code: usize) -> CompressionError {
    CompressionError::CompressionFailed(get_error_name(code).to_owned())
}

impl Encoder {
    pub(super) fn new(settings: Settings, content_size: Option<u64>) -> Self {
        Self { settings, content_size, context: None, output: Vec::new() }
    }

    /// Runs one step of zstd as often as it says that there is more, writing what it gives.
    fn run(
        &mut self,
        sink: &mut dyn Write,
        mut step: impl FnMut(&mut CCtx<'static>, &mut OutBuffer<'_, Vec<u8>>) -> Result<bool, usize>,
    ) -> Result<(), CompressionError> {
        let context = match &mut self.context {
            Some(context) => context,
            none => {
                let mut context = self.settings.compressor()?;
                context.set_pledged_src_size(self.content_size).map_err(failed)?;
                self.output.reserve_exact(OUTPUT);
                none.insert(context)
            }
        };
        loop {
            self.output.clear();
            let more = step(context, &mut OutBuffer::around(&mut self.output)).map_err(failed)?;
            sink.write_all(&self.output)?;
            if !more {
                return Ok(());
            }
        }
    }
}

impl StreamEncoder for Encoder {
    fn write(&mut self, data: &[u8], sink: &mut dyn Write) -> Result<(), CompressionError> {
        let mut input = InBuffer::around(data);
        self.run(sink, |context, output| {
            context.compress_stream(output, &mut input)?;
            Ok(input.pos() < data.len())
        })
    }

    fn flush(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.run(sink, |context, output| Ok(context.flush_stream(output)? > 0))
    }

    fn finish(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.run(sink, |context, output| Ok(context.end_stream(output)? > 0))
    }
}
