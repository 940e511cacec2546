//! Words of ASCII text, 64 bytes at a time.
//!
//! Each byte becomes a bit in a few masks, and words are the runs of ones: the rules of UAX #29 for these
//! characters are a handful of shifts. A mask takes 30 cycles for 64 bytes with SSE2, which every x86-64
//! has, and about 200 without.

/// Bit `i` is byte `i` of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Masks {
    letters: u64,
    digits: u64,
    underscores: u64,
    /// Colon, full stop and apostrophe.
    between_letters: u64,
    /// Comma, semicolon, full stop and apostrophe.
    between_digits: u64,
    /// What Python takes for white space.
    spaces: u64,
}

pub(super) const BLOCK: usize = 64;

/// The masks of a block of ASCII, and the block in lower case.
#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(
    unsafe_code,
    reason = "a function compiled for SSE2 is unsafe to call, even where that is always there"
)]
fn masks(block: &[u8; BLOCK], lowered: &mut [u8; BLOCK]) -> Masks {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { masks_by_sse2(block, lowered) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn masks_by_sse2(block: &[u8; BLOCK], lowered: &mut [u8; BLOCK]) -> Masks {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_cvtsi128_si64,
        _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm_unpackhi_epi64,
    };
    /// Whether bytes are among the `count` from `first` on: moved to the least numbers with a sign.
    #[target_feature(enable = "sse2")]
    fn is_in(bytes: __m128i, first: u8, count: u8) -> __m128i {
        let moved = _mm_add_epi8(bytes, _mm_set1_epi8(0x80_u8.wrapping_sub(first) as i8));
        _mm_cmplt_epi8(moved, _mm_set1_epi8(0x80_u8.wrapping_add(count) as i8))
    }
    let mut masks = Masks::default();
    let (quarters, _) = block.as_chunks::<16>();
    let (lowered, _) = lowered.as_chunks_mut::<16>();
    for ((quarter, lowered), shift) in quarters.iter().zip(lowered).zip([0, 16, 32, 48]) {
        let number = u128::from_le_bytes(*quarter);
        let bytes = _mm_set_epi64x((number >> 64) as i64, number as i64);
        let is = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
        let small = _mm_or_si128(bytes, _mm_and_si128(is_in(bytes, b'A', 26), _mm_set1_epi8(0x20)));
        let both = _mm_or_si128(is(b'.'), is(b'\''));
        let bits = |lanes: __m128i| u64::from(_mm_movemask_epi8(lanes) as u16) << shift;
        masks.letters |= bits(is_in(small, b'a', 26));
        masks.digits |= bits(is_in(bytes, b'0', 10));
        masks.underscores |= bits(is(b'_'));
        masks.between_letters |= bits(_mm_or_si128(both, is(b':')));
        masks.between_digits |= bits(_mm_or_si128(both, _mm_or_si128(is(b','), is(b';'))));
        masks.spaces |= bits(_mm_or_si128(is_in(bytes, 9, 5), is_in(bytes, 28, 5)));
        let upper = _mm_cvtsi128_si64(_mm_unpackhi_epi64(small, small)) as u64;
        let lower = _mm_cvtsi128_si64(small) as u64;
        *lowered = (u128::from(upper) << 64 | u128::from(lower)).to_le_bytes();
    }
    masks
}

/// The same, for every machine.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_masks(block: &[u8; BLOCK], lowered: &mut [u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    for ((&byte, lowered), bit) in block.iter().zip(lowered).zip(0..) {
        let flag = |is: bool| u64::from(is) << bit;
        masks.letters |= flag(byte.is_ascii_alphabetic());
        masks.digits |= flag(byte.is_ascii_digit());
        masks.underscores |= flag(byte == b'_');
        masks.between_letters |= flag(matches!(byte, b':' | b'.' | b'\''));
        masks.between_digits |= flag(matches!(byte, b',' | b';' | b'.' | b'\''));
        masks.spaces |= flag(matches!(byte, 9..=13 | 28..=32));
        *lowered = byte.to_ascii_lowercase();
    }
    masks
}

#[cfg(not(target_arch = "x86_64"))]
use portable_masks as masks;

/// Which runs are tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// Words with a letter or a digit.
    Words,
    /// Between white space.
    Whitespace,
}

/// Calls `token` with the start and the end of every token of `text`, which is ASCII, in `lowered`: the
/// text, in lower case or not, with [`BLOCK`] bytes of anything behind it.
pub(super) fn tokens(
    text: &[u8],
    runs: Runs,
    lower: bool,
    lowered: &mut Vec<u8>,
    mut token: impl FnMut(&[u8], usize, usize),
) {
    if lowered.len() < text.len() + 2 * BLOCK {
        lowered.resize(text.len() + 2 * BLOCK, b' ');
    }
    let (mut before, mut open) = (Before::default(), 0);
    // The last block ends in spaces, which end the last token.
    for at in (0..=text.len()).step_by(BLOCK) {
        let mut filled = [b' '; BLOCK];
        let block = if let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
            block
        } else {
            let rest = text.get(at..).unwrap_or_default();
            filled.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            &filled
        };
        let Some(place) = lowered.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else { return };
        let masks = masks(block, place);
        if !lower {
            *place = *block;
        }
        let next = text.get(at + BLOCK).copied().unwrap_or_default();
        let inside = match runs {
            Runs::Words => masks.words(&mut before, next),
            Runs::Whitespace => !masks.spaces,
        };
        // A one where a run begins, and where it has ended.
        let mut edges = inside ^ (inside << 1 | before.inside);
        let mut is_open = before.inside == 1;
        before.inside = inside >> 63;
        while edges != 0 {
            let edge = at + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            if is_open {
                // Underscores alone are no word; whatever else begins one has a letter or a digit.
                let is_token = runs == Runs::Whitespace
                    || lowered.get(open) != Some(&b'_')
                    || lowered
                        .get(open..edge)
                        .is_some_and(|run| run.iter().any(|&byte| byte != b'_'));
                if is_token {
                    token(lowered, open, edge);
                }
            }
            open = edge;
            is_open = !is_open;
        }
    }
}

/// What a block has to know of the last byte of the one before: ones in the lowest bit.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    letter: u64,
    digit: u64,
    inside: u64,
}

impl Masks {
    /// The bytes that are part of a word, single underscores among them. `next` is the byte behind the block.
    fn words(self, before: &mut Before, next: u8) -> u64 {
        let after = |is: bool| u64::from(is) << 63;
        let letter_before = self.letters << 1 | before.letter;
        let digit_before = self.digits << 1 | before.digit;
        let letter_after = self.letters >> 1 | after(next.is_ascii_alphabetic());
        let digit_after = self.digits >> 1 | after(next.is_ascii_digit());
        before.letter = self.letters >> 63;
        before.digit = self.digits >> 63;
        let joined = self.between_letters & letter_before & letter_after
            | self.between_digits & digit_before & digit_after;
        self.letters | self.digits | self.underscores | joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_make_masks_agree_on_every_byte_of_ascii() {
        for start in 0..128_u8 {
            let block = std::array::from_fn(|at| (start + at as u8) % 128);
            let (mut one, mut two) = ([0; BLOCK], [0; BLOCK]);
            assert_eq!(masks(&block, &mut one), portable_masks(&block, &mut two));
            assert_eq!(one, two);
        }
    }
}
