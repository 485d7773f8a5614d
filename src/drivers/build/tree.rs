//! The processes of a build while it runs, and their end: its group, what has its mark, what descends from it, and what has its
//! output open. A process leaves the group with a session of its own, and loses the mark with a clean environment; what does
//! both is seen while it has a parent, or has the output open.

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, getuid, kill_process_group};

use super::marked::{Processes, end, find_marked};
use super::run::Launch;
use crate::base::process;

/// How many processes that could not be ended are named.
const MOST_NAMED: usize = 10;

/// Kills all that a build started, when it has ended, when it takes too long, and when the run is cancelled and its future
/// dropped.
pub(super) struct Tree {
    group: Option<Pid>,
    mark: String,
    folder: PathBuf,
    /// The pipe that it writes to, as `/proc/PID/fd` names it.
    output: Option<PathBuf>,
    /// The main process and those that descend from it, as far as they were seen and live.
    seen: Processes,
    /// Open while the build runs; is told then what could not be ended, line by line.
    over: Option<PipeWriter>,
}

impl Tree {
    pub(super) fn new(main: Option<u32>, launch: &Launch, output: Option<PathBuf>, over: PipeWriter) -> Self {
        let started = main.and_then(|pid| Some((pid, process::start_time(pid)?)));
        Self {
            group: main.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw),
            mark: launch.mark.clone(),
            folder: launch.folder.clone(),
            output,
            seen: started.into_iter().collect(),
            over: Some(over),
        }
    }

    /// Remembers what descends from the main process now. Whoever loses his parent later is known all the same.
    pub(super) fn look(&mut self) {
        let alive = process::all_alive();
        let known = |one: &&process::Alive| self.seen.get(&one.pid) == Some(&one.start_time);
        let mut found: Processes = alive.iter().filter(known).map(|one| (one.pid, one.start_time)).collect();
        loop {
            let before = found.len();
            for one in &alive {
                if found.contains_key(&one.parent) {
                    found.insert(one.pid, one.start_time);
                }
            }
            if found.len() == before {
                break;
            }
        }
        self.seen = found;
    }

    /// Ends what lives of it.
    pub(super) fn kill(&mut self) {
        let Some(mut over) = self.over.take() else { return };
        self.look();
        if let Some(group) = self.group {
            // As a rule nothing is left of it.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let (_, left) = end(|| {
            self.look();
            let mut found = self.seen.clone();
            found.extend(find_marked(&self.mark));
            found.extend(self.output.iter().flat_map(|output| find_writers(output)));
            found
        });
        // Whoever reads it is a thread of ours.
        for pid in left.keys().take(MOST_NAMED) {
            let _ = writeln!(over, "{}, which it started, could not be ended and is still there", named(*pid));
        }
        let there = process::working_below(&self.folder).into_iter().filter(|pid| !left.contains_key(pid));
        for pid in there.take(MOST_NAMED) {
            let what =
                "works in the build's folder, and nothing else shows that the build started it: it is left alone";
            let _ = writeln!(over, "{} {what}", named(pid));
        }
    }
}

fn named(pid: u32) -> String {
    let name = process::name(pid).unwrap_or_default().replace(char::is_control, "?");
    format!("process {pid} (`{name}`)")
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How `/proc/PID/fd` names a pipe.
pub(super) fn pipe_name(pipe: &PipeReader) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok()
}

/// The processes of our user that can write to a pipe and not read it: what can do both is a child of ours that has not come to
/// its own program yet.
fn find_writers(pipe: &Path) -> Processes {
    let (user, own) = (getuid().as_raw(), std::process::id());
    let mut found = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == own || !process.metadata().is_ok_and(|metadata| metadata.uid() == user) {
            continue;
        }
        let ends = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let ends = ends.filter(|end| std::fs::read_link(end.path()).is_ok_and(|to| to == pipe));
        // Source: `proc(5)`, `/proc/PID/fd`: the mode of the link says what the file is open for.
        let modes = ends.filter_map(|end| Some(end.path().symlink_metadata().ok()?.mode()));
        let mode = modes.fold(0, |all, mode| all | mode);
        if mode & 0o200 != 0
            && mode & 0o400 == 0
            && let Some(start_time) = process::start_time(pid)
        {
            found.insert(pid, start_time);
        }
    }
    found
}
