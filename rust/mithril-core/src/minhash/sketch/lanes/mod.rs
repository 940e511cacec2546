//! Vectors of eight 64-bit or sixteen 32-bit lanes, on whatever the processor has for them.
//!
//! A value of an implementation is the proof that the processor can run it: it comes from `detect`
//! alone, so that every operation is safe to call. The operations are inlined into a function that is
//! compiled for those instructions, `sketch` of each implementation.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the instructions of its caller"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use self::{avx2::Avx2, avx512::Avx512};
#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;

use super::family::RAMP;

/// How many slots of 8 bits a vector has.
pub(super) const BYTES: usize = 32;

/// The operations that the kernel needs.
pub(super) trait Lanes: Copy {
    /// Eight lanes of 64 bits.
    type U64: Copy;
    /// Sixteen lanes of 32 bits.
    type U32: Copy;

    /// From how many tokens a slot on it is quicker to sort out those that come too late than to throw all;
    /// `None` if it never is. At 10,000 tokens it takes two thirds of the time with AVX2 and AVX-512.
    const THROWN: Option<usize>;

    /// Asks for memory before it is needed: the processor does so by itself, but it stops at each page and
    /// does not look past a block. Tokens from memory take half the time.
    fn prefetch(self, tokens: &[[u64; 8]]);

    fn splat64(self, value: u64) -> Self::U64;
    fn load64(self, values: &[u64; 8]) -> Self::U64;
    fn store64(self, lanes: Self::U64, places: &mut [u64; 8]);
    fn xor64(self, one: Self::U64, two: Self::U64) -> Self::U64;
    fn and64(self, one: Self::U64, two: Self::U64) -> Self::U64;
    /// Modulo 2⁶⁴.
    fn add64(self, one: Self::U64, two: Self::U64) -> Self::U64;
    fn shr64<const BITS: u32>(self, lanes: Self::U64) -> Self::U64;
    /// Modulo 2⁶⁴.
    fn mul64(self, one: Self::U64, two: Self::U64) -> Self::U64;
    /// The whole product of the lower halves.
    fn mul32(self, one: Self::U64, two: Self::U64) -> Self::U64;
    /// A bit for each lane, the lowest for the first: whether it is below `bound`. Both are below 2⁶³.
    fn less64(self, lanes: Self::U64, bound: Self::U64) -> u8;
    /// Stores the lanes whose bit is set one after the other and returns how many; the places behind
    /// them hold anything.
    fn compress64(self, lanes: Self::U64, bits: u8, places: &mut [u64; 8]) -> usize;
    /// The sum modulo `modulus`, for terms below the modulus and a modulus up to 2³¹.
    fn add_mod64(self, one: Self::U64, two: Self::U64, modulus: Self::U64) -> Self::U64;

    fn splat32(self, value: u32) -> Self::U32;
    /// As [`add_mod64`](Self::add_mod64).
    fn add_mod32(self, one: Self::U32, two: Self::U32, modulus: Self::U32) -> Self::U32;
    fn min32(self, one: Self::U32, two: Self::U32) -> Self::U32;
    /// Each shifted left by 18 bits.
    fn load_shifted(self, values: &[u16; RAMP]) -> Self::U32;
    /// Each as 64 bits, shifted left by 30 bits.
    fn store_widened(self, lanes: Self::U32, places: &mut [u64; RAMP]);

    /// Stores lanes that are below 256, in a byte each.
    fn store8(self, one: Self::U64, two: Self::U64, ones: &mut [u8; 8], twos: &mut [u8; 8]);
    /// One round on for slots, of which each has the modulus less its step in `backs`: modulo `modulus`, which
    /// is below 256. Slots from the modulus on, with 0 in `backs`, stay what they are.
    fn step8(self, slots: &mut [u8; BYTES], backs: &[u8; BYTES], modulus: u8);
    /// A bit for each slot, the lowest for the first: whether it is in `set`, which has a bit for each number,
    /// the lowest of the first byte for 0.
    fn within8(self, slots: &[u8; BYTES], set: &[u8; BYTES]) -> u32;
}
