//! Hashes of n-grams: of runs of `n` elements of a sequence.

use super::{fold, mix};
use std::cell::Cell;

/// 2⁶¹ − 1. Over a prime the polynomial has no bad inputs of a simple shape; modulo 2⁶⁴ the
/// Thue-Morse sequence of two words and its complement collide, whatever the base and the words.
const PRIME: u64 = (1 << 61) - 1;
/// The base of the polynomial: 2⁶⁴ divided by the golden ratio, modulo the prime.
const BASE: u64 = super::GOLDEN % PRIME;

/// Tokens of up to so many bytes are hashed with one multiplication.
const SHORT: usize = 16;
/// Odd numbers, hexadecimal digits of e. No UTF-8 text begins like the first, so that no product
/// is 0.
const SHORT_LOW: u64 = 0x2b7e_1516_28ae_d2a7;
const SHORT_HIGH: u64 = 0xbf71_5880_9cf4_f3c7;
/// The upper limit of n-grams whose sums fit into 128 bits, so that they are reduced once.
const SUMMED: usize = 8;
/// The upper limit of n-grams that are composed; longer ones are rolled, two steps each.
const COMPOSED: usize = 64;

/// `a · b + c` modulo the prime, but for a multiple of it: below 2⁶² for `a` below 2⁶² and `b` below 2⁶¹.
#[inline]
const fn multiply_add(a: u64, b: u64, c: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128).wrapping_add(c as u128);
    // 2⁶¹ is 1: the upper bits are added to the lower. The second time brings what is left below 2⁶¹ + 4.
    let folded = (product as u64 & PRIME).wrapping_add((product >> 61) as u64);
    (folded & PRIME).wrapping_add(folded >> 61)
}

/// The number below the prime that `number`, below 2⁶², stands for.
#[inline]
const fn reduced(number: u64) -> u64 {
    // The smaller of the two, as a difference below 0 is a large number.
    let less = number.wrapping_sub(PRIME);
    if less < number { less } else { number }
}

/// The hash of a token.
///
/// Of up to 16 bytes `x` and `y`, two little-endian integers of eight bytes each, filled up with zeros:
/// both halves of the product `(x ⊕ A) · (y ⊕ (B + 2·length))` by exclusive or. Of more bytes: XXH3-64.
#[must_use]
#[inline]
pub fn token_hash(token: &[u8]) -> u64 {
    if token.len() > SHORT {
        return xxhash_rust::xxh3::xxh3_64(token);
    }
    let mut bytes = [0; SHORT];
    bytes.iter_mut().zip(token).for_each(|(place, byte)| *place = *byte);
    short_hash(u128::from_le_bytes(bytes), token.len())
}

/// [`token_hash`] of `bytes[start..end]`, which takes half the time where 16 bytes follow `start`.
///
/// A range that is none in `bytes` is that of an empty token.
#[must_use]
#[inline]
pub fn token_hash_within(bytes: &[u8], start: usize, end: usize) -> u64 {
    let length = end.wrapping_sub(start);
    if length <= SHORT
        && let Some(chunk) = bytes.get(start..).and_then(<[u8]>::first_chunk::<SHORT>)
    {
        let mask = MASKS.get(length).copied().unwrap_or_default();
        return short_hash(u128::from_le_bytes(*chunk) & mask, length);
    }
    token_hash(bytes.get(start..end).unwrap_or_default())
}

/// [`token_hash`] of a character's UTF-8 bytes.
#[must_use]
#[inline]
pub fn scalar_hash(scalar: char) -> u64 {
    // In registers, as a loop over a text would wait for a buffer.
    let number = u32::from(scalar);
    let follow = |shift: u32| 0x80 | number >> shift & 0x3f;
    let (bytes, length) = match number {
        0..0x80 => (number, 1),
        0x80..0x800 => (0xc0 | number >> 6 | follow(0) << 8, 2),
        0x800..0x1_0000 => (0xe0 | number >> 12 | follow(6) << 8 | follow(0) << 16, 3),
        _ => (0xf0 | number >> 18 | follow(12) << 8 | follow(6) << 16 | follow(0) << 24, 4),
    };
    short_hash(bytes.into(), length)
}

/// The lower bytes, by their number.
const MASKS: [u128; SHORT + 1] = {
    let mut masks = [0_u128; SHORT + 1];
    let mut length = 1;
    while length <= SHORT {
        masks[length] = u128::MAX >> (8 * (SHORT - length));
        length += 1;
    }
    masks
};

#[inline]
fn short_hash(bytes: u128, length: usize) -> u64 {
    let low = bytes as u64 ^ SHORT_LOW;
    let high = (bytes >> 64) as u64 ^ SHORT_HIGH.wrapping_add(2 * length as u64);
    fold(low, high)
}

/// Appends the hash of every n-gram of `tokens` to `out`.
///
/// `tokens` are hashes of the elements in their order. A sequence of at least `n` elements has
/// `tokens.len() - n + 1` n-grams; a shorter one is a single n-gram of all it has; an empty one has
/// none. `n` of zero counts as one.
///
/// The hash of `t₁ … tₙ` is the polynomial `Σ tᵢ·Bⁿ⁻ⁱ` modulo 2⁶¹ − 1, mixed. Up to 8 tokens it is summed
/// as it stands there, and reduced at the end. Up to 64 it is composed of those of runs of 1, 2, 4, … tokens,
/// in log₂ n to 2·log₂ n steps that do not wait for each other; past that it is rolled from one n-gram to the
/// next.
///
/// ```
/// use mithril_core::minhash::ngram::{ngram_hashes, token_hash};
///
/// let tokens: Vec<u64> = ["to", "be", "or", "not", "to", "be"]
///     .iter()
///     .map(|word| token_hash(word.as_bytes()))
///     .collect();
/// let mut hashes = Vec::new();
/// ngram_hashes(&tokens, 2, &mut hashes);
/// assert_eq!(hashes.len(), 5);
/// assert_eq!(hashes[0], hashes[4]); // "to be"
/// ```
pub fn ngram_hashes(tokens: &[u64], n: usize, out: &mut Vec<u64>) {
    if tokens.is_empty() {
        return;
    }
    let n = n.clamp(1, tokens.len());
    let start = out.len();
    match n {
        2 => return sum::<2>(tokens, out),
        3 => return sum::<3>(tokens, out),
        4 => return sum::<4>(tokens, out),
        5 => return sum::<5>(tokens, out),
        6 => return sum::<6>(tokens, out),
        7 => return sum::<7>(tokens, out),
        SUMMED => return sum::<SUMMED>(tokens, out),
        _ => {}
    }
    if n <= COMPOSED {
        out.extend(tokens.iter().map(|&token| residue(token)));
        if let Some(sums) = out.get_mut(start..) {
            compose(tokens, n, sums);
        }
        out.truncate(start + tokens.len() - n + 1);
    } else {
        roll(tokens, n, out);
    }
    for sum in out.iter_mut().skip(start) {
        *sum = mix(reduced(*sum));
    }
}

/// Appends the hash of every run of `N` tokens, 2 to [`SUMMED`].
fn sum<const N: usize>(tokens: &[u64], out: &mut Vec<u64>) {
    // Of the last token the power is 1.
    let powers: [u64; N] = const {
        let mut powers = [1; N];
        let mut at = N - 1;
        while at > 0 {
            at -= 1;
            powers[at] = reduced(multiply_add(powers[at + 1], BASE, 0));
        }
        powers
    };
    // By the windows themselves, whose number is known: the vector grows once.
    out.extend(tokens.windows(N).map(|tokens| {
        // Seven products below 2⁶⁴·2⁶¹ and a token.
        let product =
            |(&token, &power): (&u64, &u64)| u128::from(token).wrapping_mul(u128::from(power));
        let sum = tokens.iter().zip(&powers).map(product).fold(0_u128, u128::wrapping_add);
        // 2⁶¹ is 1: three parts below that are added, and what is above it once more.
        let parts = [sum, sum >> 61, sum >> 122].map(|part| part as u64 & PRIME);
        let folded = parts.iter().fold(0, |sum: u64, part| sum.wrapping_add(*part));
        mix(reduced((folded & PRIME).wrapping_add(folded >> 61)))
    }));
}

/// A token modulo the prime, but for a multiple of it: below 2⁶¹ + 8.
#[inline]
fn residue(token: u64) -> u64 {
    (token & PRIME).wrapping_add(token >> 61)
}

/// Makes of `sums`, the residues of `tokens`, the sums of the runs of `n` tokens that begin at each; the
/// last n − 1 are of no use.
///
/// The length of the runs is read from the binary digits of `n`, highest first: each doubles it, and a 1
/// adds one token more.
fn compose(tokens: &[u64], n: usize, sums: &mut [u64]) {
    let (mut length, mut power) = (1, BASE);
    for digit in (0..n.ilog2()).rev() {
        // sum(i, 2l) = sum(i, l)·Bˡ + sum(i + l, l), in order, so that the right one is still the old.
        let cells = Cell::from_mut(&mut *sums).as_slice_of_cells();
        for (sum, following) in cells.iter().zip(cells.iter().skip(length)) {
            sum.set(multiply_add(sum.get(), power, following.get()));
        }
        (length, power) = (2 * length, reduced(multiply_add(power, power, 0)));
        if n >> digit & 1 == 1 {
            let following = tokens.iter().skip(length);
            for (sum, &token) in sums.iter_mut().zip(following) {
                *sum = multiply_add(*sum, BASE, token);
            }
            (length, power) = (length + 1, reduced(multiply_add(power, BASE, 0)));
        }
    }
}

/// Appends the sum of each run of `n` tokens, made from the one before.
fn roll(tokens: &[u64], n: usize, out: &mut Vec<u64>) {
    let (head, tail) = tokens.split_at(n);
    let mut sum = head.iter().fold(0, |sum, &token| multiply_add(sum, BASE, token));
    out.reserve(tail.len() + 1);
    out.push(sum);
    let leading = reduced((0..n).fold(1, |power, _| multiply_add(power, BASE, 0)));
    for (&leaving, &entering) in tokens.iter().zip(tail) {
        let gone = reduced(multiply_add(residue(leaving), leading, 0));
        sum = multiply_add(sum, BASE, residue(entering) + PRIME - gone);
        out.push(sum);
    }
}

/// Appends the hash of every n-gram of the Unicode scalar values of `text` to `out`.
///
/// Each scalar value is the token of its UTF-8 bytes; the rest is as in [`ngram_hashes`].
/// `tokens` is scratch space; what it held is lost.
pub fn char_ngram_hashes(text: &str, n: usize, tokens: &mut Vec<u64>, out: &mut Vec<u64>) {
    tokens.clear();
    tokens.extend(text.chars().map(scalar_hash));
    ngram_hashes(tokens, n, out);
}

/// The n-grams of the Unicode scalar values of `text`: all of it if it is shorter than `n`, none if it
/// is empty.
pub(super) fn char_ngrams(text: &str, n: usize) -> impl Iterator<Item = &str> {
    let n = n.clamp(1, text.chars().count().max(1));
    let starts = text.char_indices().map(|(start, _)| start);
    let ends = text.char_indices().map(|(start, scalar)| start + scalar.len_utf8());
    starts.zip(ends.skip(n - 1)).filter_map(|(start, end)| text.get(start..end))
}
