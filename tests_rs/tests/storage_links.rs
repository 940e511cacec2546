//! Folders in which somebody has put more than files: links, pipes, sockets, files in the way.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use bytes::Bytes;
use futures_util::TryStreamExt;
use mithril_core::{FolderListing, LocalStorage, StorageBackend, StorageError, runtime};
use mithril_tests::child::{again, shown, task};

const X: Bytes = Bytes::from_static(b"x");

fn run<T>(work: impl Future<Output = T>) -> T {
    runtime().block_on(work)
}

fn assert_refused<T>(outcome: Result<T, StorageError>, what: &str) {
    match outcome {
        Err(StorageError::InvalidKey(_)) => {}
        Err(error) => panic!("{what}: {error:?}"),
        Ok(_) => panic!("{what} is not refused"),
    }
}

#[test]
fn no_link_leads_out_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = LocalStorage::temp().unwrap();
    let root = store.root();
    let up = format!("../{}", outside.path().file_name().unwrap().display());
    symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
    symlink(format!("{up}/secret"), root.join("relative")).unwrap();
    symlink(outside.path(), root.join("folder")).unwrap();
    symlink(&up, root.join("folder-relative")).unwrap();
    symlink("..", root.join("above")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    symlink("folder", root.join("twice")).unwrap();
    let beyond = format!("magic{}/secret", outside.path().display());
    run(async {
        for key in [
            "absolute",
            "relative",
            "folder/secret",
            "folder-relative/secret",
            "above/x",
            "twice/secret",
            beyond.as_str(),
        ] {
            assert_refused(store.get(key).await, key);
            assert_refused(store.get_opt(key).await, key);
            assert_refused(store.head(key).await, key);
            assert_refused(store.exists(key).await, key);
            assert_refused(store.get_range(key, 0..1).await, key);
            assert_refused(store.get_stream(key).await.map(drop), key);
            assert_refused(store.copy(key, "copy").await, key);
            assert_refused(store.rename(key, "copy").await, key);
        }
        for key in
            ["folder/new", "folder-relative/new", "folder/new/below", "above/new", "twice/new"]
        {
            assert_refused(store.put(key, X).await, key);
            assert_refused(store.delete(key).await, key);
        }
        assert_refused(store.delete("folder/secret").await, "delete");
        assert_eq!(store.list("").await.unwrap(), [""; 0]);
        assert_eq!(store.list("folder/").await.unwrap(), [""; 0]);
        let listed: Vec<_> = store.list_stream("").try_collect().await.unwrap();
        assert_eq!(listed, []);
        // Writing to the name of a link replaces the link.
        store.put("absolute", X).await.unwrap();
        assert_eq!(store.get("absolute").await.unwrap(), "x");
        store.delete("relative").await.unwrap();
    });
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "something was written outside");
}

#[test]
fn links_inside_the_folder_are_followed() {
    let store = LocalStorage::temp().unwrap();
    let root = store.root();
    run(async {
        store.put("a/file", X).await.unwrap();
        symlink("a/file", root.join("to-file")).unwrap();
        symlink("a", root.join("to-folder")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("b", root.join("c")).unwrap();
        symlink("c", root.join("b")).unwrap();
        assert_eq!(store.get("to-file").await.unwrap(), "x");
        assert_eq!(store.get("to-folder/file").await.unwrap(), "x");
        assert_eq!(store.list("").await.unwrap(), ["a/file", "to-file"]);
        // As from above: what is listed below a prefix is listed without one.
        assert_eq!(store.list("to-folder/").await.unwrap(), [""; 0]);
        let top = store.list_folder("").await.unwrap();
        assert_eq!((top.objects[0].key.as_str(), top.objects.len()), ("to-file", 1));
        assert_eq!(top.folders, ["a/"]);
        assert_eq!(store.list_folder("to-folder/").await.unwrap(), FolderListing::default());
        assert!(store.is_folder("a").await.unwrap());
        assert!(!store.is_folder("to-folder").await.unwrap());
        for key in ["dangling", "loop", "b", "loop/x"] {
            assert!(store.get(key).await.unwrap_err().is_not_found(), "{key}");
            assert_eq!(store.get_opt(key).await.unwrap(), None, "{key}");
            assert!(!store.exists(key).await.unwrap(), "{key}");
        }
        // A relative link would mean something else in another folder.
        store.rename("to-file", "moved/below/to-file").await.unwrap();
        assert_eq!(store.get("moved/below/to-file").await.unwrap(), "x");
        assert!(!store.exists("to-file").await.unwrap());
        assert_eq!(store.get("a/file").await.unwrap(), "x");
        store.put("loop", X).await.unwrap();
        assert_eq!(store.get("loop").await.unwrap(), "x");
    });
}

#[test]
fn what_is_no_file_is_no_object() {
    let store = LocalStorage::temp().unwrap();
    let root = store.root();
    assert!(Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    fs::create_dir_all(root.join("folder/below")).unwrap();
    run(async {
        for key in ["pipe", "socket", "folder", "folder/below"] {
            assert!(store.get(key).await.unwrap_err().is_not_found(), "{key}");
            assert!(store.head(key).await.unwrap_err().is_not_found(), "{key}");
            assert!(!store.exists(key).await.unwrap(), "{key}");
        }
        assert_eq!(store.list("").await.unwrap(), [""; 0]);
        let top = store.list_folder("").await.unwrap();
        assert_eq!((top.objects.len(), top.folders), (0, vec!["folder/".to_owned()]));
        assert!(!store.is_folder("pipe").await.unwrap());
        for key in ["pipe", "socket", "folder"] {
            // Folders without objects do not stand in the way, however deep they are.
            store.put(key, X).await.unwrap();
            assert_eq!(store.get(key).await.unwrap(), "x");
        }
    });
}

#[test]
fn a_file_in_the_way_is_said_to_be() {
    let store = LocalStorage::temp().unwrap();
    run(async {
        store.put("a", X).await.unwrap();
        store.put("d/e/f", X).await.unwrap();
        fs::create_dir_all(store.root().join("d/empty")).unwrap();
        for key in ["a/b", "a/b/c", "d", "d/e"] {
            assert_refused(store.put(key, X).await, key);
            assert_refused(store.copy("a", key).await, key);
            assert_refused(store.rename("a", key).await, key);
            assert!(!store.exists(key).await.unwrap(), "{key}");
            assert!(store.get(key).await.unwrap_err().is_not_found(), "{key}");
            store.delete(key).await.unwrap();
        }
        assert_eq!(store.list("").await.unwrap(), ["a", "d/e/f"]);
        assert_eq!(store.get("d/e/f").await.unwrap(), "x");
    });
}

/// The child is a user without rights, as root may do everything.
#[test]
fn a_folder_that_may_only_be_read_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if let Some(root) = task() {
        let store = LocalStorage::new(root).unwrap();
        run(async {
            assert_eq!(store.get("key").await.unwrap(), "x");
            assert_eq!(store.list("").await.unwrap(), ["key", "private"]);
            let denied = [
                store.put("key", X).await,
                store.put("new/below", X).await,
                store.put_stream("new", Box::pin(futures_util::stream::iter([X]))).await,
                store.delete("key").await,
                store.rename("key", "new").await,
                store.get("private").await.map(drop),
            ];
            for outcome in denied {
                let Err(StorageError::PermissionDenied(text)) = &outcome else {
                    panic!("{outcome:?}")
                };
                assert!(text.contains(&store.root().display().to_string()), "{text}");
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(folder.path().join("key"), "x").unwrap();
    fs::write(folder.path().join("private"), "x").unwrap();
    mode(&folder.path().join("private"), 0o000);
    mode(folder.path(), 0o555);
    let mut child =
        again("a_folder_that_may_only_be_read_can_be_read", &folder.path().display().to_string());
    if rustix::process::getuid().is_root() {
        child.uid(65534).gid(65534);
    }
    let output = child.output().unwrap();
    mode(folder.path(), 0o755);
    assert!(output.status.success(), "{}", shown(&output));
}
