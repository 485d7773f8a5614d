//! The processes of a build, found by a mark in their environment: also those that left their group, and those whose
//! tidegate was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getuid, kill_process, pidfd_open, pidfd_send_signal};

use crate::base::process;

/// The variable that every process of a build has.
pub const VARIABLE: &str = "TIDEGATE_BUILD";

/// How long processes may take to be gone after SIGKILL: one in the middle of a read from a disk takes its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Processes, by their number, with their start.
pub(super) type Processes = BTreeMap<u32, u64>;

/// Kills every process with this mark, and gives how many there were.
pub fn kill_marked(mark: &str) -> usize {
    end(|| find_marked(mark)).0
}

/// Kills what is found until nothing is: what it starts meanwhile is found in the next round. Gives how many there were, and
/// those that do not end.
pub(super) fn end(mut find: impl FnMut() -> Processes) -> (usize, Processes) {
    let deadline = Instant::now() + PATIENCE;
    let (mut killed, mut refused) = (BTreeSet::new(), Processes::new());
    loop {
        let mut found = find();
        found.retain(|pid, start_time| refused.get(pid) != Some(start_time));
        if found.is_empty() || Instant::now() > deadline {
            found
                .extend(refused.into_iter().filter(|(pid, start_time)| process::start_time(*pid) == Some(*start_time)));
            return (killed.len(), found);
        }
        for (pid, start_time) in found {
            if kill(pid, start_time) {
                killed.insert((pid, start_time));
            } else {
                refused.insert(pid, start_time);
            }
        }
        // A killed process is listed until the system has taken it apart.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The live processes of our user with this mark in their environment.
///
/// Source: `proc(5)`, `/proc/PID/environ`: what the process was started with.
pub(super) fn find_marked(mark: &str) -> Processes {
    use std::os::unix::fs::MetadataExt;
    let entry = format!("{VARIABLE}={mark}");
    let user = getuid().as_raw();
    let own = std::process::id();
    let mut found = Processes::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let is_ours = process.metadata().is_ok_and(|metadata| metadata.uid() == user);
        if pid == own || !is_ours || !has(&process.path(), entry.as_bytes()) {
            continue;
        }
        if let Some(start_time) = process::start_time(pid) {
            found.insert(pid, start_time);
        }
    }
    found
}

fn has(folder: &Path, entry: &[u8]) -> bool {
    std::fs::read(folder.join("environ")).is_ok_and(|text| text.split(|byte| *byte == 0).any(|one| one == entry))
}

/// Whether it is ended, or was; not where the system does not let us.
fn kill(pid: u32, start_time: u64) -> bool {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // The descriptor stays with the process that had the number when it was opened.
    let descriptor = pidfd_open(number, PidfdFlags::empty());
    if process::start_time(pid) != Some(start_time) {
        return true;
    }
    let killed = match descriptor {
        Ok(descriptor) => pidfd_send_signal(descriptor, Signal::KILL),
        // Before Linux 5.3, or in a sandbox.
        Err(_) => kill_process(number, Signal::KILL),
    };
    // One that has ended meanwhile is what was wanted.
    killed != Err(Errno::PERM)
}
