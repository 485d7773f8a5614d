//! Whether a local cluster is whole: what its JobManager says over REST, and what its log says where it does not.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::jvm::{self, Jvm};
use super::{Report, word};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, process};

const POLL: Duration = Duration::from_millis(150);
/// How long a cluster may take to be whole.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a JobManager says about its cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) slots_total: u32,
    pub(super) slots_free: u32,
    pub(super) jobs_running: u32,
    /// The TaskManagers that are registered, by their names, with their slots.
    pub(super) task_managers: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Overview {
    slots_total: u32,
    slots_available: u32,
    jobs_running: u32,
}

#[derive(Deserialize)]
struct TaskManagers {
    taskmanagers: Vec<TaskManager>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskManager {
    id: String,
    slots_number: u32,
}

/// Asks the JobManager at `url`; `None` where it does not answer, or not like one.
pub(super) async fn ask(client: &reqwest::Client, url: &str) -> Option<Answer> {
    // In this order: a TaskManager that is seen has its slots counted, where it registers between the two.
    let registered: TaskManagers = get(client, format!("{url}/taskmanagers")).await?;
    let overview: Overview = get(client, format!("{url}/overview")).await?;
    Some(Answer {
        slots_total: overview.slots_total,
        slots_free: overview.slots_available,
        jobs_running: overview.jobs_running,
        task_managers: registered.taskmanagers.into_iter().map(|each| (each.id, each.slots_number)).collect(),
    })
}

async fn get<T: serde::de::DeserializeOwned>(client: &reqwest::Client, url: String) -> Option<T> {
    client.get(url).send().await.ok()?.error_for_status().ok()?.json().await.ok()
}

/// A client for a JobManager on this machine.
pub(super) fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        // The proxy of the environment is for the world outside.
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| Error::new(&code::INTERNAL, "no HTTP client can be made").caused_by_chain(&error))
}

/// How long the logs were before a start: what stands after that is about it.
pub(super) struct Logs {
    directory: PathBuf,
    before: BTreeMap<PathBuf, u64>,
}

impl Logs {
    /// Remembers where the logs of these processes end now.
    pub(super) fn mark<'a>(directory: &Path, names: impl IntoIterator<Item = &'a str>) -> Self {
        let files = names.into_iter().flat_map(|name| [jvm::log_file(directory, name), jvm::out_file(directory, name)]);
        let before =
            files.map(|path| (path.clone(), std::fs::metadata(&path).map_or(0, |metadata| metadata.len()))).collect();
        Self { directory: directory.to_owned(), before }
    }

    fn since(&self, path: &Path) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = std::fs::File::open(path)?;
            let length = file.metadata()?.len();
            let before = self.before.get(path).copied().filter(|before| *before <= length).unwrap_or(0);
            // The end tells why; a log can be long.
            file.seek(SeekFrom::Start(before.max(length.saturating_sub(1 << 20))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// Why a process is not well, as far as its log and its output tell, and both as a whole.
    fn why(&self, name: &str) -> (Option<String>, String) {
        let log = self.since(&jvm::log_file(&self.directory, name));
        let out = self.since(&jvm::out_file(&self.directory, name));
        let cause = cause(&log).or_else(|| cause(&out)).or_else(|| out.trim().lines().last().map(str::to_owned));
        (cause, format!("{log}\n{out}"))
    }
}

/// The line of a log that tells why: the innermost cause of the last trace, else the last exception, else the last error.
fn cause(log: &str) -> Option<String> {
    let last =
        |fits: &dyn Fn(&str) -> bool| log.lines().rev().find(|line| fits(line)).map(|line| line.trim().to_owned());
    last(&|line| line.starts_with("Caused by: "))
        .map(|line| line.trim_start_matches("Caused by: ").to_owned())
        .or_else(|| {
            last(&|line| !line.starts_with([' ', '\t']) && (line.contains("Exception: ") || line.contains("Error: ")))
        })
        .or_else(|| last(&|line| line.contains(" ERROR ") || line.contains(" FATAL ")))
}

/// Why a cluster did not become whole.
pub(super) struct Failure {
    pub(super) error: Error,
    /// Somebody else took a port first: another try with other ports may succeed.
    pub(super) port_taken: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, port_taken: false }
    }
}

/// What has to be well.
pub(super) struct Expected<'a> {
    pub(super) url: &'a str,
    pub(super) job_manager: &'a Jvm,
    pub(super) task_managers: &'a [Jvm],
    pub(super) logs: &'a Logs,
}

/// Waits until the JobManager answers, every TaskManager is registered with it, and none that is gone still is.
pub(super) async fn wait(
    expected: &Expected<'_>,
    client: &reqwest::Client,
    cancel: &Cancel,
    progress: Report<'_>,
) -> Result<Answer, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut said_gone = false;
    loop {
        for each in std::iter::once(expected.job_manager).chain(expected.task_managers) {
            if !each.is_alive() {
                return Err(expected.ended(each));
            }
            if process::is_stopped(each.pid) {
                return Err(Failure::from(
                    Error::new(
                        &code::CLUSTER_START,
                        format!("{} (pid {}) is stopped, and so cannot answer", each.name, each.pid),
                    )
                    .hint(format!("let it go on: `kill -CONT {}`", each.pid)),
                ));
            }
        }
        let answer = cancel.select(async { Ok(ask(client, expected.url).await) }).await?;
        if let Some(answer) = &answer {
            let missing = expected.task_managers.iter().any(|each| !expected.registered(each, answer));
            let gone = answer.task_managers.len() > expected.task_managers.len();
            if !missing && (!gone || Instant::now() >= deadline) {
                return Ok(answer.clone());
            }
            if !missing && !said_gone {
                said_gone = true;
                word(progress, "waiting until the JobManager has given up the TaskManager that is gone");
            }
        }
        if Instant::now() >= deadline {
            return Err(expected.late(answer.as_ref()));
        }
        cancel
            .select(async {
                tokio::time::sleep(POLL).await;
                Ok(())
            })
            .await?;
    }
}

impl Expected<'_> {
    fn registered(&self, task_manager: &Jvm, answer: &Answer) -> bool {
        let slots = task_manager.resource.as_ref().and_then(|name| answer.task_managers.get(name));
        slots.is_some_and(|slots| *slots > 0)
    }

    fn ended(&self, process: &Jvm) -> Failure {
        self.failure(process, format!("{} ended while it started", process.name))
    }

    fn late(&self, answer: Option<&Answer>) -> Failure {
        let seconds = PATIENCE.as_secs();
        match answer {
            None => {
                let who = self.job_manager;
                self.failure(
                    who,
                    format!("{} (pid {}) did not answer at {} within {seconds} s", who.name, who.pid, self.url),
                )
            }
            Some(answer) => {
                let missing = self.task_managers.iter().find(|each| !self.registered(each, answer));
                let who = missing.unwrap_or(self.job_manager);
                self.failure(
                    who,
                    format!("{} (pid {}) did not register with the JobManager within {seconds} s", who.name, who.pid),
                )
            }
        }
    }

    fn failure(&self, process: &Jvm, message: String) -> Failure {
        let log = jvm::log_file(&self.logs.directory, &process.name);
        // Where not even the logging came up, only the output exists.
        let shown = if log.exists() { log } else { jvm::out_file(&self.logs.directory, &process.name) };
        let (cause, whole) = self.logs.why(&process.name);
        let taken = ["BindException", "Address already in use", "on any port in port range"];
        let port_taken = process.is_job_manager() && taken.iter().any(|text| whole.contains(text));
        let mut error = Error::new(&code::CLUSTER_START, format!("{message}; its log is {}", shown.display()));
        if let Some(cause) = cause {
            error = error.caused_by(cause);
        }
        Failure { error: error.detail(whole), port_taken }
    }
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn the_innermost_cause_of_the_last_trace_is_found() {
        let log = "12:00 INFO  x - fine\n12:01 ERROR x - Could not start.\norg.a.FlinkException: outer\n\tat a.b(C.java:1)\n\
                   Caused by: java.net.BindException: Address already in use\n\tat d.e(F.java:2)\n12:02 INFO  x - ending\n";
        assert_eq!(cause(log).unwrap(), "java.net.BindException: Address already in use");
        assert_eq!(cause("12:01 ERROR x - why\n12:02 INFO x - y").unwrap(), "12:01 ERROR x - why");
        assert_eq!(
            cause("Error: Could not find or load main class x").unwrap(),
            "Error: Could not find or load main class x"
        );
        assert_eq!(cause("12:02 INFO  x - y\n"), None);
    }
}
