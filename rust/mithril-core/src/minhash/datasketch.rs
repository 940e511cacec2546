//! Signatures of datasketch 2.0, bit for bit: for corpora that were sketched with it in Python.
//!
//! [datasketch](https://github.com/ekzhu/datasketch) applies `k` maps `h ↦ a·h + b` to the hash of
//! every token and keeps the smallest result of each: `n·k` steps for `n` tokens. Where its numbers
//! come from (`datasketch/minhash.py`, class `MinHash`, release 2.0.0):
//!
//! - `a` and `b` are drawn from `numpy.random.RandomState(seed)`, whose stream numpy has frozen
//!   ([NEP 19](https://numpy.org/neps/nep-0019-rng-policy.html)): it is MT19937 (Matsumoto and
//!   Nishimura, *Mersenne Twister*, 1998), and an integer seeds it through `init_genrand`
//!   (`numpy/random/_mt19937.pyx`, `_legacy_seeding`). Its `randint` is `_masked`: it draws anew
//!   what is out of range (`numpy/random/src/distributions/distributions.c`).
//! - The affine schemes premix every hash with the finaliser of `MurmurHash3` (Appleby), and let
//!   the width of their integers be the modulus; with an odd `a` the map is a bijection.
//! - The legacy scheme, the only one before 2.0, reduces modulo 2⁶¹ − 1 and keeps the lower 32 bits.

use rand_mt::Mt;
use sha1::{Digest, Sha1};

use crate::{MithrilError, Result};

/// Which of datasketch's families of permutations.
///
/// Signatures of different families have nothing in common, and nothing in a signature tells which
/// family it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasketchScheme {
    /// `"affine32"`, the default since 2.0: values of 32 bits, of 32-bit hashes of the tokens.
    Affine32,
    /// `"affine64"`: values of 64 bits, of 64-bit hashes of the tokens; for sets so large that
    /// hashes of 32 bits collide.
    Affine64,
    /// `"legacy"`, all that there was before 2.0: values of 32 bits, of 32-bit hashes of the tokens.
    ///
    /// It overestimates the similarity of large sets, which is why datasketch has replaced it.
    Legacy,
}

impl DatasketchScheme {
    /// What each value of the empty set is: the largest that the scheme can hold.
    ///
    /// A token may give it too, with a probability of 2⁻³² or 2⁻⁶⁴.
    pub(super) const fn empty_value(self) -> u64 {
        match self {
            Self::Affine32 | Self::Legacy => u32::MAX as u64,
            Self::Affine64 => u64::MAX,
        }
    }
}

/// The hash of a token that datasketch takes if it is given no other: the first four bytes of its
/// SHA-1, eight for [`Affine64`](DatasketchScheme::Affine64), the least significant first.
#[must_use]
pub fn token_hash(scheme: DatasketchScheme, token: &[u8]) -> u64 {
    let digest: [u8; 20] = Sha1::digest(token).into();
    let byte_count = match scheme {
        DatasketchScheme::Affine32 | DatasketchScheme::Legacy => 4,
        DatasketchScheme::Affine64 => 8,
    };
    let bytes = digest.iter().take(byte_count);
    bytes.rev().fold(0, |hash, &byte| (hash << 8) | u64::from(byte))
}

/// 2⁶¹ − 1, the modulus of the legacy scheme. It is also the mask with which numpy draws below it.
const PRIME: u64 = (1 << 61) - 1;

/// The permutations that go through the tokens together: their minima stay in registers.
const LANES: usize = 8;
/// The tokens that are prepared together, which is done once for all permutations: they fit the
/// first-level cache with room to spare.
const BATCH: usize = 256;

/// The factors and the summands of [`LANES`] permutations.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block<T> {
    factors: [T; LANES],
    summands: [T; LANES],
}

/// The blocks of as many permutations as `factors` has; what is left of the last one is `zero`.
fn blocks<T: Copy>(factors: &[T], summands: &[T], zero: T) -> Box<[Block<T>]> {
    let padded = |chunk: &[T]| {
        let mut lanes = [zero; LANES];
        lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane = value);
        lanes
    };
    let chunks = factors.chunks(LANES).zip(summands.chunks(LANES));
    chunks.map(|(a, b)| Block { factors: padded(a), summands: padded(b) }).collect()
}

/// The permutations that a scheme has for a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permutations {
    family: Family,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Family {
    Affine32(Box<[Block<u32>]>),
    Affine64(Box<[Block<u64>]>),
    Legacy(Box<[Block<u64>]>),
}

impl Permutations {
    /// The permutations of datasketch's `MinHash(num_permutations, seed, scheme=scheme)`.
    ///
    /// Any number of them is made that memory has room for; [`MinHasher`](super::MinHasher) sets
    /// the bound.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when `seed` is above [`u32::MAX`], as in numpy.
    pub(super) fn new(
        num_permutations: usize,
        seed: u64,
        scheme: DatasketchScheme,
    ) -> Result<Self> {
        let Ok(word) = u32::try_from(seed) else {
            return Err(MithrilError::InvalidArgument(format!(
                "seed must be between 0 and {} for a scheme of datasketch, not {seed}",
                u32::MAX
            )));
        };
        let mut generator = Mt::new(word);
        let numbers = 0..num_permutations;
        // All factors come before all summands. `randint` of a range that is a power of two masks its
        // draws; the bit that the mask would take from a factor is the one that twice it loses.
        let family = match scheme {
            DatasketchScheme::Affine32 => {
                let odd = |_| (generator.next_u32() << 1) | 1;
                let factors: Vec<u32> = numbers.clone().map(odd).collect();
                let summands: Vec<u32> = numbers.map(|_| generator.next_u32()).collect();
                Family::Affine32(blocks(&factors, &summands, 0))
            }
            DatasketchScheme::Affine64 => {
                let odd = |_| (generator.next_u64() << 1) | 1;
                let factors: Vec<u64> = numbers.clone().map(odd).collect();
                let summands: Vec<u64> = numbers.map(|_| generator.next_u64()).collect();
                Family::Affine64(blocks(&factors, &summands, 0))
            }
            // Here each factor comes before its summand: from 1 and from 0 to below the prime.
            DatasketchScheme::Legacy => {
                let pair = |_| {
                    (1 + at_most(&mut generator, PRIME - 2), at_most(&mut generator, PRIME - 1))
                };
                let (factors, summands): (Vec<u64>, Vec<u64>) = numbers.map(pair).unzip();
                Family::Legacy(blocks(&factors, &summands, 0))
            }
        };
        Ok(Self { family })
    }

    /// Sketches `tokens` into `values`, of which there must be as many as permutations.
    ///
    /// The tokens are what datasketch's `hashfunc` would give, [`token_hash`] or another; where the
    /// scheme wants 32 bits, the upper ones are ignored. What `values` held is overwritten. With
    /// fewer values the result is that of the first permutations; values that have none are left as
    /// the empty set has them.
    pub(super) fn sketch(&self, tokens: &[u64], values: &mut [u64]) {
        match &self.family {
            Family::Affine32(blocks) => {
                values.fill(DatasketchScheme::Affine32.empty_value());
                let permute = |a: u32, hash, b| a.wrapping_mul(hash).wrapping_add(b);
                keep_minima(
                    blocks,
                    tokens,
                    values,
                    |token| premix32(token as u32),
                    permute,
                    u32::MAX,
                );
            }
            Family::Affine64(blocks) => {
                values.fill(DatasketchScheme::Affine64.empty_value());
                let permute = |a: u64, hash, b| a.wrapping_mul(hash).wrapping_add(b);
                keep_minima(blocks, tokens, values, premix64, permute, u64::MAX);
            }
            Family::Legacy(blocks) => {
                values.fill(DatasketchScheme::Legacy.empty_value());
                let hash = |token| token & u64::from(u32::MAX);
                keep_minima(blocks, tokens, values, hash, permute_legacy, u32::MAX);
            }
        }
    }
}

/// A number from 0 to `largest`, which must have 61 bits, as `randint` draws it from
/// `RandomState`: masked draws, until one is in the range.
fn at_most(generator: &mut Mt, largest: u64) -> u64 {
    loop {
        let drawn = generator.next_u64() & PRIME;
        if drawn <= largest {
            return drawn;
        }
    }
}

/// Lowers each of `values` to the smallest result of its permutation.
///
/// `prepare` is what happens to a token before all permutations, `permute` takes factor, prepared
/// token and summand, and `largest` is no smaller than any of its results.
#[inline]
fn keep_minima<T: Copy + Default, V: Copy + Ord + Into<u64>>(
    blocks: &[Block<T>],
    tokens: &[u64],
    values: &mut [u64],
    prepare: impl Fn(u64) -> T,
    permute: impl Fn(T, T, T) -> V,
    largest: V,
) {
    let mut prepared = [T::default(); BATCH];
    for batch in tokens.chunks(BATCH) {
        prepared.iter_mut().zip(batch).for_each(|(hash, &token)| *hash = prepare(token));
        for (block, kept) in blocks.iter().zip(values.chunks_mut(LANES)) {
            let mut minima = [largest; LANES];
            for &hash in prepared.iter().take(batch.len()) {
                for ((minimum, &a), &b) in
                    minima.iter_mut().zip(&block.factors).zip(&block.summands)
                {
                    *minimum = permute(a, hash, b).min(*minimum);
                }
            }
            for (value, minimum) in kept.iter_mut().zip(minima) {
                *value = minimum.into().min(*value);
            }
        }
    }
}

/// The finaliser of `MurmurHash3` for 32 bits.
const fn premix32(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The finaliser of `MurmurHash3` for 64 bits.
const fn premix64(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The lower 32 bits of `(a·h + b) mod 2⁶¹ − 1`, where `a·h + b` itself is modulo 2⁶⁴: numpy's
/// integers wrap before the prime is seen, and signatures have been stored that way.
const fn permute_legacy(a: u64, hash: u64, b: u64) -> u32 {
    let wrapped = a.wrapping_mul(hash).wrapping_add(b);
    // 2⁶¹ is 1: the upper three bits are added to the lower.
    let folded = (wrapped & PRIME) + (wrapped >> 61);
    (if folded >= PRIME { folded - PRIME } else { folded }) as u32
}
