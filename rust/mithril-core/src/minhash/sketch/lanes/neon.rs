//! 128-bit vectors, four for each of the lanes: NEON.

#![expect(
    unsafe_code,
    reason = "intrinsics; each is there because the value that it is called on is"
)]

use super::portable::compress;
use super::{BYTES, Lanes, RAMP};
use crate::minhash::sketch::{
    family::{Family, Room},
    kernel,
};
#[allow(
    clippy::wildcard_imports,
    reason = "intrinsics say where they come from by their names"
)]
use std::arch::aarch64::*;
use std::array::from_fn;

/// Comes from [`detect`](Self::detect) alone.
#[derive(Debug, Clone, Copy)]
pub(in crate::minhash::sketch) struct Neon(());

type Four64 = [uint64x2_t; 4];
type Four32 = [uint32x4_t; 4];

impl Neon {
    /// If the processor has NEON, as every one has on which an operating system of today runs.
    #[inline]
    pub(in crate::minhash::sketch) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// The kernel, compiled for these instructions.
    #[inline]
    pub(in crate::minhash::sketch) fn sketch(
        self,
        family: &Family,
        tokens: &[u64],
        values: &mut [u64],
    ) {
        #[target_feature(enable = "neon")]
        fn compiled<const N: usize>(
            lanes: Neon,
            family: &Family,
            tokens: &[u64],
            values: &mut [u64],
        ) {
            kernel::sketch::<_, 2, N>(lanes, family, tokens, values);
        }
        // SAFETY: `detect` has seen the feature that the functions are compiled for.
        unsafe {
            match family.room() {
                Room::Little => compiled::<{ Room::LITTLE }>(self, family, tokens, values),
                Room::Some => compiled::<{ Room::SOME }>(self, family, tokens, values),
                Room::Much => compiled::<{ Room::MUCH }>(self, family, tokens, values),
            }
        }
    }
}

/// The sum modulo `modulus`, which is below 2³¹, as the terms are.
#[inline(always)]
fn add_mod(_: Neon, one: uint32x4_t, two: uint32x4_t, modulus: uint32x4_t) -> uint32x4_t {
    // SAFETY: the feature is there, as the first argument proves.
    unsafe {
        let sum = vaddq_u32(one, two);
        vminq_u32(sum, vsubq_u32(sum, modulus))
    }
}

/// The product modulo 2⁶⁴: there is no instruction for it.
#[inline(always)]
fn multiply(_: Neon, one: uint64x2_t, two: uint64x2_t) -> uint64x2_t {
    // SAFETY: the feature is there, as the first argument proves.
    unsafe {
        let turned = vrev64q_u32(vreinterpretq_u32_u64(two));
        let crossed = vpaddlq_u32(vmulq_u32(vreinterpretq_u32_u64(one), turned));
        vmlal_u32(vshlq_n_u64::<32>(crossed), vmovn_u64(one), vmovn_u64(two))
    }
}

/// A vector of each half.
#[inline(always)]
fn load8(_: Neon, bytes: &[u8; BYTES]) -> [uint8x16_t; 2] {
    let (low, high) = bytes.split_at(16);
    // SAFETY: the feature is there, as the first argument proves, and each half is as long as a vector.
    unsafe { [vld1q_u8(low.as_ptr()), vld1q_u8(high.as_ptr())] }
}

/// The lowest byte of each lane.
#[inline(always)]
fn narrow(_: Neon, lanes: Four64) -> uint8x8_t {
    // SAFETY: the feature is there, as the first argument proves.
    unsafe {
        let halves = |low, high| vmovn_u32(vcombine_u32(vmovn_u64(low), vmovn_u64(high)));
        vmovn_u16(vcombine_u16(halves(lanes[0], lanes[1]), halves(lanes[2], lanes[3])))
    }
}

impl Lanes for Neon {
    /// As for plain Rust: no machine was at hand to measure from where on it would be quicker.
    const THROWN: Option<usize> = None;

    type U64 = Four64;
    type U32 = Four32;

    #[inline(always)]
    fn prefetch(self, _tokens: &[[u64; 8]]) {}

    #[inline(always)]
    fn splat64(self, value: u64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [vdupq_n_u64(value); 4] }
    }

    #[inline(always)]
    fn load64(self, values: &[u64; 8]) -> Four64 {
        let (pairs, _) = values.as_chunks::<2>();
        // SAFETY: the feature is there, and each pair is as long as a vector.
        from_fn(|at| unsafe { vld1q_u64(pairs[at].as_ptr()) })
    }

    #[inline(always)]
    fn store64(self, lanes: Four64, places: &mut [u64; 8]) {
        let (pairs, _) = places.as_chunks_mut::<2>();
        for (pair, lanes) in pairs.iter_mut().zip(lanes) {
            // SAFETY: the feature is there, and each pair is as long as a vector.
            unsafe { vst1q_u64(pair.as_mut_ptr(), lanes) }
        }
    }

    #[inline(always)]
    fn xor64(self, one: Four64, two: Four64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        from_fn(|at| unsafe { veorq_u64(one[at], two[at]) })
    }

    #[inline(always)]
    fn and64(self, one: Four64, two: Four64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        from_fn(|at| unsafe { vandq_u64(one[at], two[at]) })
    }

    #[inline(always)]
    fn add64(self, one: Four64, two: Four64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        from_fn(|at| unsafe { vaddq_u64(one[at], two[at]) })
    }

    #[inline(always)]
    fn shr64<const BITS: u32>(self, lanes: Four64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            // The compiler sees a constant, for which the intrinsic would want an i32.
            let left = vdupq_n_s64(-i64::from(BITS));
            lanes.map(|lanes| vshlq_u64(lanes, left))
        }
    }

    #[inline(always)]
    fn mul64(self, one: Four64, two: Four64) -> Four64 {
        from_fn(|at| multiply(self, one[at], two[at]))
    }

    #[inline(always)]
    fn mul32(self, one: Four64, two: Four64) -> Four64 {
        // SAFETY: the feature is there, as `self` proves.
        from_fn(|at| unsafe { vmull_u32(vmovn_u64(one[at]), vmovn_u64(two[at])) })
    }

    #[inline(always)]
    fn less64(self, lanes: Four64, bound: Four64) -> u8 {
        // Of each lane that is below, all bits are set, of which one says where it is.
        let places = self.load64(&[1, 2, 4, 8, 16, 32, 64, 128]);
        // SAFETY: the feature is there, as `self` proves.
        unsafe {
            let bits: Four64 = from_fn(|at| vandq_u64(vcltq_u64(lanes[at], bound[at]), places[at]));
            let all = vorrq_u64(vorrq_u64(bits[0], bits[1]), vorrq_u64(bits[2], bits[3]));
            vaddvq_u64(all) as u8
        }
    }

    #[inline(always)]
    fn compress64(self, lanes: Four64, bits: u8, places: &mut [u64; 8]) -> usize {
        let mut values = [0; 8];
        self.store64(lanes, &mut values);
        compress(values, bits, places)
    }

    #[inline(always)]
    fn add_mod64(self, one: Four64, two: Four64, modulus: Four64) -> Four64 {
        // The upper halves are zero.
        let halves = |lanes: Four64| -> Four32 {
            // SAFETY: the feature is there, as `self` proves.
            lanes.map(|lanes| unsafe { vreinterpretq_u32_u64(lanes) })
        };
        let sums = self.add_mod32(halves(one), halves(two), halves(modulus));
        // SAFETY: the feature is there, as `self` proves.
        sums.map(|sums| unsafe { vreinterpretq_u64_u32(sums) })
    }

    #[inline(always)]
    fn splat32(self, value: u32) -> Four32 {
        // SAFETY: the feature is there, as `self` proves.
        unsafe { [vdupq_n_u32(value); 4] }
    }

    #[inline(always)]
    fn add_mod32(self, one: Four32, two: Four32, modulus: Four32) -> Four32 {
        from_fn(|at| add_mod(self, one[at], two[at], modulus[at]))
    }

    #[inline(always)]
    fn min32(self, one: Four32, two: Four32) -> Four32 {
        // SAFETY: the feature is there, as `self` proves.
        from_fn(|at| unsafe { vminq_u32(one[at], two[at]) })
    }

    #[inline(always)]
    fn load_shifted(self, values: &[u16; RAMP]) -> Four32 {
        let (fours, _) = values.as_chunks::<4>();
        // SAFETY: the feature is there, and each four are as long as half a vector.
        from_fn(|at| unsafe { vshlq_n_u32::<18>(vmovl_u16(vld1_u16(fours[at].as_ptr()))) })
    }

    #[inline(always)]
    fn store_widened(self, lanes: Four32, places: &mut [u64; RAMP]) {
        let (fours, _) = places.as_chunks_mut::<4>();
        for (four, lanes) in fours.iter_mut().zip(lanes) {
            let (low, high) = four.split_at_mut(2);
            // SAFETY: the feature is there, and each two are as long as a vector.
            unsafe {
                vst1q_u64(low.as_mut_ptr(), vshll_n_u32::<30>(vget_low_u32(lanes)));
                vst1q_u64(high.as_mut_ptr(), vshll_high_n_u32::<30>(lanes));
            }
        }
    }

    #[inline(always)]
    fn store8(self, one: Four64, two: Four64, ones: &mut [u8; 8], twos: &mut [u8; 8]) {
        // SAFETY: the feature is there, and each of the places is as long as half a vector.
        unsafe {
            vst1_u8(ones.as_mut_ptr(), narrow(self, one));
            vst1_u8(twos.as_mut_ptr(), narrow(self, two));
        }
    }

    #[inline(always)]
    fn step8(self, slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8) {
        let (before, backs) = (load8(self, slots), load8(self, backs));
        for ((slots, before), backs) in slots.chunks_exact_mut(16).zip(before).zip(backs) {
            // SAFETY: the feature is there, and each half of the array is as long as a vector.
            unsafe {
                let around = vbicq_u8(vdupq_n_u8(modulus), vcgeq_u8(before, backs));
                let after = vaddq_u8(vsubq_u8(before, backs), around);
                vst1q_u8(slots.as_mut_ptr(), after);
            }
        }
    }

    #[inline(always)]
    fn within8(self, slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32 {
        let [low, high] = load8(self, set);
        let bits_of = |slots: uint8x16_t| {
            // SAFETY: the feature is there, as `self` proves.
            unsafe {
                let eights = vqtbl2q_u8(uint8x16x2_t(low, high), vshrq_n_u8::<3>(slots));
                let place = vreinterpretq_s8_u8(vandq_u8(slots, vdupq_n_u8(7)));
                let is_within = vtstq_u8(eights, vshlq_u8(vdupq_n_u8(1), place));
                let powers = vcreate_u8(u64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
                let bits = vandq_u8(is_within, vcombine_u8(powers, powers));
                let (low, high) = (vaddv_u8(vget_low_u8(bits)), vaddv_u8(vget_high_u8(bits)));
                u32::from(low) | u32::from(high) << 8
            }
        };
        let [first, second] = load8(self, slots);
        bits_of(first) | bits_of(second) << 16
    }
}
