//! Bytes grouped by their place in an element.

/// The bytes of elements of `width` bytes, grouped by their place in the element.
///
/// First all first bytes, then all second ones, and so on; of floats, the exponents come to stand
/// together, which compressors make smaller, apart from the fractions, which they cannot. Elements
/// that are cut at the end give the bytes they have. A width of 0 or 1 changes nothing.
///
/// ```
/// use mithril_core::{group_bytes, ungroup_bytes};
///
/// assert_eq!(group_bytes(b"abcABCxy", 3), *b"aAxbBycC");
/// assert_eq!(ungroup_bytes(b"aAxbBycC", 3), *b"abcABCxy");
/// ```
#[must_use]
pub fn group_bytes(data: &[u8], width: usize) -> Vec<u8> {
    let mut grouped = vec![0; data.len()];
    group_into(data, width, &mut grouped);
    grouped
}

/// What [`group_bytes`] was given.
///
/// ```
/// use mithril_core::{group_bytes, ungroup_bytes};
/// assert_eq!(ungroup_bytes(&group_bytes(b"any bytes", 4), 4), b"any bytes");
/// ```
#[must_use]
pub fn ungroup_bytes(data: &[u8], width: usize) -> Vec<u8> {
    let mut bytes = vec![0; data.len()];
    ungroup_into(data, width, &mut bytes);
    bytes
}

/// The bytes of a lane of `length` bytes of content.
pub(super) fn lane_length(length: usize, width: usize, lane: usize) -> usize {
    length.saturating_sub(lane).div_ceil(width.max(1))
}

/// Cuts grouped bytes into their lanes.
pub(super) fn split(grouped: &[u8], width: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = grouped;
    (0..width).map(move |lane| {
        let (head, tail) = rest.split_at(lane_length(grouped.len(), width, lane).min(rest.len()));
        rest = tail;
        head
    })
}

/// The bytes that are moved at once: they and their copy stay in the nearest cache.
const TILE: usize = 4096;

/// [`group_bytes`] into as many bytes.
pub(super) fn group_into(data: &[u8], width: usize, grouped: &mut [u8]) {
    if width <= 1 {
        grouped.copy_from_slice(data);
        return;
    }
    let mut tiled = 0;
    if matches!(width, 2 | 4 | 8) {
        let (all, _) = data.as_chunks::<TILE>();
        let part = TILE / width;
        let mut other = [0; TILE];
        for (index, tile) in all.iter().enumerate() {
            let mut one = *tile;
            let mut run = TILE;
            while run > part {
                for (from, to) in one.chunks_exact(run).zip(other.chunks_exact_mut(run)) {
                    unzip(from, to);
                }
                (one, other) = (other, one);
                run /= 2;
            }
            for (place, bytes) in one.chunks_exact(part).enumerate() {
                let start = lane_start(data.len(), width, lane_at(place, width)) + index * part;
                if let Some(to) = grouped.get_mut(start..start + part) {
                    to.copy_from_slice(bytes);
                }
            }
        }
        tiled = all.len() * TILE;
    }
    // A width without tiles, or what is left of the last one: a byte at a time.
    for lane in 0..width {
        let start = lane_start(data.len(), width, lane) + tiled / width;
        let from = data.get(tiled + lane..).unwrap_or_default().iter().step_by(width);
        let to = grouped.get_mut(start..).unwrap_or_default();
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// [`ungroup_bytes`] into as many bytes.
pub(super) fn ungroup_into(grouped: &[u8], width: usize, data: &mut [u8]) {
    if width <= 1 {
        data.copy_from_slice(grouped);
        return;
    }
    let length = data.len();
    let mut tiled = 0;
    if matches!(width, 2 | 4 | 8) {
        let (all, _) = data.as_chunks_mut::<TILE>();
        tiled = all.len() * TILE;
        let part = TILE / width;
        let (mut one, mut other) = ([0; TILE], [0; TILE]);
        for (index, tile) in all.iter_mut().enumerate() {
            for (place, bytes) in one.chunks_exact_mut(part).enumerate() {
                let start = lane_start(length, width, lane_at(place, width)) + index * part;
                if let Some(from) = grouped.get(start..start + part) {
                    bytes.copy_from_slice(from);
                }
            }
            let mut run = 2 * part;
            while run <= TILE {
                for (from, to) in one.chunks_exact(run).zip(other.chunks_exact_mut(run)) {
                    zip(from, to);
                }
                (one, other) = (other, one);
                run *= 2;
            }
            *tile = one;
        }
    }
    for lane in 0..width {
        let start = lane_start(length, width, lane) + tiled / width;
        let from = grouped.get(start..).unwrap_or_default();
        let to = data.get_mut(tiled + lane..).unwrap_or_default().iter_mut().step_by(width);
        to.zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Where a lane begins in grouped bytes.
fn lane_start(length: usize, width: usize, lane: usize) -> usize {
    length / width * lane + lane.min(length % width)
}

/// The lane that stands at a place of a tile after all its halvings: the bits of its number turned
/// round.
fn lane_at(place: usize, width: usize) -> usize {
    match width {
        4 => [0, 2, 1, 3].get(place).copied().unwrap_or(0),
        8 => [0, 4, 2, 6, 1, 5, 3, 7].get(place).copied().unwrap_or(0),
        _ => place,
    }
}

/// The bytes at even places, then those at odd ones. Two at a time is what the compiler turns into
/// vector instructions that every processor has.
fn unzip(from: &[u8], to: &mut [u8]) {
    let (even, odd) = to.split_at_mut(from.len() / 2);
    for ((pair, even), odd) in from.as_chunks::<2>().0.iter().zip(even).zip(odd) {
        [*even, *odd] = *pair;
    }
}

/// What [`unzip`] was given.
fn zip(from: &[u8], to: &mut [u8]) {
    let (even, odd) = from.split_at(from.len() / 2);
    for ((pair, even), odd) in to.as_chunks_mut::<2>().0.iter_mut().zip(even).zip(odd) {
        *pair = [*even, *odd];
    }
}
