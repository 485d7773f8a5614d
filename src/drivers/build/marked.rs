//! The processes of a build, found by a mark in their environment: also those that left their group, and those whose
//! tidegate was killed.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, getuid, kill_process, pidfd_open, pidfd_send_signal};

use crate::base::process;

/// The variable that every process of a build has.
pub const VARIABLE: &str = "TIDEGATE_BUILD";

/// How long processes may take to be gone after SIGKILL: one in the middle of a read from a disk takes its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills every process with this mark, and gives how many there were. What they start meanwhile has the mark as well and
/// is killed in the next round.
pub fn kill_marked(mark: &str) -> usize {
    let wanted = format!("{VARIABLE}={mark}");
    let deadline = Instant::now() + PATIENCE;
    let mut killed = std::collections::BTreeSet::new();
    loop {
        let found = find(wanted.as_bytes());
        if found.is_empty() || Instant::now() > deadline {
            return killed.len();
        }
        for (pid, start_time) in found {
            kill(pid, start_time);
            killed.insert((pid, start_time));
        }
        // A killed process is listed until the system has taken it apart.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The live processes of our user with this entry in their environment, by number and start.
///
/// Source: `proc(5)`, `/proc/PID/environ`: what the process was started with.
fn find(entry: &[u8]) -> Vec<(u32, u64)> {
    use std::os::unix::fs::MetadataExt;
    let user = getuid().as_raw();
    let own = std::process::id();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let is_ours = process.metadata().is_ok_and(|metadata| metadata.uid() == user);
        if pid == own || !is_ours || !has(&process.path(), entry) {
            continue;
        }
        if let Some(start_time) = process::start_time(pid) {
            found.push((pid, start_time));
        }
    }
    found
}

fn has(folder: &Path, entry: &[u8]) -> bool {
    std::fs::read(folder.join("environ")).is_ok_and(|text| text.split(|byte| *byte == 0).any(|one| one == entry))
}

fn kill(pid: u32, start_time: u64) {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    // The descriptor stays with the process that had the number when it was opened.
    let descriptor = pidfd_open(number, PidfdFlags::empty());
    if process::start_time(pid) != Some(start_time) {
        return;
    }
    // One that has ended meanwhile is what was wanted.
    let _ = match descriptor {
        Ok(descriptor) => pidfd_send_signal(descriptor, Signal::KILL),
        // Before Linux 5.3, or in a sandbox.
        Err(_) => kill_process(number, Signal::KILL),
    };
}
