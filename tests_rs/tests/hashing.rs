//! Hash functions against published vectors, and against themselves in pieces.

use mithril_core::{Blake3Hash, HashFunction, Hasher, Sha256Hash, XxHash, XxHash3};
use proptest::prelude::*;

fn functions() -> [Box<dyn HashFunction>; 4] {
    [
        Box::new(XxHash::new()),
        Box::new(XxHash3::new()),
        Box::new(Blake3Hash::new()),
        Box::new(Sha256Hash::new()),
    ]
}

/// The bytes 0, 1, … 250, 0, 1, … of BLAKE3's test vectors.
fn counted(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn hashes_are_those_published() {
    // FIPS 180-4 examples, as NIST publishes them.
    let sha = |data: &[u8]| Sha256Hash::new().hash_hex(data);
    assert_eq!(sha(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(sha(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(
        sha(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
    // test_vectors.json of the BLAKE3 team, the first 32 bytes of each.
    let blake = |length: usize| Blake3Hash::new().hash_hex(&counted(length));
    assert_eq!(blake(0), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert_eq!(blake(1), "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
    assert_eq!(blake(1024), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
    // The values that the specification of xxHash and xxhsum give.
    assert_eq!(XxHash::new().hash_hex(b""), "ef46db3751d8e999");
    assert_eq!(XxHash::new().hash_hex(b"a"), "d24ec4f1a98c6e5b");
    assert_eq!(XxHash::new().hash_hex(b"abc"), "44bc2cf5ad770999");
    assert_eq!(XxHash3::new().hash_hex(b""), "99aa06d3014798d86001c324468d497f");
    assert_eq!(XxHash3::new().hash_u64(b""), 0x2d06_8005_38d3_94c2);
}

#[test]
fn names_and_sizes() {
    let known: Vec<_> = functions().iter().map(|one| (one.name(), one.output_size())).collect();
    assert_eq!(known, [("xxh64", 8), ("xxh3", 16), ("blake3", 32), ("sha256", 32)]);
}

/// Large data goes to all threads, whole or in large pieces, and small pieces to none.
#[test]
fn large_data_has_the_hash_of_its_small_pieces() {
    let data: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for length in [262_143, 262_144, 1_000_003, data.len()] {
        let data = &data[..length];
        for function in functions() {
            let whole = function.hash(data);
            for piece in [1000, 65_536, 700_000] {
                let mut hasher = function.hasher();
                data.chunks(piece).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finalize(), whole, "{} of {length} bytes", function.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn any_split_gives_the_hash_of_the_whole(
        data in prop::collection::vec(any::<u8>(), 0..5000),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();
        for function in functions() {
            let (mut bytes, mut number) = (function.hasher(), function.hasher());
            for cut in cuts.windows(2) {
                bytes.update(&data[cut[0]..cut[1]]);
                let early = bytes.try_clone().map(Hasher::finalize);
                prop_assert_eq!(early, Some(function.hash(&data[..cut[1]])));
                number.update(&data[cut[0]..cut[1]]);
            }
            let whole = function.hash(&data);
            prop_assert_eq!(whole.len(), function.output_size());
            prop_assert_eq!(bytes.finalize(), whole.clone());
            prop_assert_eq!(number.finalize_u64(), function.hash_u64(&data));
            let hex = whole.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            prop_assert_eq!(function.hash_hex(&data), hex);
        }
    }
}
