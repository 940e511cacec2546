//! What goes in comes out: as a whole, in pieces, and from one to the other.

use crate::{compressors, noise, streamed, text, weights};
use mithril_core::{
    AdaptiveCompressor, CompressWriter, CompressionError, CompressionLevel, Compressor,
    DecompressReader, Lz4Compressor, MithrilError, ZstdCompressor, group_bytes, ungroup_bytes,
};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::sync::Arc;

/// Bytes with runs, repeats and noise between them.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..5000_usize).prop_map(|(byte, count)| vec![byte; count]),
        (prop::collection::vec(any::<u8>(), 1..40), 0..200_usize)
            .prop_map(|(part, count)| part.repeat(count)),
        (0..4000_usize).prop_map(weights),
        (0..9000_usize).prop_map(text),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn whole_and_stream_read_each_other(data in data(), step in 1..5000_usize) {
        for compressor in compressors() {
            let whole = compressor.compress(&data).unwrap();
            prop_assert_eq!(&compressor.decompress(&whole).unwrap(), &data);
            prop_assert_eq!(&streamed(&*compressor, &whole, step).unwrap(), &data);

            let mut writer = CompressWriter::try_new(&*compressor, Vec::new()).unwrap();
            for (index, piece) in data.chunks(step).enumerate() {
                writer.write_all(piece).unwrap();
                if index % 7 == 3 {
                    writer.flush().unwrap();
                }
            }
            let stream = writer.finish().unwrap();
            prop_assert_eq!(&compressor.decompress(&stream).unwrap(), &data);
            prop_assert_eq!(&streamed(&*compressor, &stream, step).unwrap(), &data);
        }
    }

    #[test]
    fn grouping_is_undone(data in prop::collection::vec(any::<u8>(), 0..20_000), width in 0..12_usize) {
        let grouped = group_bytes(&data, width);
        let step = width.max(1);
        // The definition, byte by byte.
        let naive: Vec<u8> =
            (0..step).flat_map(|lane| data.iter().copied().skip(lane).step_by(step)).collect();
        prop_assert_eq!(&grouped, &naive);
        prop_assert_eq!(ungroup_bytes(&grouped, width), data);
    }
}

#[test]
fn no_bytes_are_a_frame_too() {
    for compressor in compressors() {
        let frame = compressor.compress(b"").unwrap();
        assert!(!frame.is_empty());
        assert_eq!(compressor.decompress(&frame).unwrap(), b"");
        assert_eq!(streamed(&*compressor, &frame, 1).unwrap(), b"");
        let empty = CompressWriter::try_new(&*compressor, Vec::new()).unwrap().finish().unwrap();
        assert_eq!(compressor.decompress(&empty).unwrap(), b"");
        // No frame at all is a frame of which everything was cut.
        for result in [compressor.decompress(b""), streamed(&*compressor, b"", 1)] {
            assert!(matches!(result, Err(CompressionError::Truncated)));
        }
    }
}

/// Larger than all blocks and buffers, and of several kinds.
fn large() -> Vec<u8> {
    let mut data = text(3 << 20);
    data.extend(noise(3, 3 << 20));
    data.extend(weights(800_000));
    data.extend(vec![7; 5 << 20]);
    data.extend(text(1_234_567));
    data
}

#[test]
fn data_larger_than_all_blocks_comes_back() {
    let data = large();
    for compressor in compressors() {
        let whole = compressor.compress(&data).unwrap();
        assert!(compressor.decompress(&whole).unwrap() == data, "{}", compressor.name());
        let mut stream = Vec::new();
        let length = compressor.compress_stream(data.as_slice(), &mut stream).unwrap();
        assert_eq!(length, stream.len() as u64);
        assert!(compressor.decompress(&stream).unwrap() == data, "{}", compressor.name());
        assert!(streamed(&*compressor, &stream, 8191).unwrap() == data, "{}", compressor.name());
        let twice = [whole, stream].concat();
        assert!(compressor.decompress(&twice).unwrap() == data.repeat(2));
    }
}

#[test]
fn an_announced_size_is_written_and_held_to() {
    for compressor in crate::kinds() {
        let data = text(600_000);
        let mut frame = Vec::new();
        let mut encoder = compressor.encoder(Some(data.len() as u64)).unwrap();
        encoder.write(&data, &mut frame).unwrap();
        encoder.finish(&mut frame).unwrap();
        assert_eq!(compressor.decompress(&frame).unwrap(), data);

        let mut encoder = compressor.encoder(Some(1000)).unwrap();
        let short =
            encoder.write(b"fewer", &mut Vec::new()).and_then(|()| encoder.finish(&mut Vec::new()));
        assert!(matches!(short, Err(CompressionError::CompressionFailed(_))));
    }
}

#[test]
fn what_is_flushed_can_be_read_before_the_end() {
    for compressor in crate::kinds() {
        let mut frame = Vec::new();
        let mut encoder = compressor.encoder(None).unwrap();
        encoder.write(b"first words", &mut frame).unwrap();
        encoder.flush(&mut frame).unwrap();
        let mut reader = DecompressReader::try_new(&*compressor, frame.as_slice()).unwrap();
        let mut words = [0; 11];
        reader.read_exact(&mut words).unwrap();
        assert_eq!(&words, b"first words");
        // And what ends there was cut.
        let error = reader.read(&mut words).unwrap_err();
        assert!(matches!(CompressionError::from(error), CompressionError::Truncated));
    }
}

#[test]
fn what_points_to_a_compressor_is_one() {
    fn round_trip(compressor: impl Compressor) -> &'static str {
        let mut frame = Vec::new();
        compressor.compress_stream(&b"through a pointer"[..], &mut frame).unwrap();
        let mut back = Vec::new();
        compressor.decompress_stream(frame.as_slice(), &mut back).unwrap();
        assert_eq!(back, b"through a pointer");
        compressor.name()
    }
    let boxed: Box<dyn Compressor> = Box::new(ZstdCompressor::default());
    let shared: Arc<dyn Compressor> = Arc::new(Lz4Compressor::default());
    assert_eq!(round_trip(boxed), "zstd");
    assert_eq!(round_trip(Arc::clone(&shared)), "lz4");
    assert_eq!(round_trip(&shared), "lz4");
    assert_eq!(round_trip(AdaptiveCompressor::default()), "adaptive");
}

#[test]
fn a_compressor_of_another_crate_needs_three_methods() {
    struct Reversed;
    impl Compressor for Reversed {
        fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
            Ok(data.iter().rev().copied().collect())
        }
        fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
            self.compress(data)
        }
        fn name(&self) -> &'static str {
            "reversed"
        }
    }
    let data = text(700_000);
    let mut frame = Vec::new();
    assert_eq!(Reversed.compress_stream(data.as_slice(), &mut frame).unwrap(), 700_000);
    assert_eq!(streamed(&Reversed, &frame, 999).unwrap(), data);
    let limited = Reversed.decompress_limited(&frame, 699_999);
    assert!(matches!(limited, Err(CompressionError::OutputTooLarge { limit: 699_999 })));
    assert!(CompressWriter::try_new(&Reversed, Vec::new()).is_err());
}

#[test]
fn one_compressor_serves_many_threads() {
    let zstd = ZstdCompressor::new(CompressionLevel::Default);
    std::thread::scope(|scope| {
        for seed in 0..8 {
            let zstd = &zstd;
            scope.spawn(move || {
                for length in 0..200 {
                    let data = noise(seed, length * 17);
                    let frame = zstd.compress(&data).unwrap();
                    assert_eq!(zstd.decompress(&frame).unwrap(), data);
                }
            });
        }
    });
}

#[test]
fn errors_of_readers_and_writers_come_through() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    for compressor in compressors() {
        let read = compressor.compress_stream(Broken, Vec::new());
        let back = compressor.decompress_stream(Broken, Vec::new());
        for result in [read, back] {
            let error = MithrilError::from(result.unwrap_err());
            assert_eq!(error.to_string(), "Compression error: IO error: the disk is gone");
        }
        let mut full = [0; 3];
        assert!(compressor.compress_stream(&b"no place"[..], full.as_mut_slice()).is_err());
    }
}
