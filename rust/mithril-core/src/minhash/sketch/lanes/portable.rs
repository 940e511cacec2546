//! Arrays, of which the compiler makes the vectors that every processor of a kind has.

use super::{BYTES, Lanes, RAMP};
use crate::minhash::sketch::{
    family::{Family, Room},
    kernel,
};
use std::array::from_fn;

/// Runs everywhere, and is what the others are compared with.
#[derive(Debug, Clone, Copy)]
pub(in crate::minhash::sketch) struct Portable;

impl Portable {
    /// The kernel.
    pub(in crate::minhash::sketch) fn sketch(
        self,
        family: &Family,
        tokens: &[u64],
        values: &mut [u64],
    ) {
        match family.room() {
            Room::Little => kernel::sketch::<_, 4, { Room::LITTLE }>(self, family, tokens, values),
            Room::Some => kernel::sketch::<_, 4, { Room::SOME }>(self, family, tokens, values),
            Room::Much => kernel::sketch::<_, 4, { Room::MUCH }>(self, family, tokens, values),
        }
    }
}

impl Lanes for Portable {
    const THROWN: Option<usize> = None;

    type U64 = [u64; 8];
    type U32 = [u32; RAMP];

    #[inline(always)]
    fn prefetch(self, _tokens: &[[u64; 8]]) {}

    #[inline(always)]
    fn splat64(self, value: u64) -> [u64; 8] {
        [value; 8]
    }

    #[inline(always)]
    fn load64(self, values: &[u64; 8]) -> [u64; 8] {
        *values
    }

    #[inline(always)]
    fn store64(self, lanes: [u64; 8], places: &mut [u64; 8]) {
        *places = lanes;
    }

    #[inline(always)]
    fn xor64(self, one: [u64; 8], two: [u64; 8]) -> [u64; 8] {
        from_fn(|lane| one[lane] ^ two[lane])
    }

    #[inline(always)]
    fn and64(self, one: [u64; 8], two: [u64; 8]) -> [u64; 8] {
        from_fn(|lane| one[lane] & two[lane])
    }

    #[inline(always)]
    fn add64(self, one: [u64; 8], two: [u64; 8]) -> [u64; 8] {
        from_fn(|lane| one[lane].wrapping_add(two[lane]))
    }

    #[inline(always)]
    fn shr64<const BITS: u32>(self, lanes: [u64; 8]) -> [u64; 8] {
        lanes.map(|lane| lane >> BITS)
    }

    #[inline(always)]
    fn mul64(self, one: [u64; 8], two: [u64; 8]) -> [u64; 8] {
        from_fn(|lane| one[lane].wrapping_mul(two[lane]))
    }

    #[inline(always)]
    fn mul32(self, one: [u64; 8], two: [u64; 8]) -> [u64; 8] {
        let lower = |number: u64| number & u64::from(u32::MAX);
        from_fn(|lane| lower(one[lane]).wrapping_mul(lower(two[lane])))
    }

    #[inline(always)]
    fn less64(self, lanes: [u64; 8], bound: [u64; 8]) -> u8 {
        let bits = lanes.iter().zip(bound).zip(0..);
        bits.fold(0, |bits, ((lane, bound), bit)| bits | (u8::from(*lane < bound) << bit))
    }

    #[inline(always)]
    fn compress64(self, lanes: [u64; 8], bits: u8, places: &mut [u64; 8]) -> usize {
        compress(lanes, bits, places)
    }

    #[inline(always)]
    fn add_mod64(self, one: [u64; 8], two: [u64; 8], modulus: [u64; 8]) -> [u64; 8] {
        from_fn(|lane| {
            let sum = one[lane].wrapping_add(two[lane]);
            sum.min(sum.wrapping_sub(modulus[lane]))
        })
    }

    #[inline(always)]
    fn splat32(self, value: u32) -> [u32; RAMP] {
        [value; RAMP]
    }

    #[inline(always)]
    fn add_mod32(self, one: [u32; RAMP], two: [u32; RAMP], modulus: [u32; RAMP]) -> [u32; RAMP] {
        from_fn(|lane| {
            let sum = one[lane].wrapping_add(two[lane]);
            sum.min(sum.wrapping_sub(modulus[lane]))
        })
    }

    #[inline(always)]
    fn min32(self, one: [u32; RAMP], two: [u32; RAMP]) -> [u32; RAMP] {
        from_fn(|lane| one[lane].min(two[lane]))
    }

    #[inline(always)]
    fn load_shifted(self, values: &[u16; RAMP]) -> [u32; RAMP] {
        values.map(|value| u32::from(value) << 18)
    }

    #[inline(always)]
    fn store_widened(self, lanes: [u32; RAMP], places: &mut [u64; RAMP]) {
        *places = lanes.map(|lane| u64::from(lane) << 30);
    }

    #[inline(always)]
    fn store8(self, one: [u64; 8], two: [u64; 8], ones: &mut [u8; 8], twos: &mut [u8; 8]) {
        *ones = one.map(|lane| lane as u8);
        *twos = two.map(|lane| lane as u8);
    }

    #[inline(always)]
    fn step8(self, slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8) {
        for (slot, &back) in slots.iter_mut().zip(backs) {
            let around = if *slot < back { modulus } else { 0 };
            *slot = slot.wrapping_sub(back).wrapping_add(around);
        }
    }

    #[inline(always)]
    fn within8(self, slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32 {
        let is_within = |slot: u8| u32::from(set[usize::from(slot >> 3)] >> (slot & 7) & 1);
        slots.iter().zip(0..).fold(0, |bits, (&slot, bit)| bits | is_within(slot) << bit)
    }
}

/// [`Lanes::compress64`] for processors without an instruction for it.
#[inline(always)]
pub(super) fn compress(lanes: [u64; 8], bits: u8, places: &mut [u64; 8]) -> usize {
    let winners = lanes.iter().zip(0..).filter(|(_, bit)| bits >> bit & 1 == 1);
    winners.zip(places).map(|((lane, _), place)| *place = *lane).count()
}
