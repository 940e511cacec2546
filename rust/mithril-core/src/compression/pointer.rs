//! What points to a compressor is one.

use super::{CompressionError, Compressor, StreamDecoder, StreamEncoder};
use std::io::{Read, Write};
use std::sync::Arc;

macro_rules! forward {
    ($pointer:ty) => {
        impl<C: Compressor + ?Sized> Compressor for $pointer {
            fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
                (**self).compress(data)
            }

            fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
                (**self).decompress(data)
            }

            fn decompress_limited(
                &self,
                data: &[u8],
                max_output_size: u64,
            ) -> Result<Vec<u8>, CompressionError> {
                (**self).decompress_limited(data, max_output_size)
            }

            fn compress_stream_dyn(
                &self,
                reader: &mut dyn Read,
                writer: &mut dyn Write,
            ) -> Result<u64, CompressionError> {
                (**self).compress_stream_dyn(reader, writer)
            }

            fn decompress_stream_dyn(
                &self,
                reader: &mut dyn Read,
                writer: &mut dyn Write,
            ) -> Result<u64, CompressionError> {
                (**self).decompress_stream_dyn(reader, writer)
            }

            fn encoder(&self, content_size: Option<u64>) -> Option<Box<dyn StreamEncoder>> {
                (**self).encoder(content_size)
            }

            fn decoder(&self) -> Option<Box<dyn StreamDecoder>> {
                (**self).decoder()
            }

            fn estimate_ratio(&self, sample: &[u8]) -> f32 {
                (**self).estimate_ratio(sample)
            }

            fn name(&self) -> &'static str {
                (**self).name()
            }
        }
    };
}

forward!(Box<C>);
forward!(Arc<C>);
forward!(&C);
