//! Frames that the commands `zstd` 1.5.4 and `lz4` 1.9.4 wrote, and what ours say of themselves.

use crate::{hex, noise, streamed, text};
use mithril_core::{CompressionError, CompressionLevel, Compressor, Lz4Compressor, ZstdCompressor};

const CONTENT: &str = "Mithril reads what others write. Mithril reads what others write, and others \
                       read Mithril.\n";

fn read_both_ways(compressor: &dyn Compressor, frames: &[u8], content: &[u8]) {
    assert_eq!(compressor.decompress(frames).unwrap(), content);
    for step in [1, 7, 1 << 20] {
        assert_eq!(streamed(compressor, frames, step).unwrap(), content);
    }
}

/// `zstd -3 FILE`: with the content's size and a checksum.
const ZSTD_FILE: &str =
    "28b52ffd245bbd010084024d69746872696c2072656164732077686174206f7468657273207772
    6974652e202c20616e642e0a0400540990108055840e69d413000e5514";
/// `zstd -3 < FILE`: without the size.
const ZSTD_PIPE: &str =
    "28b52ffd0458c50100c4024d69746872696c2072656164732077686174206f7468657273207772
    6974652e202c20616e64726561642e0a03100594104be890e609000e5514";
/// `zstd --no-check FILE`.
const ZSTD_NO_CHECK: &str =
    "28b52ffd205bbd010084024d69746872696c2072656164732077686174206f746865727320
    77726974652e202c20616e642e0a0400540990108055840e69d413";
/// `zstd -19 FILE`.
const ZSTD_19: &str =
    "28b52ffd245ba50100c282090fd0e700a43e811af24b5170d378d2114054fd3265a0f09127a2dbe
    ef06a89a8eab390db9111030054115293d0218d7a02000e5514";
/// `zstd -D DICTIONARY FILE`, where the dictionary is the first 40 bytes of the file.
const ZSTD_DICTIONARY: &str =
    "28b52ffd245bcd0000582c20616e64726561642e0a04005c10e205a14c00e32a1510000
    e5514";
/// Metadata that readers pass over.
const SKIPPABLE: &str = "5a2a4d18 05000000 0102030405";

#[test]
fn frames_of_the_zstd_command_are_read() {
    let zstd = ZstdCompressor::default();
    for frame in [ZSTD_FILE, ZSTD_PIPE, ZSTD_NO_CHECK, ZSTD_19] {
        read_both_ways(&zstd, &hex(frame), CONTENT.as_bytes());
    }
    let with =
        ZstdCompressor::with_dictionary(&CONTENT.as_bytes()[..40], CompressionLevel::Default);
    read_both_ways(&with, &hex(ZSTD_DICTIONARY), CONTENT.as_bytes());
    assert!(zstd.decompress(&hex(ZSTD_DICTIONARY)).is_err());
}

/// `lz4 FILE`: linked blocks, a checksum of the content.
const LZ4_FILE: &str =
    "04224d186440a73c000000ff124d69746872696c2072656164732077686174206f7468657273207
    7726974652e2021000c542c20616e643300004500a0204d69746872696c2e0a0000000093791b8a";
/// `lz4 --content-size -BX -9 FILE`: its size, and checksums of blocks.
const LZ4_SIZE: &str = "04224d187c405b00000000000000f93c000000ff124d69746872696c20726561647320776861742
    06f74686572732077726974652e2021000c542c20616e641200002400a0204d69746872696c2e0afdefa7fd00000000937
    91b8a";
/// `lz4 --no-frame-crc FILE`.
const LZ4_NO_CHECK: &str =
    "04224d186040823c000000ff124d69746872696c2072656164732077686174206f746865727
    32077726974652e2021000c542c20616e643300004500a0204d69746872696c2e0a00000000";
/// `yes 'linked blocks look back' | head -c 66000 | lz4 -BD -B4`: a match from block to block.
const LZ4_LINKED: &str =
    "04224d1844405e23010000ff096c696e6b656420626c6f636b73206c6f6f6b206261636b0a180
    0(ff*256)d0506b73206c6f0b0000000ff0ffffb9506261636b0a00000000e7723ffd";
/// `lz4 -l FILE`.
const LZ4_LEGACY: &str =
    "02214c183c000000ff124d69746872696c2072656164732077686174206f74686572732077726
    974652e2021000c542c20616e643300004500a0204d69746872696c2e0a";

#[test]
fn frames_of_the_lz4_command_are_read() {
    let lz4 = Lz4Compressor::default();
    for frame in [LZ4_FILE, LZ4_SIZE, LZ4_NO_CHECK] {
        read_both_ways(&lz4, &hex(frame), CONTENT.as_bytes());
    }
    let line = b"linked blocks look back\n";
    let linked: Vec<u8> = line.iter().copied().cycle().take(66_000).collect();
    read_both_ways(&lz4, &hex(LZ4_LINKED), &linked);
}

#[test]
fn the_format_that_hides_a_cut_is_refused() {
    let error = Lz4Compressor::default().decompress(&hex(LZ4_LEGACY)).unwrap_err();
    assert!(error.to_string().contains("without -l"), "{error}");
}

#[test]
fn several_frames_are_one_content_and_skippable_ones_are_passed_over() {
    let several: [(&dyn Compressor, [&str; 2]); 2] = [
        (&ZstdCompressor::default(), [ZSTD_FILE, ZSTD_PIPE]),
        (&Lz4Compressor::default(), [LZ4_FILE, LZ4_SIZE]),
    ];
    for (compressor, [one, two]) in several {
        let frames = [SKIPPABLE, one, SKIPPABLE, SKIPPABLE, two, two, SKIPPABLE].map(hex).concat();
        read_both_ways(compressor, &frames, CONTENT.repeat(3).as_bytes());
        read_both_ways(compressor, &hex(SKIPPABLE), b"");
        let garbage = [hex(one), vec![0]].concat();
        for result in [compressor.decompress(&garbage), streamed(compressor, &garbage, 3)] {
            assert!(result.is_err(), "{} reads what follows a frame", compressor.name());
        }
    }
}

#[test]
fn what_is_written_says_its_size_and_has_a_checksum() {
    // The descriptors: zstd's with a checksum and a size of one byte in a single segment, LZ4's of
    // version 1 with independent blocks, a size and a checksum.
    let zstd = ZstdCompressor::default().compress(CONTENT.as_bytes()).unwrap();
    assert_eq!(zstd[..6], [0x28, 0xb5, 0x2f, 0xfd, 0x24, CONTENT.len() as u8]);
    assert_eq!(zstd[zstd.len() - 4..], hex("000e5514"));
    let lz4 = Lz4Compressor::default().compress(CONTENT.as_bytes()).unwrap();
    assert_eq!(lz4[..7], [0x04, 0x22, 0x4d, 0x18, 0x6c, 0x40, CONTENT.len() as u8]);
    assert_eq!(lz4[lz4.len() - 4..], hex("93791b8a"));
}

#[test]
fn levels_of_zstd_go_from_large_to_small_and_are_clamped() {
    use CompressionLevel::{Best, Custom, Default, Fastest};
    let data = text(200_000);
    let size = |level| ZstdCompressor::new(level).compress(&data).unwrap().len();
    assert!(size(Best) < size(Default) && size(Default) < size(Custom(-20)));
    assert!(size(Best) < size(Fastest));
    assert_eq!(size(Custom(i32::MAX)), size(Custom(22)));
    assert_eq!(size(Custom(i32::MIN)), size(Custom(-131_072)));
    assert_eq!(size(Custom(0)), size(Custom(3)));
}

#[test]
fn ratios_are_estimated_from_a_sample() {
    for compressor in crate::kinds() {
        let data = text(3 << 20);
        let real = data.len() as f32 / compressor.compress(&data).unwrap().len() as f32;
        let estimate = compressor.estimate_ratio(&data);
        assert!((estimate / real - 1.0).abs() < 0.15, "{}: {estimate}, {real}", compressor.name());
        let incompressible = compressor.estimate_ratio(&noise(1, 1 << 20));
        assert!((0.99..=1.0).contains(&incompressible));
        assert!((compressor.estimate_ratio(b"") - 1.0).abs() < f32::EPSILON);
    }
}

#[test]
fn a_frame_for_a_dictionary_of_lz4_is_refused_by_its_name() {
    // Version 1, independent blocks, a dictionary: 0x12345678; the check byte is XXH32's second.
    let mut frame = hex("04224d18 6140 78563412");
    let check = (0..=255_u8).find(|&check| {
        frame.push(check);
        let error = Lz4Compressor::default().decompress(&frame).unwrap_err();
        frame.pop();
        matches!(error, CompressionError::WrongDictionary { needed: Some(0x1234_5678) })
    });
    assert!(check.is_some());
}
