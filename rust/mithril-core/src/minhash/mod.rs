//! `MinHash`: small signatures whose agreement estimates the Jaccard similarity of two sets.
//!
//! [`MinHasher`] turns a set of 64-bit tokens into a [`MinHashSignature`] of `k` values by fast
//! similarity sketching (Dahlgaard, Knudsen and Thorup, *Fast Similarity Sketching*, FOCS 2017).
//! [`ngram`] makes such tokens from a sequence: the hash of every run of `n` of its elements.
//!
//! Invariants that all code here keeps, and that the tests hold it to:
//!
//! - order and repetition of the tokens change nothing: a signature is that of a *set*;
//! - the element-wise minimum of two signatures is the signature of the union;
//! - for two sets with Jaccard similarity J, each pair of values agrees with probability J.

pub mod datasketch;
mod hasher;
pub mod ngram;
mod signature;
mod sketch;

pub use datasketch::DatasketchScheme;
pub use hasher::{MAX_PERMUTATIONS, MinHasher, Scheme};
pub use signature::MinHashSignature;
pub use sketch::Kernel;

/// A bijection of 64 bits in which every input bit changes every output bit with probability near
/// one half: the finaliser of `SplitMix64` (Steele, Lea and Flood, *Fast splittable pseudorandom
/// number generators*, OOPSLA 2014, variant 13 of Stafford).
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(MIX_ONE);
    value = (value ^ (value >> 27)).wrapping_mul(MIX_TWO);
    value ^ (value >> 31)
}

/// The multipliers of [`mix`].
const MIX_ONE: u64 = 0xbf58_476d_1ce4_e5b9;
const MIX_TWO: u64 = 0x94d0_49bb_1331_11eb;

/// Both halves of the product, by exclusive or: a multiplication of which every bit of the factors counts.
#[inline]
const fn fold(one: u64, two: u64) -> u64 {
    let product = (one as u128).wrapping_mul(two as u128);
    (product as u64) ^ (product >> 64) as u64
}

/// 2⁶⁴ divided by the golden ratio, the increment of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
