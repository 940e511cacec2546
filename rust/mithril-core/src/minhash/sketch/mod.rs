//! Fast similarity sketching with full balance, on the widest vectors that the processor has.
//!
//! # The value
//!
//! A token is mixed with the seed to 64 bits `h`, which say all about it:
//!
//! - its first slot, `s = ⌊(h div 2³²) · p / 2³²⌋`, where `p` is the smallest prime at or above `k`
//!   (and 2 for `k = 1`);
//! - its step, `t = 1 + ⌊(h mod 2³²) · (p − 1) / 2³²⌋`;
//! - its fraction, `f = h mod 2⁴⁸`.
//!
//! In round `r`, from 0 to `p − 1`, it throws into slot `(s + r·t) mod p`; slots from `k` on do not
//! exist. What it throws is the fraction in round 0, and in later rounds `r·2⁴⁸` plus the fraction
//! without its lower 30 bits. A slot keeps the smallest value that was thrown into it.
//!
//! So a token visits every slot once, in an order of its own, and a slot goes to a token of the
//! earliest round, among several to the smallest fraction.
//!
//! # Why
//!
//! Dahlgaard, Knudsen and Thorup (*Fast Similarity Sketching*, FOCS 2017) throw each token into a
//! random slot in each of k rounds, and then into slot i in round k + i. Here the slots of a token are
//! an affine walk over the integers modulo a prime instead, which is a random permutation as far as
//! any two slots can tell. Three things follow:
//!
//! - each slot is won by every token with equal probability, since for one slot the values of
//!   different tokens are independent and alike: the estimate is unbiased, for structured tokens
//!   too, as long as `h` is;
//! - rounds are balanced: a token has each rank once. The variance of the estimate depends on pairs
//!   of slots alone, and is at or below that of the original for every set size: for two tokens a
//!   third of that of independent permutations, where the original has a half;
//! - after `p` rounds no slot is empty, even for one token; and the rank of a token in all slots,
//!   `(i − s)·t⁻¹ mod p`, is an arithmetic sequence, which vectors walk with an addition, a
//!   subtraction and a minimum for sixteen slots.
//!
//! That the fraction has 18 bits in later rounds lets rank and fraction share 32 bits there. Two
//! tokens that reach a slot in the same later round are taken for one with probability 2⁻¹⁸, and no
//! slot has more than a few such tokens: a bias below 10⁻⁵.

mod family;
mod kernel;
mod lanes;
mod little;

pub(super) use family::Family;

use super::MinHashSignature;

/// A way to compute signatures. All give the same values; the fastest that the processor has is
/// chosen by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// Plain Rust, on every machine, written so that the compiler can use the vectors that every processor
    /// of a kind has.
    Portable,
    /// 256-bit vectors of x86-64.
    Avx2,
    /// 512-bit vectors of x86-64.
    Avx512,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
}

impl Kernel {
    /// The kernels that this machine can run, fastest last.
    ///
    /// ```
    /// use mithril_core::minhash::Kernel;
    /// assert_eq!(Kernel::available()[0], Kernel::Portable);
    /// ```
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(lanes::Avx2::detect().map(|_| Self::Avx2));
            kernels.extend(lanes::Avx512::detect().map(|_| Self::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        kernels.extend(lanes::Neon::detect().map(|_| Self::Neon));
        kernels
    }

    /// The fastest.
    pub(super) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Sketches `tokens` into `values`, of which there are as many as the family says.
    pub(super) fn sketch(self, family: &Family, tokens: &[u64], values: &mut [u64]) {
        if tokens.is_empty() {
            values.fill(MinHashSignature::EMPTY);
            return;
        }
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Portable | Self::Neon => {}
            Self::Avx2 => {
                if let Some(lanes) = lanes::Avx2::detect() {
                    return lanes.sketch(family, tokens, values);
                }
            }
            Self::Avx512 => {
                if let Some(lanes) = lanes::Avx512::detect() {
                    return lanes.sketch(family, tokens, values);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if let (Self::Neon, Some(lanes)) = (self, lanes::Neon::detect()) {
            return lanes.sketch(family, tokens, values);
        }
        lanes::Portable.sketch(family, tokens, values);
    }
}
