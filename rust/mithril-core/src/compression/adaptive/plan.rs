//! What to do with a block: decided on a sample, kept while blocks look alike.

use super::Compressors;
use super::lanes::{group_into, split};
use super::look::Look;
use crate::compression::sample::pieces;
use crate::compression::{CompressionError, Compressor};

/// What is done with the bytes of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Raw,
    /// The compressor at this place of the list.
    Compressor(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) width: usize,
    /// One for each lane.
    pub(super) choices: Vec<Choice>,
}

/// Pieces of a block, and their bytes: for a trial of all compressors, which takes as long as three quarters of a block of text
/// take at zstd's level 3.
const TRIAL: (usize, usize) = (8, 32 << 10);
/// The least that is tried of a content that is short, as a part of it and in bytes: up to six passes
/// over that part are made. It is one piece, since in short ones nothing repeats.
const SHORT_TRIAL: (u64, usize) = (24, 16 << 10);

/// A plan is kept for so many blocks that differ a little, and for so many that look alike.
const KEPT: (u32, u32) = (8, 64);

/// Decides, block after block.
pub(super) struct Planner {
    width: Option<usize>,
    /// The pieces of a trial, and their bytes.
    trial: (usize, usize),
    last: Option<(Look, Plan)>,
    kept: u32,
}

impl Planner {
    pub(super) fn new(width: Option<usize>, content_size: Option<u64>) -> Self {
        let share = content_size.map_or(u64::MAX, |size| size / SHORT_TRIAL.0);
        let share = usize::try_from(share).unwrap_or(usize::MAX).max(SHORT_TRIAL.1) / 8 * 8;
        let trial = if share < TRIAL.0 * TRIAL.1 { (1, share) } else { TRIAL };
        Self { width, trial, last: None, kept: 0 }
    }

    /// What to do with a block that a look was taken at.
    pub(super) fn plan(
        &mut self,
        look: &Look,
        block: &[u8],
        compressors: &Compressors,
    ) -> Result<Plan, CompressionError> {
        if let Some((before, plan)) = &self.last
            && !look.is_unlike(before)
            && self.kept < if look.resembles(before) { KEPT.1 } else { KEPT.0 }
        {
            self.kept += 1;
            return Ok(plan.clone());
        }
        let sample = pieces(block, self.trial.0, self.trial.1);
        let plan = self.try_out(look, &sample, &compressors.list)?;
        self.last = Some((look.clone(), plan.clone()));
        self.kept = 0;
        Ok(plan)
    }

    fn try_out(
        &self,
        look: &Look,
        sample: &[u8],
        compressors: &[Box<dyn Compressor>],
    ) -> Result<Plan, CompressionError> {
        if look.is_even() {
            // Only repetition helps here, and the quickest compressor finds it.
            let quickest = compressors.get(..1).unwrap_or_default();
            if Trial::run(sample, 1, quickest)?.least() > sample.len() * 99 / 100 {
                return Ok(Plan { width: 1, choices: vec![Choice::Raw] });
            }
        }
        let mut best = Trial::run(sample, 1, compressors)?;
        let mut kept = self.kept(&best);
        let width = self.width.or_else(|| look.width()).filter(|&width| width > 1);
        if let Some(width) = width.filter(|_| !look.is_even()) {
            let grouped = Trial::run(sample, width, compressors)?;
            kept = kept.or_else(|| self.kept(&grouped));
            // Grouping costs a pass over the bytes: it must gain something.
            if grouped.least() < best.least() * 99 / 100 {
                best = grouped;
            }
        }
        // A change ends the streams, and with them what matches can refer to.
        match kept {
            Some((size, plan)) if size <= best.least() + best.least() / 100 => Ok(plan),
            _ => Ok(best.plan()),
        }
    }

    /// The plan so far with the size that it gives, if the trial was of its width.
    fn kept(&self, trial: &Trial) -> Option<(usize, Plan)> {
        let (_, plan) = self.last.as_ref().filter(|(_, plan)| plan.width == trial.width)?;
        let sizes = trial.lanes.iter().zip(&plan.choices).map(|(sizes, &choice)| {
            sizes.iter().find(|(one, _)| *one == choice).map_or(usize::MAX, |&(_, size)| size)
        });
        Some((sizes.fold(0, usize::saturating_add), plan.clone()))
    }
}

/// What each choice makes of the lanes of a sample.
struct Trial {
    width: usize,
    lanes: Vec<Vec<(Choice, usize)>>,
}

impl Trial {
    fn run(
        sample: &[u8],
        width: usize,
        compressors: &[Box<dyn Compressor>],
    ) -> Result<Self, CompressionError> {
        let mut grouped = vec![0; sample.len()];
        group_into(sample, width, &mut grouped);
        let mut lanes = Vec::with_capacity(width);
        for lane in split(&grouped, width) {
            let mut sizes = vec![(Choice::Raw, lane.len())];
            for (index, compressor) in compressors.iter().enumerate() {
                sizes.push((Choice::Compressor(index), compressor.compress(lane)?.len()));
            }
            lanes.push(sizes);
        }
        Ok(Self { width, lanes })
    }

    /// The size if each lane has the choice that makes it smallest.
    fn least(&self) -> usize {
        self.lanes.iter().filter_map(|sizes| sizes.iter().map(|&(_, size)| size).min()).sum()
    }

    /// The quickest choices that are hardly worse than the smallest ones.
    fn plan(&self) -> Plan {
        let choices = self.lanes.iter().map(|sizes| {
            let least = sizes.iter().map(|&(_, size)| size).min().unwrap_or(0);
            let close = sizes.iter().find(|&&(choice, size)| {
                // Raw costs nothing, and what it costs in size the sample shows. How much a slower
                // compressor gains where matches are far apart, the sample shows only a little of.
                size <= least + least / if choice == Choice::Raw { 100 } else { 500 }
            });
            close.map_or(Choice::Raw, |&(choice, _)| choice)
        });
        Plan { width: self.width, choices: choices.collect() }
    }
}
