//! What every store has to do, as a function that any store can be passed to (feature `testing`).
#![expect(clippy::panic, clippy::expect_used, reason = "a check that fails panics, as a test does")]

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, poll_fn};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::{PutCondition, StorageBackend, StorageError};

/// More than one part of an upload to a bucket.
const LARGE: usize = (20 << 20) + 17;

/// Checks that a store keeps every rule of [`StorageBackend`].
///
/// The store has to be empty, and is empty again afterwards. [`put_if`](StorageBackend::put_if) may be `Unsupported`, and then is so always.
///
/// # Panics
///
/// If a rule is broken.
///
/// ```
/// use mithril_core::{MemoryStorage, testing::check_backend};
///
/// mithril_core::runtime().block_on(check_backend(&MemoryStorage::new()));
/// ```
pub async fn check_backend(store: &dyn StorageBackend) {
    assert_eq!(ok(store.list("").await, "list"), [""; 0], "the store has to be empty");
    missing_objects(store).await;
    whole_objects(store).await;
    ranges(store).await;
    listings(store).await;
    folders(store).await;
    odd_keys(store).await;
    invalid_keys(store).await;
    streams(store).await;
    broken_uploads(store).await;
    many_and_moves(store).await;
    conditions(store).await;
    concurrent_writers(store).await;
    for key in ok(store.list("").await, "list") {
        ok(store.delete(&key).await, &key);
    }
    assert_eq!(ok(store.list("").await, "list"), [""; 0], "what was deleted is not listed");
}

fn ok<T>(outcome: Result<T, StorageError>, what: &str) -> T {
    outcome.unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn assert_not_found<T>(outcome: Result<T, StorageError>, what: &str) {
    match outcome {
        Err(StorageError::NotFound(text)) => {
            assert!(text.contains("missing"), "{what}: the error does not name the key: {text}");
        }
        Err(error) => panic!("{what} of a missing object is {error:?}"),
        Ok(_) => panic!("{what} of a missing object succeeds"),
    }
}

/// Bytes that no compression or mix-up of parts leaves as they are.
fn pattern(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(next).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    Bytes::from(bytes)
}

fn in_pieces(data: &Bytes, piece: usize) -> BoxStream<'static, Bytes> {
    let pieces: Vec<_> = data.chunks(piece).map(|piece| data.slice_ref(piece)).collect();
    stream::iter(pieces).boxed()
}

async fn read_stream(store: &dyn StorageBackend, key: &str) -> Bytes {
    let pieces: Vec<Bytes> = ok(ok(store.get_stream(key).await, key).try_collect().await, key);
    Bytes::from(pieces.concat())
}

async fn missing_objects(store: &dyn StorageBackend) {
    assert_not_found(store.get("missing").await, "get");
    assert_not_found(store.get("missing/below").await, "get");
    assert_eq!(ok(store.get_opt("missing").await, "get_opt"), None);
    assert!(!ok(store.exists("missing").await, "exists"));
    assert_not_found(store.head("missing").await, "head");
    assert_not_found(store.get_with_meta("missing").await, "get_with_meta");
    assert_not_found(store.get_stream("missing").await, "get_stream");
    assert_not_found(store.get_range("missing", 0..1).await, "get_range");
    assert_not_found(store.get_range("missing", 0..0).await, "get_range of nothing");
    assert_not_found(store.get_ranges("missing", &[0..1, 2..3]).await, "get_ranges");
    assert_not_found(store.copy("missing", "copy").await, "copy");
    assert_not_found(store.rename("missing", "copy").await, "rename");
    ok(store.delete("missing").await, "delete of a missing object");
    assert!(!ok(store.exists("copy").await, "exists"), "a copy of nothing exists");
}

async fn whole_objects(store: &dyn StorageBackend) {
    let all_bytes: Bytes = (0..=u8::MAX).collect();
    let contents = [Bytes::new(), Bytes::from_static(b"x"), all_bytes, pattern(3 << 20, 1)];
    for data in contents {
        let what = format!("an object of {} bytes", data.len());
        ok(store.put("whole/object", data.clone()).await, &what);
        assert_eq!(ok(store.get("whole/object").await, &what), data, "{what}");
        assert_eq!(ok(store.get_opt("whole/object").await, &what), Some(data.clone()), "{what}");
        assert_eq!(read_stream(store, "whole/object").await, data, "{what}");
        let (found, meta) = ok(store.get_with_meta("whole/object").await, &what);
        let known = ok(store.head("whole/object").await, &what);
        assert_eq!(
            (found, meta.size, &meta.etag),
            (data.clone(), known.size, &known.etag),
            "{what}"
        );
        let meta = ok(store.head("whole/object").await, &what);
        assert_eq!((meta.key.as_str(), meta.size), ("whole/object", data.len() as u64), "{what}");
        if let Some(mut file) = ok(store.open_file("whole/object").await, &what) {
            let mut read = Vec::new();
            file.read_to_end(&mut read).expect("a file that can be read");
            assert_eq!(read, data, "{what} as a file");
        }
        let age = (chrono::Utc::now() - meta.last_modified).abs();
        assert!(age < chrono::Duration::hours(1), "{what} was written {age} ago");
    }
    ok(store.put("whole/object", Bytes::from_static(b"one")).await, "put");
    let one = ok(store.head("whole/object").await, "head").etag;
    ok(store.put("whole/object", Bytes::from_static(b"two")).await, "put");
    let two = ok(store.head("whole/object").await, "head").etag;
    assert!(
        one.is_none() || one != two,
        "a new object of the same size has the etag {two:?} again"
    );
    // An object may be put where a folder of a file system was.
    ok(store.delete("whole/object").await, "delete");
    ok(store.put("whole", Bytes::from_static(b"now an object")).await, "put");
    ok(store.delete("whole").await, "delete");
}

async fn ranges(store: &dyn StorageBackend) {
    let data = pattern(100_000, 2);
    ok(store.put("range", data.clone()).await, "put");
    for (range, cut) in
        [(0..10, 0..10), (99_990..100_000, 99_990..100_000), (5..5, 5..5), (100_000..100_000, 0..0)]
    {
        let found = ok(store.get_range("range", range.clone()).await, "get_range");
        assert_eq!(found, data.slice(cut), "{range:?}");
    }
    let past = ok(store.get_range("range", 99_999..1_000_000).await, "a range past the end");
    assert_eq!(past, data.slice(99_999..));
    #[expect(clippy::reversed_empty_ranges, reason = "what is wrong has to be refused")]
    for wrong in [100_000..100_001, 200_000..200_001, 200_000..200_000, 20..10] {
        let found = store.get_range("range", wrong.clone()).await;
        assert!(matches!(found, Err(StorageError::InvalidRange(_))), "{wrong:?}: {found:?}");
        let found = store.get_ranges("range", &[0..1, wrong.clone()]).await;
        assert!(matches!(found, Err(StorageError::InvalidRange(_))), "{wrong:?}: {found:?}");
    }
    // Out of order, overlapping, empty and past the end.
    let asked = [50..60, 0..10, 55..65, 7..7, 99_999..200_000, 70_000..80_000];
    let found = ok(store.get_ranges("range", &asked).await, "get_ranges");
    let wanted: Vec<_> = asked
        .iter()
        .map(|range| data.slice(range.start as usize..data.len().min(range.end as usize)))
        .collect();
    assert!(found == wanted, "the parts of {asked:?} are not in the order asked for");
    let plain = ok(store.get_ranges("range", &[99_999..200_000, 0..10]).await, "plain ranges");
    assert_eq!(plain, [data.slice(99_999..), data.slice(0..10)]);
    assert_eq!(ok(store.get_ranges("range", &[]).await, "no range"), [""; 0]);
    ok(store.put("range", Bytes::new()).await, "put");
    assert_eq!(ok(store.get_range("range", 0..0).await, "nothing of an empty object"), "");
}

async fn listings(store: &dyn StorageBackend) {
    // In the order of the bytes: `-` < `/` < `0`, upper case before lower case.
    let keys = ["list/A", "list/a-b", "list/a/b", "list/a/c/d", "list/a0", "list/ab", "list/é"];
    for key in keys.iter().rev() {
        ok(store.put(key, Bytes::from(key.as_bytes())).await, key);
    }
    let below = |prefix: &str| -> Vec<_> {
        keys.iter().copied().filter(|key| key.starts_with(prefix)).collect()
    };
    for prefix in
        ["list/", "list", "lis", "list/a", "list/a/", "list/a/c", "list/a/c/", "list/A", "list/é"]
    {
        let listed = ok(store.list(prefix).await, prefix);
        assert_eq!(listed, below(prefix), "the keys that begin with {prefix:?}");
        let metas: Vec<_> = ok(store.list_stream(prefix).try_collect().await, prefix);
        let streamed: BTreeSet<_> = metas.iter().map(|meta| meta.key.as_str()).collect();
        assert_eq!(streamed, below(prefix).into_iter().collect(), "the stream of {prefix:?}");
        assert_eq!(metas.len(), streamed.len(), "the stream of {prefix:?} repeats a key");
        assert!(
            metas.iter().all(|meta| meta.size == meta.key.len() as u64),
            "a size in the stream of {prefix:?} is wrong"
        );
    }
    for prefix in ["list/a/c/d/e", "list/b", "listing", "list/a/cc"] {
        assert_eq!(ok(store.list(prefix).await, prefix), [""; 0], "{prefix:?}");
    }
    let wrong = store.list("../").await;
    assert!(matches!(wrong, Err(StorageError::InvalidKey(_))), "a prefix `../`: {wrong:?}");
    let wrong = store.list_stream("a//").try_collect::<Vec<_>>().await;
    assert!(matches!(wrong, Err(StorageError::InvalidKey(_))), "a prefix `a//`: {wrong:?}");
}

async fn folders(store: &dyn StorageBackend) {
    let keys = ["tree/a", "tree/b-c", "tree/b/1", "tree/b/2/3", "tree/b0", "tree/ba/x", "tree/é/y"];
    for key in keys {
        ok(store.put(key, Bytes::from(key.as_bytes())).await, key);
    }
    for prefix in [
        "",
        "tr",
        "tree",
        "tree/",
        "tree/b",
        "tree/b/",
        "tree/b/2",
        "tree/b/2/",
        "tree/é",
        "tree/z",
    ] {
        let found = ok(store.list_folder(prefix).await, prefix);
        // By the definition, from all that lies below.
        let mut objects = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for key in ok(store.list(prefix).await, prefix) {
            match key[prefix.len()..].split_once('/') {
                None => objects.insert(key),
                Some((name, _)) => folders.insert(format!("{prefix}{name}/")),
            };
        }
        let listed: Vec<_> = found.objects.iter().map(|meta| meta.key.clone()).collect();
        assert_eq!(listed, Vec::from_iter(objects), "the objects directly below {prefix:?}");
        assert_eq!(found.folders, Vec::from_iter(folders), "the folders directly below {prefix:?}");
        assert!(
            found.objects.iter().all(|meta| {
                !meta.key.starts_with("tree/") || meta.size == meta.key.len() as u64
            }),
            "a size among those below {prefix:?} is wrong"
        );
    }
    for (name, is_one) in [
        ("tree", true),
        ("tree/b", true),
        ("tree/b/2", true),
        ("tree/é", true),
        ("tre", false),
        ("tree/a", false),
        ("tree/b-", false),
        ("tree/b/1", false),
        ("tree/z", false),
        ("missing", false),
    ] {
        assert_eq!(ok(store.is_folder(name).await, name), is_one, "{name:?} as a folder");
    }
    for wrong in ["a//", "../"] {
        let found = store.list_folder(wrong).await;
        assert!(matches!(found, Err(StorageError::InvalidKey(_))), "{wrong:?}: {found:?}");
    }
    for wrong in ["", "a/", "..", "/a"] {
        let found = store.is_folder(wrong).await;
        assert!(matches!(found, Err(StorageError::InvalidKey(_))), "{wrong:?}: {found:?}");
    }
    for key in keys {
        ok(store.delete(key).await, key);
    }
    assert!(!ok(store.is_folder("tree").await, "is_folder"), "an empty folder is left");
    // Servers that keep objects in a file system may name folders that were emptied for a while.
    assert_eq!(ok(store.list_folder("tree/").await, "list_folder").objects, []);
}

async fn odd_keys(store: &dyn StorageBackend) {
    let long_part = "p".repeat(255);
    let long_key = vec!["k".repeat(99); 9].join("/");
    let unicode_part = "語".repeat(85);
    let keys = [
        "odd/space in key",
        "odd/ leading",
        "odd/trailing ",
        "odd/a#b",
        "odd/%2F",
        "odd/100%",
        "odd/%",
        "odd/trailing.",
        "odd/...",
        "odd/.hidden",
        "odd/a?b=c&d",
        "odd/a+b",
        "odd/~",
        "odd/a:b",
        "odd/a*b",
        "odd/\"quoted\"",
        "odd/'quoted'",
        "odd/<tag>",
        "odd/{a}|[b]^`",
        "odd/a=1/b=2",
        "odd/Case",
        "odd/case",
        "odd/caf\u{e9}",
        "odd/cafe\u{301}",
        "odd/日本語",
        "odd/🦀",
        "odd/\u{200b}",
        "odd/con",
        "odd/.mithril",
        "odd/$a;b,c@d!(e)",
        "odd/-",
        "..odd",
        long_part.as_str(),
        long_key.as_str(),
        unicode_part.as_str(),
    ];
    for key in keys {
        ok(store.put(key, Bytes::from(key.to_owned())).await, key);
    }
    for key in keys {
        assert_eq!(ok(store.get(key).await, key), key, "{key:?} holds another object");
        assert_eq!(ok(store.head(key).await, key).key, key);
        assert!(ok(store.exists(key).await, key), "{key:?} does not exist");
        let listed = ok(store.list(key).await, key);
        assert!(listed.iter().any(|listed| listed == key), "{key:?} is listed as {listed:?}");
    }
    for key in keys {
        ok(store.copy(key, "copy of odd").await, key);
        assert_eq!(ok(store.get("copy of odd").await, key), key, "the copy of {key:?}");
        ok(store.delete(key).await, key);
        assert!(!ok(store.exists(key).await, key), "{key:?} is still there");
    }
    ok(store.delete("copy of odd").await, "delete");
}

async fn invalid_keys(store: &dyn StorageBackend) {
    let long_part = "p".repeat(256);
    let long_key = vec!["k".repeat(99); 11].join("/");
    let keys = [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "nul\0",
        "back\\slash",
        "line\nfeed",
        "tab\t",
        "del\u{7f}",
        ".mithril",
        ".mithril/tmp/x",
        long_part.as_str(),
        long_key.as_str(),
    ];
    let refused = |error: Option<StorageError>, what: &str, key: &str| match error {
        Some(StorageError::InvalidKey(text)) => assert!(!text.is_empty()),
        other => panic!("{what} of the key {key:?}: {other:?}"),
    };
    for key in keys {
        let data = Bytes::from_static(b"x");
        refused(store.get(key).await.err(), "get", key);
        refused(store.get_opt(key).await.err(), "get_opt", key);
        refused(store.put(key, data.clone()).await.err(), "put", key);
        refused(store.delete(key).await.err(), "delete", key);
        refused(store.exists(key).await.err(), "exists", key);
        refused(store.head(key).await.err(), "head", key);
        refused(store.get_stream(key).await.err(), "get_stream", key);
        refused(store.put_stream(key, in_pieces(&data, 1)).await.err(), "put_stream", key);
        refused(store.get_range(key, 0..1).await.err(), "get_range", key);
        refused(store.get_ranges(key, &[0..1, 1..2]).await.err(), "get_ranges", key);
        refused(store.copy(key, "target").await.err(), "copy from", key);
        let conditional = store.put_if(key, data.clone(), PutCondition::Absent).await.err();
        if !matches!(conditional, Some(StorageError::Unsupported(_))) {
            refused(conditional, "put_if", key);
        }
        ok(store.put("source", data).await, "put");
        refused(store.copy("source", key).await.err(), "copy to", key);
        refused(store.rename("source", key).await.err(), "rename to", key);
        assert!(
            ok(store.exists("source").await, "exists"),
            "a refused rename has removed its source"
        );
    }
    ok(store.delete("source").await, "delete");
}

async fn streams(store: &dyn StorageBackend) {
    let data = pattern(LARGE, 3);
    for piece in [LARGE, 7 << 20, 100_003] {
        ok(store.put_stream("stream", in_pieces(&data, piece)).await, "put_stream");
        assert!(read_stream(store, "stream").await == data, "pieces of {piece} bytes");
    }
    let start = LARGE as u64 - 1000;
    let tail = ok(store.get_range("stream", start..start + 10).await, "get_range");
    assert_eq!(tail, data.slice(LARGE - 1000..LARGE - 990));
    ok(store.put_stream("stream", stream::empty().boxed()).await, "an empty stream");
    assert_eq!(ok(store.get("stream").await, "get"), "", "an empty stream is an empty object");
    let hollow = [Bytes::new(), Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"b")];
    ok(store.put_stream("stream", stream::iter(hollow).boxed()).await, "empty pieces");
    assert_eq!(ok(store.get("stream").await, "get"), "ab");
    // A reader that stops early leaves the store usable.
    ok(store.put("stream", data.clone()).await, "put");
    let mut pieces = ok(store.get_stream("stream").await, "get_stream");
    assert!(pieces.next().await.is_some_and(|piece| piece.is_ok()));
    drop(pieces);
    assert!(ok(store.get("stream").await, "get") == data);
    ok(store.delete("stream").await, "delete");
}

async fn broken_uploads(store: &dyn StorageBackend) {
    let large = pattern(LARGE, 4);
    for begun in [Bytes::from_static(b"a little"), large] {
        let what = format!("an upload broken off after {} bytes", begun.len());
        for old in [None, Some(Bytes::from_static(b"old"))] {
            if let Some(old) = &old {
                ok(store.put("broken", old.clone()).await, "put");
            }
            let fault = StorageError::Other("the source failed".to_owned());
            let source = stream::iter([Ok(begun.clone()), Err(fault)]).boxed();
            match store.try_put_stream("broken", source).await {
                Err(StorageError::Other(text)) if text == "the source failed" => {}
                outcome => panic!("{what}: {outcome:?}, not the error of the source"),
            }
            assert_eq!(ok(store.get_opt("broken").await, &what), old, "{what}");

            let endless =
                stream::once(std::future::ready(begun.clone())).chain(stream::pending()).boxed();
            let mut upload = store.put_stream("broken", endless);
            // Polled until the source has nothing more for a while, and then dropped.
            for _ in 0..50 {
                let outcome = poll_fn(|context| std::task::Poll::Ready(upload.poll_unpin(context)));
                assert!(outcome.await.is_pending(), "{what}: it ended though its source did not");
                pause().await;
            }
            drop(upload);
            assert_eq!(ok(store.get_opt("broken").await, &what), old, "{what}, dropped");
            ok(store.delete("broken").await, "delete");
        }
    }
    let left = ok(store.list("broken").await, "list");
    assert_eq!(left, [""; 0], "broken uploads left objects");
}

async fn pause() {
    let sleep =
        crate::runtime().spawn(async { tokio::time::sleep(Duration::from_millis(2)).await });
    sleep.await.expect("sleeping does not fail");
}

async fn many_and_moves(store: &dyn StorageBackend) {
    let keys: Vec<String> = (0..50).map(|number| format!("many/{number}")).collect();
    join_all(keys.iter().map(|key| store.put(key, Bytes::from(key.clone())))).await;
    let mut asked = keys.clone();
    asked.insert(10, "many/missing".to_owned());
    for concurrency in [0, 1, 7, 1000] {
        let found = store.get_many(&asked, concurrency).await;
        assert_eq!(found.len(), asked.len());
        for (key, found) in asked.iter().zip(found) {
            match found {
                Ok(data) => assert_eq!(data, key.as_bytes()),
                Err(StorageError::NotFound(_)) => assert_eq!(key, "many/missing"),
                Err(error) => panic!("{key}: {error}"),
            }
        }
    }
    let data = pattern(1 << 20, 5);
    ok(store.put("from", data.clone()).await, "put");
    ok(store.copy("from", "below/copy").await, "copy");
    ok(store.copy("from", "from").await, "a copy onto itself");
    assert!(
        ok(store.get("from").await, "get") == data
            && ok(store.get("below/copy").await, "get") == data
    );
    ok(store.rename("from", "many/0").await, "rename onto an object");
    assert!(ok(store.get("many/0").await, "get") == data);
    assert!(!ok(store.exists("from").await, "exists"), "what was renamed is still there");
    ok(store.rename("many/0", "many/0").await, "a rename onto itself");
    assert!(ok(store.get("many/0").await, "get") == data);
}

async fn conditions(store: &dyn StorageBackend) {
    let text = Bytes::from_static;
    let first = store.put_if("if", text(b"first"), PutCondition::Absent).await;
    if matches!(first, Err(StorageError::Unsupported(_))) {
        assert!(!ok(store.exists("if").await, "exists"));
        return;
    }
    let etag = ok(first, "put_if absent").expect("a store with put_if has etags");
    assert_eq!(ok(store.head("if").await, "head").etag.as_ref(), Some(&etag), "two etags");
    let again = store.put_if("if", text(b"again"), PutCondition::Absent).await;
    assert!(matches!(again, Err(StorageError::AlreadyExists(_))), "{again:?}");
    let matching = PutCondition::Matches(etag.clone());
    let second = ok(store.put_if("if", text(b"second"), matching.clone()).await, "put_if matches");
    let stale = store.put_if("if", text(b"third"), matching.clone()).await;
    assert!(matches!(stale, Err(StorageError::Changed(_))), "{stale:?}");
    assert_eq!(ok(store.get("if").await, "get"), "second");
    assert!(second.is_some_and(|second| second != etag));
    ok(store.delete("if").await, "delete");
    let gone = store.put_if("if", text(b"fourth"), matching).await;
    assert!(matches!(gone, Err(StorageError::Changed(_))), "{gone:?}");
    assert!(!ok(store.exists("if").await, "exists"), "a refused write has written");

    let racers = (0..8).map(|racer| {
        store.put_if("if", Bytes::from(format!("racer {racer}")), PutCondition::Absent)
    });
    let outcomes = join_all(racers).await;
    let winners: Vec<_> =
        outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).collect();
    let &[(winner, _)] = winners.as_slice() else { panic!("of 8 creators won {winners:?}") };
    assert_eq!(ok(store.get("if").await, "get"), format!("racer {winner}"));

    ok(store.put("if", text(b"0")).await, "put");
    join_all((0..4).map(|_| count_to_five(store))).await;
    assert_eq!(ok(store.get("if").await, "get"), "20", "counts were lost");
}

/// Adds one to a number in an object, five times, while others do the same.
async fn count_to_five(store: &dyn StorageBackend) {
    for _ in 0..5 {
        loop {
            let etag = ok(store.head("if").await, "head").etag.expect("an etag");
            let text = String::from_utf8_lossy(&ok(store.get("if").await, "get")).into_owned();
            let count: u32 = text.parse().expect("a number");
            let next = Bytes::from((count + 1).to_string());
            match store.put_if("if", next, PutCondition::Matches(etag)).await {
                Ok(_) => break,
                Err(StorageError::Changed(_)) => {}
                Err(error) => panic!("a counter: {error}"),
            }
        }
    }
}

async fn concurrent_writers(store: &dyn StorageBackend) {
    let contents = [pattern(200_000, 6), pattern(300_000, 7)];
    ok(store.put("contended", contents[0].clone()).await, "put");
    let writers = contents.iter().map(|data| async move {
        for _ in 0..10 {
            ok(store.put("contended", data.clone()).await, "put");
        }
    });
    let readers = (0..2).map(|_| async {
        for _ in 0..20 {
            let found = ok(store.get("contended").await, "get while others write");
            assert!(contents.contains(&found), "a reader saw {} bytes of a mixture", found.len());
        }
    });
    futures_util::join!(join_all(writers), join_all(readers));
}
