//! Throwing for primes below 256, those of most signatures: a slot is a byte.
//!
//! After round 0 ever fewer slots are empty, and a token that comes into any other has come too late. So
//! thirty-two tokens go on to their next slots together, and a look-up in a set of bits tells which of these are
//! empty. Only for those is there anything to do: of k·ln k throws about k are left.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the instructions of its caller"
)]

use super::family::{Family, Room};
use super::kernel::{
    EMPTY, Eight, FRACTION, LATER, ROUND_SHIFT, filled_up, first_slots, mixed, put, steps,
};
use super::lanes::{BYTES, Lanes};

/// The table of slots.
const SLOTS: usize = Room::LITTLE;
/// Tokens that a block holds.
const SMALL: usize = 128;
pub(super) const MOST: usize = 512;
/// The slot of no token: no prime below 256 has it, so that it is never empty.
const NOWHERE: u8 = u8::MAX;
/// Eights that go on together.
const TOGETHER: usize = 2 * BYTES / 8;

/// Up to [`MOST`] tokens: 6.3 ns a token at 100 where throwing them all in every round takes 9.6, 2.9 at 300
/// where that takes 4.5 (AVX2).
#[inline(always)]
pub(super) fn sketch<L: Lanes>(lanes: L, family: &Family, tokens: &[u64], values: &mut [u64]) {
    // Two sizes, because a block is cleared before it is filled.
    if tokens.len() <= SMALL {
        throw::<L, { SMALL / 8 }>(lanes, family, tokens, values);
    } else {
        throw::<L, { MOST / 8 }>(lanes, family, tokens, values);
    }
}

#[inline(always)]
fn throw<L: Lanes, const EIGHTS: usize>(
    lanes: L,
    family: &Family,
    tokens: &[u64],
    values: &mut [u64],
) {
    let Some(&token) = tokens.first() else { return };
    let (eights, rest) = tokens.as_chunks::<8>();
    let last = filled_up(rest, token);
    let last = (!rest.is_empty()).then_some(&last);
    let mut table = [EMPTY; SLOTS];
    let mut block = Block::<EIGHTS>::new();
    block.hash(lanes, family, eights.iter().chain(last));
    block.throw(&mut table);
    let (mut empty, mut round) = (Slots::empty(&table, family.slots), 0);
    while empty.count() > 0 {
        round += 1;
        let mut left = empty;
        block.play(lanes, family, round, (&empty, &mut left), &mut table);
        empty = left;
    }
    values.iter_mut().zip(&table).for_each(|(value, kept)| *value = *kept);
}

/// A block of tokens after hashing: up to `EIGHTS` eights, a multiple of [`TOGETHER`].
#[repr(align(64))]
struct Block<const EIGHTS: usize> {
    slots: [[u8; 8]; EIGHTS],
    /// The prime less the step of each token.
    backs: [[u8; 8]; EIGHTS],
    fractions: [Eight; EIGHTS],
    eights: usize,
}

impl<const EIGHTS: usize> Block<EIGHTS> {
    #[inline(always)]
    fn new() -> Self {
        Self {
            slots: [[NOWHERE; 8]; EIGHTS],
            backs: [[0; 8]; EIGHTS],
            fractions: [[0; 8]; EIGHTS],
            eights: 0,
        }
    }

    #[inline(always)]
    fn hash<'a, L: Lanes>(
        &mut self,
        lanes: L,
        family: &Family,
        tokens: impl Iterator<Item = &'a Eight>,
    ) {
        let (fraction, ones) = (lanes.splat64(FRACTION), lanes.splat64(u64::MAX));
        // Minus a number is its complement and 1.
        let prime_and_one = lanes.splat64(u64::from(family.prime) + 1);
        let places = self.slots.iter_mut().zip(&mut self.backs).zip(&mut self.fractions);
        for (tokens, ((slots, backs), fractions)) in tokens.zip(places) {
            let mixed = mixed(lanes, family, tokens);
            let step = steps(lanes, family, mixed);
            let own_backs = lanes.add64(lanes.xor64(step, ones), prime_and_one);
            lanes.store8(first_slots(lanes, family, mixed), own_backs, slots, backs);
            lanes.store64(lanes.and64(mixed, fraction), fractions);
            self.eights += 1;
        }
    }

    /// Throws in round 0.
    #[inline(always)]
    fn throw(&self, table: &mut [u64; SLOTS]) {
        let slots = self.slots.as_flattened().iter();
        for (&slot, &value) in slots.zip(self.fractions.as_flattened()).take(self.eights * 8) {
            put(table, slot.into(), value);
        }
    }

    /// Goes on to `round` and throws into the slots that are in `empty`; takes those from `left`.
    #[inline(always)]
    fn play<L: Lanes>(
        &mut self,
        lanes: L,
        family: &Family,
        round: u64,
        (empty, left): (&Slots, &mut Slots),
        table: &mut [u64; SLOTS],
    ) {
        let (prime, round) = (family.prime as u8, round << ROUND_SHIFT);
        let together = self.slots.as_chunks_mut::<TOGETHER>().0.iter_mut();
        let together = together.zip(self.backs.as_chunks::<TOGETHER>().0);
        let together = together.zip(self.fractions.as_chunks::<TOGETHER>().0);
        for ((slots, backs), fractions) in together.take(self.eights.div_ceil(TOGETHER)) {
            let (halves, _) = slots.as_flattened_mut().as_chunks_mut::<BYTES>();
            let (backs, _) = backs.as_flattened().as_chunks::<BYTES>();
            let mut hits = 0_u64;
            for ((slots, backs), shift) in halves.iter_mut().zip(backs).zip([0, 32]) {
                lanes.step8(slots, backs, prime);
                hits |= u64::from(lanes.within8(slots, &empty.0)) << shift;
            }
            let (slots, fractions) = (slots.as_flattened(), fractions.as_flattened());
            while hits != 0 {
                let at = hits.trailing_zeros() as usize % (TOGETHER * 8);
                hits &= hits - 1;
                let slot = slots[at];
                put(table, slot.into(), fractions[at] & LATER | round);
                left.remove(slot);
            }
        }
    }
}

/// A set of slots: bit `s mod 8` of byte `s div 8`.
#[derive(Clone, Copy)]
struct Slots([u8; BYTES]);

impl Slots {
    /// Those of the first `slots` of `table` that are empty.
    #[inline(always)]
    fn empty(table: &[u64; SLOTS], slots: usize) -> Self {
        let mut bytes = [0; BYTES];
        let table = table.get(..slots).unwrap_or_default();
        for (byte, table) in bytes.iter_mut().zip(table.chunks(8)) {
            for (bit, &value) in (0..).zip(table) {
                *byte |= u8::from(value == EMPTY) << bit;
            }
        }
        Self(bytes)
    }

    #[inline(always)]
    fn count(&self) -> u64 {
        let (words, _) = self.0.as_chunks::<8>();
        let ones = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones());
        ones.fold(0, |count: u64, ones| count.wrapping_add(ones.into()))
    }

    #[inline(always)]
    fn remove(&mut self, slot: u8) {
        self.0[usize::from(slot >> 3)] &= !(1 << (slot & 7));
    }
}
