//! 512-bit vectors: AVX-512 with the instructions that servers have since 2017 and desktops since 2022.

#![expect(
    unsafe_code,
    reason = "intrinsics; each is there because the value that it is called on is"
)]

use super::{BYTES, Lanes, RAMP, avx2};
use crate::minhash::sketch::{
    family::{Family, Room},
    kernel,
};
#[allow(
    clippy::wildcard_imports,
    reason = "intrinsics say where they come from by their names"
)]
use std::arch::x86_64::*;

/// Comes from [`detect`](Self::detect) alone.
#[derive(Debug, Clone, Copy)]
pub(in crate::minhash::sketch) struct Avx512(());

impl Avx512 {
    /// If the processor has AVX-512 F, DQ, VL and BW. The standard library remembers the answer.
    #[inline]
    pub(in crate::minhash::sketch) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi2"))
        .then_some(Self(()))
    }

    /// The kernel, compiled for these instructions.
    #[inline]
    pub(in crate::minhash::sketch) fn sketch(
        self,
        family: &Family,
        tokens: &[u64],
        values: &mut [u64],
    ) {
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,bmi2")]
        fn compiled<const N: usize>(
            lanes: Avx512,
            family: &Family,
            tokens: &[u64],
            values: &mut [u64],
        ) {
            kernel::sketch::<_, 8, N>(lanes, family, tokens, values);
        }
        // SAFETY: `detect` has seen every feature that the functions are compiled for.
        unsafe {
            match family.room() {
                Room::Little => compiled::<{ Room::LITTLE }>(self, family, tokens, values),
                Room::Some => compiled::<{ Room::SOME }>(self, family, tokens, values),
                Room::Much => compiled::<{ Room::MUCH }>(self, family, tokens, values),
            }
        }
    }
}

impl Lanes for Avx512 {
    const THROWN: Option<usize> = Some(32);

    type U64 = __m512i;
    type U32 = __m512i;

    #[inline(always)]
    fn prefetch(self, tokens: &[[u64; 8]]) {
        for eight in tokens {
            // SAFETY: a prefetch may be given any address, and these are of tokens.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(eight.as_ptr().cast()) }
        }
    }

    #[inline(always)]
    fn splat64(self, value: u64) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_set1_epi64(value as i64) }
    }

    #[inline(always)]
    fn load64(self, values: &[u64; 8]) -> __m512i {
        // SAFETY: the feature is there, and the array is as long as the vector.
        unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store64(self, lanes: __m512i, places: &mut [u64; 8]) {
        // SAFETY: the feature is there, and the array is as long as the vector.
        unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), lanes) }
    }

    #[inline(always)]
    fn xor64(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_xor_si512(one, two) }
    }

    #[inline(always)]
    fn and64(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_and_si512(one, two) }
    }

    #[inline(always)]
    fn add64(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_add_epi64(one, two) }
    }

    #[inline(always)]
    fn shr64<const BITS: u32>(self, lanes: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_srli_epi64::<BITS>(lanes) }
    }

    #[inline(always)]
    fn mul64(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_mullo_epi64(one, two) }
    }

    #[inline(always)]
    fn mul32(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_mul_epu32(one, two) }
    }

    #[inline(always)]
    fn less64(self, lanes: __m512i, bound: __m512i) -> u8 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_cmplt_epu64_mask(lanes, bound) }
    }

    #[inline(always)]
    fn compress64(self, lanes: __m512i, bits: u8, places: &mut [u64; 8]) -> usize {
        // SAFETY: the feature is there, and the array is as long as the vector.
        unsafe {
            let together = _mm512_maskz_compress_epi64(bits, lanes);
            _mm512_storeu_si512(places.as_mut_ptr().cast(), together);
        }
        bits.count_ones() as usize
    }

    #[inline(always)]
    fn add_mod64(self, one: __m512i, two: __m512i, modulus: __m512i) -> __m512i {
        // The upper halves are zero.
        self.add_mod32(one, two, modulus)
    }

    #[inline(always)]
    fn splat32(self, value: u32) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_set1_epi32(value as i32) }
    }

    #[inline(always)]
    fn add_mod32(self, one: __m512i, two: __m512i, modulus: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            let sum = _mm512_add_epi32(one, two);
            _mm512_min_epu32(sum, _mm512_sub_epi32(sum, modulus))
        }
    }

    #[inline(always)]
    fn min32(self, one: __m512i, two: __m512i) -> __m512i {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { _mm512_min_epu32(one, two) }
    }

    #[inline(always)]
    fn load_shifted(self, values: &[u16; RAMP]) -> __m512i {
        // SAFETY: the feature is there, and the array is as long as the vector.
        unsafe {
            let values = _mm256_loadu_si256(values.as_ptr().cast());
            _mm512_slli_epi32::<18>(_mm512_cvtepu16_epi32(values))
        }
    }

    #[inline(always)]
    fn store_widened(self, lanes: __m512i, places: &mut [u64; RAMP]) {
        // SAFETY: the feature is there, and each half of the places is as long as a vector.
        unsafe {
            let (low, high) = places.split_at_mut(8);
            let lower = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(lanes));
            let upper = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64::<1>(lanes));
            _mm512_storeu_si512(low.as_mut_ptr().cast(), _mm512_slli_epi64::<30>(lower));
            _mm512_storeu_si512(high.as_mut_ptr().cast(), _mm512_slli_epi64::<30>(upper));
        }
    }

    #[inline(always)]
    fn store8(self, one: __m512i, two: __m512i, ones: &mut [u8; 8], twos: &mut [u8; 8]) {
        // SAFETY: the feature is there, and each of the places is as long as half of a vector of 128 bits.
        unsafe {
            _mm_storel_epi64(ones.as_mut_ptr().cast(), _mm512_cvtepi64_epi8(one));
            _mm_storel_epi64(twos.as_mut_ptr().cast(), _mm512_cvtepi64_epi8(two));
        }
    }

    #[inline(always)]
    fn step8(self, slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8) {
        // SAFETY: `detect` has seen AVX2 too.
        unsafe { avx2::step8(slots, backs, modulus) }
    }

    #[inline(always)]
    fn within8(self, slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32 {
        // SAFETY: `detect` has seen AVX2 too.
        unsafe { avx2::within8(slots, set) }
    }
}
