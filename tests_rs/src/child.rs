//! Tests whose subject is another process: a forked one, or the test binary run once more.

use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Output, Stdio};

/// Runs `child` in a forked process, which must end well within a minute.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "fork is unsafe. The C library puts its own locks in order for the child (those of the
        allocator and of threads), and the alarm ends a child that comes upon any other lock held by
        a thread that is no more: that is what these tests are after. _exit runs nothing of the
        parent's."
)]
pub fn in_child(what: &str, child: impl FnOnce()) {
    let status = unsafe {
        match libc::fork() {
            -1 => panic!("cannot fork"),
            0 => {
                libc::alarm(60);
                let ended = panic::catch_unwind(AssertUnwindSafe(child));
                libc::_exit(i32::from(ended.is_err()))
            }
            id => {
                let mut status = 0;
                assert_eq!(libc::waitpid(id, &raw mut status, 0), id);
                status
            }
        }
    };
    let killed = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    assert_ne!(killed, Some(libc::SIGALRM), "{what}: the child stood still");
    assert_eq!(killed, None, "{what}: the child was killed");
    assert_eq!(libc::WEXITSTATUS(status), 0, "{what}: the child failed");
}

const TASK: &str = "MITHRIL_TEST_TASK";

/// What the test that asks this is to do, if it runs in a process that [`again`] has started.
#[must_use]
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// A command that runs the test `name` of this binary in a process of its own, with a task.
#[must_use]
pub fn again(name: &str, task: &str) -> Command {
    let binary = std::env::current_exe().expect("the path of the test binary");
    let mut command = Command::new(binary);
    command
        .args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(TASK, task)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the test `name` of this binary in a process of its own, which must end well.
#[must_use]
pub fn run_again(name: &str, task: &str) -> String {
    let output = again(name, task).output().expect("the test binary runs");
    assert!(output.status.success(), "{name} ({task}): {}", shown(&output));
    shown(&output)
}

/// What a process has said.
#[must_use]
pub fn shown(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// The most memory that this process has had, in bytes.
#[must_use]
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|text| text.trim().parse::<u64>().ok()).expect("a number") * 1024
}
