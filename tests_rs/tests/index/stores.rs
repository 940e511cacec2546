//! Saving and opening: writers at the same time, writers that die, and stores with a mind of their own.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use mithril_core::testing::crash_at;
use mithril_core::{
    LocalStorage, MemoryStorage, ObjectMeta, PutCondition, StorageBackend, StorageError,
};
use mithril_dedup::{Control, DedupError, MinHashIndex};
use mithril_tests::child::{again, shown, task};

use crate::naive::{Naive, assert_same};
use crate::{add, block, documents, keys, open, options, save, texts};

#[test]
fn saving_writes_what_is_new_and_compacting_deletes_what_is_old() {
    let (local, memory) = (LocalStorage::temp().unwrap(), MemoryStorage::new());
    for store in [&local as &dyn StorageBackend, &memory] {
        let (mut index, mut naive) =
            (MinHashIndex::try_new(options()).unwrap(), Naive::new(options()));
        let all = texts(500, 7);
        save(&mut index, store).unwrap();
        assert!(open(store).unwrap().is_empty());
        for (round, part) in all.chunks(100).enumerate() {
            let ids = add(&mut index, part, None);
            naive.add(part, &ids);
            let before = keys(store);
            save(&mut index, store).unwrap();
            let after = keys(store);
            assert!(before.iter().all(|key| after.contains(key)) && after.len() == round + 2);
            assert!(after.iter().all(|key| key.starts_with("some/index/")));
            let again = open(store).unwrap();
            assert_same(&again, &naive, &all[..30]);
            let stats = again.stats().unwrap();
            assert_eq!(
                stats.mapped_bytes > 0,
                block(store.open_file(&after[0])).unwrap().is_some()
            );
        }
        // What is opened goes on: it removes, adds, and is opened again.
        let mut again = open(store).unwrap();
        again.remove(&[3, 250]).unwrap();
        naive.documents.remove(&3);
        naive.documents.remove(&250);
        save(&mut again, store).unwrap();
        assert_same(&open(store).unwrap(), &naive, &all[..30]);
        assert_eq!(open(store).unwrap().stats().unwrap().removed, 2);
        again.compact(Control::default()).unwrap();
        save(&mut again, store).unwrap();
        assert_eq!(keys(store).len(), 2);
        assert_same(&open(store).unwrap(), &naive, &all[..30]);
        let ids: Vec<u64> = again.ids();
        again.remove(&ids).unwrap();
        save(&mut again, store).unwrap();
        assert_eq!((keys(store).len(), open(store).unwrap().len()), (1, 0));
    }
}

#[test]
fn the_second_of_two_writers_is_told_and_loses_nothing() {
    let store = MemoryStorage::new();
    let mut one = MinHashIndex::try_new(options()).unwrap();
    add(&mut one, &texts(10, 8), None);
    save(&mut one, &store).unwrap();
    let mut two = open(&store).unwrap();
    add(&mut one, &texts(5, 9), None);
    add(&mut two, &texts(5, 10), None);
    save(&mut one, &store).unwrap();
    let before = keys(&store);
    let error = save(&mut two, &store).unwrap_err();
    assert!(matches!(error, DedupError::IndexChanged { .. }), "{error}");
    assert!(error.to_string().contains("some/index/manifest"));
    assert_eq!((keys(&store), open(&store).unwrap().ids()), (before, one.ids()));
    // A new index is no heir of one that is there.
    let mut three = MinHashIndex::try_new(options()).unwrap();
    assert!(matches!(save(&mut three, &store), Err(DedupError::IndexChanged { .. })));
    // One that was saved elsewhere meanwhile still is.
    block(one.save(&store, "elsewhere")).unwrap();
    save(&mut one, &store).unwrap();
    assert_eq!(block(MinHashIndex::open(&store, "elsewhere")).unwrap().ids(), one.ids());
}

#[test]
fn of_writers_at_the_same_time_one_is_told_that_it_was_first() {
    let store = Arc::new(LocalStorage::temp().unwrap());
    let mut index = MinHashIndex::try_new(options()).unwrap();
    save(&mut index, &*store).unwrap();
    let opened = std::sync::Barrier::new(8);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u64)
            .map(|number| {
                let (store, opened) = (Arc::clone(&store), &opened);
                scope.spawn(move || {
                    let mut index = open(&*store).unwrap();
                    opened.wait();
                    add(&mut index, &texts(5, number), Some(&[number, 100, 101, 102, 103]));
                    save(&mut index, &*store).map(|()| number)
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let won: Vec<u64> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).copied().collect();
    let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(lost.clone().all(|error| matches!(error, DedupError::IndexChanged { .. })));
    assert_eq!(won.len(), 1);
    assert_eq!(open(&*store).unwrap().ids()[0], won[0]);
    assert_eq!(keys(&*store).len(), 2);
}

/// Before and after every write, rename and deletion of an append and of a compaction.
#[test]
fn a_death_at_any_point_leaves_the_old_index_or_the_new_one() {
    const NAME: &str = "stores::a_death_at_any_point_leaves_the_old_index_or_the_new_one";
    let change = |root: &Path, verb: &str| {
        let store = LocalStorage::new(root).unwrap();
        let mut index = open(&store).unwrap();
        match verb {
            "append" => drop(add(&mut index, &texts(20, 15), None)),
            _ => index.compact(Control::default()).unwrap(),
        }
        index
    };
    if let Some(task) = task() {
        let mut parts = task.splitn(3, ' ');
        let (verb, at) = (parts.next().unwrap(), parts.next().unwrap().parse().unwrap());
        let root = Path::new(parts.next().unwrap());
        let mut index = change(root, verb);
        crash_at(at);
        save(&mut index, &LocalStorage::new(root).unwrap()).unwrap();
        return;
    }
    for verb in ["append", "compact"] {
        let (mut deaths, mut at) = (0, 1);
        loop {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalStorage::new(folder.path()).unwrap();
            let mut index = MinHashIndex::try_new(options()).unwrap();
            for seed in [1, 14] {
                add(&mut index, &texts(20, seed), None);
                save(&mut index, &store).unwrap();
            }
            index.remove(&[0]).unwrap();
            save(&mut index, &store).unwrap();
            let (old, new) = (index.ids(), change(folder.path(), verb).ids());
            let output =
                again(NAME, &format!("{verb} {at} {}", folder.path().display())).output().unwrap();
            let found = open(&store).unwrap();
            assert!([&old, &new].contains(&&found.ids()), "{verb}, point {at}: {:?}", found.ids());
            let asked = documents(&texts(20, 14));
            assert!(found.query_batch(&asked, None, Control::default()).is_ok());
            if output.status.success() {
                assert_eq!(found.ids(), new);
                break;
            }
            assert!(output.status.code().is_none(), "{verb}, point {at}: {}", shown(&output));
            // What it has left goes, and nothing else.
            block(MinHashIndex::sweep(&store, "some/index")).unwrap();
            let named = found.stats().unwrap().segments;
            assert_eq!((keys(&store).len(), open(&store).unwrap().ids()), (1 + named, found.ids()));
            // Whoever comes next goes on.
            let mut next = change(folder.path(), verb);
            save(&mut next, &store).unwrap();
            assert_eq!(open(&store).unwrap().ids(), next.ids());
            (deaths, at) = (deaths + 1, at + 1);
        }
        assert!(deaths >= 6, "{verb}: {deaths}");
    }
}

/// A store in which a conditional write is done and its answer lost: it is sent again, and meets itself. And
/// one whose readers have just read what is there no more.
#[derive(Default)]
struct Odd {
    within: MemoryStorage,
    loses_answers: bool,
    stale: Mutex<Option<Bytes>>,
}

#[async_trait]
impl StorageBackend for Odd {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        let stale = self.stale.lock().unwrap().take_if(|_| key.ends_with("manifest"));
        if let Some(stale) = stale {
            return Ok(stale);
        }
        self.within.get(key).await
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        let written = self.within.put_if(key, data, condition).await?;
        if self.loses_answers {
            return Err(StorageError::Changed(key.to_owned()));
        }
        Ok(written)
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        self.within.get_opt(key).await
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        self.within.put(key, data).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.within.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        self.within.exists(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.within.list(prefix).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        self.within.head(key).await
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        self.within.get_stream(key).await
    }
}

#[test]
fn a_writer_whose_answer_was_lost_knows_its_own_manifest() {
    let store = Odd { loses_answers: true, ..Odd::default() };
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for seed in 0..3 {
        add(&mut index, &texts(10, seed), None);
        save(&mut index, &store).unwrap();
    }
    assert_eq!(open(&store).unwrap().ids(), index.ids());
    assert_eq!(keys(&store).len(), 4);
}

#[test]
fn a_reader_whose_segments_have_just_been_replaced_looks_again() {
    let store = Odd::default();
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for seed in 0..2 {
        add(&mut index, &texts(10, seed), None);
        save(&mut index, &store).unwrap();
    }
    let old = block(store.get("some/index/manifest")).unwrap();
    index.compact(Control::default()).unwrap();
    save(&mut index, &store).unwrap();
    *store.stale.lock().unwrap() = Some(old);
    assert_eq!(open(&store).unwrap().ids(), index.ids());
}
