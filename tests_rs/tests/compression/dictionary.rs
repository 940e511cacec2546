//! Dictionaries of zstd: made, used, mistaken and broken.

use crate::{noise, streamed};
use mithril_core::{CompressionError, CompressionLevel, Compressor, ZstdCompressor};
use proptest::prelude::*;
use std::sync::OnceLock;

fn record(id: u64) -> Vec<u8> {
    let key = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30;
    format!(
        r#"{{"id": {id}, "key": "{key:x}", "language": "en", "host": "h{}.example"}}"#,
        key % 50
    )
    .into_bytes()
}

fn trained(first: u64) -> Vec<u8> {
    let samples: Vec<_> = (first..first + 3000).map(record).collect();
    ZstdCompressor::train_dictionary(&samples, 8 << 10).unwrap()
}

#[test]
fn a_trained_dictionary_makes_small_objects_smaller() {
    let dictionary = trained(0);
    assert!(dictionary.len() <= 8 << 10);
    let with = ZstdCompressor::try_with_dictionary(&dictionary, CompressionLevel::Default).unwrap();
    let without = ZstdCompressor::default();
    assert!(with.dictionary_id().is_some());
    let object = record(123_456);
    let frame = with.compress(&object).unwrap();
    assert!(frame.len() * 2 < without.compress(&object).unwrap().len());
    assert_eq!(with.decompress(&frame).unwrap(), object);
    assert_eq!(streamed(&with, &frame, 1).unwrap(), object);
    let copy = with.clone();
    assert_eq!(copy.decompress(&frame).unwrap(), object);

    let mut stream = Vec::new();
    let mut encoder = with.encoder(None).unwrap();
    encoder.write(&object, &mut stream).unwrap();
    encoder.finish(&mut stream).unwrap();
    assert_eq!(with.decompress(&stream).unwrap(), object);
}

#[test]
fn another_dictionary_or_none_is_an_error() {
    let one = ZstdCompressor::with_dictionary(&trained(0), CompressionLevel::Default);
    let two = ZstdCompressor::with_dictionary(&trained(90_000), CompressionLevel::Default);
    let none = ZstdCompressor::default();
    let frame = one.compress(&record(5)).unwrap();
    let needed = one.dictionary_id();
    for other in [&two, &none] {
        let whole = other.decompress(&frame).unwrap_err();
        assert!(matches!(whole, CompressionError::WrongDictionary { needed: id } if id == needed));
        let stream = streamed(other, &frame, 2).unwrap_err();
        assert!(matches!(stream, CompressionError::WrongDictionary { .. }), "{stream}");
    }
    // Dictionaries that were not trained have no identifier: the checksum tells.
    let one = ZstdCompressor::with_dictionary(&noise(1, 500), CompressionLevel::Default);
    let two = ZstdCompressor::with_dictionary(&noise(2, 500), CompressionLevel::Default);
    let frame = one.compress(&noise(1, 400)).unwrap();
    assert!(frame.len() < 50);
    assert!(two.decompress(&frame).is_err() && none.decompress(&frame).is_err());
}

#[test]
fn frames_without_a_dictionary_are_read_by_a_compressor_that_has_one() {
    let with = ZstdCompressor::with_dictionary(&trained(0), CompressionLevel::Default);
    let data = crate::text(5000);
    let frame = ZstdCompressor::default().compress(&data).unwrap();
    assert_eq!(with.decompress(&frame).unwrap(), data);
    assert_eq!(streamed(&with, &frame, 100).unwrap(), data);
}

#[test]
fn too_few_samples_are_an_error_that_says_so() {
    let train = |samples: &[Vec<u8>], size| {
        ZstdCompressor::train_dictionary(samples, size).unwrap_err().to_string()
    };
    assert!(train(&[], 4096).contains("there are 0"));
    assert!(train(&vec![Vec::new(); 100], 4096).contains("there are 0"));
    assert!(train(&[record(1), record(2)], 4096).contains("at least 8 samples"));
    // ZDICT itself reads past the end of these.
    assert!(train(&vec![vec![1]; 8], 4096).contains("8 bytes or more, and there are 0"));
    let samples: Vec<_> = (0..1000).map(record).collect();
    assert!(train(&samples, 10).contains("allow 256"));
}

#[test]
fn a_broken_dictionary_is_an_error_of_each_use() {
    let broken = [&trained(0)[..40], &[255; 200]].concat();
    let level = CompressionLevel::Default;
    assert!(matches!(
        ZstdCompressor::try_with_dictionary(&broken, level),
        Err(CompressionError::InvalidDictionary)
    ));
    let zstd = ZstdCompressor::with_dictionary(&broken, level);
    assert!(matches!(zstd.compress(b"data"), Err(CompressionError::InvalidDictionary)));
    let frame = ZstdCompressor::default().compress(b"data").unwrap();
    assert!(matches!(zstd.decompress(&frame), Err(CompressionError::InvalidDictionary)));
    assert!(matches!(streamed(&zstd, &frame, 9), Err(CompressionError::InvalidDictionary)));
    assert!(zstd.encoder(None).unwrap().write(b"data", &mut Vec::new()).is_err());
    assert!((zstd.estimate_ratio(b"data") - 1.0).abs() < f32::EPSILON);
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn training_gives_a_dictionary_or_an_error(
        samples in prop::collection::vec(prop::collection::vec(0..5_u8, 0..60), 0..60),
        copies in 1..20_usize,
        size in 0..5000_usize,
    ) {
        let samples: Vec<_> = samples.iter().cycle().take(samples.len() * copies).collect();
        match ZstdCompressor::train_dictionary(&samples, size) {
            Ok(dictionary) => {
                prop_assert!(dictionary.len() <= size);
                let level = CompressionLevel::Default;
                prop_assert!(ZstdCompressor::try_with_dictionary(&dictionary, level).is_ok());
            }
            Err(error) => prop_assert!(matches!(error, CompressionError::CompressionFailed(_))),
        }
    }

    #[test]
    fn any_bytes_are_a_dictionary_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        magic in any::<bool>(),
        data in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let magic: &[u8] = if magic { &[0x37, 0xa4, 0x30, 0xec] } else { &[] };
        let dictionary = [magic, &bytes].concat();
        let zstd = ZstdCompressor::with_dictionary(&dictionary, CompressionLevel::Default);
        match zstd.compress(&data) {
            Ok(frame) => prop_assert_eq!(zstd.decompress(&frame).unwrap(), data),
            Err(error) => prop_assert!(matches!(error, CompressionError::InvalidDictionary)),
        }
    }

    #[test]
    fn a_damaged_dictionary_never_gives_other_bytes(
        place in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        static TRAINED: OnceLock<Vec<u8>> = OnceLock::new();
        let dictionary = TRAINED.get_or_init(|| trained(0)).clone();
        let whole = ZstdCompressor::with_dictionary(&dictionary, CompressionLevel::Default);
        let frame = whole.compress(&record(77)).unwrap();
        let mut damaged = dictionary;
        let place = place.index(damaged.len());
        damaged[place] ^= 1_u8 << bit;
        let zstd = ZstdCompressor::with_dictionary(&damaged, CompressionLevel::Default);
        if let Ok(content) = zstd.decompress(&frame) {
            prop_assert_eq!(content, record(77));
        }
    }
}
