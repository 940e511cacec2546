//! Local stores whose disk is full, whose process dies, and that many processes write to.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::fs::{self, File};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mithril_core::testing::{crash_at, fail_at};
use mithril_core::{LocalStorage, PutCondition, StorageBackend, StorageError, runtime};
use mithril_tests::child::{again, run_again, shown, task};

static OLD: Bytes = Bytes::from_static(b"old");
static NEW: Bytes = Bytes::from_static(b"new and longer");
const WRITES: [&str; 7] =
    ["put", "put durable", "stream", "put_if", "rename", "rename durable", "copy"];

/// One write of `key`, of each kind.
async fn write(root: &Path, how: &str) -> Result<(), StorageError> {
    let store = LocalStorage::new(root)?.with_durability(how.contains("durable"));
    match how {
        "put" | "put durable" => store.put("a/b/key", NEW.clone()).await,
        "stream" => {
            let pieces = NEW.chunks(5).map(|piece| NEW.slice_ref(piece)).collect::<Vec<_>>();
            store.put_stream("a/b/key", stream::iter(pieces).boxed()).await
        }
        "put_if" => {
            let etag = store.head("a/b/key").await.ok().and_then(|meta| meta.etag);
            let condition = etag.map_or(PutCondition::Absent, PutCondition::Matches);
            store.put_if("a/b/key", NEW.clone(), condition).await.map(drop)
        }
        "rename" | "rename durable" => store.rename("from/here", "a/b/key").await,
        _ => store.copy("from/here", "a/b/key").await,
    }
}

/// A folder as it is before the write.
fn prepared(old: Option<&Bytes>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("from")).unwrap();
    fs::write(folder.path().join("from/here"), &NEW).unwrap();
    if let Some(old) = old {
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/key"), old).unwrap();
    }
    folder
}

fn read(root: &Path) -> Option<Bytes> {
    let store = LocalStorage::new(root).unwrap();
    runtime().block_on(store.get_opt("a/b/key")).unwrap()
}

fn left_over(root: &Path) -> usize {
    fs::read_dir(root.join(".mithril/tmp")).map_or(0, Iterator::count)
}

/// In a process of its own: the points at which writes fail are those of a process.
#[test]
fn a_full_disk_leaves_the_old_object_and_nothing_else() {
    if task().is_none() {
        println!("{}", run_again("a_full_disk_leaves_the_old_object_and_nothing_else", "all"));
        return;
    }
    for how in WRITES {
        for old in [None, Some(OLD.clone())] {
            let (mut points, mut unflushed) = (0, 0);
            loop {
                let folder = prepared(old.as_ref());
                points += 1;
                fail_at(points);
                let outcome = runtime().block_on(write(folder.path(), how));
                fail_at(u32::MAX);
                let what = format!("{how} over {old:?}, failing at point {points}: {outcome:?}");
                let found = read(folder.path());
                assert_eq!(left_over(folder.path()), 0, "{what}");
                let Err(error) = outcome else {
                    assert_eq!(found, Some(NEW.clone()), "{what}");
                    break;
                };
                assert!(matches!(error, StorageError::Io(_)), "{what}");
                if error.to_string().contains("maybe not on the disk") {
                    // What failed is flushing a folder, when the object was in its place.
                    unflushed += 1;
                    assert!(how.contains("durable") && found == Some(NEW.clone()), "{what}");
                } else {
                    assert!(error.to_string().contains("full disk"), "{what}");
                    assert_eq!(found, old, "{what}");
                    let source = fs::read(folder.path().join("from/here")).unwrap();
                    assert_eq!(source, NEW, "{what}: the source of a rename has gone");
                }
                // Whatever folders were made do not stand in the way of an object.
                if found.is_none() {
                    let store = LocalStorage::new(folder.path()).unwrap();
                    runtime().block_on(store.put("a", OLD.clone())).unwrap();
                }
            }
            assert!(points > 1, "{how} has {points} points");
            // Every folder that names the object, up to the root; for a rename also where it was.
            let folders = [("put durable", 3), ("rename durable", 4)];
            let wanted = folders.into_iter().find(|(name, _)| *name == how).map_or(0, |(_, n)| n);
            assert_eq!(unflushed, wanted, "{how} flushes folders");
        }
    }
}

#[test]
fn a_crash_leaves_the_old_object_or_the_new_one() {
    if let Some(task) = task() {
        let (how, rest) = task.split_once('|').unwrap();
        let (point, root) = rest.split_once('|').unwrap();
        crash_at(point.parse().unwrap());
        runtime().block_on(write(Path::new(root), how)).unwrap();
        return;
    }
    for how in WRITES {
        for old in [None, Some(OLD.clone())] {
            let mut seen_old = 0;
            for point in 1.. {
                let folder = prepared(old.as_ref());
                let root = folder.path().display();
                let task = format!("{how}|{point}|{root}");
                let name = "a_crash_leaves_the_old_object_or_the_new_one";
                let output = again(name, &task).output().unwrap();
                let what = format!("{how} over {old:?}, dying at point {point}");
                let found = read(folder.path());
                if output.status.success() {
                    assert_eq!(found, Some(NEW.clone()), "{what}");
                    assert!(point > 2, "{what}: there are hardly any points");
                    break;
                }
                assert_eq!(output.status.code(), None, "{what}: {}", shown(&output));
                assert!(found == old || found == Some(NEW.clone()), "{what}: {found:?}");
                seen_old += u32::from(found == old);
                sweeps(folder.path(), &what);
            }
            assert!(seen_old > 0);
        }
    }
}

/// A later store removes what a writer that died has left, once it is old enough.
fn sweeps(root: &Path, what: &str) {
    let put = |key| {
        let store = LocalStorage::new(root).unwrap();
        runtime().block_on(store.put(key, OLD.clone())).unwrap();
    };
    put("another");
    let files = fs::read_dir(root.join(".mithril/tmp")).unwrap().flatten();
    for file in files {
        let file = File::options().write(true).open(file.path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(120)).unwrap();
    }
    put("a/b/key");
    assert_eq!(left_over(root), 0, "{what}: what the writer left is not swept");
}

#[test]
fn a_writer_at_work_is_not_swept() {
    let folder = tempfile::tempdir().unwrap();
    let writer = LocalStorage::new(folder.path()).unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let pieces =
        stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let upload = runtime().spawn(async move { writer.put_stream("key", pieces.boxed()).await });
    sender.blocking_send(OLD.clone()).unwrap();
    while left_over(folder.path()) == 0 {
        std::thread::yield_now();
    }
    for file in fs::read_dir(folder.path().join(".mithril/tmp")).unwrap().flatten() {
        let file = File::options().write(true).open(file.path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(120)).unwrap();
    }
    let other = LocalStorage::new(folder.path()).unwrap();
    runtime().block_on(other.put("other", OLD.clone())).unwrap();
    drop(sender);
    runtime().block_on(upload).unwrap().unwrap();
    assert_eq!(runtime().block_on(other.get("key")).unwrap(), OLD);
}

fn finish(children: Vec<Child>) {
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
    }
}

#[test]
fn processes_that_count_lose_no_count() {
    const EACH: u32 = 100;
    if let Some(root) = task() {
        let store = LocalStorage::new(root).unwrap();
        runtime().block_on(async {
            for _ in 0..EACH {
                loop {
                    let etag = store.head("count").await.unwrap().etag.unwrap();
                    let count = store.get("count").await.unwrap();
                    let count: u32 = std::str::from_utf8(&count).unwrap().parse().unwrap();
                    // All of one length, so that etags differ by nothing but the write.
                    let next = Bytes::from(format!("{:06}", count + 1));
                    match store.put_if("count", next, PutCondition::Matches(etag)).await {
                        Ok(_) => break,
                        Err(StorageError::Changed(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStorage::new(folder.path()).unwrap();
    runtime().block_on(store.put("count", Bytes::from("000000"))).unwrap();
    let root = folder.path().display().to_string();
    finish(
        (0..4)
            .map(|_| again("processes_that_count_lose_no_count", &root).spawn().unwrap())
            .collect(),
    );
    assert_eq!(runtime().block_on(store.get("count")).unwrap(), format!("{:06}", 4 * EACH));
}

#[test]
fn processes_that_write_and_delete_show_whole_objects() {
    if let Some(task) = task() {
        let (number, root) = task.split_once('|').unwrap();
        let store = LocalStorage::new(root).unwrap();
        let data = Bytes::from(number.repeat(100_000));
        runtime().block_on(async {
            for _ in 0..100 {
                store.put("deep/er/key", data.clone()).await.unwrap();
                if let Some(found) = store.get_opt("deep/er/key").await.unwrap() {
                    assert_eq!(found.len(), 100_000);
                    assert!(found.iter().all(|byte| *byte == found[0]), "a mixture");
                }
                store.delete("deep/er/key").await.unwrap();
                store.list("").await.unwrap();
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let children = (0..3).map(|number| {
        let task = format!("{number}|{}", folder.path().display());
        again("processes_that_write_and_delete_show_whole_objects", &task).spawn().unwrap()
    });
    finish(children.collect());
    assert_eq!(left_over(folder.path()), 0);
}

#[test]
fn no_two_writes_have_one_etag() {
    let store = LocalStorage::temp().unwrap();
    let other = LocalStorage::temp().unwrap();
    let etags = runtime().block_on(async {
        let mut etags = Vec::new();
        for number in 0..3000 {
            // Now beside the old file, and now after its number has become free.
            match number % 3 {
                0 => store.delete("key").await.unwrap(),
                1 => other.put("key", OLD.clone()).await.unwrap(),
                _ => {}
            }
            store.put("key", OLD.clone()).await.unwrap();
            etags.push(store.head("key").await.unwrap().etag.unwrap());
        }
        etags
    });
    let distinct: std::collections::HashSet<_> = etags.iter().collect();
    assert_eq!(distinct.len(), etags.len(), "an etag came twice");
}
