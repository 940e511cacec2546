//! Uploads that are slow, fail, or are given up: nothing of them stays.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use mithril_core::{StorageBackend, StorageError, runtime};
use mithril_tests::faulty::{Faulty, Request, Step, answer};
use mithril_tests::told::{assert_told, builder, large};

#[test]
fn a_slow_upload_is_not_a_stalled_one() {
    // A second and a half, with a limit of 0.4 seconds in which nothing happens.
    let server =
        Faulty::start_slow(Duration::from_millis(25), |_| answer(200, "ETag: \"1\"\r\n", ""));
    let store = builder(&server.endpoint()).with_retries(0).build().unwrap();
    runtime().block_on(store.put("the/key", Bytes::from(vec![0; 4 << 20]))).unwrap();
}

/// What a server does about the requests of an upload in parts.
fn upload_script(request: &Request, on_part: fn() -> Vec<Step>) -> Vec<Step> {
    let is = |method: &str, text: &str| request.method == method && request.target.contains(text);
    let begun =
        "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    if is("POST", "uploads") {
        answer(200, "", begun)
    } else if is("PUT", "partNumber") {
        on_part()
    } else if is("DELETE", "uploadId=u1") {
        answer(204, "", "")
    } else {
        answer(500, "", "<Error><Code>InternalError</Code></Error>")
    }
}

fn aborts(server: &Faulty) -> usize {
    server.requests().iter().filter(|request| request.method == "DELETE").count()
}

fn wait_for_an_abort(server: &Faulty) {
    let start = Instant::now();
    while aborts(server) == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "no abort: {:?}", server.requests());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_upload_that_fails_takes_its_parts_back() {
    let sent: fn() -> Vec<Step> = || answer(200, "ETag: \"1\"\r\n", "");
    // The parts fail, or what completes them.
    for on_part in [|| answer(500, "", ""), sent] {
        let server = Faulty::start(move |request| upload_script(request, on_part));
        let store = builder(&server.endpoint()).with_retries(1).with_part_size(5 << 20);
        let store = store.build().unwrap();
        let error = runtime().block_on(store.put_stream("the/key", large())).unwrap_err();
        assert!(matches!(error, StorageError::Connection(_)), "{error:?}");
        assert_told(&error, &server.endpoint());
        wait_for_an_abort(&server);
    }
}

#[test]
fn an_upload_that_is_dropped_takes_its_parts_back() {
    let server = Faulty::start(|request| upload_script(request, || vec![Step::Stall]));
    let store = builder(&server.endpoint())
        .with_timeout(Duration::from_secs(60))
        .with_part_size(5 << 20)
        .build()
        .unwrap();
    let upload = store.put_stream("the/key", large());
    runtime().block_on(async {
        let waited = tokio::time::timeout(Duration::from_millis(500), upload).await;
        assert!(waited.is_err(), "it ended: {waited:?}");
    });
    wait_for_an_abort(&server);
}
