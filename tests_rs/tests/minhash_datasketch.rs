//! Signatures of datasketch's schemes against datasketch itself.
//!
//! The tables are what datasketch 2.0.0 with numpy 2.4.6 says. These lines make their rows, for each
//! `scheme` of `"affine32"`, `"affine64"` and `"legacy"`:
//!
//! ```python
//! from datasketch import MinHash
//! from datasketch.hashfunc import sha1_hash32, sha1_hash64
//!
//! def rows(scheme):
//!     sha1 = sha1_hash64 if scheme == "affine64" else sha1_hash32
//!     words = b"to be or not that is the question".split()
//!     sets = {"Zero": [0], "One": [1], "Ones": [0xFFFFFFFF], "Consecutive": range(100),
//!             "Thousand": range(1000), "Words": [sha1(word) for word in words]}
//!     if scheme == "affine64":
//!         sets["Wide"] = [1 << 63, (1 << 64) - 1, 0x0123456789ABCDEF]
//!     seeds = (0, 1, 42, 4294967295)
//!     cases = [(k, seed, "Words") for k in (1, 2, 16, 128, 300) for seed in seeds]
//!     cases += [(k, 1, name) for name in sets for k in (2, 128) if name != "Words"]
//!     for k, seed, name in cases:
//!         sketch = MinHash(k, seed, hashfunc=int, scheme=scheme)
//!         sketch.update_batch(sets[name])
//!         values = sketch.hashvalues.tolist()
//!         samples = [(i, values[i]) for i in sorted({0, k // 2, k - 1})]
//!         yield k, seed, name, samples, sum(values) % 2**64
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use Set::{Consecutive, One, Ones, Thousand, Wide, Words, Zero};
use mithril_core::MinHasher;
use mithril_core::minhash::datasketch::token_hash;
use mithril_core::minhash::{DatasketchScheme, Scheme};

const SCHEMES: [DatasketchScheme; 3] =
    [DatasketchScheme::Affine32, DatasketchScheme::Affine64, DatasketchScheme::Legacy];

/// The sets that the tables name.
#[derive(Debug, Clone, Copy)]
enum Set {
    Zero,
    One,
    Ones,
    Consecutive,
    /// More tokens than are prepared together.
    Thousand,
    Words,
    Wide,
}

impl Set {
    fn tokens(self, scheme: DatasketchScheme) -> Vec<u64> {
        match self {
            Zero => vec![0],
            One => vec![1],
            Ones => vec![0xffff_ffff],
            Consecutive => (0..100).collect(),
            Thousand => (0..1000).collect(),
            Words => "to be or not that is the question"
                .split(' ')
                .map(|word| token_hash(scheme, word.as_bytes()))
                .collect(),
            Wide => vec![1 << 63, u64::MAX, 0x0123_4567_89ab_cdef],
        }
    }
}

/// `k`, seed, set, some values with their positions (all of them for a `k` of one or two), and the
/// sum of all, modulo 2⁶⁴.
type Case = (usize, u32, Set, &'static [(usize, u64)], u64);

fn values(k: usize, seed: u64, scheme: DatasketchScheme, tokens: &[u64]) -> Vec<u64> {
    let hasher = MinHasher::try_with_scheme(k, seed, Scheme::Datasketch(scheme)).unwrap();
    hasher.hash_tokens(tokens).values
}

fn largest(scheme: DatasketchScheme) -> u64 {
    match scheme {
        DatasketchScheme::Affine32 | DatasketchScheme::Legacy => u32::MAX.into(),
        DatasketchScheme::Affine64 => u64::MAX,
    }
}

#[test]
fn values_are_those_of_datasketch() {
    for (scheme, cases) in SCHEMES.into_iter().zip([AFFINE32, AFFINE64, LEGACY]) {
        for &(k, seed, set, samples, sum) in cases {
            let values = values(k, seed.into(), scheme, &set.tokens(scheme));
            let case = format!("{scheme:?}, k {k}, seed {seed}, {set:?}");
            assert_eq!(values.len(), k, "{case}");
            for &(position, value) in samples {
                assert_eq!(values[position], value, "{case}, position {position}");
            }
            assert_eq!(values.iter().fold(0, |sum: u64, &v| sum.wrapping_add(v)), sum, "{case}");
        }
    }
}

#[test]
fn hashes_of_tokens_are_those_of_datasketch() {
    let known = [
        (b"".as_slice(), 0xeea3_39da, 0x0d4b_6b5e_eea3_39da),
        (b"question".as_slice(), 0xe2e2_2b3b, 0x2bd5_4463_e2e2_2b3b),
    ];
    for (token, short, long) in known {
        assert_eq!(token_hash(DatasketchScheme::Affine32, token), short);
        assert_eq!(token_hash(DatasketchScheme::Legacy, token), short);
        assert_eq!(token_hash(DatasketchScheme::Affine64, token), long);
    }
}

#[test]
fn the_empty_set_has_the_largest_value_everywhere() {
    for scheme in SCHEMES {
        for seed in [0, 1, 42, u64::from(u32::MAX)] {
            for k in [1, 2, 16, 128, 300] {
                assert_eq!(values(k, seed, scheme, &[]), vec![largest(scheme); k]);
            }
        }
    }
}

#[test]
fn a_set_has_the_smallest_values_of_its_tokens() {
    let tokens: Vec<u64> = (0..700_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    for scheme in SCHEMES {
        for k in [1, 7, 8, 9, 100] {
            let mut minima = vec![largest(scheme); k];
            for &token in &tokens {
                let single = values(k, 5, scheme, &[token]);
                minima.iter_mut().zip(single).for_each(|(least, value)| *least = value.min(*least));
            }
            assert_eq!(values(k, 5, scheme, &tokens), minima, "{scheme:?}, k {k}");
        }
    }
}

#[test]
fn only_the_lower_half_of_a_token_counts_where_hashes_have_32_bits() {
    let wide = Wide.tokens(DatasketchScheme::Affine64);
    let narrow: Vec<u64> = wide.iter().map(|token| token & 0xffff_ffff).collect();
    for scheme in SCHEMES {
        let same = values(16, 1, scheme, &wide) == values(16, 1, scheme, &narrow);
        assert_eq!(same, scheme != DatasketchScheme::Affine64, "{scheme:?}");
    }
}

#[test]
fn arguments_out_of_range_are_errors() {
    for scheme in SCHEMES {
        for (k, seed) in [(1, u64::from(u32::MAX) + 1), (1, u64::MAX), (0, 1), (4097, 1)] {
            let hasher = MinHasher::try_with_scheme(k, seed, Scheme::Datasketch(scheme));
            assert!(hasher.is_err(), "{scheme:?}, k {k}, seed {seed}");
        }
    }
}

const AFFINE32: &[Case] = &[
    (1, 0, Words, &[(0, 0x0fdd_afb3)], 0x0fdd_afb3),
    (1, 1, Words, &[(0, 0x1399_7a77)], 0x1399_7a77),
    (1, 42, Words, &[(0, 0x0978_df52)], 0x0978_df52),
    (1, u32::MAX, Words, &[(0, 0x098e_f981)], 0x098e_f981),
    (2, 0, Words, &[(0, 0x2f2f_abf9), (1, 0x12de_30ca)], 0x420d_dcc3),
    (2, 1, Words, &[(0, 0x337c_0589), (1, 0x1ee5_7bcd)], 0x5261_8156),
    (2, 42, Words, &[(0, 0x0c7c_e930), (1, 0x1c0b_4943)], 0x2888_3273),
    (2, u32::MAX, Words, &[(0, 0x1722_e7e1), (1, 0x23da_fefb)], 0x3afd_e6dc),
    (16, 0, Words, &[(0, 0x1613_6ebb), (8, 0x01ce_4a5a), (15, 0x106f_18a7)], 0x0001_91a4_2150),
    (16, 1, Words, &[(0, 0x1573_db89), (8, 0x069f_cd02), (15, 0x076c_08ca)], 0x0001_b15b_1cbd),
    (16, 42, Words, &[(0, 0x0018_efa1), (8, 0x24b9_8387), (15, 0x055b_6b8c)], 0x0001_8e71_3792),
    (
        16,
        u32::MAX,
        Words,
        &[(0, 0x165d_c9f0), (8, 0x01fd_2d64), (15, 0x0c3d_7575)],
        0x0001_326e_20ef,
    ),
    (128, 0, Words, &[(0, 0x1089_e16f), (64, 0x17df_2cc6), (127, 0x1ab1_77c8)], 0x000d_c02e_c7cc),
    (128, 1, Words, &[(0, 0x0c6f_b2d9), (64, 0x2169_992a), (127, 0x253f_81d0)], 0x0010_b4a0_c78d),
    (128, 42, Words, &[(0, 0x5130_8026), (64, 0x34bb_9524), (127, 0x1ac0_0815)], 0x000b_4f7c_5c9f),
    (
        128,
        u32::MAX,
        Words,
        &[(0, 0x063f_daac), (64, 0x004d_74b9), (127, 0x01f1_f35c)],
        0x000c_f47f_d547,
    ),
    (300, 0, Words, &[(0, 0x0478_e743), (150, 0x39b1_e498), (299, 0x2e0c_1060)], 0x0024_f83c_581e),
    (300, 1, Words, &[(0, 0x1212_daf9), (150, 0x2cf5_7188), (299, 0x22d6_75c2)], 0x0021_3e90_a4d0),
    (300, 42, Words, &[(0, 0x019f_02b4), (150, 0x5ac1_08bc), (299, 0x058a_774c)], 0x001f_587b_228e),
    (
        300,
        u32::MAX,
        Words,
        &[(0, 0x0576_be06), (150, 0x2fca_dcd4), (299, 0x6520_989f)],
        0x0021_4689_1367,
    ),
    (2, 1, Zero, &[(0, 0xb867_2f8c), (1, 0xeebc_1448)], 0x0001_a723_43d4),
    (128, 1, Zero, &[(0, 0x0cc9_bff8), (64, 0xe743_e147), (127, 0x473f_e757)], 0x003f_d115_d564),
    (2, 1, One, &[(0, 0x77d7_f529), (1, 0xd5c1_fcf9)], 0x0001_4d99_f222),
    (128, 1, One, &[(0, 0xcc3a_8595), (64, 0x6ba7_8104), (127, 0xf641_010e)], 0x003d_c1b4_fc92),
    (2, 1, Ones, &[(0, 0xee19_6d3f), (1, 0xb0c6_b627)], 0x0001_9ee0_2366),
    (128, 1, Ones, &[(0, 0x427b_fdab), (64, 0x43ee_d6da), (127, 0xf98c_f590)], 0x0041_37d2_5a16),
    (2, 1, Consecutive, &[(0, 0x0087_4ba6), (1, 0x0267_a84f)], 0x02ee_f3f5),
    (
        128,
        1,
        Consecutive,
        &[(0, 0x02bf_3907), (64, 0x014f_ecb9), (127, 0x01e1_456a)],
        0x0001_1d64_d97b,
    ),
    (2, 1, Thousand, &[(0, 0x000e_593d), (1, 0x0017_ba3a)], 0x0026_1377),
    (128, 1, Thousand, &[(0, 0x0048_2830), (64, 0x0006_fb55), (127, 0x0029_729a)], 0x1fb7_8a57),
];

const AFFINE64: &[Case] = &[
    (1, 0, Words, &[(0, 0x0a17_70df_e1a9_a927)], 0x0a17_70df_e1a9_a927),
    (1, 1, Words, &[(0, 0x41a7_83b1_e20d_ec56)], 0x41a7_83b1_e20d_ec56),
    (1, 42, Words, &[(0, 0x376c_3a4f_1df4_7851)], 0x376c_3a4f_1df4_7851),
    (1, u32::MAX, Words, &[(0, 0x0112_f861_ffbd_e564)], 0x0112_f861_ffbd_e564),
    (2, 0, Words, &[(0, 0x03d7_11b0_afa1_3c74), (1, 0x0f33_80a8_6c28_a309)], 0x130a_9259_1bc9_df7d),
    (2, 1, Words, &[(0, 0x40fa_f8fd_0975_efb7), (1, 0x1153_cc9e_4e94_2d9c)], 0x524e_c59b_580a_1d53),
    (
        2,
        42,
        Words,
        &[(0, 0x08c3_34b5_d89c_4776), (1, 0x01d8_7893_e20a_6cc8)],
        0x0a9b_ad49_baa6_b43e,
    ),
    (
        2,
        u32::MAX,
        Words,
        &[(0, 0x49de_1a10_dbd1_b459), (1, 0x2115_fb73_8e22_e260)],
        0x6af4_1584_69f4_96b9,
    ),
    (
        16,
        0,
        Words,
        &[(0, 0x0893_d135_5de1_d80c), (8, 0x064f_90bb_db1b_eb76), (15, 0x044c_f181_1f09_6144)],
        0xfef9_10a5_56ac_2154,
    ),
    (
        16,
        1,
        Words,
        &[(0, 0x124d_4935_c752_ae98), (8, 0x1c8c_8e6d_ebcb_b1c6), (15, 0x11dc_073c_63d6_1678)],
        0xe148_7dff_6e38_7ef9,
    ),
    (
        16,
        42,
        Words,
        &[(0, 0x1346_bbba_bae1_3267), (8, 0x12fc_63e8_c6cb_7714), (15, 0x2bcf_a9e2_cfd2_486a)],
        0xd6af_a6ca_fe76_d194,
    ),
    (
        16,
        u32::MAX,
        Words,
        &[(0, 0x0591_3aef_4bd0_25b3), (8, 0x0ce8_5a2a_ad68_8417), (15, 0x020c_182c_343f_614f)],
        0xe8ec_2803_0ee9_b2d7,
    ),
    (
        128,
        0,
        Words,
        &[(0, 0x1289_807a_1db8_b0c0), (64, 0x3419_d371_e752_2a53), (127, 0x47a6_b2a6_7e0e_a2ab)],
        0xadab_2b33_624f_783e,
    ),
    (
        128,
        1,
        Words,
        &[(0, 0x14d4_7004_87e4_a5bb), (64, 0x09ac_0ad3_28ee_2bba), (127, 0x07ca_fbe4_d24f_cd2e)],
        0x0278_6ffc_c338_4b46,
    ),
    (
        128,
        42,
        Words,
        &[(0, 0x052c_916c_af46_b8f4), (64, 0x1923_aa9c_20c3_3d5e), (127, 0x0e5b_cebf_0c58_4d73)],
        0xc8f5_3a27_2c64_f64b,
    ),
    (
        128,
        u32::MAX,
        Words,
        &[(0, 0x102d_9b3d_6e3b_7ba1), (64, 0x49e1_c40f_113c_1af0), (127, 0x2024_6892_e8ee_4f93)],
        0x3c1d_3f6b_14f2_ef12,
    ),
    (
        300,
        0,
        Words,
        &[(0, 0x07dc_1f1c_506c_cb45), (150, 0x1fd3_333e_8ef3_2826), (299, 0x0d73_2a5f_a576_3063)],
        0x0bb5_26b1_d4bd_9518,
    ),
    (
        300,
        1,
        Words,
        &[(0, 0x10c9_72a6_c61f_afde), (150, 0x3cb3_8045_4c2c_3e09), (299, 0x2ded_5cf6_47d8_37c1)],
        0xa5c2_4f66_07d1_8e77,
    ),
    (
        300,
        42,
        Words,
        &[(0, 0x109f_f772_b6e2_ba0e), (150, 0x2a8a_b084_4ddb_bced), (299, 0x0375_6813_ec28_9e8b)],
        0x1a9b_9d24_3954_df82,
    ),
    (
        300,
        u32::MAX,
        Words,
        &[(0, 0x1061_0940_bc9e_b1fb), (150, 0x1330_9cb2_441e_1984), (299, 0x0ea5_3038_b67b_ff61)],
        0x4031_0ddf_f2d9_4ae0,
    ),
    (2, 1, Zero, &[(0, 0x0007_7eff_20cc_c389), (1, 0x4d65_aacb_ffc1_1e85)], 0x4d6d_29cb_208d_e20e),
    (
        128,
        1,
        Zero,
        &[(0, 0x1fc9_d290_3bce_af9c), (64, 0xbc2d_487b_85d2_1144), (127, 0xd42f_3d2e_35a1_5350)],
        0x0fa8_88ee_36d4_b36f,
    ),
    (2, 1, One, &[(0, 0x298d_574d_58c4_917d), (1, 0x7da6_2de4_8a75_1271)], 0xa733_8531_e339_a3ee),
    (
        128,
        1,
        One,
        &[(0, 0x494f_aade_73c6_7d90), (64, 0x09ba_bc7e_24ab_5168), (127, 0xde14_96d8_391b_9e64)],
        0x8999_8456_2598_47c7,
    ),
    (2, 1, Ones, &[(0, 0xaba8_41f3_83da_13d3), (1, 0x93e2_7c6d_f1a2_faab)], 0x3f8a_be61_757d_0e7e),
    (
        128,
        1,
        Ones,
        &[(0, 0xcb6a_9584_9edb_ffe6), (64, 0x51e6_f2b5_eb2f_dd66), (127, 0x9de7_dcac_a11b_b2aa)],
        0x39f6_8813_04a5_63fb,
    ),
    (
        2,
        1,
        Consecutive,
        &[(0, 0x0007_7eff_20cc_c389), (1, 0x003f_aedc_09e7_1769)],
        0x0047_2ddb_2ab3_daf2,
    ),
    (
        128,
        1,
        Consecutive,
        &[(0, 0x01d4_c6bc_9b0d_522a), (64, 0x070d_db08_4348_02a8), (127, 0x0129_0288_35b1_0f33)],
        0x33c3_0441_1e13_57ba,
    ),
    (
        2,
        1,
        Thousand,
        &[(0, 0x0007_7eff_20cc_c389), (1, 0x003f_aedc_09e7_1769)],
        0x0047_2ddb_2ab3_daf2,
    ),
    (
        128,
        1,
        Thousand,
        &[(0, 0x0035_0045_fe52_37b0), (64, 0x0008_5a8a_9cf9_3253), (127, 0x0019_3e62_255d_7e36)],
        0x1f73_e55f_22b4_d1b5,
    ),
    (2, 1, Wide, &[(0, 0x9b61_a0a7_ef18_c940), (1, 0xa50e_8173_37ee_2836)], 0x4070_221b_2706_f176),
    (
        128,
        1,
        Wide,
        &[(0, 0x114a_5d33_9185_5222), (64, 0x51cf_6ea0_f23a_7865), (127, 0x5e17_adb5_3bab_e8df)],
        0x587e_8ec1_f41d_884c,
    ),
];

const LEGACY: &[Case] = &[
    (1, 0, Words, &[(0, 0x3902_3457)], 0x3902_3457),
    (1, 1, Words, &[(0, 0x1847_50ac)], 0x1847_50ac),
    (1, 42, Words, &[(0, 0x02c1_4b2f)], 0x02c1_4b2f),
    (1, u32::MAX, Words, &[(0, 0x0247_24da)], 0x0247_24da),
    (2, 0, Words, &[(0, 0x3902_3457), (1, 0x341c_eb7d)], 0x6d1f_1fd4),
    (2, 1, Words, &[(0, 0x1847_50ac), (1, 0x376b_4305)], 0x4fb2_93b1),
    (2, 42, Words, &[(0, 0x02c1_4b2f), (1, 0x037d_fe93)], 0x063f_49c2),
    (2, u32::MAX, Words, &[(0, 0x0247_24da), (1, 0x281d_31d6)], 0x2a64_56b0),
    (16, 0, Words, &[(0, 0x3902_3457), (8, 0x4351_be93), (15, 0x3019_afdf)], 0x0001_e8d6_37ae),
    (16, 1, Words, &[(0, 0x1847_50ac), (8, 0x4b19_65bf), (15, 0x0f4a_8842)], 0x0002_091c_da0e),
    (16, 42, Words, &[(0, 0x02c1_4b2f), (8, 0x0dee_ba5c), (15, 0x0b01_2b37)], 0x0001_6086_e1a9),
    (
        16,
        u32::MAX,
        Words,
        &[(0, 0x0247_24da), (8, 0x8109_7887), (15, 0x075f_9872)],
        0x0001_933b_2e0b,
    ),
    (128, 0, Words, &[(0, 0x3902_3457), (64, 0x1204_9a30), (127, 0x1dc5_a9db)], 0x000c_642a_72a2),
    (128, 1, Words, &[(0, 0x1847_50ac), (64, 0x3a2c_165f), (127, 0x3069_3ea2)], 0x000e_c38e_58a8),
    (128, 42, Words, &[(0, 0x02c1_4b2f), (64, 0x017b_7d2a), (127, 0x10ec_0987)], 0x000d_9fc0_bb2b),
    (
        128,
        u32::MAX,
        Words,
        &[(0, 0x0247_24da), (64, 0x4107_2631), (127, 0x0c53_b81d)],
        0x000e_60a1_a453,
    ),
    (300, 0, Words, &[(0, 0x3902_3457), (150, 0x4aff_3796), (299, 0x34fe_0f26)], 0x0021_6cb8_e9d5),
    (300, 1, Words, &[(0, 0x1847_50ac), (150, 0x33fb_be60), (299, 0x0c32_5f06)], 0x0023_74db_a017),
    (300, 42, Words, &[(0, 0x02c1_4b2f), (150, 0x5151_a0fd), (299, 0x01bb_8c71)], 0x0022_ca6f_a363),
    (
        300,
        u32::MAX,
        Words,
        &[(0, 0x0247_24da), (150, 0x0399_f1c4), (299, 0x03b1_39e7)],
        0x0020_34c0_6ec0,
    ),
    (2, 1, Zero, &[(0, 0xeebc_1448), (1, 0xffc1_1e85)], 0x0001_ee7d_32cd),
    (128, 1, Zero, &[(0, 0xeebc_1448), (64, 0x1770_3e2d), (127, 0x35a1_5350)], 0x003b_5697_2ce9),
    (2, 1, One, &[(0, 0xee03_9535), (1, 0x208d_e20f)], 0x0001_0e91_7744),
    (128, 1, One, &[(0, 0xee03_9535), (64, 0x533e_edcb), (127, 0x5e04_05bf)], 0x003f_292b_3b2a),
    (2, 1, Ones, &[(0, 0xef74_935c), (1, 0xdef4_5afc)], 0x0001_ce68_ee58),
    (128, 1, Ones, &[(0, 0xef74_935c), (64, 0xdba1_8e91), (127, 0x0d3e_a0e3)], 0x0045_8403_2094),
    (2, 1, Consecutive, &[(0, 0xa762_ef8e), (1, 0x048a_cee1)], 0xabed_be6f),
    (
        128,
        1,
        Consecutive,
        &[(0, 0xa762_ef8e), (64, 0x019d_3a76), (127, 0x09de_d7bb)],
        0x0001_fd22_b4cd,
    ),
    (2, 1, Thousand, &[(0, 0x002f_c56c), (1, 0x006c_9a00)], 0x009c_5f6c),
    (128, 1, Thousand, &[(0, 0x002f_c56c), (64, 0x002a_369a), (127, 0x006c_3e06)], 0x3131_7b27),
];
