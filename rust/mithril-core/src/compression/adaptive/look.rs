//! What a look at a block tells: how evenly its bytes are spread, lane by lane.

use crate::compression::sample::pieces;

/// The widths that an element may have.
pub(super) const WIDTHS: [usize; 4] = [1, 2, 4, 8];

/// The entropy of the bytes at each place modulo 8, and of the lanes of each width.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Bits a byte at the eight places.
    places: [f32; 8],
    /// Bits a byte of grouped bytes, for each of [`WIDTHS`].
    widths: [f32; 4],
}

/// Pieces of a block that are looked at, and their bytes.
const PIECES: (usize, usize) = (8, 1 << 10);

impl Look {
    /// A look at a block.
    pub(super) fn of(block: &[u8]) -> Self {
        Self::at(&pieces(block, PIECES.0, PIECES.1))
    }

    fn at(sample: &[u8]) -> Self {
        let mut counts = [[0_u32; 256]; 8];
        let (words, rest) = sample.as_chunks::<8>();
        for word in words {
            for (count, &byte) in counts.iter_mut().zip(word) {
                count[usize::from(byte)] += 1;
            }
        }
        for (count, &byte) in counts.iter_mut().zip(rest) {
            count[usize::from(byte)] += 1;
        }
        let places = counts.map(|count| entropy(&count));
        let widths = WIDTHS.map(|width| {
            let lanes = (0..width).map(|lane| {
                let mut sum = [0; 256];
                for count in counts.iter().skip(lane).step_by(width) {
                    sum.iter_mut().zip(count).for_each(|(sum, count)| *sum += count);
                }
                entropy(&sum)
            });
            lanes.sum::<f32>() / width as f32
        });
        Self { places, widths }
    }

    /// Whether bytes are spread so evenly at each width that only repetition could help.
    pub(super) fn is_even(&self) -> bool {
        self.widths.iter().all(|&bits| bits > 7.9)
    }

    /// The width other than 1 that groups best, if it gains something over bytes as they are.
    pub(super) fn width(&self) -> Option<usize> {
        let [plain, ..] = self.widths;
        let mut best = None;
        // A wider one must gain again, so that 16-bit data is not taken for 32-bit data.
        let mut least = plain * 0.97;
        for (&bits, width) in self.widths.iter().zip(WIDTHS).skip(1) {
            if bits < least {
                (best, least) = (Some(width), bits * 0.99);
            }
        }
        best
    }

    /// Whether data that looks so is of another kind: it must not be treated alike.
    pub(super) fn is_unlike(&self, other: &Self) -> bool {
        self.is_even() != other.is_even() || self.width() != other.width()
    }

    /// Whether what is best for the one is likely to be for the other.
    pub(super) fn resembles(&self, other: &Self) -> bool {
        let near = |one: &[f32], two: &[f32], most: f32| {
            one.iter().zip(two).all(|(one, two)| (one - two).abs() < most)
        };
        // A place is seen in an eighth of the sample, and text differs from block to block.
        near(&self.widths, &other.widths, 0.4) && near(&self.places, &other.places, 0.8)
    }
}

/// Bits a byte, with Miller and Madow's correction for what a small sample does not show.
fn entropy(counts: &[u32; 256]) -> f32 {
    let total: u32 = counts.iter().sum();
    if total == 0 {
        return 0.0;
    }
    let total = total as f32;
    let mut sum = 0.0;
    let mut seen = 0.0_f32;
    for &count in counts.iter().filter(|&&count| count > 0) {
        let count = count as f32;
        sum += count * count.log2();
        seen += 1.0;
    }
    let correction = (seen - 1.0) / (2.0 * total * std::f32::consts::LN_2);
    (total.log2() - sum / total + correction).min(8.0)
}
