//! Frames that lie, are cut, damaged or made up: an error or the right bytes, quickly, in bounds.

use crate::{compressors, hex, kinds, noise, streamed, text, weights};
use mithril_core::{
    AdaptiveCompressor, CompressionError, CompressionLevel, Compressor, Lz4Compressor,
    ZstdCompressor,
};
use proptest::prelude::*;
use std::io::Read;
use std::time::{Duration, Instant};

/// An error, and at once: a reader that believed the claim would be at work for minutes.
fn refused_at_once(compressor: &dyn Compressor, frame: &[u8]) -> CompressionError {
    let start = Instant::now();
    let whole = compressor.decompress(frame).unwrap_err();
    streamed(compressor, frame, 1 << 16).unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    whole
}

#[test]
fn thirteen_bytes_that_claim_a_petabyte_are_refused_at_once() {
    let zstd = ZstdCompressor::default().with_max_output_size(u64::MAX);
    // A single segment of 2^50 bytes whose one block is empty; and the same with a window.
    let single = refused_at_once(&zstd, &hex("28b52ffd e0 0000000000000400 010000"));
    assert!(single.to_string().contains("1125899906842624 bytes"), "{single}");
    refused_at_once(&zstd, &hex("28b52ffd c0 58 0000000000000400 010000"));
    // Cut after the header: the claim stands alone.
    refused_at_once(&zstd, &hex("28b52ffd e0 0000000000000400"));
    // One block of one byte, 128 KiB times.
    refused_at_once(&zstd, &hex("28b52ffd e0 0000000000000400 030010 00"));
}

#[test]
fn windows_larger_than_allowed_are_refused() {
    // A window of 2 GiB, no size, one stored block of a byte.
    let frame = hex("28b52ffd 00 a8 090000 61");
    let zstd = ZstdCompressor::default();
    let error = refused_at_once(&zstd, &frame);
    assert!(matches!(error, CompressionError::WindowTooLarge { limit_log: 27 }), "{error}");
    let error = streamed(&zstd, &frame, 100).unwrap_err();
    assert!(matches!(error, CompressionError::WindowTooLarge { limit_log: 27 }), "{error}");
    let patient = ZstdCompressor::default().with_max_window_log(31);
    assert_eq!(patient.decompress(&frame).unwrap(), b"a");
}

#[test]
fn blocks_longer_than_the_window_are_refused_both_ways() {
    // A window of 1 KiB, and a block of one byte 8219 times: zstd's reader of wholes takes it.
    let frame = hex("28b52ffd 00 00 db0001 00");
    refused_at_once(&ZstdCompressor::default(), &frame);
}

#[test]
fn claims_of_lz4_and_adaptive_frames_are_not_believed() {
    let lz4 = Lz4Compressor::default().with_max_output_size(u64::MAX);
    // 2^60 bytes and an end; the byte before it is the header's checksum.
    let header = hex("04224d18 6c40 0000000000000010");
    let checked = (0..=255).map(|check| [header.as_slice(), &[check], &[0; 8]].concat());
    let errors: Vec<_> = checked.map(|frame| refused_at_once(&lz4, &frame).to_string()).collect();
    let told = |error: &&String| error.contains("claims 1152921504606846976 bytes");
    assert_eq!(errors.iter().filter(told).count(), 1);

    let adaptive = AdaptiveCompressor::new().with_max_output_size(u64::MAX);
    for frame in [
        // 2^60 bytes, and the end; then a block, a payload and a table that say too much.
        "934d5441 01 01 808080808080808010 00 00",
        "934d5441 01 00 01 ffffffffffffffffff01 00",
        "934d5441 01 00 01 80808008 03 ffffff07 28b52ffd",
        "934d5441 01 02 ff 01 61",
        "934d5441 01 00 01 80808008 00",
        "934d5441 02 00 00 00",
        "934d5441 01 04 00 00",
        "934d5441 01 00 03 05 00",
        "934d5441 01 00 01 05 82 01 00",
        "934d5441 01 00 00 ffffffffffffffffffffff01",
    ] {
        refused_at_once(&adaptive, &hex(frame));
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    const GIB: u64 = 1 << 30;
    const LIMIT: u64 = 1 << 20;
    let zeros = || std::io::repeat(0).take(GIB);
    let zstd = ZstdCompressor::default();
    let lz4 = Lz4Compressor::default();
    let adaptive = AdaptiveCompressor::new();
    let pairs: [(Box<dyn Compressor>, Box<dyn Compressor>); 3] = [
        (Box::new(zstd.clone()), Box::new(zstd.with_max_output_size(LIMIT))),
        (Box::new(lz4), Box::new(lz4.with_max_output_size(LIMIT))),
        (Box::new(adaptive.clone()), Box::new(adaptive.with_max_output_size(LIMIT))),
    ];
    for (compressor, limited) in pairs {
        let mut unsaid = Vec::new();
        compressor.compress_stream(zeros(), &mut unsaid).unwrap();
        let mut said = Vec::new();
        let mut encoder = compressor.encoder(Some(GIB)).unwrap();
        for _ in 0..GIB >> 20 {
            encoder.write(&vec![0; 1 << 20], &mut said).unwrap();
        }
        encoder.finish(&mut said).unwrap();
        for bomb in [unsaid, said] {
            let start = Instant::now();
            let mut output = Vec::new();
            for result in [
                limited.decompress(&bomb).map(drop),
                compressor.decompress_limited(&bomb, LIMIT).map(drop),
                limited.decompress_stream(bomb.as_slice(), &mut output).map(drop),
            ] {
                let error = result.unwrap_err();
                assert!(matches!(error, CompressionError::OutputTooLarge { limit: LIMIT }));
            }
            assert!(output.len() as u64 <= LIMIT);
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        }
    }
}

#[test]
fn the_limit_itself_is_allowed() {
    for compressor in kinds() {
        for data in [text(700_000), vec![0; 300_000], noise(5, 70_000), Vec::new()] {
            let whole = compressor.compress(&data).unwrap();
            let mut stream = Vec::new();
            let mut encoder = compressor.encoder(None).unwrap();
            encoder.write(&data, &mut stream).unwrap();
            encoder.finish(&mut stream).unwrap();
            let length = data.len() as u64;
            for frame in [whole, stream] {
                assert_eq!(compressor.decompress_limited(&frame, length).unwrap(), data);
                if let Some(less) = length.checked_sub(1) {
                    let result = compressor.decompress_limited(&frame, less);
                    assert!(
                        matches!(result, Err(CompressionError::OutputTooLarge { limit }) if limit == less)
                    );
                }
            }
        }
    }
}

/// Small frames of every kind, whole and as streams of several blocks.
fn small_frames(compressor: &dyn Compressor) -> Vec<(Vec<u8>, Vec<u8>)> {
    let contents = [text(300), weights(60), noise(4, 50), vec![3; 400], Vec::new()];
    let mut frames = Vec::new();
    for content in contents {
        frames.push((compressor.compress(&content).unwrap(), content.clone()));
        let mut stream = Vec::new();
        let mut encoder = compressor.encoder(None).unwrap();
        for piece in content.chunks(150) {
            encoder.write(piece, &mut stream).unwrap();
            encoder.flush(&mut stream).unwrap();
        }
        encoder.finish(&mut stream).unwrap();
        frames.push((stream, content));
    }
    frames
}

#[test]
fn a_cut_anywhere_is_an_error() {
    for compressor in compressors() {
        for (frame, _) in small_frames(&*compressor) {
            for cut in 0..frame.len() {
                let cut = &frame[..cut];
                assert!(matches!(compressor.decompress(cut), Err(CompressionError::Truncated)));
                assert!(matches!(
                    streamed(&*compressor, cut, 13),
                    Err(CompressionError::Truncated)
                ));
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_nothing() {
    for compressor in compressors() {
        for (frame, content) in small_frames(&*compressor) {
            for bit in 0..frame.len() * 8 {
                let mut flipped = frame.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let results =
                    [compressor.decompress(&flipped), streamed(&*compressor, &flipped, 64)];
                for output in results.into_iter().flatten() {
                    // A first frame that became skippable, or a flag without a meaning here.
                    assert!(output == content, "{}: bit {bit} of {frame:02x?}", compressor.name());
                }
            }
        }
    }
}

#[test]
fn what_follows_a_frame_is_an_error() {
    for compressor in compressors() {
        for (mut frame, _) in small_frames(&*compressor) {
            frame.push(0x28);
            assert!(compressor.decompress(&frame).is_err());
            assert!(streamed(&*compressor, &frame, 5).is_err());
        }
    }
}

fn magic() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        Just(&[][..]),
        Just(&[0x28, 0xb5, 0x2f, 0xfd][..]),
        Just(&[0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7][..]),
        Just(&[0x93, b'M', b'T', b'A', 1, 0][..]),
        Just(&[0x93, b'M', b'T', b'A', 1][..]),
        Just(&[0x50, 0x2a, 0x4d, 0x18][..]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..mithril_tests::proptest_config() })]

    #[test]
    fn any_bytes_are_content_or_an_error(
        magic in magic(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..8_u8], 0..200),
    ) {
        let data = [magic, &bytes].concat();
        for compressor in kinds() {
            let whole = compressor.decompress_limited(&data, 1 << 22);
            if let Ok(content) = &whole {
                prop_assert!(content.len() <= 1 << 22);
            }
            // Both ways agree on what is content; they may differ in why it is none.
            if let Ok(stream) = streamed(&*compressor, &data, 50) && stream.len() <= 1 << 22 {
                prop_assert_eq!(whole.ok(), Some(stream));
            } else {
                prop_assert!(whole.is_err());
            }
        }
    }

    #[test]
    fn a_damaged_frame_never_gives_other_bytes(
        content in prop::collection::vec(prop_oneof![4 => 0..4_u8, 1 => any::<u8>()], 0..3000),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        for compressor in kinds() {
            let mut frame = compressor.compress(&content).unwrap();
            for (place, byte) in &damage {
                let place = place.index(frame.len());
                frame[place] = *byte;
            }
            let results = [compressor.decompress(&frame), streamed(&*compressor, &frame, 700)];
            for output in results.into_iter().flatten() {
                    prop_assert_eq!(&output, &content);
            }
        }
    }
}

#[test]
fn limits_are_also_for_levels_with_large_windows() {
    let data = text(400_000);
    let frame = ZstdCompressor::new(CompressionLevel::Best).compress(&data).unwrap();
    let narrow = ZstdCompressor::default().with_max_window_log(10);
    assert!(matches!(
        narrow.decompress(&frame),
        Err(CompressionError::WindowTooLarge { limit_log: 10 })
    ));
}
