//! Hashes of n-grams: of runs of `n` elements of a sequence.

use super::mix;

/// 2⁶¹ − 1. Over a prime the polynomial has no bad inputs of a simple shape; modulo 2⁶⁴ the
/// Thue-Morse sequence of two words and its complement collide, whatever the base and the words.
const PRIME: u64 = (1 << 61) - 1;
/// The base of the polynomial: 2⁶⁴ divided by the golden ratio, modulo the prime.
const BASE: u64 = super::GOLDEN % PRIME;

/// `a · b + c` modulo the prime, for numbers below it.
fn multiply_add(a: u64, b: u64, c: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) + u128::from(c);
    // 2⁶¹ is 1: the upper bits are added to the lower.
    let folded = (product as u64 & PRIME) + (product >> 61) as u64;
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// The hash of a token: XXH3-64 of its bytes.
#[must_use]
#[inline]
pub fn token_hash(token: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(token)
}

/// Appends the hash of every n-gram of `tokens` to `out`.
///
/// `tokens` are hashes of the elements in their order. A sequence of at least `n` elements has
/// `tokens.len() - n + 1` n-grams; a shorter one is a single n-gram of all it has; an empty one has
/// none. `n` of zero counts as one.
///
/// The hash of `t₁ … tₙ` is the polynomial `Σ tᵢ·Bⁿ⁻ⁱ` modulo 2⁶¹ − 1, rolled from one n-gram to the
/// next, then mixed: the cost does not depend on `n`.
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
    let (head, tail) = tokens.split_at(n);
    let sum = head.iter().fold(0, |sum, token| multiply_add(sum, BASE, token % PRIME));
    out.reserve(tail.len() + 1);
    out.push(mix(sum));
    let leading = (0..n).fold(1, |power, _| multiply_add(power, BASE, 0));
    let mut sum = sum;
    for (leaving, entering) in tokens.iter().zip(tail) {
        let gone = multiply_add(leaving % PRIME, leading, 0);
        sum = multiply_add(sum, BASE, entering % PRIME) + PRIME - gone;
        sum = if sum >= PRIME { sum - PRIME } else { sum };
        out.push(mix(sum));
    }
}

/// Appends the hash of every n-gram of the Unicode scalar values of `text` to `out`.
///
/// Each scalar value is the token of its UTF-8 bytes; the rest is as in [`ngram_hashes`].
/// `tokens` is scratch space; what it held is lost.
pub fn char_ngram_hashes(text: &str, n: usize, tokens: &mut Vec<u64>, out: &mut Vec<u64>) {
    tokens.clear();
    let mut utf8 = [0; 4];
    tokens.extend(text.chars().map(|scalar| token_hash(scalar.encode_utf8(&mut utf8).as_bytes())));
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
