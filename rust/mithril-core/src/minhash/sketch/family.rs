//! What all signatures of one hasher have in common.

use crate::minhash::{GOLDEN, mix};

/// Slots that a vector of ranks has.
pub(super) const RAMP: usize = 16;

/// The ranks of a token whose first slot is 0: those in slots 0 to 15, and in slot 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    pub(super) ramp: [u16; RAMP],
    pub(super) stride: u16,
}

/// The seed and the tables for `k` slots.
#[derive(Debug)]
pub(in crate::minhash) struct Family {
    pub(super) seed: u64,
    pub(super) slots: usize,
    /// The smallest prime at or above `slots`; at most 4099.
    pub(super) prime: u32,
    /// 2⁴⁴ / `prime`, rounded up: `x·reciprocal div 2⁴⁴` is `x div prime` for x below 2²⁵.
    pub(super) reciprocal: u64,
    /// By step; the first is of no use.
    pub(super) walks: Box<[Walk]>,
}

/// How large a table holds all slots. A kernel is compiled for each, since what is cleared for 128 slots
/// must not be as large as what 4,096 need.
pub(super) enum Room {
    Little,
    Some,
    Much,
}

impl Room {
    pub(super) const LITTLE: usize = 256;
    pub(super) const SOME: usize = 1024;
    pub(super) const MUCH: usize = 8192;
}

impl Family {
    /// `slots` from 1 to [`MAX_PERMUTATIONS`](crate::minhash::MAX_PERMUTATIONS).
    pub(in crate::minhash) fn new(slots: usize, seed: u64) -> Self {
        let prime = smallest_prime_from((slots as u32).max(2));
        let inverses = inverses(prime);
        let walk = |&inverse: &u32| {
            let rank = |slot: u32| (slot * inverse % prime) as u16;
            Walk { ramp: std::array::from_fn(|slot| rank(slot as u32)), stride: rank(RAMP as u32) }
        };
        Self {
            seed: mix(seed.wrapping_add(GOLDEN)),
            slots,
            prime,
            reciprocal: (1_u64 << 44).div_ceil(prime.into()),
            walks: inverses.iter().map(walk).collect(),
        }
    }

    pub(super) fn room(&self) -> Room {
        match self.prime as usize {
            0..Room::LITTLE => Room::Little,
            Room::LITTLE..Room::SOME => Room::Some,
            _ => Room::Much,
        }
    }

    /// `number` modulo the prime, for numbers below 2²⁵.
    #[inline]
    pub(super) fn modulo(&self, number: u64) -> u64 {
        let quotient = number.wrapping_mul(self.reciprocal) >> 44;
        number.wrapping_sub(quotient.wrapping_mul(self.prime.into()))
    }
}

fn smallest_prime_from(start: u32) -> u32 {
    let is_prime = |number: u32| {
        (2..number).all(|divisor| divisor * divisor > number || !number.is_multiple_of(divisor))
    };
    let mut number = start;
    while !is_prime(number) {
        number += 1;
    }
    number
}

/// The inverses of the numbers below a prime modulo it; 0 for 0.
fn inverses(prime: u32) -> Vec<u32> {
    let mut inverses = vec![0, 1];
    for number in 2..prime {
        // prime = q·number + r, so 1/number = −q/r, and r is smaller.
        let known = inverses.get((prime % number) as usize).copied().unwrap_or_default();
        inverses.push((prime - prime / number) * known % prime);
    }
    inverses
}
