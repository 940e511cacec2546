//! Blocks from content.

use super::format::{self, Header, LARGEST_BLOCK, MOST_NAMES, RAW, RUN, TABLE, write_number};
use super::lanes::{group_into, split};
use super::look::Look;
use super::plan::{Choice, Plan, Planner};
use super::{CompressionError, Compressors};
use crate::compression::Compressor;
use crate::compression::limit::reserve;
use crate::compression::stream::StreamEncoder;
use crate::runtime::par_compute;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// The content that is decided upon at a time.
const PART: usize = 1 << 20;

/// The content that is looked at together: parts of it that are treated alike become one block.
///
/// At zstd's own window for level 3, blocks of 4 MiB cost 8 % of the size of source code, of 16 MiB
/// 2.5 %, which a wider window more than makes up for. Streams that go on from block to block were tried
/// too: zstd keeps a copy of its window for them and looks for matches in two places, which costs up to
/// 20 % of the time.
pub(super) const STRETCH: usize = LARGEST_BLOCK;

/// The content whose blocks are in memory beside the frame while threads work on them.
const BATCH: usize = 8 << 20;
/// The least number of blocks that threads work on, however long.
const BATCH_BLOCKS: usize = 16;
/// More than a block has besides the bytes of its content: two numbers, a checksum, and for each of eight
/// lanes a choice and a number.
const BLOCK_OVERHEAD: usize = 128;

/// A frame in the making: content in, bytes of the frame out.
pub(super) struct Blocks {
    lanes: Lanes,
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
        for compressor in compressors.list.iter() {
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
            lanes: Lanes { compressors, places },
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
        let looks: Vec<_> = content.chunks(PART).map(look_at).collect();
        let mut cuts = Vec::new();
        self.cut(content, &looks, &mut cuts)?;
        for cut in cuts {
            self.lanes.block(&cut, &mut self.grouped, output)?;
        }
        Ok(())
    }

    /// Appends all of the content, which many threads work on if it is long; the same bytes as if one
    /// did.
    pub(super) fn whole(
        &mut self,
        content: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        if content.len() <= PART {
            return self.stretch(content, output);
        }
        self.begin(output);
        let looks = par_compute(content.chunks(PART).collect(), look_at);
        let mut cuts = Vec::new();
        let stretches = content.chunks(STRETCH).zip(looks.chunks(STRETCH / PART));
        for (stretch, looks) in stretches {
            self.cut(stretch, looks, &mut cuts)?;
        }
        // What is not written to is not touched, and growing would copy.
        let mut filled = output.len();
        let mut room = zeroed(filled + content.len() + cuts.len() * BLOCK_OVERHEAD)?;
        if let Some(begun) = room.get_mut(..filled) {
            begun.copy_from_slice(output);
        }
        let lanes = &self.lanes;
        let (grouped, spare) = (Spare::default(), Spare::default());
        for batch in batches(&cuts) {
            let blocks = par_compute(batch.iter().collect(), |cut| {
                let (mut room, mut block) = (grouped.take(), spare.take());
                block.clear();
                let made = lanes.block(cut, &mut room, &mut block);
                grouped.keep(room);
                made.map(|()| block)
            });
            let blocks: Vec<_> = blocks.into_iter().collect::<Result<_, _>>()?;
            let length: usize = blocks.iter().map(Vec::len).sum();
            let mut rest = room.get_mut(filled..).unwrap_or_default();
            let mut copies = Vec::with_capacity(blocks.len());
            for block in &blocks {
                let (head, tail) = rest.split_at_mut_checked(block.len()).ok_or_else(too_long)?;
                copies.push((head, block));
                rest = tail;
            }
            par_compute(copies, |(to, from)| to.copy_from_slice(from));
            for block in blocks {
                spare.keep(block);
            }
            filled += length;
        }
        room.truncate(filled);
        *output = room;
        Ok(())
    }

    /// Cuts content, with what a look at each part of it told, into blocks that are treated alike.
    fn cut<'a>(
        &mut self,
        content: &'a [u8],
        looks: &[Option<Look>],
        cuts: &mut Vec<Cut<'a>>,
    ) -> Result<(), CompressionError> {
        let first = cuts.len();
        let mut start = 0;
        for (part, look) in content.chunks(PART).zip(looks) {
            let treatment = match (look, part.first()) {
                (None, Some(&byte)) => Treatment::Run(byte),
                (None, None) => continue,
                (Some(look), _) => {
                    Treatment::Planned(self.planner.plan(look, part, &self.lanes.compressors)?)
                }
            };
            let end = start + part.len();
            match cuts.get_mut(first..).and_then(<[Cut]>::last_mut) {
                Some(before)
                    if before.treatment == treatment
                        && treatment.gains_from_length(&self.lanes.compressors) =>
                {
                    let begin = start - before.content.len();
                    before.content = content.get(begin..end).unwrap_or_default();
                }
                _ => cuts.push(Cut { content: part, place: self.place + start as u64, treatment }),
            }
            start = end;
        }
        self.place += content.len() as u64;
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

/// A part of the content that becomes one block.
struct Cut<'a> {
    content: &'a [u8],
    place: u64,
    treatment: Treatment,
}

/// What many threads can work with at a time.
struct Lanes {
    compressors: Compressors,
    /// The place of each compressor's name in the table, where there was room for it.
    places: Vec<Option<u8>>,
}

impl Lanes {
    fn block(
        &self,
        cut: &Cut,
        grouped: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let content = cut.content;
        match &cut.treatment {
            Treatment::Run(byte) => {
                output.push(1);
                write_number(content.len() as u64, output);
                output.extend([RUN, *byte]);
            }
            Treatment::Planned(plan) => {
                output.push(plan.width as u8);
                write_number(content.len() as u64, output);
                let bytes = if plan.width == 1 {
                    content
                } else {
                    grouped.resize(content.len(), 0);
                    group_into(content, plan.width, grouped);
                    grouped
                };
                for (lane, &choice) in split(bytes, plan.width).zip(&plan.choices) {
                    self.lane(lane, choice, output)?;
                }
            }
        }
        output.extend(format::checksum(content, cut.place));
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
            && let Some(compressor) = self.compressors.list.get(index)
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
}

/// Memory that is used again: the first touch of a page costs more than what is then done with it.
#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn keep(&self, memory: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// A look at a part, or none at one that is a run.
fn look_at(part: &[u8]) -> Option<Look> {
    (!is_run(part)).then(|| Look::of(part))
}

/// Some blocks after the other, so that not all of them are in memory twice.
fn batches<'a, 'b>(cuts: &'b [Cut<'a>]) -> impl Iterator<Item = &'b [Cut<'a>]> {
    let mut rest = cuts;
    std::iter::from_fn(move || {
        let mut length = 0;
        let mut count = 0;
        while let Some(cut) = rest.get(count)
            && (length < BATCH || count < BATCH_BLOCKS)
        {
            length += cut.content.len();
            count += 1;
        }
        let (batch, after) = rest.split_at(count);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

fn zeroed(length: usize) -> Result<Vec<u8>, CompressionError> {
    // Fails where memory has no place for it; what follows would abort.
    reserve(&mut Vec::new(), length)?;
    Ok(vec![0; length])
}

fn too_long() -> CompressionError {
    CompressionError::CompressionFailed("a block is longer than its content allows".to_owned())
}

/// What is done with a part of the content.
#[derive(PartialEq, Eq)]
enum Treatment {
    Run(u8),
    Planned(Plan),
}

impl Treatment {
    /// Bytes in which no matches are looked for gain nothing from a longer block; shorter ones stay in
    /// the cache, and more threads find work.
    fn gains_from_length(&self, compressors: &Compressors) -> bool {
        match self {
            Self::Run(_) => true,
            Self::Planned(plan) => plan.choices.iter().any(|&choice| match choice {
                Choice::Raw => false,
                Choice::Compressor(index) => compressors.entropy_only != Some(index),
            }),
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
