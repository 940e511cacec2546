//! Secrets in what servers, stores, builders and errors say: there are none.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use mithril_core::{GcsStorage, S3Storage, StorageBackend, StorageConfig, create_storage, runtime};
use mithril_tests::faulty::{Faulty, answer};
use mithril_tests::told::{SECRET, TOKEN, assert_no_secret, assert_told, builder, large, texts};

#[test]
fn what_a_server_repeats_of_a_request_is_not_repeated_again() {
    type Repeat = fn(&str) -> String;
    let repeats: [Repeat; 5] = [
        str::to_owned,
        |head| format!("<Error><Code>Odd</Code><Message>{head}</Message></Error>"),
        |head| format!("<html>{}</html>", head.replace('&', "&amp;")),
        |head| format!("{{\"headers\": {:?}}}", head.replace('/', "\\/")),
        // A message is cut, and the cut could leave the half of a secret.
        |head| format!("{}{head}", "x".repeat(560)),
    ];
    for status in [400, 403, 404, 409, 412, 416, 500, 501] {
        for repeat in repeats {
            let server = Faulty::start(move |request| {
                let head = format!("{} {SECRET} {TOKEN} ", request.head);
                answer(status, "", repeat(&head))
            });
            let store = builder(&server.endpoint()).with_retries(0).build().unwrap();
            let errors = runtime().block_on(async {
                [
                    store.get("the/key").await.unwrap_err(),
                    store.list("the/key").await.unwrap_err(),
                    store.put("the/key", Bytes::from("x")).await.unwrap_err(),
                    store.put_stream("the/key", large()).await.unwrap_err(),
                ]
            });
            let texts = errors.each_ref().map(texts).concat();
            assert_no_secret(&texts);
            for request in server.requests() {
                let (_, signature) = request.head.split_once("Signature=").expect("a signature");
                let signature = signature.lines().next().unwrap();
                assert!(!texts.contains(signature), "the signature {signature} is in {texts}");
            }
        }
    }
}

#[test]
fn a_password_in_the_endpoint_is_not_told() {
    let server = Faulty::start(|request| answer(400, "", request.head.clone()));
    let host = server.endpoint().replace("http://", "");
    let store = builder(&format!("http://user:pass%20word@{host}")).build().unwrap();
    assert!(!format!("{store:?}").contains("word"), "{store:?}");
    let error = runtime().block_on(store.get("the/key")).unwrap_err();
    let texts = texts(&error);
    assert!(!texts.contains("pass%20word") && !texts.contains("pass word"), "{texts}");
    assert!(texts.contains(&host), "{texts}");
    for endpoint in ["https://user:pass/word@host", "user:password@host", "http://us@er:password@h"]
    {
        let built = builder(endpoint).with_allow_http(false).build();
        let shown = format!("{built:?} {:?}", built.as_ref().map_err(ToString::to_string));
        assert!(!shown.contains("word"), "{shown}");
    }
}

#[test]
fn google_errors_name_the_place_and_hide_the_key() {
    let server = Faulty::start(|request| answer(400, "", request.head.clone()));
    let key = format!(
        r#"{{"gcs_base_url":"{}","disable_oauth":true,"client_email":"a@b","private_key":"{SECRET}","private_key_id":""}}"#,
        server.endpoint()
    );
    let store = GcsStorage::builder("the-bucket")
        .with_service_account_key(key.clone())
        .with_allow_http(true)
        .build()
        .unwrap();
    assert!(format!("{store:?}").contains(&server.endpoint()), "{store:?}");
    let error = runtime().block_on(store.get("the/key")).unwrap_err();
    assert_told(&error, &server.endpoint());
    let unencrypted = GcsStorage::builder("the-bucket").with_service_account_key(key).build();
    let error = unencrypted.unwrap_err().to_string();
    assert!(error.contains("not encrypted") && !error.contains(SECRET), "{error}");
}

#[test]
fn what_is_printed_of_stores_and_builders_has_no_secret() {
    let s3 = S3Storage::builder("bucket").with_credentials("id", SECRET).with_session_token(TOKEN);
    assert_no_secret(&format!("{s3:?} {s3:#?}"));
    let store = s3.build().unwrap();
    assert_no_secret(&format!("{store:?} {store:#?}"));
    let key = format!(
        r#"{{"private_key":"{SECRET}","private_key_id":"{SECRET}","client_email":"","disable_oauth":true}}"#
    );
    let google = GcsStorage::builder("bucket").with_service_account_key(&key);
    assert_no_secret(&format!("{google:?} {google:#?}"));
    assert_no_secret(&format!("{:?}", google.build().unwrap()));
    for broken in [&key[1..], &key[..key.len() - 1], "{}", SECRET] {
        let error = GcsStorage::builder("bucket").with_service_account_key(broken).build();
        assert_no_secret(&error.unwrap_err().to_string());
    }
    let missing = GcsStorage::builder("bucket").with_service_account_path("/nowhere").build();
    assert!(missing.unwrap_err().to_string().contains("/nowhere"));
}

#[test]
fn a_secret_in_a_url_is_not_repeated() {
    for url in [
        "s3://id:s3cr3t@bucket/prefix",
        "s3://id:s3cr3t/s3cr3t@bucket/prefix",
        "gs://s3cr3t@bucket",
        "https://user:s3cr3t@host/path",
        "memory://user:s3cr3t@host",
        "file://user:s3cr3t@host/data",
    ] {
        let error = url.parse::<StorageConfig>().unwrap_err();
        assert_no_secret(&format!("{error} {error:?}"));
    }
    for bucket in ["id:s3cr3t@bucket", "s3cr3t@"] {
        let config = StorageConfig::S3 { bucket: bucket.to_owned(), prefix: None };
        assert_no_secret(&create_storage(config).err().unwrap().to_string());
        let error = GcsStorage::builder(bucket).build().unwrap_err();
        assert_no_secret(&error.to_string());
    }
}
