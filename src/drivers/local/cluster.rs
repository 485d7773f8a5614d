//! A session cluster on this machine: a JobManager and TaskManagers as plain `java` processes that outlive the command
//! that started them.
//!
//! Everything of a cluster lies in its folder: `conf/`, `log/`, `tmp/`, `upload/`, and `checkpoints/` and `savepoints/`,
//! which a restart keeps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::health::{self, Expected, Failure, Logs};
use super::install::{self, FlinkHome};
use super::java::{self, Java};
use super::jvm::{self, Jvm};
use super::lock::{self, Lock};
use super::record::{self, Record, Started};
use super::repair::Repair;
use super::starter::{Starter, free_ports};
pub use super::status::{Member, State, Status};
use super::{Report, Surroundings, word};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};

/// How often a start is tried with other ports where somebody else takes them first.
const TRIES: u32 = 3;
/// How long another tidegate that starts or stops the same cluster is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(180);
pub(super) const LOCK: &str = "lock";

/// A local cluster as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name in `tidegate.yaml`.
    pub name: String,
    /// Its folder, of its own.
    pub directory: PathBuf,
    /// `1.20`, or a patch version such as `1.20.3`.
    pub version: String,
    /// Task slots of a TaskManager.
    pub slots: u32,
    /// How many TaskManagers.
    pub task_managers: u32,
    /// Flink's settings, over those of tidegate.
    pub options: BTreeMap<String, String>,
}

/// A cluster that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// Its REST endpoint, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Whether nothing had to be started.
    pub reused: bool,
    /// The whole Flink version.
    pub version: String,
    /// The process number of the JobManager.
    pub job_manager_pid: u32,
    /// Those of the TaskManagers.
    pub task_manager_pids: Vec<u32>,
    /// Task slots in all.
    pub slots: u32,
}

/// What `down` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// The processes that were ended; none where the cluster was down.
    pub stopped: Vec<u32>,
    /// Those of them that took no SIGTERM.
    pub killed: Vec<u32>,
}

impl Cluster {
    /// Makes the cluster whole: starts it, or what is missing of it, or nothing. What was started is stopped again
    /// where it does not become whole within 60 s, and on cancellation.
    ///
    /// # Errors
    /// `cluster.start_failed` with the reason out of Flink's log, those of finding Java and Flink,
    /// `cluster.unsupported` for an option that cannot be set, `state.locked`, `cancelled`.
    pub async fn up(&self, surroundings: &Surroundings, cancel: &Cancel, progress: Report<'_>) -> Result<Up> {
        let directory = settle(&self.directory);
        std::fs::create_dir_all(&directory).map_err(|error| record::failed(&directory, error))?;
        let _lock = self.lock(&directory, cancel, progress).await?;
        let record = Record::load(&directory);
        self.end_moved(record.as_ref(), &directory, cancel, progress).await?;
        let mut alive = jvm::find(&jvm::mark(&directory));
        let client = health::client()?;
        if let Some(record) = record.clone().filter(|record| record.directory == directory)
            && let [job_manager] = alive.iter().filter(|each| each.is_job_manager()).collect::<Vec<_>>()[..]
            && self.fits(&record, &client, progress).await?
        {
            match self.repair(record, job_manager, &alive, &client, cancel, progress).await? {
                Repair::Whole(up) => return Ok(up),
                Repair::JobManagerEnded(pid) => {
                    word(progress, format!("the JobManager (pid {pid}) of cluster `{}` has just ended", self.name));
                    alive = jvm::find(&jvm::mark(&directory));
                }
            }
        }
        if !alive.is_empty() {
            let names: Vec<String> = alive.iter().map(|each| format!("{} (pid {})", each.name, each.pid)).collect();
            word(progress, format!("stopping what is left of cluster `{}`: {}", self.name, names.join(", ")));
            jvm::stop(&alive, cancel).await?;
        }
        self.start(&directory, record.as_ref(), surroundings, &client, cancel, progress).await
    }

    /// Ends the processes of the cluster. What it keeps on the disk stays.
    ///
    /// # Errors
    /// `cluster.stop_failed`, `state.locked`, `cancelled`.
    pub async fn down(&self, cancel: &Cancel, progress: Report<'_>) -> Result<Down> {
        let directory = settle(&self.directory);
        if !directory.exists() {
            // Somebody deleted it; its processes, if there are any, still carry its mark.
            let alive = jvm::find(&jvm::mark(&directory));
            let killed = jvm::stop(&alive, cancel).await?;
            return Ok(Down { stopped: alive.iter().map(|each| each.pid).collect(), killed });
        }
        let _lock = self.lock(&directory, cancel, progress).await?;
        let record = Record::load(&directory);
        self.end_moved(record.as_ref(), &directory, cancel, progress).await?;
        let alive = jvm::find(&jvm::mark(&directory));
        let killed = jvm::stop(&alive, cancel).await?;
        if let Some(mut record) = record {
            record.running = false;
            record.processes.clear();
            record.directory = directory.clone();
            record.save(&directory)?;
        }
        Ok(Down { stopped: alive.iter().map(|each| each.pid).collect(), killed })
    }

    /// The REST endpoint, where the JobManager lives. Whether it answers is another question.
    pub fn url(&self) -> Option<String> {
        let directory = settle(&self.directory);
        let record = Record::load(&directory).filter(|record| record.directory == directory)?;
        jvm::find(&jvm::mark(&directory)).iter().any(Jvm::is_job_manager).then(|| url_of(&record))
    }

    async fn lock(&self, directory: &Path, cancel: &Cancel, progress: Report<'_>) -> Result<Lock> {
        let waiting = format!(
            "waiting for another tidegate, or another branch of this run, that starts or stops cluster `{}`",
            self.name
        );
        lock::take(&directory.join(LOCK), &waiting, Some(LOCK_PATIENCE), cancel, progress).await
    }

    /// A workspace that was moved leaves processes behind that write to a path which is no more.
    async fn end_moved(
        &self,
        record: Option<&Record>,
        directory: &Path,
        cancel: &Cancel,
        progress: Report<'_>,
    ) -> Result<()> {
        let Some(record) = record.filter(|record| record.directory != directory && !record.directory.exists()) else {
            return Ok(());
        };
        let left = jvm::find(&jvm::mark(&record.directory));
        if left.is_empty() {
            return Ok(());
        }
        word(progress, format!("stopping cluster `{}` as it was started in {}", self.name, record.directory.display()));
        jvm::stop(&left, cancel).await.map(drop)
    }

    /// Whether the running cluster will do. One that differs is replaced, unless jobs run on it.
    async fn fits(&self, record: &Record, client: &reqwest::Client, progress: Report<'_>) -> Result<bool> {
        let other_version = !install::matches(&self.version, &record.version);
        if !other_version && record.slots == self.slots && record.options == self.options {
            return Ok(true);
        }
        // One that does not answer may have jobs.
        let jobs = health::ask(client, &url_of(record)).await.map(|answer| answer.jobs_running);
        let difference = if other_version {
            format!("runs Flink {}, and {} is wanted", record.version, self.version)
        } else {
            "runs with other slots or options than are wanted now".to_owned()
        };
        if jobs == Some(0) {
            word(progress, format!("cluster `{}` {difference}: starting it anew, no job runs on it", self.name));
            return Ok(false);
        }
        let jobs = jobs.map_or("it may have jobs".to_owned(), |jobs| format!("{jobs} of its jobs run"));
        let hint = format!("`tidegate cluster down {}` ends it and its jobs", self.name);
        if other_version {
            return Err(
                Error::new(&code::CLUSTER_START, format!("cluster `{}` {difference}; {jobs}", self.name)).hint(hint)
            );
        }
        word(progress, format!("cluster `{}` {difference}; {jobs}, so it is left as it is: {hint}", self.name));
        Ok(true)
    }

    /// Starts everything.
    async fn start(
        &self,
        directory: &Path,
        before: Option<&Record>,
        surroundings: &Surroundings,
        client: &reqwest::Client,
        cancel: &Cancel,
        progress: Report<'_>,
    ) -> Result<Up> {
        let java = java::find(surroundings, cancel, progress).await?;
        let home = install::find_or_install(&self.version, surroundings, cancel, progress).await?;
        // A cluster keeps its address over a restart where it can.
        let mut wished = before.map_or([0, 0], |record| [record.rest_port, record.rpc_port]);
        let mut tries = 1;
        loop {
            let ports = free_ports(wished)?;
            match self.try_start(directory, ports, &java, &home, client, cancel, progress).await {
                Ok(up) => return Ok(up),
                Err(failure) if failure.port_taken && tries < TRIES => {
                    word(progress, "another process took a port first, trying other ports");
                    wished = [0, 0];
                    tries += 1;
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what a start needs has no other name than its parts")]
    async fn try_start(
        &self,
        directory: &Path,
        [rest_port, rpc_port]: [u16; 2],
        java: &Java,
        home: &FlinkHome,
        client: &reqwest::Client,
        cancel: &Cancel,
        progress: Report<'_>,
    ) -> Result<Up, Failure> {
        let mut record = Record {
            directory: directory.to_owned(),
            running: true,
            complete: false,
            version: home.version.clone(),
            flink_home: home.path.clone(),
            java: java.path.clone(),
            rest_port,
            rpc_port,
            slots: self.slots,
            task_managers: self.task_managers,
            options: self.options.clone(),
            processes: Vec::new(),
        };
        let starter = Starter::new(&record)?;
        starter.write(&record)?;
        record.save(directory)?;
        let names: Vec<String> = (1..=self.task_managers).map(task_manager_name).collect();
        word(
            progress,
            format!(
                "starting Flink {} for cluster `{}` (Java {}, {} slots)",
                home.version,
                self.name,
                java.version_major,
                self.slots * self.task_managers
            ),
        );
        let logs = Logs::mark(directory, names.iter().map(String::as_str).chain([jvm::JOB_MANAGER]));
        let mut all: Vec<Jvm> = Vec::new();
        // Together: a TaskManager that finds no JobManager tries again only after 10 s, and the JobManager comes first.
        for name in std::iter::once(None).chain(names.iter().map(Some)) {
            let launched =
                name.map_or_else(|| starter.job_manager(), |name| starter.task_manager(name)).and_then(|jvm| {
                    record.processes.push(started(&jvm));
                    all.push(jvm);
                    record.save(directory)
                });
            if let Err(error) = launched {
                return Err(give_up(error, &all).await.into());
            }
        }
        let url = url_of(&record);
        let expected = Expected { url: &url, job_manager: &all[0], task_managers: &all[1..], logs: &logs };
        match health::wait(&expected, client, cancel, progress).await {
            Ok(answer) => {
                record.complete = true;
                record.save(directory)?;
                Ok(Up {
                    url,
                    reused: false,
                    version: home.version.clone(),
                    job_manager_pid: all[0].pid,
                    task_manager_pids: all[1..].iter().map(|each| each.pid).collect(),
                    slots: answer.slots_total,
                })
            }
            Err(Failure { error, port_taken }) => {
                let error = give_up(error, &all).await;
                record.running = false;
                record.processes.clear();
                // The error that is on its way matters more than that of the record.
                let _ = record.save(directory);
                Err(Failure { error, port_taken })
            }
        }
    }
}

/// Stops what a start that failed has started; the flag that may have ended it does not end this.
pub(super) async fn give_up(error: Error, started: &[Jvm]) -> Error {
    match jvm::stop(started, &Cancel::default()).await {
        Ok(_) => error,
        Err(left) => error.caused_by(left),
    }
}

pub(super) fn task_manager_name(number: u32) -> String {
    format!("taskmanager-{number}")
}

pub(super) fn started(jvm: &Jvm) -> Started {
    Started { name: jvm.name.clone(), pid: jvm.pid, start_time: jvm.start_time }
}

pub(super) fn url_of(record: &Record) -> String {
    format!("http://127.0.0.1:{}", record.rest_port)
}

/// The path without symbolic links, as far as it exists: the processes are found by it.
pub(super) fn settle(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    for ancestor in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), absolute.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}
