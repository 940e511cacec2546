//! The stages in their order against the deduplicator.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Float64Type, Int64Type};
use mithril_dedup::stages::{self, Decisions, Fingerprints, Rows, State, id_of};
use mithril_dedup::{
    Cluster, Control, DedupError, DedupOptions, Deduplicator, Documents, Keep, Method, Shingling,
    Threads, Verify,
};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

type Text = Option<String>;
/// Row, kept row, similarity, exact copy.
type Duplicates = Vec<(u64, u64, f64, bool)>;

fn documents(texts: &[Text]) -> Documents {
    Documents::try_from_chunks([Arc::new(StringArray::from(texts.to_vec())) as ArrayRef]).unwrap()
}

fn at_once(texts: &[Text], options: &DedupOptions) -> Duplicates {
    let deduplicator = Deduplicator::try_new(options.clone()).unwrap();
    let found = deduplicator.deduplicate(&documents(texts), None, Control::default()).unwrap();
    let row = |one: &mithril_dedup::Duplicate| {
        (one.row, one.kept_row, one.jaccard.unwrap(), one.exact_copy)
    };
    found.duplicates.iter().map(row).collect()
}

/// All blocks in this process, in one group: the order of calls, without what moves tables.
struct Run<'a> {
    options: &'a DedupOptions,
    blocks: Vec<Documents>,
    edges: RecordBatch,
    decisions: Decisions,
    copies: HashSet<i64>,
}

impl Run<'_> {
    fn compare(&mut self, pairs: &[RecordBatch], are_joined: bool) {
        let pairs = stages::gather(pairs).unwrap();
        let mut texts = Vec::new();
        for (block, documents) in (0..).zip(&self.blocks) {
            for column in ["later", "earlier"] {
                texts.push(stages::pick(documents, block, &pairs, column).unwrap());
            }
        }
        let control = Control::default();
        let mut edges = stages::verify(&pairs, &texts, self.options, control).unwrap();
        if are_joined {
            edges = stages::sharing_a_band(&edges, &texts, self.options, control).unwrap();
        }
        self.edges = stages::gather_edges(&[self.edges.clone(), edges]).unwrap();
    }

    fn settle(&mut self, may_keep: bool) {
        let all = 0..self.blocks.len() as u32;
        self.decisions.settle(&self.edges, all, may_keep).unwrap();
    }

    /// The texts of every row that is no copy, by block.
    fn texts(&self) -> Vec<RecordBatch> {
        let of_block = |(block, documents): (u32, &Documents)| {
            let texts = (0..documents.len())
                .filter(|&row| !self.copies.contains(&id_of(block, row)))
                .filter_map(|row| documents.text(row).map(|text| (id_of(block, row), text)));
            let (ids, texts): (Vec<i64>, Vec<&str>) = texts.unzip();
            let text: ArrayRef = Arc::new(StringArray::from(texts));
            RecordBatch::try_from_iter([("id", self::ids(&ids)), ("text", text)]).unwrap()
        };
        (0..).zip(&self.blocks).map(of_block).collect()
    }

    fn fingerprints(&self) -> Fingerprints {
        let of_texts = |texts: &RecordBatch| stages::fingerprints(texts, self.options).unwrap();
        let tables: Vec<RecordBatch> = self.texts().iter().map(of_texts).collect();
        Fingerprints::try_new(&tables, self.options.threshold).unwrap()
    }

    /// Decides all that is undecided at once.
    fn join(&mut self, counters: usize) {
        let (texts, options, parts) = (self.texts(), self.options, 3);
        let count = |texts| stages::count_shingles(texts, options, counters).unwrap();
        let counts: Vec<RecordBatch> = texts.iter().map(count).collect();
        let counts = stages::add_counts(&counts).unwrap();
        let postings = |texts| stages::postings(texts, options, &counts, parts).unwrap();
        let postings: Vec<Vec<RecordBatch>> = texts.iter().map(postings).collect();
        let state = self.state();
        let of_part = |part: usize| {
            let of_part: Vec<RecordBatch> =
                postings.iter().map(|postings| postings[part].clone()).collect();
            let pairs = stages::join(&of_part, &state, options).unwrap();
            assert!(pairs.num_rows() <= stages::join_size(&of_part, &state).unwrap());
            pairs
        };
        let pairs: Vec<RecordBatch> = (0..parts).map(of_part).collect();
        self.compare(&pairs, true);
        self.settle(true);
    }

    fn state(&self) -> State {
        self.decisions.state().unwrap()
    }
}

fn in_stages(
    texts: &[Text],
    options: &DedupOptions,
    block_rows: usize,
    crowd: usize,
    mut limits: (usize, usize),
    joins: Option<(usize, usize)>,
) -> Duplicates {
    let blocks: Vec<Documents> = texts.chunks(block_rows).map(documents).collect();
    let lengths: Vec<usize> = blocks.iter().map(Documents::len).collect();
    let threads = Threads::try_new(Some(1)).unwrap();
    let sign = |(block, documents): (u32, &Documents)| {
        threads.install(|| stages::sign(documents, block, 3, options, Control::default()).unwrap())
    };
    let signed: Vec<_> = (0..).zip(&blocks).map(sign).collect();
    let part = |of: fn(&stages::Signed) -> &Vec<RecordBatch>, part: usize| -> Vec<RecordBatch> {
        signed.iter().map(|signed| of(signed)[part].clone()).collect()
    };
    let edges = stages::gather_edges(&[]).unwrap();
    let decisions = Decisions::new(Rows::new(lengths));
    let mut run = Run { options, blocks, edges, decisions, copies: HashSet::new() };
    let copies: Vec<RecordBatch> = (0..3)
        .map(|number| stages::find_copies(&part(|signed| &signed.digests, number)).unwrap())
        .collect();
    for copies in &copies {
        run.decisions.remove(copies).unwrap();
        run.copies.extend(copies["id"].as_primitive::<Int64Type>().values());
    }
    let mut before = run.state();
    let (mut pairs, mut crowds) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let bands = part(|signed| &signed.bands, number);
        let (of_part, crowd) = stages::candidates(&bands, &before, crowd, limits.1).unwrap();
        pairs.push(of_part);
        crowds.push(crowd);
    }
    let mut prints = Fingerprints::default();
    for round in 0..1_000 {
        run.decisions.wait_no_more();
        for crowds in &crowds {
            let (of_pivots, waiting) = stages::pivots(crowds, &before, limits, &prints).unwrap();
            pairs.push(of_pivots);
            run.decisions.wait(&waiting).unwrap();
        }
        run.compare(&pairs, false);
        run.settle(true);
        let after = run.state();
        pairs.clear();
        let mut size = 0;
        for crowds in &crowds {
            size += stages::spread_size(crowds, (&before, &after), limits, &prints).unwrap();
            for slice in 0..2 {
                let both = (&before, &after);
                pairs.push(stages::spread(crowds, both, limits, (slice, 2), &prints).unwrap());
            }
        }
        assert!(pairs.iter().map(RecordBatch::num_rows).sum::<usize>() <= size);
        run.compare(&pairs, false);
        run.settle(false);
        pairs.clear();
        if run.decisions.open() == 0 {
            break;
        }
        if let Some((_, counters)) = joins.filter(|&(rounds, _)| rounds <= round) {
            run.decisions.wait_no_more();
            run.join(counters);
            break;
        }
        limits.0 *= 2;
        before = run.state();
        prints = run.fingerprints();
    }
    assert_eq!(run.decisions.open(), 0);
    let removed = stages::assign(&run.edges, &run.state()).unwrap();
    let resolved = stages::resolve(&copies, &removed).unwrap();
    let within: Vec<RecordBatch> = signed.iter().map(|signed| signed.copies.clone()).collect();
    let duplicates = stages::finish(&removed, &[resolved], &within).unwrap();
    let ids =
        |name: &str| -> Vec<i64> { duplicates[name].as_primitive::<Int64Type>().values().to_vec() };
    let row = |id: i64| (id >> stages::ROW_BITS) as u64 * block_rows as u64 + (id & 0xFFFF) as u64;
    let jaccard = duplicates["jaccard"].as_primitive::<Float64Type>();
    let exact = duplicates["exact_copy"].as_boolean();
    ids("id")
        .into_iter()
        .zip(ids("kept_id"))
        .zip(jaccard.values())
        .zip(exact.values())
        .map(|(((id, kept), &jaccard), exact)| (row(id), row(kept), jaccard, exact))
        .collect()
}

fn corpus() -> impl Strategy<Value = Vec<Text>> {
    let text = prop_oneof![
        8 => prop::collection::vec("[abc]", 0..10).prop_map(|words| Some(words.join(" "))),
        1 => Just(None),
        1 => Just(Some(String::new())),
        1 => Just(Some("!?".to_owned())),
    ];
    prop::collection::vec(text, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_same_rows_go_for_the_same_kept_rows(
        texts in corpus(),
        block_rows in 1_usize..40,
        crowd in 1_usize..10,
        width in 1_usize..10,
        most in prop::sample::select(vec![1, 20, 1_000_000]),
        threshold in prop::sample::select(vec![0.3, 0.6, 0.8]),
        ngram in 1_usize..4,
        // After so many rounds, with so many counters.
        joins in prop::option::of((0_usize..3, 1_usize..100)),
    ) {
        let shingling = Shingling { ngram, ..Shingling::default() };
        let options = DedupOptions { threshold, shingling, permutations: 64, recall: 0.8, ..DedupOptions::default() };
        let found = in_stages(&texts, &options, block_rows, crowd, (width, most), joins);
        prop_assert_eq!(found, at_once(&texts, &options));
    }
}

fn ids(ids: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(ids.to_vec()))
}

fn message<T>(outcome: Result<T, DedupError>) -> String {
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn what_stages_cannot_do_is_an_error() {
    let default = DedupOptions::default;
    for (options, wanted) in [
        (DedupOptions { method: Method::Exact, ..default() }, "method must be minhash"),
        (DedupOptions { verify: Verify::None, ..default() }, "verify must be exact"),
        (DedupOptions { keep: Keep::Longest, ..default() }, "keep must be first"),
        (DedupOptions { cluster: Cluster::Components, ..default() }, "cluster must be direct"),
        (DedupOptions { within: false, ..default() }, "within must be true"),
        (DedupOptions { audit: 1, ..default() }, "there is no audit"),
        (DedupOptions { threshold: 2.0, ..default() }, "threshold must be above 0"),
    ] {
        let checked = message(stages::check(&options));
        assert!(checked.contains(wanted), "{checked}");
    }
    let texts = documents(&[Some("a text".to_owned())]);
    for (block, parts) in [(0, 0), (stages::MAX_BLOCKS, 1)] {
        let signed = stages::sign(&texts, block, parts, &default(), Control::default());
        assert!(message(signed).contains("blocks are below"));
    }
}

#[test]
fn tables_of_something_else_are_errors() {
    let numbers = RecordBatch::try_from_iter([("id", ids(&[0, 1]))]).unwrap();
    assert!(
        message(stages::gather(std::slice::from_ref(&numbers)))
            .contains("no column \"later\" of Int64")
    );
    assert!(message(stages::find_copies(std::slice::from_ref(&numbers))).contains("\"digest\""));
    assert!(message(stages::add_counts(std::slice::from_ref(&numbers))).contains("\"count\""));
    let options = DedupOptions::default();
    assert!(message(stages::count_shingles(&numbers, &options, 8)).contains("\"text\""));
    let state = Decisions::new(Rows::new([2])).state().unwrap();
    let bands: ArrayRef = Arc::new(UInt64Array::from(vec![1, 1]));
    let elsewhere = [("band", bands), ("id", ids(&[0, id_of(5, 0)]))];
    let elsewhere = RecordBatch::try_from_iter(elsewhere).unwrap();
    let found = stages::candidates(&[elsewhere], &state, 64, 100);
    assert!(
        message(stages::join_size(std::slice::from_ref(&numbers), &state)).contains("\"size\"")
    );
    assert!(message(found).contains("no row has the id 5497558138880"));
    assert!(
        message(State::try_new(Rows::new([3]), &state.table().unwrap()))
            .contains("a state of 2 rows, and there are 3")
    );
}

#[test]
fn edges_before_their_decisions_are_errors() {
    let jaccard: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![0.9, 0.9]));
    let edges = |later: &[i64], earlier: &[i64]| {
        let columns =
            [("later", ids(later)), ("earlier", ids(earlier)), ("jaccard", jaccard.clone())];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let mut decisions = Decisions::new(Rows::new([3]));
    let assigned = stages::assign(&edges(&[1, 2], &[0, 0]), &decisions.state().unwrap());
    assert!(message(assigned).contains("not all is decided"));
    let settled = decisions.settle(&edges(&[2, 1], &[0, 0]), 0..1, true);
    assert!(message(settled).contains("out of order"));
}
