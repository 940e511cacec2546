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

/// [`group_bytes`] into as many bytes.
pub(super) fn group_into(data: &[u8], width: usize, grouped: &mut [u8]) {
    match width {
        0 | 1 => grouped.copy_from_slice(data),
        2 => group(data, grouped, |element, place| {
            (u16::from_le_bytes(element) >> (8 * place)) as u8
        }),
        4 => group(data, grouped, |element, place| {
            (u32::from_le_bytes(element) >> (8 * place)) as u8
        }),
        8 => group(data, grouped, |element, place| {
            (u64::from_le_bytes(element) >> (8 * place)) as u8
        }),
        _ => {
            for lane in 0..width {
                let from = data.get(lane..).unwrap_or_default().iter().step_by(width);
                let to = grouped.get_mut(lane_start(data.len(), width, lane)..);
                to.unwrap_or_default().iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// [`ungroup_bytes`] into as many bytes.
pub(super) fn ungroup_into(grouped: &[u8], width: usize, data: &mut [u8]) {
    match width {
        0 | 1 => data.copy_from_slice(grouped),
        2 => ungroup::<2>(grouped, data),
        4 => ungroup::<4>(grouped, data),
        8 => ungroup::<8>(grouped, data),
        _ => {
            for lane in 0..width {
                let from = grouped.get(lane_start(data.len(), width, lane)..).unwrap_or_default();
                let to = data.get_mut(lane..).unwrap_or_default().iter_mut().step_by(width);
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The elements that are moved at once: they stay in the nearest cache while each lane takes its byte of
/// them. The compiler makes vector instructions of the loops over so many.
const TILE: usize = 256;

/// Elements of `W` bytes, lane after lane.
fn group<const W: usize>(
    data: &[u8],
    grouped: &mut [u8],
    byte_at: impl Fn([u8; W], usize) -> u8 + Copy,
) {
    let (elements, rest) = data.as_chunks::<W>();
    let mut lanes = lanes_mut::<W>(grouped, elements.len(), rest.len());
    let (tiles, few) = elements.as_chunks::<TILE>();
    for (index, tile) in tiles.iter().enumerate() {
        for (place, lane) in lanes.iter_mut().enumerate() {
            let to = lane.get_mut(index * TILE..).and_then(|to| to.first_chunk_mut::<TILE>());
            if let Some(to) = to {
                for (to, element) in to.iter_mut().zip(tile) {
                    *to = byte_at(*element, place);
                }
            }
        }
    }
    for (place, lane) in lanes.iter_mut().enumerate() {
        let to = lane.get_mut(tiles.len() * TILE..).unwrap_or_default();
        for (to, element) in to.iter_mut().zip(few) {
            *to = byte_at(*element, place);
        }
        // An element that is cut gives the bytes it has.
        if let (Some(to), Some(&byte)) = (lane.get_mut(elements.len()), rest.get(place)) {
            *to = byte;
        }
    }
}

/// What [`group`] was given.
fn ungroup<const W: usize>(grouped: &[u8], data: &mut [u8]) {
    let length = data.len();
    let (elements, rest) = data.as_chunks_mut::<W>();
    let count = elements.len();
    let lanes: [&[u8]; W] = std::array::from_fn(|place| {
        let start = lane_start(length, W, place);
        grouped.get(start..start + lane_length(length, W, place)).unwrap_or_default()
    });
    let (tiles, few) = elements.as_chunks_mut::<TILE>();
    for (index, tile) in tiles.iter_mut().enumerate() {
        let from: [&[u8; TILE]; W] = lanes.map(|lane| {
            let from = lane.get(index * TILE..).and_then(|from| from.first_chunk());
            from.unwrap_or(&[0; TILE])
        });
        for (at, element) in tile.iter_mut().enumerate() {
            *element = from.map(|lane| lane[at]);
        }
    }
    let done = tiles.len() * TILE;
    for (place, lane) in lanes.iter().enumerate() {
        for (element, from) in few.iter_mut().zip(lane.get(done..).unwrap_or_default()) {
            element[place] = *from;
        }
        if let (Some(to), Some(&byte)) = (rest.get_mut(place), lane.get(count)) {
            *to = byte;
        }
    }
}

/// Grouped bytes as their lanes, for so many whole elements and so many bytes of one that is cut.
fn lanes_mut<const W: usize>(grouped: &mut [u8], whole: usize, cut: usize) -> [&mut [u8]; W] {
    let mut rest = grouped;
    std::array::from_fn(|place| {
        let length = whole + usize::from(place < cut);
        let (lane, after) = std::mem::take(&mut rest).split_at_mut(length);
        rest = after;
        lane
    })
}

/// Where a lane begins in grouped bytes.
fn lane_start(length: usize, width: usize, lane: usize) -> usize {
    length / width * lane + lane.min(length % width)
}
