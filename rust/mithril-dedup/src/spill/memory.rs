//! How much memory there is.

/// The bytes of memory of this machine, or of the control group that the process is in if that has less.
pub(crate) fn of_the_machine() -> Option<u64> {
    let machine = machine();
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    machine.into_iter().chain(group).min()
}

#[cfg(target_os = "linux")]
fn machine() -> Option<u64> {
    let system = rustix::system::sysinfo();
    system.totalram.checked_mul(system.mem_unit.into())
}

#[cfg(not(target_os = "linux"))]
fn machine() -> Option<u64> {
    None
}
