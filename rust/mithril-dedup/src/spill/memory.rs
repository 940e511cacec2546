//! How much memory there is.

/// What control groups may take, by the second and the first version of their interface.
const LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The bytes of memory of this machine, or of the control group that the process is in if that has less.
pub(crate) fn of_the_machine() -> Option<u64> {
    let machine = machine();
    let limit = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    machine.into_iter().chain(LIMITS.iter().filter_map(|file| limit(file))).min()
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
