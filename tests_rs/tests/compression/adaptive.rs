//! The adaptive frame: its bytes, and its choices on each kind of data.

use crate::{hex, noise, streamed, text, weights};
use mithril_core::{
    AdaptiveCompressor, CompressionError, CompressionLevel, Compressor, DType, Lz4Compressor,
    ZstdCompressor, group_bytes,
};

fn shown(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |shown, byte| shown + &format!("{byte:02x}"))
}

fn read_both_ways(frame: &[u8], content: &[u8]) {
    let adaptive = AdaptiveCompressor::new();
    assert_eq!(adaptive.decompress(frame).unwrap(), content);
    for step in [1, 1000] {
        assert_eq!(streamed(&adaptive, frame, step).unwrap(), content);
    }
}

/// The format's version 1, written down once: a release that writes otherwise breaks files.
#[test]
fn frames_of_version_1_are_written() {
    let adaptive = AdaptiveCompressor::new();
    for (content, frame) in [
        (&b""[..], "934d5441 01 01 00  00 00"),
        (b"raw", "934d5441 01 01 03  01 03 00 726177 7eacb328  00 03"),
        (&[7; 300], "934d5441 01 01 ac02  01 ac02 01 07 53d4da14  00 ac02"),
    ] {
        assert_eq!(shown(&adaptive.compress(content).unwrap()), frame.replace(' ', ""));
        read_both_ways(&hex(frame), content);
    }
}

/// And one that reads otherwise breaks them too. The payloads are frames of zstd and LZ4.
#[test]
fn frames_of_version_1_are_read() {
    let rows = "a row, ".repeat(20).into_bytes();
    let zstd = "934d5441 01 01 8c01
        01 8c01 03 17 28b52ffd208c750000386120726f772c2001000251c508 1164cba6  00 8c01";
    read_both_ways(&hex(zstd), &rows);

    let table = "934d5441 01 03 8c01 01 03 6c7a34
        01 8c01 02 2d 04224d186c408c00000000000000ba120000007f6120726f772c2007006c6020726f772c20000000
        00a9e933f4 1164cba6  00 8c01";
    read_both_ways(&hex(table), &rows);

    // The low bytes raw, the high ones by zstd.
    let pairs: Vec<u8> = (0..60_u8).flat_map(|i| [i.wrapping_mul(77), 5 + i / 30]).collect();
    let grouped = "934d5441 01 01 78
        02 78 00 004d9ae73481ce1b68b5024f9ce93683d01d6ab704519eeb3885d21f6cb90653a0ed3a87d4216ebb0855a2
        ef3c89d62370bd0a57a4f13e8bd82572bf03 14 28b52ffd203c5d0000180505060200e0160cc002 d1a283c9
        00 78";
    read_both_ways(&hex(grouped), &pairs);
}

/// The width and the choices of the only block of a frame that is not grouped.
fn first_choice(frame: &[u8]) -> (u8, u8) {
    let number = |bytes: &[u8]| 1 + bytes.iter().take_while(|byte| **byte > 0x7f).count();
    let block = &frame[6 + number(&frame[6..])..];
    (block[0], block[1 + number(&block[1..])])
}

#[test]
fn each_kind_of_data_has_its_choice() {
    const RAW: u8 = 0;
    const RUN: u8 = 1;
    const ZSTD: u8 = 3;
    let weights = weights(100_000);
    let halves: Vec<u8> = weights.chunks_exact(4).flat_map(|four| [four[2], four[3]]).collect();
    let packed = ZstdCompressor::new(CompressionLevel::Best).compress(&text(900_000)).unwrap();
    let adaptive = AdaptiveCompressor::new();
    for (kind, data, expected) in [
        ("text", &text(500_000), (1, ZSTD)),
        ("zeros", &vec![0; 500_000], (1, RUN)),
        ("noise", &noise(1, 500_000), (1, RAW)),
        ("compressed", &packed, (1, RAW)),
        ("fp32", &weights, (4, RAW)),
        // The low bytes of these have a bit of the exponent, which is not even.
        ("bf16", &halves, (2, ZSTD)),
    ] {
        let frame = adaptive.compress(data).unwrap();
        assert_eq!(first_choice(&frame), expected, "{kind}");
        assert_eq!(adaptive.decompress(&frame).unwrap(), *data, "{kind}");
    }
}

/// Half of the promise that the benchmark measures: no single choice is much smaller.
#[test]
fn the_size_is_within_two_percent_of_the_best_single_choice() {
    let halves: Vec<u8> =
        weights(400_000).chunks_exact(4).flat_map(|four| [four[2], four[3]]).collect();
    let smooth = (0..400_000).map(|i| (f64::from(i) * 1e-3).sin() as f32);
    let ids = text(400_000).into_iter().flat_map(|byte| (u32::from(byte) * 7).to_le_bytes());
    let mixed = [text(1 << 20), noise(2, 1 << 20), weights(1 << 18), vec![1; 1 << 20]].concat();
    for (kind, data, dtype) in [
        ("text", text(2_500_000), None),
        ("noise", noise(1, 2_500_000), None),
        ("fp32", weights(600_000), Some(DType::Float32)),
        ("fp32, smooth", smooth.flat_map(f32::to_le_bytes).collect(), Some(DType::Float32)),
        ("bf16", halves, Some(DType::BFloat16)),
        ("int32", ids.collect(), Some(DType::Int32)),
        ("mixed", mixed, None),
    ] {
        let mut best = data.len();
        for level in [1, 3] {
            let zstd = ZstdCompressor::new(CompressionLevel::Custom(level));
            for width in [1, 2, 4, 8] {
                best = best.min(zstd.compress(&group_bytes(&data, width)).unwrap().len());
            }
        }
        let plain = AdaptiveCompressor::new();
        let told = dtype.map(|dtype| plain.clone().with_dtype(dtype));
        for adaptive in [Some(plain), told].into_iter().flatten() {
            let size = adaptive.compress(&data).unwrap().len();
            assert!(size as f64 <= best as f64 * 1.02 + 32.0, "{kind}: {size}, and {best} is best");
        }
    }
}

#[test]
fn compressors_that_are_given_are_chosen_from_and_named() {
    let best = ZstdCompressor::new(CompressionLevel::Best);
    let lz4 = Lz4Compressor::new(CompressionLevel::Fastest);
    let own = AdaptiveCompressor::with_compressors(vec![Box::new(lz4), Box::new(best.clone())]);
    let data = text(300_000);
    let frame = own.compress(&data).unwrap();
    assert!(frame.len() < best.compress(&data).unwrap().len() + 32);
    // Whoever has a compressor of the name can read it, whatever the level and the order.
    read_both_ways(&frame, &data);

    let without = AdaptiveCompressor::with_compressors(vec![Box::new(lz4)]);
    let error = without.decompress(&frame).unwrap_err();
    assert!(matches!(&error, CompressionError::UnknownCompressor { name } if name == "zstd"));
    // A frame that names it in its table, and stores all raw, needs it not.
    let noise = noise(3, 5000);
    assert_eq!(without.decompress(&own.compress(&noise).unwrap()).unwrap(), noise);
}

#[test]
fn a_compressor_that_knows_no_streams_can_be_chosen() {
    struct Halves;
    impl Compressor for Halves {
        fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
            let (pairs, rest) = data.as_chunks::<2>();
            if rest.is_empty() && pairs.iter().all(|[a, b]| a == b) {
                return Ok(pairs.iter().map(|pair| pair[0]).collect());
            }
            Ok([data, &[0]].concat())
        }
        fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
            Ok(data.iter().flat_map(|&byte| [byte, byte]).collect())
        }
        fn name(&self) -> &'static str {
            "halves"
        }
    }
    let adaptive = AdaptiveCompressor::with_compressors(vec![Box::new(Halves)]);
    let data: Vec<u8> = noise(5, 1_500_000).into_iter().flat_map(|byte| [byte, byte]).collect();
    let frame = adaptive.compress(&data).unwrap();
    assert!(frame.len() < data.len() * 51 / 100);
    assert_eq!(&frame[10..18], b"\x01\x06halves");
    assert_eq!(adaptive.decompress(&frame).unwrap(), data);
    assert_eq!(streamed(&adaptive, &frame, 4096).unwrap(), data);
}

#[test]
fn a_stream_has_the_choices_of_the_whole() {
    let data = [text(1_700_000), weights(500_000)].concat();
    let adaptive = AdaptiveCompressor::new();
    let whole = adaptive.compress(&data).unwrap();
    let mut stream = Vec::new();
    let mut encoder = adaptive.encoder(Some(data.len() as u64)).unwrap();
    for piece in data.chunks(12_345) {
        encoder.write(piece, &mut stream).unwrap();
    }
    encoder.finish(&mut stream).unwrap();
    assert!(whole == stream, "the same bytes in, the same frame out");
}
