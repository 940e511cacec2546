//! Blocks from content.

use super::format::{self, Header, LARGEST_BLOCK, MOST_NAMES, RAW, RUN, TABLE, write_number};
use super::lanes::{group_into, split};
use super::plan::{Choice, Plan, Planner};
use super::{CompressionError, Compressors};
use crate::compression::Compressor;
use crate::compression::stream::StreamEncoder;
use std::io::Write;

/// The content that is decided upon at a time.
const PART: usize = 1 << 20;

/// The content that is looked at together: parts of it that are treated alike become one block.
///
/// At zstd's own window for level 3, blocks of 4 MiB cost 8 % of the size of source code, of 16 MiB
/// 2.5 %, which a wider window more than makes up for. Streams that go on from block to block were tried
/// too: zstd keeps a copy of its window for them and looks for matches in two places, which costs up to
/// 20 % of the time.
pub(super) const STRETCH: usize = LARGEST_BLOCK;

/// A frame in the making: content in, bytes of the frame out.
pub(super) struct Blocks {
    compressors: Compressors,
    /// The place of each compressor's name in the table, where there was room for it.
    places: Vec<Option<u8>>,
    header: Option<Header>,
    content_size: Option<u64>,
    planner: Planner,
    grouped: Vec<u8>,
    place: u64,
}

impl Blocks {
    pub(super) fn new(
        compressors: Compressors,
        width: Option<usize>,
        content_size: Option<u64>,
    ) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut places = Vec::new();
        for compressor in compressors.iter() {
            let name = compressor.name();
            let known = names.iter().position(|one| one == name);
            let fits = names.len() < MOST_NAMES && (1..256).contains(&name.len());
            if known.is_none() && fits {
                names.push(name.to_owned());
            }
            let place = known.or_else(|| fits.then(|| names.len() - 1));
            places.push(place.map(|place| place as u8));
        }
        Self {
            compressors,
            places,
            header: Some(Header { content_size, names }),
            content_size,
            planner: Planner::new(width, content_size),
            grouped: Vec::new(),
            place: 0,
        }
    }

    fn begin(&mut self, output: &mut Vec<u8>) {
        if let Some(header) = self.header.take() {
            header.write(output);
        }
    }

    /// Appends the blocks of at most [`STRETCH`] bytes of content.
    pub(super) fn stretch(
        &mut self,
        content: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        self.begin(output);
        // What is alike so far, and how it is treated.
        let mut alike: Option<(Treatment, usize)> = None;
        let mut rest = content;
        for part in content.chunks(PART) {
            let treatment = match part.split_first() {
                Some((&first, _)) if is_run(part) => Treatment::Run(first),
                _ => Treatment::Planned(self.planner.plan(part, &self.compressors)?),
            };
            alike = match alike.take() {
                Some((before, length)) if before == treatment && treatment.gains_from_length() => {
                    Some((before, length + part.len()))
                }
                before => {
                    if let Some((before, length)) = before {
                        let (block, after) = rest.split_at(length);
                        self.block(block, &before, output)?;
                        rest = after;
                    }
                    Some((treatment, part.len()))
                }
            };
        }
        match alike {
            Some((treatment, _)) => self.block(rest, &treatment, output),
            None => Ok(()),
        }
    }

    fn block(
        &mut self,
        content: &[u8],
        treatment: &Treatment,
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match treatment {
            Treatment::Run(byte) => {
                output.push(1);
                write_number(content.len() as u64, output);
                output.extend([RUN, *byte]);
            }
            Treatment::Planned(plan) => {
                output.push(plan.width as u8);
                write_number(content.len() as u64, output);
                let mut grouped = std::mem::take(&mut self.grouped);
                let bytes = if plan.width == 1 {
                    content
                } else {
                    grouped.resize(content.len(), 0);
                    group_into(content, plan.width, &mut grouped);
                    &grouped
                };
                for (lane, &choice) in split(bytes, plan.width).zip(&plan.choices) {
                    self.lane(lane, choice, output)?;
                }
                self.grouped = grouped;
            }
        }
        output.extend(format::checksum(content, self.place));
        self.place += content.len() as u64;
        Ok(())
    }

    fn lane(
        &self,
        lane: &[u8],
        choice: Choice,
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        if let Some((&first, _)) = lane.split_first()
            && is_run(lane)
        {
            output.extend([RUN, first]);
            return Ok(());
        }
        if let Choice::Compressor(index) = choice
            && let Some(compressor) = self.compressors.get(index)
            && let Some(place) = self.places.get(index).copied().flatten()
        {
            let payload = compressor.compress(lane)?;
            if payload.len() < lane.len() {
                output.push(TABLE + place);
                write_number(payload.len() as u64, output);
                output.extend_from_slice(&payload);
                return Ok(());
            }
        }
        output.push(RAW);
        output.extend_from_slice(lane);
        Ok(())
    }

    pub(super) fn end(&mut self, output: &mut Vec<u8>) -> Result<(), CompressionError> {
        self.begin(output);
        if let Some(size) = self.content_size.filter(|&size| size != self.place) {
            return Err(CompressionError::CompressionFailed(format!(
                "{size} bytes were announced and {} came",
                self.place
            )));
        }
        output.push(0);
        write_number(self.place, output);
        Ok(())
    }
}

/// What is done with a part of the content.
#[derive(PartialEq, Eq)]
enum Treatment {
    Run(u8),
    Planned(Plan),
}

impl Treatment {
    /// Raw bytes gain nothing from a longer block, and are still in the cache when a part was looked
    /// at.
    fn gains_from_length(&self) -> bool {
        match self {
            Self::Run(_) => true,
            Self::Planned(plan) => plan.choices.iter().any(|&choice| choice != Choice::Raw),
        }
    }
}

/// Whether all bytes are the same.
fn is_run(bytes: &[u8]) -> bool {
    // Almost all other data is told by its first bytes; comparing with itself, one byte further, is
    // what memory can do fastest.
    bytes.first() == bytes.last() && bytes.get(1..) == bytes.get(..bytes.len().saturating_sub(1))
}

pub(super) struct Encoder {
    blocks: Blocks,
    /// Content that waits for its stretch to be full.
    pending: Vec<u8>,
    output: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(blocks: Blocks) -> Self {
        Self { blocks, pending: Vec::new(), output: Vec::new() }
    }

    fn write_out(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        sink.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    fn write_pending(&mut self) -> Result<(), CompressionError> {
        self.blocks.stretch(&self.pending, &mut self.output)?;
        self.pending.clear();
        Ok(())
    }
}

impl StreamEncoder for Encoder {
    fn write(&mut self, mut data: &[u8], sink: &mut dyn Write) -> Result<(), CompressionError> {
        while !data.is_empty() {
            let (head, rest) = data.split_at(data.len().min(STRETCH - self.pending.len()));
            self.pending.extend_from_slice(head);
            data = rest;
            if self.pending.len() == STRETCH {
                self.write_pending()?;
                self.write_out(sink)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.write_pending()?;
        self.write_out(sink)
    }

    fn finish(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.write_pending()?;
        self.blocks.end(&mut self.output)?;
        self.write_out(sink)
    }
}
