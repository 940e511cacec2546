//! Configuration from files and variables: what is read, what is refused and how, and merging.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by panicking what went wrong"
)]

use mithril_core::{CoreConfig, MithrilError, StorageConfig};
use proptest::prelude::*;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// What is read from a file of this name and content.
fn load(name: &str, content: impl AsRef<[u8]>) -> mithril_core::Result<CoreConfig> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    CoreConfig::from_file(path)
}

/// The text of the error, from the name of the file on.
fn refusal(name: &str, content: impl AsRef<[u8]>) -> String {
    let error = load(name, content).expect_err("should be refused");
    assert!(matches!(error, MithrilError::Config { .. }), "{error:?}");
    let text = error.to_string();
    text[text.find(name).expect("the error names the file")..].to_owned()
}

fn s3(bucket: &str, prefix: Option<&str>) -> StorageConfig {
    StorageConfig::S3 { bucket: bucket.to_owned(), prefix: prefix.map(str::to_owned) }
}

fn full() -> CoreConfig {
    CoreConfig {
        storage: s3("corpus", Some("cleaned/2026")),
        temp_dir: Some(PathBuf::from("/var/tmp")),
        log_level: Some("info".to_owned()),
    }
}

#[test]
fn the_three_formats_say_the_same() {
    for (name, content) in [
        (
            "a.toml",
            "storage = 's3://corpus/cleaned/2026'\ntemp_dir = '/var/tmp'\nlog_level = 'info'",
        ),
        (
            "b.TOML",
            "log_level = 'INFO'\ntemp_dir = '/var/tmp'\n\
             [storage]\ntype = 's3'\nbucket = 'corpus'\nprefix = '/cleaned/2026/'",
        ),
        (
            "c.json",
            r#"{"storage": "s3://corpus/cleaned/2026", "temp_dir": "/var/tmp", "log_level": "Info"}"#,
        ),
        (
            "d.json",
            r#"{"storage": {"type": "s3", "bucket": "corpus", "prefix": "cleaned/2026"},
                "temp_dir": "/var/tmp", "log_level": "info"}"#,
        ),
        ("e.yaml", "storage: s3://corpus/cleaned/2026\ntemp_dir: /var/tmp\nlog_level: info\n"),
        (
            "f.yml",
            "\u{feff}# with a byte order mark\nstorage:\n  type: s3\n  bucket: corpus\n  \
             prefix: cleaned/2026\ntemp_dir: /var/tmp\nlog_level: info\n",
        ),
    ] {
        assert_eq!(load(name, content).unwrap(), full(), "{name}");
    }
}

#[test]
fn stores_are_urls_or_tables() {
    for (url, table, expected) in [
        ("memory://", "type='memory'", StorageConfig::Memory),
        (
            "file:///a%20b",
            "type='local'\npath='/a b'",
            StorageConfig::Local { path: "/a b".into() },
        ),
        ("data", "type='local'\npath='data'", StorageConfig::Local { path: "data".into() }),
        ("s3://b", "type='s3'\nbucket='b'", s3("b", None)),
        (
            "gs://b/p",
            "type='gcs'\nbucket='b'\nprefix='p'",
            StorageConfig::Gcs { bucket: "b".into(), prefix: Some("p".into()) },
        ),
    ] {
        assert_eq!(load("u.toml", format!("storage = '{url}'")).unwrap().storage, expected);
        assert_eq!(load("t.toml", format!("[storage]\n{table}")).unwrap().storage, expected);
        let variable = CoreConfig::from_variables([("MITHRIL_STORAGE", url)]).unwrap();
        assert_eq!(variable.storage, expected);
    }
}

#[test]
fn empty_files_and_nulls_set_nothing() {
    for (name, content) in [
        ("a.toml", ""),
        ("b.json", " \n"),
        ("c.yaml", ""),
        ("d.toml", "# only a comment"),
        ("e.yaml", "# only a comment"),
        ("f.json", "{}"),
        ("g.yaml", "storage:\ntemp_dir: ~\nlog_level: null\n"),
        ("h.json", r#"{"storage": null, "temp_dir": null, "log_level": null}"#),
    ] {
        assert_eq!(load(name, content).unwrap(), CoreConfig::default(), "{name}");
    }
}

#[test]
fn a_level_that_other_yaml_takes_for_false_is_a_level() {
    assert_eq!(load("a.yaml", "log_level: off").unwrap().log_level.as_deref(), Some("off"));
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    for (name, content, expected) in [
        ("a.toml", "temp_dir = '/a'\nlog_levle = 'info'", "a.toml:2:1: log_levle: unknown field"),
        ("b.json", "{\n\"log_levle\": 1}", "b.json:2:11: log_levle: unknown field `log_levle`"),
        ("c.yaml", "temp_dir: /a\nlog_levle: info", "c.yaml:2:1: log_levle: unknown field"),
        (
            "d.toml",
            "[storage]\ntype = 's3'\nbuket = 'b'",
            "d.toml:3:1: storage.buket: unknown field `buket`, expected one of `type`, `path`, \
             `bucket`, `prefix`",
        ),
        ("e.yaml", "storage:\n  type: s3\n  buket: b", "e.yaml:3:3: storage.buket: unknown field"),
    ] {
        let text = refusal(name, content);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn bad_values_are_named_with_key_and_line() {
    let levels = "expected one of off, error, warn, info, debug, trace";
    for (name, content, expected) in [
        (
            "a.toml",
            "\nlog_level = 'loud'",
            format!("2:13: log_level: unknown level \"loud\", {levels}"),
        ),
        (
            "b.json",
            "{\n\"log_level\": \"\"}",
            format!("2:16: log_level: unknown level \"\", {levels}"),
        ),
        ("c.yaml", "log_level: no", format!("1:12: log_level: unknown level \"no\", {levels}")),
        ("d.toml", "temp_dir = 3", "1:12: temp_dir: invalid type".to_owned()),
        ("e.toml", "temp_dir = ''", "1:12: temp_dir: the path is empty".to_owned()),
        ("f.toml", "storage = 'ftp://x'", "1:11: storage: store URL \"ftp://x\"".to_owned()),
        ("g.toml", "storage = ''", "1:11: storage: store URL \"\": it is empty".to_owned()),
        ("h.toml", "storage = 1", "1:11: storage: invalid type: integer `1`".to_owned()),
        ("i.json", "{\"storage\": {\"type\": 1}}", "1:22: storage.type: ".to_owned()),
        ("j.toml", "[storage]\ntype = 'ftp'", "2:8: storage.type: unknown variant".to_owned()),
        ("k.toml", "[storage]\npath = 'x'", "1:1: storage: missing field `type`".to_owned()),
        ("l.toml", "[storage]\ntype = 's3'", "1:1: storage: an s3 store has a bucket".to_owned()),
        (
            "m.toml",
            "[storage]\ntype = 'memory'\npath = 'x'",
            "1:1: storage: a memory store has nothing".to_owned(),
        ),
        (
            "n.toml",
            "[storage]\ntype = 'gcs'\nbucket = 'a/b'",
            "1:1: storage: the bucket \"a/b\" has a slash".to_owned(),
        ),
        (
            "o.toml",
            "[storage]\ntype = 'local'\npath = ''",
            "1:1: storage: a local store has a path".to_owned(),
        ),
        ("p.yaml", "storage: !include /etc/passwd", "1:19: unsupported tag".to_owned()),
    ] {
        let text = refusal(name, content);
        assert!(text.starts_with(&format!("{name}:{expected}")), "{text}");
    }
}

#[test]
fn text_that_is_not_of_the_format_is_refused_with_its_place() {
    for (name, content, expected) in [
        ("a.toml", "log_level = ", "a.toml:1:13: "),
        ("b.json", "{", "b.json:1:1: "),
        ("c.json", "{} {}", "c.json:1:4: trailing characters"),
        ("d.yaml", "log_level: 'info", "d.yaml:1:12: "),
        ("e.toml", "log_level = 'info'\nlog_level = 'info'", "e.toml:2:1: duplicate key"),
        ("f.json", "{\"temp_dir\": \"a\",\n\"temp_dir\": \"a\"}", "f.json:2:10: duplicate field"),
        ("g.yaml", "log_level: info\nlog_level: info", "g.yaml:2:1: duplicate"),
        (
            "h.yaml",
            "log_level: info\n---\nlog_level: info",
            "h.yaml:3:1: only single YAML document",
        ),
        ("i.json", "[\"memory://\"]", "i.json:1:1: invalid type: sequence, expected a table"),
        ("j.yaml", "- memory://", "j.yaml: invalid type: sequence, expected a table"),
    ] {
        let text = refusal(name, content);
        assert!(text.starts_with(expected), "{text}");
    }
    assert!(refusal("k.toml", b"log_level = '\xff'").contains("not UTF-8"));
}

#[test]
fn hostile_files_are_refused_soon() {
    let many = 200_000;
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs = format!("{laughs}a{level}: &a{level} [{aliases}]\n");
    }
    refusal("a.yaml", &laughs);
    refusal("b.yaml", format!("storage:\n  path:\n{}", laughs.replace('a', "    a")));
    for open in ["[", "{a: ", "- ", "? ", "&a ", "!!str "] {
        refusal("c.yaml", format!("storage: {}", open.repeat(many)));
        refusal("d.yaml", open.repeat(many));
    }
    refusal("e.json", "[".repeat(many));
    refusal("f.json", format!("{{\"storage\": {}", "{\"path\":".repeat(many / 2)));
    refusal("g.toml", format!("storage = {}", "[".repeat(many)));
    refusal("h.toml", format!("storage{} = 1", ".a".repeat(many)));
    assert!(refusal("i.toml", "#".repeat((1 << 20) + 1)).contains("1 MiB"));
    assert_eq!(load("j.toml", "#".repeat(1 << 20)).unwrap(), CoreConfig::default());
}

#[test]
fn another_suffix_is_refused_before_the_file_is_looked_for() {
    for name in ["mithril.ini", "mithril", ".toml", "mithril.toml.bak"] {
        let error = CoreConfig::from_file(name).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert!(error.contains(".toml, .json, .yaml or .yml"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let error = CoreConfig::from_file(&path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let MithrilError::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn variables_are_read_and_others_passed_over() {
    let config = CoreConfig::from_variables([
        ("MITHRIL_STORAGE", "s3://corpus/cleaned/2026"),
        ("MITHRIL_TEMP_DIR", "/var/tmp"),
        ("MITHRIL_LOG_LEVEL", "INFO"),
        ("MITHRIL_NUM_THREADS", "4"),
        ("MITHRILS", "x"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(config.unwrap(), full());
    let empty = ["MITHRIL_STORAGE", "MITHRIL_TEMP_DIR", "MITHRIL_LOG_LEVEL", "MITHRIL_OTHER"];
    let config = CoreConfig::from_variables(empty.map(|name| (name, "")));
    assert_eq!(config.unwrap(), CoreConfig::default());
}

#[test]
fn the_environment_of_this_process_is_read() {
    // That of a test run sets nothing, and if it does so well, it is no concern of this test.
    let read = CoreConfig::from_env();
    let same = CoreConfig::from_variables(std::env::vars_os());
    assert_eq!(read.map_err(|error| error.to_string()), same.map_err(|error| error.to_string()));
}

#[test]
fn variables_that_make_no_sense_are_named() {
    for (name, value, expected) in [
        ("MITHRIL_STORGE", "memory://", "unknown variable; known are MITHRIL_STORAGE"),
        ("MITHRIL_", "x", "unknown variable"),
        ("MITHRIL_STORAGE", "ftp://x", "store URL \"ftp://x\""),
        ("MITHRIL_LOG_LEVEL", "loud", "unknown level \"loud\""),
        ("MITHRIL_NUM_THREADS", "0", "\"0\" is not a number of threads"),
        ("MITHRIL_NUM_THREADS", "many", "\"many\" is not a number of threads"),
    ] {
        let error = CoreConfig::from_variables([(name, value)]).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: {expected}")), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_unicode_are_named_and_folders_may_be_so() {
    use std::os::unix::ffi::OsStringExt;

    let odd = || OsString::from_vec(b"/a\xff".to_vec());
    for name in ["MITHRIL_STORAGE", "MITHRIL_LOG_LEVEL", "MITHRIL_NUM_THREADS", "MITHRIL_OTHER"] {
        let error = CoreConfig::from_variables([(name, odd())]).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let config = CoreConfig::from_variables([("MITHRIL_TEMP_DIR", odd())]).unwrap();
    assert_eq!(config.temp_dir, Some(PathBuf::from(odd())));
    let name = OsString::from_vec(b"MITHRIL_\xff".to_vec());
    let error = CoreConfig::from_variables([(name, "x")]).unwrap_err().to_string();
    assert!(error.contains("MITHRIL_\u{fffd}: unknown variable"), "{error}");
    assert_eq!(CoreConfig::from_variables([(odd(), odd())]).unwrap(), CoreConfig::default());
}

fn text() -> impl Strategy<Value = String> {
    // Whatever a format may take for something else, and anything.
    prop_oneof![
        "[a-z0-9._-]{1,8}",
        "[ -~]{1,12}",
        prop::sample::select(vec![
            "null",
            "~",
            "true",
            "off",
            "no",
            "1",
            "1e3",
            "0x1f",
            ".nan",
            "- a",
            "a: b",
            "# a",
            "'",
            "\"",
            "\\",
            "a\nb",
            "\u{1}",
            "2026-01-01",
            "<<",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "\u{feff}",
        ])
        .prop_map(str::to_owned),
        any::<String>().prop_filter("empty", |text| !text.is_empty()),
    ]
}

fn storage() -> impl Strategy<Value = StorageConfig> {
    let bucket = || "[a-z0-9][a-z0-9-]{1,10}[a-z0-9]";
    let prefix = || prop::option::of("[a-z0-9 %#?:é-]{1,5}(/[a-z0-9]{1,5}){0,2}");
    prop_oneof![
        Just(StorageConfig::Unset),
        Just(StorageConfig::Memory),
        text().prop_map(|path| StorageConfig::Local { path: PathBuf::from(path) }),
        (bucket(), prefix()).prop_map(|(bucket, prefix)| StorageConfig::S3 { bucket, prefix }),
        (bucket(), prefix()).prop_map(|(bucket, prefix)| StorageConfig::Gcs { bucket, prefix }),
    ]
}

fn config() -> impl Strategy<Value = CoreConfig> {
    let level = prop::sample::select(vec!["off", "error", "warn", "info", "debug", "trace"]);
    let temp_dir = prop::option::of(text().prop_map(PathBuf::from));
    (storage(), temp_dir, prop::option::of(level.prop_map(str::to_owned)))
        .prop_map(|(storage, temp_dir, log_level)| CoreConfig { storage, temp_dir, log_level })
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn any_configuration_comes_back_from_every_format(config in config()) {
        let toml = toml::to_string(&config).unwrap();
        prop_assert_eq!(&load("a.toml", &toml).unwrap(), &config, "{}", toml);
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&load("a.json", &json).unwrap(), &config, "{}", json);
        let yaml = serde_saphyr::to_string(&config).unwrap();
        prop_assert_eq!(&load("a.yaml", &yaml).unwrap(), &config, "{}", yaml);
        // As a part of something else too, where an unset store is a null.
        let storage = serde_json::to_string(&config.storage).unwrap();
        prop_assert_eq!(serde_json::from_str::<StorageConfig>(&storage).unwrap(), config.storage);
    }

    #[test]
    fn merging_takes_what_the_other_gives(one in config(), two in config(), three in config()) {
        let merged = one.clone().merge(two.clone());
        let storage = if two.storage == StorageConfig::Unset { &one } else { &two };
        prop_assert_eq!(&merged.storage, &storage.storage);
        let temp_dir = if two.temp_dir.is_none() { &one } else { &two };
        prop_assert_eq!(&merged.temp_dir, &temp_dir.temp_dir);
        let log_level = if two.log_level.is_none() { &one } else { &two };
        prop_assert_eq!(&merged.log_level, &log_level.log_level);

        prop_assert_eq!(&one.clone().merge(CoreConfig::default()), &one);
        prop_assert_eq!(&CoreConfig::default().merge(one.clone()), &one);
        prop_assert_eq!(&one.clone().merge(one.clone()), &one);
        prop_assert_eq!(merged.merge(three.clone()), one.merge(two.merge(three)));
    }

    #[test]
    fn no_text_makes_a_parser_panic(
        text in any::<String>(),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "storage", "temp_dir", "log_level", "type", "s3", "bucket", "=", ":", " ", "\n", "  ", "{",
            "}", "[", "]", "\"", "'", ",", "- ", "&a ", "*a", "!!", "|", ">", "<<", "#", "---\n", "...",
            "\t", "\u{feff}", "null", "é", "\u{85}",
        ]), 0..40),
    ) {
        for content in [text, pieces.concat()] {
            for name in ["a.toml", "a.json", "a.yaml"] {
                // Whatever it says, it says it of the file.
                if let Err(error) = load(name, &content) {
                    prop_assert!(error.to_string().contains(name), "{}", error);
                }
            }
            for name in ["MITHRIL_STORAGE", "MITHRIL_LOG_LEVEL", "MITHRIL_NUM_THREADS"] {
                let _ = CoreConfig::from_variables([(name, &content)]);
            }
            let _ = CoreConfig::from_variables([(&content, "x")]);
        }
    }
}
