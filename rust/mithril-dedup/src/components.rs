//! Connected components: clusters of documents that are linked by verified pairs, however far apart their ends.
//!
//! The choice of rows ([`select`](crate::select)) has compared every document with the kept ones before it. What is
//! left are pairs whose earlier document went. Of each cluster so many of those are compared with others as
//! [`WITNESSES`]: what is like a thousand documents that are alike is like the first of them.

use crate::buckets::Buckets;
use crate::control::Control;
use crate::crowded::{Crowd, Those};
use crate::error::Result;
use crate::options::Verify;
use crate::select::{Removal, Rule, Selection};
use crate::verify::Verifier;
use std::collections::HashMap;

/// Documents that went for the same one, and that others are compared with.
const WITNESSES: u32 = 64;
/// Documents between two moves to the part of the index for many.
const BLOCK: usize = 2048;

/// Takes the choice of rows on to components: of each the first document in keep order stays, and so do all
/// references. Adds up the comparisons, and returns how many documents others were not compared with.
pub(crate) fn join(
    buckets: &Buckets,
    verifier: &Verifier,
    (documents, rule): (usize, Rule),
    selection: &mut Selection,
    control: Control,
) -> Result<u64> {
    control.begin("linking", buckets.len() as u64);
    let mut sets = Sets::new(documents);
    for &(document, kept) in &selection.edges {
        sets.unite(document, kept);
    }
    let left_out = if !rule.within {
        0
    } else if verifier.verifies() == Verify::None {
        link_buckets(buckets, &mut sets);
        0
    } else {
        link(buckets, verifier, &mut sets, selection, control)?
    };

    let mut removed = Vec::with_capacity(selection.removed.len());
    let mut comparer = verifier.comparer();
    for position in rule.references..documents as u32 {
        let kept = sets.root(position);
        if kept != position {
            let similarity = comparer.measure(kept, position)?;
            removed.push(Removal { position, kept, similarity });
        }
    }
    selection.removed = removed;
    Ok(left_out)
}

/// Links what shares a bucket.
fn link_buckets(buckets: &Buckets, sets: &mut Sets) {
    let mut firsts: Vec<Option<u32>> = vec![None; buckets.sizes().len()];
    for (document, buckets) in (0..buckets.len()).filter_map(|index| buckets.get(index)) {
        for &bucket in buckets {
            if let Some(first) = firsts.get_mut(bucket as usize) {
                sets.unite(*first.get_or_insert(document), document);
            }
        }
    }
}

/// Links documents with those that went before them.
fn link(
    buckets: &Buckets,
    verifier: &Verifier,
    sets: &mut Sets,
    selection: &mut Selection,
    control: Control,
) -> Result<u64> {
    let all = || (0..buckets.len()).filter_map(|index| buckets.get(index));
    let positions: Vec<u32> = all().map(|(document, _)| document).collect();
    let mut crowd = Crowd::new(verifier, &positions, None, control)?;
    let mut comparer = verifier.comparer();
    let kept_for: HashMap<u32, u32> =
        selection.removed.iter().map(|removal| (removal.position, removal.kept)).collect();
    let mut witnesses: HashMap<u32, u32> = HashMap::new();
    let (mut candidates, mut left_out) = (Vec::new(), 0);
    for (count, (document, own)) in (1_usize..).zip(all()) {
        let rarest = crowd.rarest(&mut comparer, document);
        crowd.candidates((document, &rarest), Those::All, &mut candidates);
        for &other in &candidates {
            let others = buckets.of(other);
            if sets.root(other) != sets.root(document)
                && own.iter().any(|bucket| others.binary_search(bucket).is_ok())
            {
                selection.candidate_pairs += 1;
                if comparer.verify(document, other)?.is_some() {
                    selection.verified_pairs += 1;
                    sets.unite(document, other);
                }
            }
        }
        if let Some(&kept) = kept_for.get(&document) {
            let witnesses = witnesses.entry(kept).or_default();
            if *witnesses < WITNESSES {
                *witnesses += 1;
                crowd.add(document, rarest);
            } else {
                left_out += 1;
            }
        }
        if count % BLOCK == 0 {
            crowd.end_block()?;
            control.advance(BLOCK as u64)?;
        }
        control.check()?;
    }
    Ok(left_out)
}

/// Disjoint sets, of which each is known by its least element.
struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    fn new(elements: usize) -> Self {
        Self { parents: (0..elements as u32).collect() }
    }

    fn parent(&self, element: u32) -> u32 {
        self.parents.get(element as usize).copied().unwrap_or(element)
    }

    fn root(&mut self, mut element: u32) -> u32 {
        // Each element on the way is put below its grandparent (path halving).
        while self.parent(element) != element {
            let above = self.parent(self.parent(element));
            if let Some(parent) = self.parents.get_mut(element as usize) {
                *parent = above;
            }
            element = above;
        }
        element
    }

    fn unite(&mut self, one: u32, two: u32) {
        let (one, two) = (self.root(one), self.root(two));
        if let Some(parent) = self.parents.get_mut(one.max(two) as usize) {
            *parent = one.min(two);
        }
    }
}
