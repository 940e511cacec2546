//! Buckets whose server refuses, stalls, breaks off or talks nonsense.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use mithril_core::{PutCondition, StorageBackend, StorageError, runtime};
use mithril_tests::faulty::{Faulty, OBJECT, Request, Step, answer, object};
use mithril_tests::servers::unused_port;
use mithril_tests::told::{assert_told, builder, large};

/// The error of getting `the/key`, after a look that it names all there is to name and no secret.
fn get_error(endpoint: &str) -> StorageError {
    let store = builder(endpoint).build().unwrap();
    let error = runtime().block_on(store.get("the/key")).unwrap_err();
    assert_told(&error, endpoint);
    error
}

fn assert_connection(error: &StorageError) {
    assert!(matches!(error, StorageError::Connection(_)), "{error:?}");
}

#[test]
fn what_passes_is_tried_again() {
    for status in [500, 502, 503, 429, 408] {
        let server = Faulty::start(move |request| match request.number {
            0 | 1 => answer(status, "", "busy"),
            _ => object(b"content"),
        });
        let store = builder(&server.endpoint()).build().unwrap();
        assert_eq!(runtime().block_on(store.get("the/key")).unwrap(), "content");
        assert_eq!(server.requests().len(), 3, "{status}");
    }
}

#[test]
fn what_does_not_pass_is_an_error_of_the_connection_for_every_verb() {
    let server = Faulty::start(|_| answer(503, "", "<Error><Code>SlowDown</Code></Error>"));
    assert_connection(&get_error(&server.endpoint()));
    assert_eq!(server.requests().len(), 3, "the first and two more");
    let store = builder(&server.endpoint()).with_retries(0).build().unwrap();
    runtime().block_on(async {
        let data = || Bytes::from("x");
        let outcomes = [
            store.get_opt("the/key").await.err(),
            store.exists("the/key").await.err(),
            store.head("the/key").await.err(),
            store.delete("the/key").await.err(),
            store.list("the/key").await.err(),
            store.put("the/key", data()).await.err(),
            store.put_if("the/key", data(), PutCondition::Absent).await.err(),
            store.copy("the/key", "to").await.err(),
            store.get_stream("the/key").await.err(),
            store.get_range("the/key", 0..1).await.err(),
            store.get_ranges("the/key", &[0..1, 2..3]).await.err(),
            store.put_stream("the/key", large()).await.err(),
        ];
        for error in outcomes {
            let error = error.unwrap();
            assert_connection(&error);
            assert_told(&error, &server.endpoint());
        }
    });
}

#[test]
fn nobody_there_is_an_error_of_the_connection() {
    assert_connection(&get_error(&format!("http://127.0.0.1:{}", unused_port())));
    let store = builder("http://no-such-host.invalid").with_retries(0).build().unwrap();
    let error = runtime().block_on(store.get("the/key")).unwrap_err();
    assert_connection(&error);
    assert_told(&error, "http://no-such-host.invalid");
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let begun = |request: &Request| {
        let mut steps = cut_short(request, &[7; 1000], 4);
        steps.push(Step::Stall);
        steps
    };
    for server in [Faulty::start(|_| vec![Step::Stall]), Faulty::start(begun)] {
        let start = Instant::now();
        assert_connection(&get_error(&server.endpoint()));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert!(server.requests().len() > 1, "not tried again");
    }
}

/// A body that ends before its length, from where `Range` begins.
fn cut_short(request: &Request, data: &[u8], sent: usize) -> Vec<Step> {
    let range = request
        .head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let start: usize = range.map_or(0, |range| range.split('-').next().unwrap().parse().unwrap());
    let (status, size) = (if start > 0 { 206 } else { 200 }, data.len());
    let last = size - 1;
    let head = format!(
        "HTTP/1.1 {status} Status\r\n{OBJECT}Content-Length: {}\r\n\
         Content-Range: bytes {start}-{last}/{size}\r\n\r\n",
        size - start
    );
    let end = (start + sent).min(size);
    vec![Step::Send([head.as_bytes(), &data[start..end]].concat())]
}

#[test]
fn a_body_cut_short_is_taken_up_where_it_ended() {
    let data: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = data.clone();
    let server = Faulty::start(move |request| cut_short(request, &sent, 250_000));
    let store = builder(&server.endpoint()).build().unwrap();
    assert!(runtime().block_on(store.get("the/key")).unwrap() == data);
    let pieces = runtime().block_on(async {
        store.get_stream("the/key").await.unwrap().try_collect::<Vec<Bytes>>().await.unwrap()
    });
    assert!(pieces.concat() == data);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_body_always_cut_short_is_an_error_of_the_connection() {
    let server = Faulty::start(|request| cut_short(request, &[0; 1000], 1));
    assert_connection(&get_error(&server.endpoint()));
    let store = builder(&server.endpoint()).build().unwrap();
    let pieces: Vec<_> = runtime()
        .block_on(async { store.get_stream("the/key").await.unwrap().collect::<Vec<_>>().await });
    let (last, before) = pieces.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok), "something follows an error");
    assert_connection(last.as_ref().unwrap_err());
    assert_told(last.as_ref().unwrap_err(), &server.endpoint());
}

#[test]
fn halves_of_two_versions_are_not_joined() {
    let server = Faulty::start(|request| {
        let mut steps = cut_short(request, &[b'0' + request.number as u8; 1000], 400);
        if let (1.., Some(Step::Send(bytes))) = (request.number, steps.first_mut()) {
            *bytes = String::from_utf8_lossy(bytes).replace("\"1\"", "\"2\"").into_bytes();
        }
        steps
    });
    get_error(&server.endpoint());
}

#[test]
fn nonsense_is_an_error_that_is_told() {
    let garbage = Faulty::start(|_| vec![Step::Send(b"\x00\xffnonsense\r\n\r\n".to_vec())]);
    assert_connection(&get_error(&garbage.endpoint()));
    let hangs_up = Faulty::start(|_| Vec::new());
    assert_connection(&get_error(&hangs_up.endpoint()));
    let portal = Faulty::start(|_| answer(200, "Content-Type: text/html\r\n", "<html>Welcome"));
    let store = builder(&portal.endpoint()).build().unwrap();
    let error = runtime().block_on(store.list("the/key")).unwrap_err();
    assert_told(&error, &portal.endpoint());
}

#[test]
fn redirects_do_not_go_round_for_ever() {
    let server =
        Faulty::start(|request| answer(307, &format!("Location: {}\r\n", request.target), ""));
    get_error(&server.endpoint());
    assert!(server.requests().len() < 100, "{} requests", server.requests().len());
    let nowhere = Faulty::start(|_| answer(301, "", "wrong region"));
    get_error(&nowhere.endpoint());
}

#[test]
fn a_large_error_document_makes_no_large_message() {
    let server = Faulty::start(|_| answer(403, "", vec![b'x'; 8 << 20]));
    let error = get_error(&server.endpoint());
    assert!(matches!(error, StorageError::PermissionDenied(_)), "{error:?}");
    let server = Faulty::start(|_| {
        let message = "long ".repeat(100_000);
        answer(400, "", format!("<Error><Code>Bad</Code><Message>{message}</Message></Error>"))
    });
    get_error(&server.endpoint());
    let server = Faulty::start(|_| {
        let head = b"HTTP/1.1 403 Status\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        vec![Step::Send(head), Step::Flood([b"10000\r\n", &[b'x'; 65536][..], b"\r\n"].concat())]
    });
    get_error(&server.endpoint());
}

#[test]
fn who_may_not_list_may_still_ask_for_an_object() {
    let server = Faulty::start(|request| {
        let listing = request.target.contains("list-type");
        let (status, code) = if listing { (403, "AccessDenied") } else { (404, "NoSuchKey") };
        answer(status, "", format!("<Error><Code>{code}</Code></Error>"))
    });
    let store = builder(&server.endpoint()).build().unwrap();
    runtime().block_on(async {
        assert!(!store.exists("the/key").await.unwrap());
        assert_eq!(store.get_opt("the/key").await.unwrap(), None);
        assert!(store.get("the/key").await.unwrap_err().is_not_found());
        store.delete("the/key").await.unwrap();
        let denied = store.list("").await.unwrap_err();
        assert!(matches!(denied, StorageError::PermissionDenied(_)), "{denied:?}");
    });
}
