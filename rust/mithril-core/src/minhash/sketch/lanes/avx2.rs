//! 256-bit vectors, two for each of the lanes: AVX2.

#![expect(
    unsafe_code,
    reason = "intrinsics; each is there because the value that it is called on is"
)]

use super::{BYTES, Lanes, RAMP};
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
pub(in crate::minhash::sketch) struct Avx2(());

type Two = [__m256i; 2];

impl Avx2 {
    /// If the processor has AVX2 and BMI2, as all of the last ten years have. The standard library remembers the answer.
    #[inline]
    pub(in crate::minhash::sketch) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2")).then_some(Self(()))
    }

    /// The kernel, compiled for these instructions.
    #[inline]
    pub(in crate::minhash::sketch) fn sketch(
        self,
        family: &Family,
        tokens: &[u64],
        values: &mut [u64],
    ) {
        #[target_feature(enable = "avx2,bmi2")]
        fn compiled<const N: usize>(
            lanes: Avx2,
            family: &Family,
            tokens: &[u64],
            values: &mut [u64],
        ) {
            kernel::sketch::<_, 4, N>(lanes, family, tokens, values);
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

/// A choice of four lanes.
#[derive(Clone, Copy)]
struct Choice {
    /// The halves of these lanes, one after the other, and then any.
    halves: [u32; 8],
    count: usize,
}

/// The choices by their bits.
static LANES: [Choice; 16] = {
    let mut choices = [Choice { halves: [0; 8], count: 0 }; 16];
    let mut bits = 0;
    while bits < 16 {
        let choice = &mut choices[bits];
        let mut lane = 0;
        while lane < 4 {
            if bits >> lane & 1 == 1 {
                choice.halves[2 * choice.count] = 2 * lane;
                choice.halves[2 * choice.count + 1] = 2 * lane + 1;
                choice.count += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    choices
};

impl Lanes for Avx2 {
    const THROWN: Option<usize> = Some(32);

    type U64 = Two;
    type U32 = Two;

    #[inline(always)]
    fn prefetch(self, tokens: &[[u64; 8]]) {
        for eight in tokens {
            // SAFETY: a prefetch may be given any address, and these are of tokens.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(eight.as_ptr().cast()) }
        }
    }

    #[inline(always)]
    fn splat64(self, value: u64) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_set1_epi64x(value as i64); 2] }
    }

    #[inline(always)]
    fn load64(self, values: &[u64; 8]) -> Two {
        // SAFETY: the feature is there, and each half of the array is as long as a vector.
        unsafe {
            let (low, high) = values.split_at(4);
            [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())]
        }
    }

    #[inline(always)]
    fn store64(self, lanes: Two, places: &mut [u64; 8]) {
        // SAFETY: the feature is there, and each half of the array is as long as a vector.
        unsafe {
            let (low, high) = places.split_at_mut(4);
            _mm256_storeu_si256(low.as_mut_ptr().cast(), lanes[0]);
            _mm256_storeu_si256(high.as_mut_ptr().cast(), lanes[1]);
        }
    }

    #[inline(always)]
    fn xor64(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_xor_si256(one[0], two[0]), _mm256_xor_si256(one[1], two[1])] }
    }

    #[inline(always)]
    fn and64(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_and_si256(one[0], two[0]), _mm256_and_si256(one[1], two[1])] }
    }

    #[inline(always)]
    fn add64(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_add_epi64(one[0], two[0]), _mm256_add_epi64(one[1], two[1])] }
    }

    #[inline(always)]
    fn shr64<const BITS: u32>(self, lanes: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            // The compiler sees a constant, for which the intrinsic would want an i32.
            let bits = _mm_cvtsi32_si128(BITS as i32);
            [_mm256_srl_epi64(lanes[0], bits), _mm256_srl_epi64(lanes[1], bits)]
        }
    }

    #[inline(always)]
    fn mul64(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            let product = |one, two| {
                let (one_high, two_high) =
                    (_mm256_srli_epi64::<32>(one), _mm256_srli_epi64::<32>(two));
                let crossed = _mm256_add_epi64(
                    _mm256_mul_epu32(one_high, two),
                    _mm256_mul_epu32(one, two_high),
                );
                _mm256_add_epi64(_mm256_mul_epu32(one, two), _mm256_slli_epi64::<32>(crossed))
            };
            [product(one[0], two[0]), product(one[1], two[1])]
        }
    }

    #[inline(always)]
    fn mul32(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_mul_epu32(one[0], two[0]), _mm256_mul_epu32(one[1], two[1])] }
    }

    #[inline(always)]
    fn less64(self, lanes: Two, bound: Two) -> u8 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            let bits = |lanes, bound| {
                _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(bound, lanes)))
            };
            (bits(lanes[0], bound[0]) | (bits(lanes[1], bound[1]) << 4)) as u8
        }
    }

    #[inline(always)]
    fn compress64(self, lanes: Two, bits: u8, places: &mut [u64; 8]) -> usize {
        let (low, high) = (usize::from(bits & 15), usize::from(bits >> 4));
        let (low_count, high_count) = (LANES[low].count, LANES[high].count);
        // SAFETY: the feature is there, a choice has eight halves, and four lanes have room behind the
        // first `low_count`, which is at most four, of eight places.
        unsafe {
            let together = |lanes, choice: usize| {
                let order = _mm256_loadu_si256(LANES[choice].halves.as_ptr().cast());
                _mm256_permutevar8x32_epi32(lanes, order)
            };
            let places = places.as_mut_ptr();
            _mm256_storeu_si256(places.cast(), together(lanes[0], low));
            _mm256_storeu_si256(places.add(low_count).cast(), together(lanes[1], high));
        }
        low_count + high_count
    }

    #[inline(always)]
    fn add_mod64(self, one: Two, two: Two, modulus: Two) -> Two {
        // The upper halves are zero.
        self.add_mod32(one, two, modulus)
    }

    #[inline(always)]
    fn splat32(self, value: u32) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_set1_epi32(value as i32); 2] }
    }

    #[inline(always)]
    fn add_mod32(self, one: Two, two: Two, modulus: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            let sum = |one, two, modulus| {
                let sum = _mm256_add_epi32(one, two);
                _mm256_min_epu32(sum, _mm256_sub_epi32(sum, modulus))
            };
            [sum(one[0], two[0], modulus[0]), sum(one[1], two[1], modulus[1])]
        }
    }

    #[inline(always)]
    fn min32(self, one: Two, two: Two) -> Two {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [_mm256_min_epu32(one[0], two[0]), _mm256_min_epu32(one[1], two[1])] }
    }

    #[inline(always)]
    fn load_shifted(self, values: &[u16; RAMP]) -> Two {
        // SAFETY: the feature is there, and each half of the array is as long as half a vector.
        unsafe {
            let (low, high) = values.split_at(8);
            let shifted = |values: &[u16]| {
                let values = _mm_loadu_si128(values.as_ptr().cast());
                _mm256_slli_epi32::<18>(_mm256_cvtepu16_epi32(values))
            };
            [shifted(low), shifted(high)]
        }
    }

    #[inline(always)]
    fn store_widened(self, lanes: Two, places: &mut [u64; RAMP]) {
        // SAFETY: the feature is there, and the sixteen places hold four vectors.
        unsafe {
            let mut store = |at: usize, lanes| {
                let places = places.as_mut_ptr().add(at);
                let widened = _mm256_slli_epi64::<30>(_mm256_cvtepu32_epi64(lanes));
                _mm256_storeu_si256(places.cast(), widened);
            };
            store(0, _mm256_castsi256_si128(lanes[0]));
            store(4, _mm256_extracti128_si256::<1>(lanes[0]));
            store(8, _mm256_castsi256_si128(lanes[1]));
            store(12, _mm256_extracti128_si256::<1>(lanes[1]));
        }
    }

    #[inline(always)]
    fn store8(self, one: Two, two: Two, ones: &mut [u8; 8], twos: &mut [u8; 8]) {
        // SAFETY: the feature is there, and each of the places is as long as half of a vector of 128 bits.
        unsafe {
            // In each lane of 64 bits a byte of `one` and one of `two`, and the same of the lane four further.
            let both = |half: usize| _mm256_or_si256(one[half], _mm256_slli_epi64::<8>(two[half]));
            let all = _mm256_or_si256(both(0), _mm256_slli_epi64::<32>(both(1)));
            let order = _mm256_setr_epi8(
                0, 8, -1, -1, 4, 12, -1, -1, 1, 9, -1, -1, 5, 13, -1, -1, //
                -1, -1, 0, 8, -1, -1, 4, 12, -1, -1, 1, 9, -1, -1, 5, 13,
            );
            let ordered = _mm256_shuffle_epi8(all, order);
            let bytes = _mm_or_si128(
                _mm256_castsi256_si128(ordered),
                _mm256_extracti128_si256::<1>(ordered),
            );
            _mm_storel_epi64(ones.as_mut_ptr().cast(), bytes);
            _mm_storel_epi64(twos.as_mut_ptr().cast(), _mm_unpackhi_epi64(bytes, bytes));
        }
    }

    #[inline(always)]
    fn step8(self, slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8) {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { step8(slots, backs, modulus) }
    }

    #[inline(always)]
    fn within8(self, slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { within8(slots, set) }
    }
}

/// [`Lanes::step8`], for both kinds of vectors.
///
/// # Safety
///
/// The processor must have AVX2.
#[inline(always)]
pub(super) unsafe fn step8(slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8) {
    // SAFETY: the caller has the feature, and the arrays are as long as the vectors.
    unsafe {
        let before = _mm256_loadu_si256(slots.as_ptr().cast());
        let backs = _mm256_loadu_si256(backs.as_ptr().cast());
        let is_enough = _mm256_cmpeq_epi8(_mm256_max_epu8(before, backs), before);
        let around = _mm256_andnot_si256(is_enough, _mm256_set1_epi8(modulus as i8));
        let after = _mm256_add_epi8(_mm256_sub_epi8(before, backs), around);
        _mm256_storeu_si256(slots.as_mut_ptr().cast(), after);
    }
}

/// [`Lanes::within8`], for both kinds of vectors.
///
/// # Safety
///
/// The processor must have AVX2.
#[inline(always)]
pub(super) unsafe fn within8(slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32 {
    // SAFETY: the caller has the feature; the slots are as long as a vector, and each half of the set is as
    // long as half of one.
    unsafe {
        let (low, high) = set.split_at(16);
        let table =
            |half: &[u8]| _mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast()));
        let slots = _mm256_loadu_si256(slots.as_ptr().cast());
        let bytes = _mm256_and_si256(_mm256_srli_epi16::<3>(slots), _mm256_set1_epi8(0x1f));
        // A look-up gives 0 where the highest bit is set: in the lower half from 16 on, in the upper below.
        let lower = _mm256_add_epi8(bytes, _mm256_set1_epi8(0x70));
        let upper = _mm256_sub_epi8(bytes, _mm256_set1_epi8(0x10));
        let eights = _mm256_or_si256(
            _mm256_shuffle_epi8(table(low), lower),
            _mm256_shuffle_epi8(table(high), upper),
        );
        let powers = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
        let bits = _mm256_shuffle_epi8(powers, _mm256_and_si256(slots, _mm256_set1_epi8(7)));
        let is_within = _mm256_cmpeq_epi8(_mm256_and_si256(eights, bits), bits);
        _mm256_movemask_epi8(is_within) as u32
    }
}
