//! Buckets of thousands that are not alike: the outcome is that of the rule, with far fewer comparisons.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use arrow::array::{ArrayRef, StringArray};
use mithril_core::{MinHashSignature, MinHasher};
use mithril_dedup::{
    Banding, Cluster, Control, DedupOptions, Deduplication, Deduplicator, Documents, HashColumn,
    Keep, Method, Shingle, Shingler, Shingling, Verify,
};
use std::sync::Arc;

/// A generator of numbers below a limit (a linear congruence, its upper bits).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % limit
    }
}

/// Documents of one paragraph and words of their own, or of an earlier one's with a change: similarities of
/// 0.4 to 1. The last tenth has another paragraph, which nobody has met before.
fn crowd(count: usize, seed: u64) -> Vec<String> {
    let mut numbers = Numbers(seed);
    let mut texts: Vec<Vec<String>> = Vec::new();
    for row in 0..count {
        let paragraph = if row * 10 < count * 9 { 'a' } else { 'b' };
        if row > 10 && numbers.below(4) == 0 {
            let mut text = texts[numbers.below(row as u64) as usize].clone();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(text.len() as u64) as usize;
                text[at] = format!("changed{}", numbers.below(1000));
            }
            texts.push(text);
            continue;
        }
        let shared = 30 + numbers.below(20);
        let mut text: Vec<String> = (0..shared).map(|word| format!("{paragraph}{word}")).collect();
        text.extend((0..5 + numbers.below(30)).map(|_| format!("own{}", numbers.below(1 << 40))));
        texts.push(text);
    }
    texts.into_iter().map(|text| text.join(" ")).collect()
}

fn documents(texts: &[String]) -> Documents {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    Documents::try_from_chunks([column]).unwrap()
}

fn run(texts: &[String], options: &DedupOptions, threads: usize) -> Deduplication {
    let options = DedupOptions { threads: Some(threads), ..options.clone() };
    let deduplicator = Deduplicator::try_new(options).unwrap();
    deduplicator.deduplicate(&documents(texts), None, Control::default()).unwrap()
}

/// The similarity of every pair that shares a band, as the options measure it.
struct Pairs {
    bands: Vec<Vec<u64>>,
    sets: Vec<Vec<u64>>,
    signatures: Vec<MinHashSignature>,
}

impl Pairs {
    fn new(texts: &[String], options: &DedupOptions) -> Self {
        let hasher = MinHasher::try_with_seed(options.permutations, options.seed).unwrap();
        let banding =
            Banding::for_recall(options.threshold, options.recall, options.permutations).unwrap();
        let (documents, shingling) = (documents(texts), options.shingling);
        let bands = hasher.band_column(&documents, shingling, banding, Control::default()).unwrap();
        let values = hasher.hash_column(&documents, shingling, Control::default()).unwrap();
        let mut shingler = Shingler::new(shingling);
        Self {
            bands: bands.chunks(banding.bands).map(<[u64]>::to_vec).collect(),
            sets: texts.iter().map(|text| shingler.set(text)).collect(),
            signatures: values
                .chunks(options.permutations)
                .map(|values| MinHashSignature { values: values.to_vec() })
                .collect(),
        }
    }

    fn similarity(&self, one: usize, two: usize, verify: Verify) -> Option<f64> {
        let share = self.bands[one].iter().zip(&self.bands[two]).any(|(one, two)| one == two);
        share.then(|| match verify {
            Verify::Exact => {
                let (one, two) = (&self.sets[one], &self.sets[two]);
                let both = one.iter().filter(|hash| two.binary_search(hash).is_ok()).count();
                both as f64 / (one.len() + two.len() - both) as f64
            }
            Verify::Signature => {
                let values = self.signatures[one].values.iter().zip(&self.signatures[two].values);
                let same = values.filter(|(one, two)| one == two).count();
                same as f64 / self.signatures[one].values.len() as f64
            }
            Verify::None => 1.0,
        })
    }

    /// The removed rows with those that are kept for them, and how many pairs the rule looks at.
    fn decide(&self, options: &DedupOptions) -> (Vec<(u64, u64)>, u64) {
        self.decide_against(0, options)
    }

    /// As [`decide`](Self::decide), where the first rows are references.
    fn decide_against(&self, references: usize, options: &DedupOptions) -> (Vec<(u64, u64)>, u64) {
        let mut kept: Vec<usize> = (0..references).collect();
        let (mut removed, mut looked_at) = (Vec::new(), 0);
        for row in references..self.sets.len() {
            let mut best: Option<(f64, usize)> = None;
            for &other in &kept {
                let Some(similarity) = self.similarity(row, other, options.verify) else {
                    continue;
                };
                looked_at += 1;
                if similarity >= options.threshold && best.is_none_or(|(most, _)| similarity > most)
                {
                    best = Some((similarity, other));
                }
            }
            match best {
                Some((_, other)) => removed.push((row as u64, other as u64)),
                None if options.within => kept.push(row),
                None => {}
            }
        }
        (removed, looked_at)
    }
}

fn check(texts: &[String], options: &DedupOptions) -> (u64, u64) {
    let (expected, looked_at) = Pairs::new(texts, options).decide(options);
    let mut compared = Vec::new();
    for threads in [1, 2, 3] {
        let outcome = run(texts, options, threads);
        let removed: Vec<(u64, u64)> =
            outcome.duplicates.iter().map(|one| (one.row, one.kept_row)).collect();
        assert_eq!(removed, expected, "{options:?}, {threads} threads");
        compared.push(outcome.report.candidate_pairs);
    }
    assert!(compared.iter().all(|count| count == &compared[0]), "{compared:?}");
    (compared[0], looked_at)
}

#[test]
fn a_crowd_is_decided_by_the_rule() {
    let texts = crowd(6000, 1);
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 1, ..Shingling::default() };
    for threshold in [0.5, 0.7, 0.8, 0.95, 1.0] {
        let options = DedupOptions { threshold, shingling, ..DedupOptions::default() };
        let (compared, looked_at) = check(&texts, &options);
        assert!(compared <= looked_at);
        if (0.65..0.75).contains(&threshold) {
            // What is left is mostly the block in which the crowd is not known yet.
            assert!(compared * 3 < looked_at, "{compared} of {looked_at}");
        }
    }
}

#[test]
fn a_crowd_is_decided_by_the_rule_of_signatures() {
    let texts = crowd(4500, 2);
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 2, ..Shingling::default() };
    for verify in [Verify::Signature, Verify::None] {
        for threshold in [0.4, 0.7, 0.9] {
            check(
                &texts,
                &DedupOptions { threshold, shingling, verify, ..DedupOptions::default() },
            );
        }
    }
}

/// The components of the verified pairs that share a band, by the first of each.
fn components(pairs: &Pairs, options: &DedupOptions) -> Vec<(u64, u64)> {
    let count = pairs.sets.len();
    let mut first: Vec<usize> = (0..count).collect();
    loop {
        let before = first.clone();
        for row in 0..count {
            for other in 0..row {
                let similarity = pairs.similarity(row, other, options.verify);
                if similarity.is_some_and(|similarity| similarity >= options.threshold) {
                    let least = first[row].min(first[other]);
                    (first[row], first[other]) = (least, least);
                }
            }
        }
        if first == before {
            break;
        }
    }
    let removed = first.into_iter().enumerate().filter(|(row, first)| row != first);
    removed.map(|(row, first)| (row as u64, first as u64)).collect()
}

#[test]
fn components_are_those_of_the_verified_pairs() {
    let texts = crowd(700, 3);
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 1, ..Shingling::default() };
    for verify in [Verify::Exact, Verify::Signature, Verify::None] {
        for threshold in [0.6, 0.75, 0.9] {
            let cluster = Cluster::Components;
            let options =
                DedupOptions { threshold, shingling, verify, cluster, ..DedupOptions::default() };
            let pairs = Pairs::new(&texts, &options);
            let expected = components(&pairs, &options);
            for threads in [1, 2] {
                let outcome = run(&texts, &options, threads);
                let removed: Vec<(u64, u64)> =
                    outcome.duplicates.iter().map(|one| (one.row, one.kept_row)).collect();
                if outcome.report.left_out == 0 {
                    assert_eq!(removed, expected, "{options:?}");
                } else {
                    // Of a cluster of hundreds, some links may be missing, and no other is there.
                    assert!(threshold < 0.7 && removed.len() * 100 > expected.len() * 98);
                    let rows: Vec<u64> = expected.iter().map(|pair| pair.0).collect();
                    assert!(removed.iter().all(|pair| rows.contains(&pair.0)));
                }
            }
        }
    }
}

#[test]
fn an_audit_counts_what_bands_have_not_found() {
    let texts = crowd(2500, 4);
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 1, ..Shingling::default() };
    // So low a recall that much is missed.
    let (threshold, recall) = (0.7, 0.5);
    let options =
        DedupOptions { threshold, recall, shingling, audit: 10_000, ..DedupOptions::default() };
    let audit = run(&texts, &options, 2).report.audit.unwrap();
    let pairs = Pairs::new(&texts, &options);
    let (mut all, mut found) = (0, 0);
    for one in 0..texts.len() {
        for two in (0..texts.len()).filter(|&two| two != one) {
            let both = pairs.sets[one].iter().filter(|hash| pairs.sets[two].contains(hash)).count();
            let union = pairs.sets[one].len() + pairs.sets[two].len() - both;
            if both as f64 / union as f64 >= threshold && texts[one] != texts[two] {
                all += 1;
                found += u64::from(pairs.similarity(one, two, Verify::Exact).is_some());
            }
        }
    }
    assert_eq!((audit.pairs, audit.found), (all, found));
    assert!(found < all, "nothing was missed");
    let recall = found as f64 / all as f64;
    assert_eq!(audit.recall, Some(recall));
    assert!(audit.low.unwrap() < recall && recall < audit.high.unwrap());
    assert!(audit.missed > 0);

    // A sample estimates the same.
    let sampled = run(&texts, &DedupOptions { audit: 600, ..options }, 1).report.audit.unwrap();
    assert_eq!(sampled.sampled, 600);
    assert!(sampled.low.unwrap() <= recall && recall <= sampled.high.unwrap(), "{sampled:?}");
}

#[test]
fn rows_go_for_references_which_stay() {
    let texts = crowd(5000, 5);
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 1, ..Shingling::default() };
    let references = 3000;
    let mut documents = documents(&texts[..references]);
    documents.become_references();
    documents.append(self::documents(&texts[references..])).unwrap();
    for (within, threshold, verify) in [
        (true, 0.7, Verify::Exact),
        (false, 0.7, Verify::Exact),
        (false, 0.9, Verify::Exact),
        (true, 0.6, Verify::Signature),
        (true, 0.9, Verify::None),
        (false, 0.9, Verify::None),
    ] {
        let options =
            DedupOptions { threshold, shingling, within, verify, ..DedupOptions::default() };
        let (expected, _) = Pairs::new(&texts, &options).decide_against(references, &options);
        for threads in [1, 2] {
            let options = DedupOptions { threads: Some(threads), ..options.clone() };
            let deduplicator = Deduplicator::try_new(options).unwrap();
            let outcome = deduplicator.deduplicate(&documents, None, Control::default()).unwrap();
            let removed: Vec<(u64, u64)> = outcome
                .duplicates
                .iter()
                .map(|one| {
                    let kept = one.kept_row + if one.against { 0 } else { references as u64 };
                    (one.row + references as u64, kept)
                })
                .collect();
            assert_eq!(removed, expected);
            assert_eq!(outcome.keep.len(), texts.len() - references);
            assert_eq!(outcome.report.against, references as u64);
            let against = outcome.duplicates.iter().filter(|one| one.against).count() as u64;
            assert!(against > 100);
            assert_eq!(outcome.report.removed_against, against);
        }
    }
}

#[test]
fn what_is_within_another_goes_for_it() {
    let mut texts = crowd(1500, 6);
    // Parts of texts, with and without words of their own.
    let mut numbers = Numbers(7);
    for row in 0..700 {
        let words: Vec<&str> = texts[numbers.below(1500) as usize].split(' ').collect();
        let start = numbers.below(words.len() as u64 / 2) as usize;
        let end = start + 1 + numbers.below((words.len() - start) as u64) as usize;
        let mut part = words[start..end].join(" ");
        if numbers.below(2) == 0 {
            part = format!("{part} part{row} part{row}b");
        }
        texts.push(part);
    }
    let shingling = Shingling { shingle: Shingle::Whitespace, ngram: 2, ..Shingling::default() };
    let mut shingler = Shingler::new(shingling);
    let sets: Vec<Vec<u64>> = texts.iter().map(|text| shingler.set(text)).collect();
    for threshold in [0.6, 0.9, 1.0] {
        let options = DedupOptions {
            method: Method::Containment,
            keep: Keep::Longest,
            threshold,
            shingling,
            ..DedupOptions::default()
        };
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&row| std::cmp::Reverse(texts[row].chars().count()));
        let (mut kept, mut expected): (Vec<usize>, Vec<(u64, u64)>) = (Vec::new(), Vec::new());
        for row in order {
            if let Some(&same) = kept.iter().find(|&&other| texts[other] == texts[row]) {
                expected.push((row as u64, same as u64));
                continue;
            }
            let mut best: Option<(f64, usize)> = None;
            for (rank, &other) in kept.iter().enumerate() {
                let both = sets[row].iter().filter(|hash| sets[other].binary_search(hash).is_ok());
                let share = both.count() as f64 / sets[row].len() as f64;
                if share >= threshold && best.is_none_or(|(most, _)| share > most) {
                    best = Some((share, rank));
                }
            }
            match best {
                Some((_, rank)) => expected.push((row as u64, kept[rank] as u64)),
                None => kept.push(row),
            }
        }
        expected.sort_unstable();
        assert!(expected.len() > 200);
        for threads in [1, 2] {
            let outcome = run(&texts, &options, threads);
            let removed: Vec<(u64, u64)> =
                outcome.duplicates.iter().map(|one| (one.row, one.kept_row)).collect();
            // A copy of a text that went shares its fate, which the naive rule finds anew.
            assert_eq!(removed, expected, "{threshold}, {threads} threads");
        }
    }
}
