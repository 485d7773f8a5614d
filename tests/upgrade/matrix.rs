//! The guard over all of its cases: mode x JobManager alive, dead, restarted empty x checkpoints that stay, that are read from
//! here, that are gone x a job that runs, restarts, has failed, was cancelled by hand, has finished.
//!
//! What must hold is told by [`expected`], apart from the code that is under test.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::fake_flink::FakeFlink;
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, first_id, stage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Savepoint,
    LastState,
    Stateless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobManager {
    Alive,
    Dead,
    /// It came back, and knows nothing.
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checkpoints {
    /// On the cluster; tidegate does not reach their folder.
    There,
    /// In a folder that tidegate reads, too.
    Readable,
    /// Flink has deleted them.
    Gone,
    /// None was ever completed.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Running,
    Restarting,
    Failed,
    Cancelled,
    Finished,
}

/// What a deploy of another spec comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    FromSavepoint,
    FromCheckpoint,
    FromNothing,
    /// Refused with this code; nothing was started, and what ran still runs.
    Refused(&'static str),
}

type Case = (Mode, JobManager, Checkpoints, Job);

fn expected((mode, manager, checkpoints, job): Case) -> Outcome {
    use Outcome::{FromCheckpoint, FromNothing, FromSavepoint, Refused};
    match (manager, job) {
        (JobManager::Dead, _) => Refused("flink.unreachable"),
        // What became of it nobody saw. Only what can be read here is known.
        (JobManager::Empty, _) if checkpoints == Checkpoints::Readable => FromCheckpoint,
        (JobManager::Empty, _) => Refused("job.state_unknown"),
        // It has done its work; what is deployed is another one.
        (JobManager::Alive, Job::Finished) => FromNothing,
        (JobManager::Alive, Job::Failed | Job::Cancelled) => match checkpoints {
            Checkpoints::There | Checkpoints::Readable => FromCheckpoint,
            Checkpoints::Gone => Refused("job.state_unknown"),
            Checkpoints::Never => FromNothing,
        },
        (JobManager::Alive, Job::Running | Job::Restarting) => match (mode, checkpoints) {
            (Mode::Savepoint, _) => FromSavepoint,
            (Mode::LastState, Checkpoints::There | Checkpoints::Readable) => FromCheckpoint,
            (Mode::LastState, Checkpoints::Gone | Checkpoints::Never) => Refused("job.upgrade_blocked"),
            (Mode::Stateless, _) => Refused("job.upgrade_blocked"),
        },
    }
}

fn perform(case: Case) -> Result<(), String> {
    let (mode, manager, checkpoints, job) = case;
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let newest = match checkpoints {
        Checkpoints::Never => None,
        Checkpoints::Readable => Some(readable(&flink, &sandbox, &id)),
        Checkpoints::There | Checkpoints::Gone => {
            checkpoint(&flink);
            Some(checkpoint(&flink))
        }
    };
    flink.with(|cluster| match job {
        Job::Running => {}
        Job::Restarting => cluster.force_state(&id, Some("RESTARTING")),
        Job::Failed => cluster.fail_job(&id, "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n"),
        Job::Cancelled => cluster.cancel_job(&id),
        Job::Finished => cluster.finish_job(&id),
    });
    // As Flink does with what finishes, and with what is cancelled where nothing asked it to keep them.
    if checkpoints == Checkpoints::Gone || job == Job::Finished {
        flink.with(|cluster| cluster.discard_checkpoints(&id));
    }
    match manager {
        JobManager::Alive => {}
        JobManager::Dead => flink.refuse(),
        JobManager::Empty => flink.restart(false),
    }
    let name = match mode {
        Mode::Savepoint => "savepoint",
        Mode::LastState => "last_state",
        Mode::Stateless => "stateless",
    };
    let mut process = sandbox.start(&["run", name], None);
    if (manager, job, mode) == (JobManager::Alive, Job::Restarting, Mode::Savepoint) {
        // All tasks are waited for before a savepoint is asked for.
        let before = flink.count("GET", "/jobs/overview");
        flink.wait_for_answered("GET", "/jobs/overview", before + 3);
        flink.with(|cluster| cluster.force_state(&id, None));
    }
    let ended = process.wait();
    let executions = flink.executions();
    let has = match (ended.code(), executions.len()) {
        (Some(0), 2) => match executions[1].restored_from.as_deref() {
            None => Outcome::FromNothing,
            Some(path) if path.contains("/savepoint-") => Outcome::FromSavepoint,
            Some(path) if Some(path) == newest.as_deref() => Outcome::FromCheckpoint,
            Some(path) => return Err(format!("{case:?}: from {path}, and the newest is {newest:?}: {}", ended.said)),
        },
        (Some(1), 1) => {
            let code = ended.said.split_once("error[").and_then(|(_, rest)| rest.split_once(']')).map(|(code, _)| code);
            let known = ["flink.unreachable", "job.state_unknown", "job.upgrade_blocked"];
            let known = known.into_iter().find(|known| Some(*known) == code);
            Outcome::Refused(known.ok_or_else(|| format!("{case:?}: {}", ended.said))?)
        }
        other => return Err(format!("{case:?}: ended with {other:?}: {}", ended.said)),
    };
    let ran = matches!(job, Job::Running | Job::Restarting) && manager != JobManager::Empty;
    if matches!(has, Outcome::Refused(_)) && ran != executions[0].is_live() {
        return Err(format!("{case:?}: it was refused, and what ran does not run: {}", ended.said));
    }
    if has != expected(case) || !flink.twins().is_empty() {
        return Err(format!("{case:?}: {has:?}, and not {:?}: {}", expected(case), ended.said));
    }
    Ok(())
}

/// Checkpoints as files; gives the newest.
fn readable(flink: &FakeFlink, sandbox: &Sandbox, id: &str) -> String {
    let folder = sandbox.path().join("checkpoints");
    let mut newest = String::new();
    for number in [1, 2] {
        let place = folder.join(id).join(format!("chk-{number}"));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("_metadata"), "x").unwrap();
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000 * number);
        std::fs::File::options().write(true).open(place.join("_metadata")).unwrap().set_modified(written).unwrap();
        newest = format!("file:{}", place.display());
        flink.with(|cluster| cluster.complete_checkpoint_at(id, &newest));
    }
    flink.with(|cluster| cluster.checkpoints_dir = Some(format!("file://{}", folder.display())));
    newest
}

#[test]
fn the_guard_holds_in_every_case() {
    use {Checkpoints as C, Job as J, JobManager as M};
    let mut cases: Vec<Case> = Vec::new();
    for mode in [Mode::Savepoint, Mode::LastState, Mode::Stateless] {
        for manager in [M::Alive, M::Dead, M::Empty] {
            for checkpoints in [C::There, C::Readable, C::Gone, C::Never] {
                for job in [J::Running, J::Restarting, J::Failed, J::Cancelled, J::Finished] {
                    // With files that Flink has deleted on its own nothing can be read.
                    let finished = job == J::Finished && checkpoints == C::Readable;
                    if !finished {
                        cases.push((mode, manager, checkpoints, job));
                    }
                }
            }
        }
    }
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) * 2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = perform(*case) {
                        failures.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    eprintln!("the guard: {} cases, {} wrong", cases.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
