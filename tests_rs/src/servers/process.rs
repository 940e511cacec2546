//! A server as a process that does not outlive this one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const LOOKED_AT_EVERY: Duration = Duration::from_millis(20);

/// A server and its folder. `servers/supervise.py` ends both when its input does, which is when this
/// is dropped or this process has ended.
pub(super) struct Process {
    name: &'static str,
    supervisor: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts the command that `command` makes from the server's folder and free ports.
    pub(super) fn start(
        name: &'static str,
        ports: usize,
        command: impl FnOnce(&Path, &[u16]) -> Vec<String>,
    ) -> (Self, Vec<u16>) {
        let folder = tempfile::Builder::new().prefix("mithril-server-").tempdir();
        let folder = folder.expect("a folder for a server").keep();
        let ports = free_ports(ports);
        let supervisor = Command::new(tool("python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/servers/supervise.py"))
            .arg(&folder)
            .args(command(&folder, &ports))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("python runs");
        (Self { name, supervisor, folder }, ports)
    }

    /// Asks until it is so.
    pub(super) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() > STARTS_WITHIN {
                let log = std::fs::read(self.folder.join("server.log")).unwrap_or_default();
                let tail = &log[log.len().saturating_sub(4000)..];
                panic!(
                    "{}: waited {STARTS_WITHIN:?} until {what}. It said:\n{}",
                    self.name,
                    String::from_utf8_lossy(tail)
                );
            }
            sleep(LOOKED_AT_EVERY);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// An executable of the project's tools.
pub(super) fn tool(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv/bin/").to_owned() + name;
    assert!(Path::new(&path).exists(), "{path} is not there: run `make test`, which installs it");
    path
}

/// Ports of the loopback interface that were free a moment ago. All are held until the last is found.
pub(super) fn free_ports(count: usize) -> Vec<u16> {
    let free = || TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let held: Vec<_> = std::iter::repeat_with(free).take(count).collect();
    held.iter().map(|held| held.local_addr().expect("a bound port").port()).collect()
}
