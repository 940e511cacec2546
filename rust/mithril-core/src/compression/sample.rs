//! A little of the data that stands for all of it.

use std::borrow::Cow;

/// `count` pieces of `length` bytes, evenly spread, or all of the data where it is no longer.
///
/// Pieces begin at multiples of 8 and their length is to be one, so that the bytes of an element of
/// any width keep their places.
pub(crate) fn pieces(data: &[u8], count: usize, length: usize) -> Cow<'_, [u8]> {
    if data.len() <= count * length {
        return Cow::Borrowed(data);
    }
    let mut sample = Vec::with_capacity(count * length);
    // Each stands in the middle of its share: what a file begins with is seldom like the rest.
    let share = data.len() / count.max(1);
    for piece in 0..count {
        let start = (piece * share + (share - length) / 2) / 8 * 8;
        sample.extend_from_slice(data.get(start..start + length).unwrap_or_default());
    }
    Cow::Owned(sample)
}
