//! How a local cluster is: its processes, its slots, and what is wrong with it.

use std::path::{Path, PathBuf};

use super::cluster::{Cluster, LOCK, settle, url_of};
use super::jvm::{self, Jvm};
use super::record::Record;
use super::{health, lock};
use crate::base::Result;

/// In what state a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No process of it lives.
    Down,
    /// Somebody is starting or stopping it.
    Starting,
    /// It is whole.
    Up,
    /// Something of it is missing or silent; `problems` says what.
    Degraded,
}

/// A process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `jobmanager`, `taskmanager-1`.
    pub name: String,
    /// Its number; that of the one that ended where it is not alive.
    pub pid: u32,
    /// Whether it lives.
    pub alive: bool,
    /// Its memory in RAM, in bytes.
    pub memory_bytes: Option<u64>,
    /// Its log.
    pub log: PathBuf,
}

/// How a cluster is, as of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// Its REST endpoint, where its JobManager lives.
    pub url: Option<String>,
    /// The port on which the TaskManagers reach the JobManager.
    pub rpc_port: Option<u16>,
    /// The whole Flink version that was started last.
    pub version: Option<String>,
    /// Task slots in all, where the JobManager answers.
    pub slots_total: Option<u32>,
    /// Task slots that are free.
    pub slots_free: Option<u32>,
    /// Jobs that run.
    pub jobs_running: Option<u32>,
    /// Its processes, those that ended unasked included.
    pub members: Vec<Member>,
    /// What is wrong, a line each.
    pub problems: Vec<String>,
}

impl Cluster {
    /// How the cluster is. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// `internal` where no HTTP client can be made.
    pub async fn status(&self) -> Result<Status> {
        let directory = settle(&self.directory);
        let record = Record::load(&directory).filter(|record| record.directory == directory);
        let alive = jvm::find(&jvm::mark(&directory));
        let busy = lock::is_held(&directory.join(LOCK));
        let mut members: Vec<Member> =
            alive.iter().map(|each| member(&directory, &each.name, each.pid, true)).collect();
        let mut problems = Vec::new();
        for process in record.iter().filter(|record| record.running).flat_map(|record| &record.processes) {
            if !alive.iter().any(|each| each.pid == process.pid && each.start_time == process.start_time) {
                problems.push(format!("{} (pid {}) has ended unasked", process.name, process.pid));
                if !members.iter().any(|member| member.name == process.name) {
                    members.push(member(&directory, &process.name, process.pid, false));
                }
            }
        }
        for each in alive.iter().filter(|each| crate::base::process::is_stopped(each.pid)) {
            problems.push(format!("{} (pid {}) is stopped (SIGSTOP or a debugger)", each.name, each.pid));
        }
        let url = record.as_ref().filter(|_| alive.iter().any(Jvm::is_job_manager)).map(url_of);
        let answer = match &url {
            Some(url) => health::ask(&health::client()?, url).await,
            None => None,
        };
        if let (Some(url), None) = (&url, &answer) {
            problems.push(format!("the JobManager does not answer at {url}"));
        }
        if let Some(answer) = &answer {
            for each in alive.iter().filter(|each| !each.is_job_manager()) {
                if !each.resource.as_ref().is_some_and(|name| answer.task_managers.contains_key(name)) {
                    problems.push(format!("{} (pid {}) is not registered with the JobManager", each.name, each.pid));
                }
            }
        }
        let state = match (&answer, alive.is_empty()) {
            _ if busy => State::Starting,
            (_, true) => State::Down,
            (Some(_), _) if problems.is_empty() => State::Up,
            _ => State::Degraded,
        };
        Ok(Status {
            state,
            url,
            rpc_port: record.as_ref().map(|record| record.rpc_port),
            version: record.map(|record| record.version),
            slots_total: answer.as_ref().map(|answer| answer.slots_total),
            slots_free: answer.as_ref().map(|answer| answer.slots_free),
            jobs_running: answer.as_ref().map(|answer| answer.jobs_running),
            members,
            problems,
        })
    }
}

fn member(directory: &Path, name: &str, pid: u32, alive: bool) -> Member {
    let memory_bytes = if alive { jvm::resident(pid) } else { None };
    Member { name: name.to_owned(), pid, alive, memory_bytes, log: jvm::log_file(directory, name) }
}
