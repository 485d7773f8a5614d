//! The clusters of a workspace: how to reach each, and starting the local ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::cancel::Cancel;
use crate::base::clock::Millis;
use crate::base::{Error, Result, code, duration, suggest};
use crate::drivers::flink::{Checkpoint, Client, JobException, JobOverview, LatestCheckpoints};
use crate::drivers::local::{self, cluster as local_cluster};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;
use crate::model::trace;

pub use crate::drivers::local::Progress as Told;
pub use crate::drivers::local::cluster::State;

/// A cluster as configured.
#[derive(Debug, Clone)]
pub enum Definition {
    /// A Flink on this machine that tidegate starts and stops.
    Local(local_cluster::Cluster),
    /// A session cluster that somebody else runs.
    Session {
        /// Its REST address.
        url: String,
    },
}

/// Whether a local cluster that is down is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Yes: something is to be deployed to it.
    IfDown,
    /// No: somebody only looks.
    No,
}

/// A way to talk to a cluster.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The cluster's name in `tidegate.yaml`.
    pub name: String,
    /// Its JobManager.
    pub client: Client,
    /// Whether tidegate runs it on this machine: then no process of an earlier start is left.
    pub is_local: bool,
}

impl Connection {
    /// Every job that the cluster lists.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn jobs(&self) -> Result<Vec<Listed>> {
        Ok(self.client.jobs().await?.into_iter().map(listed).collect())
    }

    /// One job as the list has it: as it is now. The answer about a job by itself comes from a copy that can be as old as
    /// `web.refresh-interval`, 3 s by default: whoever waits for a state would wait for the copy, too.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn listed(&self, id: &str) -> Result<Option<Listed>> {
        Ok(self.jobs().await?.into_iter().find(|listed| listed.id == id))
    }

    /// One job; none where the JobManager does not know it.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn job(&self, id: &str) -> Result<Option<Listed>> {
        let job = self.client.job(id).await?;
        Ok(job.map(|job| {
            let tasks = job.tasks();
            Listed {
                state: job.state.as_str().to_owned(),
                tasks_running: (tasks.running + tasks.finished).into(),
                tasks_total: tasks.total.into(),
                id: job.id,
                name: job.name,
                start_time: job.start_time,
                end_time: job.end_time.unwrap_or(-1),
            }
        }))
    }

    /// Which start of the JobManager answers.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn incarnation(&self) -> Result<String> {
        Ok(self.client.incarnation().await?.0)
    }

    /// How long the tasks of a JobManager that died may go on: until they miss its heartbeats, and a margin.
    ///
    /// Flink's `heartbeat.timeout` is 50 s by default; 40 s were measured after a `kill -9`.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn afterlife(&self) -> Result<Duration> {
        let configured = self.client.setting("heartbeat.timeout").await?;
        let timeout = configured.and_then(|text| match text.parse::<u64>() {
            Ok(millis) => Some(Duration::from_millis(millis)),
            Err(_) => duration::parse(&text).ok(),
        });
        Ok(timeout.unwrap_or(Duration::from_secs(50)).mul_f64(1.2))
    }

    /// The path of the newest checkpoint or savepoint that a job can be restored from: the highest id of what it
    /// completed and what it was itself restored from. What Flink has discarded is gone. Asked of a job that has ended, as
    /// the list has it.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn newest_checkpoint(&self, ended: &Listed) -> Result<Option<Newest>> {
        let begun = Instant::now();
        let mut patience = None;
        loop {
            let Some(latest) = self.latest_checkpoints(&ended.id).await? else { return Ok(None) };
            let own = [latest.completed, latest.savepoint].into_iter().flatten();
            let own = own.filter(|checkpoint| !checkpoint.discarded);
            let own: Vec<Newest> = own.filter_map(Newest::own).collect();
            // Flink answers from a copy that is some seconds old, and can be of before the end: a newer checkpoint is not in
            // it yet, and an older savepoint would be taken for the newest state. The answer holds only when every copy of
            // before the end is too old to be served.
            let (interval, since_end) = match patience {
                Some(patience) => patience,
                None => {
                    let interval = self.refresh_interval().await?;
                    *patience.insert((interval, self.age_of_end(ended).await?))
                }
            };
            let needed = if own.is_empty() { interval } else { interval.saturating_sub(since_end) };
            if begun.elapsed() <= needed && !needed.is_zero() {
                tokio::time::sleep(Duration::from_millis(100).min(needed)).await;
                continue;
            }
            let restored = latest.restored.and_then(|restored| {
                let path = restored.external_path?;
                Some(Newest { id: restored.id, path, triggered_at: None, bytes: None, is_own: false })
            });
            // Flink counts on from what it restored; of the same number its own would be the newer one.
            return Ok(restored.into_iter().chain(own).max_by_key(|newest| newest.id));
        }
    }

    /// How long ago a job ended, by the clock of its JobManager; none at all where it does not say.
    async fn age_of_end(&self, ended: &Listed) -> Result<Duration> {
        let now = self.client.job(&ended.id).await?.map_or(0, |job| job.now);
        let age = if ended.end_time > 0 { now.saturating_sub(ended.end_time) } else { 0 };
        Ok(Duration::from_millis(u64::try_from(age).unwrap_or(0)))
    }

    /// Every how many milliseconds a job takes a checkpoint; none where it takes none by itself.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn checkpoint_interval(&self, id: &str) -> Result<Option<u64>> {
        // Flink's word for "never" is the largest number.
        const NEVER: u64 = i64::MAX as u64;
        match self.client.get(&format!("/jobs/{id}/checkpoints/config")).await {
            Ok(config) => Ok(config.get("interval").and_then(serde_json::Value::as_u64).filter(|every| *every < NEVER)),
            Err(error) if error.causes().iter().any(|cause| cause.contains("Checkpointing")) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first of some options of Flink that is set for a job: by its spec, else by its cluster.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn setting_of(&self, spec: &JobSpec, keys: &[&str]) -> Result<Option<String>> {
        for key in keys {
            let own = spec.setting(key);
            let found = if own.is_some() { own } else { self.client.setting(key).await? };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// How many checkpoints an execution has completed since it was submitted.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn completed_checkpoints(&self, id: &str) -> Result<u64> {
        Ok(self.client.checkpoints(id).await?.map_or(0, |checkpoints| checkpoints.counts.completed))
    }

    /// Whether a job that runs has, or was restored from, what it could be started from again.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn has_checkpoint(&self, id: &str) -> Result<bool> {
        let Some(latest) = self.latest_checkpoints(id).await? else { return Ok(false) };
        let own = [latest.completed, latest.savepoint].into_iter().flatten().map(|checkpoint| checkpoint.external_path);
        Ok(own.chain(latest.restored.map(|restored| restored.external_path)).flatten().next().is_some())
    }

    /// The newest checkpoints of each sort; none where the JobManager does not know the job, or it takes none.
    async fn latest_checkpoints(&self, id: &str) -> Result<Option<LatestCheckpoints>> {
        match self.client.checkpoints(id).await {
            Ok(checkpoints) => Ok(checkpoints.map(|checkpoints| checkpoints.latest)),
            // What Flink says of a batch job, too: it has no state that could be lost.
            Err(error) if error.causes().iter().any(|cause| cause.contains("Checkpointing has not been enabled")) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How old an answer of the JobManager may be: its `web.refresh-interval`, and a margin.
    async fn refresh_interval(&self) -> Result<Duration> {
        let config = self.client.get("/config").await?;
        let millis = config.get("refresh-interval").and_then(serde_json::Value::as_u64).unwrap_or(3_000);
        Ok(Duration::from_millis(millis + millis / 10))
    }

    /// The traces of what went wrong with a job, newest first; none where nothing is known.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn traces(&self, id: &str) -> Result<Vec<String>> {
        let exceptions = self.client.exceptions(id).await?.unwrap_or_default();
        let trace = |exception: JobException| {
            let concurrent = exception.concurrent.first().map(|exception| exception.stacktrace.as_str());
            trace::failure(&exception.stacktrace, concurrent).to_owned()
        };
        Ok(exceptions.entries.into_iter().map(trace).filter(|trace| !trace.trim().is_empty()).collect())
    }
}

/// The newest state of a job, as its JobManager tells it.
#[derive(Debug, Clone)]
pub struct Newest {
    /// Flink's number, which counts over checkpoints and savepoints.
    pub id: u64,
    /// Where it lies.
    pub path: String,
    /// When it was triggered, by Flink's clock.
    pub triggered_at: Option<Millis>,
    /// Its size in bytes, as Flink tells it.
    pub bytes: Option<u64>,
    /// Whether this execution made it, and was not itself restored from it.
    pub is_own: bool,
}

impl Newest {
    fn own(checkpoint: Checkpoint) -> Option<Self> {
        let triggered_at = Some(checkpoint.trigger_timestamp);
        let path = checkpoint.external_path?;
        Some(Self { id: checkpoint.id, path, triggered_at, bytes: checkpoint.state_size, is_own: true })
    }
}

fn listed(job: JobOverview) -> Listed {
    Listed {
        state: job.state.as_str().to_owned(),
        tasks_running: (job.tasks.running + job.tasks.finished).into(),
        tasks_total: job.tasks.total.into(),
        id: job.id,
        name: job.name,
        start_time: job.start_time,
        end_time: job.end_time.unwrap_or(-1),
    }
}

/// One look at a cluster: which JobManager answered, and all that it lists.
pub type Look = (String, Vec<Listed>);

/// Shows the user what a long operation does.
pub type Progress = Arc<dyn Fn(&Told) + Send + Sync>;

/// The clusters of a workspace.
#[derive(Clone)]
pub struct Clusters {
    definitions: BTreeMap<String, Definition>,
    /// What each cluster said, while a plan is made: all jobs of a plan are seen in one look.
    looks: Arc<Mutex<Option<BTreeMap<String, Look>>>>,
    cancel: Cancel,
    progress: Progress,
}

impl std::fmt::Debug for Clusters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Clusters").field(&self.definitions).finish()
    }
}

impl Clusters {
    /// The clusters by name.
    pub fn new(definitions: BTreeMap<String, Definition>, cancel: Cancel, progress: Progress) -> Self {
        Self { definitions, looks: Arc::default(), cancel, progress }
    }

    /// From now on, until [`Clusters::look_anew`], each cluster is looked at once.
    pub fn look_once(&self) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    /// From now on each look is a new one.
    pub fn look_anew(&self) {
        *self.looks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Which JobManager answers, and every job that it lists: asked for in this order, so that the list is no older.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn look(&self, connection: &Connection) -> Result<Look> {
        let remembered = self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(look) = remembered.as_ref().and_then(|looks| looks.get(&connection.name)) {
            return Ok(look.clone());
        }
        let look = (connection.incarnation().await?, connection.jobs().await?);
        if let Some(looks) = self.looks.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            looks.insert(connection.name.clone(), look.clone());
        }
        Ok(look)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// One cluster as configured.
    ///
    /// # Errors
    /// `cluster.unknown`.
    pub fn definition(&self, name: &str) -> Result<&Definition> {
        self.definitions.get(name).ok_or_else(|| {
            Error::new(&code::CLUSTER_UNKNOWN, format!("there is no cluster `{name}` in tidegate.yaml"))
                .hint(suggest::hint(name, self.names()))
        })
    }

    /// Shows what is going on, on standard error.
    pub fn progress(&self, text: &str) {
        (self.progress)(&local::Progress::Word(text.to_owned()));
    }

    /// A way to talk to a cluster; starts a local one that is down where `start` says so.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.down`, `cluster.start_failed`, `flink.install_failed`, `java.not_found`.
    pub async fn connect(&self, name: &str, start: Start) -> Result<Connection> {
        let url = match self.definition(name)? {
            Definition::Session { url } => url.clone(),
            Definition::Local(cluster) => match (cluster.url(), start) {
                (Some(url), _) => url,
                (None, Start::IfDown) => self.up(name).await?.url,
                (None, Start::No) => {
                    return Err(Error::new(&code::CLUSTER_DOWN, format!("the local cluster `{name}` is not running"))
                        .hint(format!("`tidegate cluster up {name}` starts it")));
                }
            },
        };
        let is_local = matches!(self.definition(name)?, Definition::Local(_));
        Ok(Connection { name: name.to_owned(), client: Client::new(&url)?, is_local })
    }

    /// Starts a local cluster, or repairs what is missing of it; installs Flink and Java where they are missing.
    ///
    /// # Errors
    /// As [`Clusters::connect`], and `cluster.unsupported` for one that is not local.
    pub async fn up(&self, name: &str) -> Result<local_cluster::Up> {
        let cluster = self.local(name)?;
        cluster.up(&local::Surroundings::of_process()?, &self.cancel, &*self.progress).await
    }

    /// Stops a local cluster.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.unsupported`, `cluster.stop_failed`.
    pub async fn down(&self, name: &str) -> Result<local_cluster::Down> {
        self.local(name)?.down(&self.cancel, &*self.progress).await
    }

    /// A local cluster.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.unsupported`.
    pub fn local(&self, name: &str) -> Result<&local_cluster::Cluster> {
        match self.definition(name)? {
            Definition::Local(cluster) => Ok(cluster),
            Definition::Session { .. } => Err(Error::new(
                &code::CLUSTER_UNSUPPORTED,
                format!("`{name}` is a session cluster that somebody else runs; tidegate neither starts nor stops it"),
            )),
        }
    }
}
