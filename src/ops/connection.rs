//! What tidegate asks of one cluster: its jobs, their checkpoints, and what it is set to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::clock::Millis;
use crate::base::{Error, Result, code, duration};
use crate::drivers::flink::{Checkpoint, Checkpoints, Client, JobException, JobOverview, Version};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;
use crate::model::trace;

/// How long a job that is listed may be unknown to whoever is asked for its checkpoints.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way to talk to a cluster.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The cluster's name in `tidegate.yaml`.
    pub name: String,
    /// Its JobManager.
    pub client: Client,
    /// Whether tidegate runs it on this machine: then no process of an earlier start is left.
    pub is_local: bool,
    /// The version of Flink, with the start of the JobManager that has told it.
    told: Arc<Mutex<Option<(String, Version)>>>,
    /// What a local cluster that is down would be set to, and lists no job then; none where a JobManager is asked.
    would_be: Option<Arc<BTreeMap<String, String>>>,
}

impl Connection {
    /// A way to talk to the cluster of this name.
    pub fn new(name: &str, client: Client, is_local: bool) -> Self {
        Self { name: name.to_owned(), client, is_local, told: Arc::default(), would_be: None }
    }

    /// A local cluster that is down, as it would be right after its start: what is decided by that is decided as by a run,
    /// which starts it.
    pub fn as_started(name: &str, client: Client, settings: BTreeMap<String, String>) -> Self {
        Self { would_be: Some(Arc::new(settings)), ..Self::new(name, client, true) }
    }

    /// Whether nobody answers, since it is down.
    pub fn is_down(&self) -> bool {
        self.would_be.is_some()
    }

    /// A setting of the cluster.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn setting(&self, key: &str) -> Result<Option<String>> {
        match &self.would_be {
            Some(settings) => Ok(settings.get(key).cloned()),
            None => self.client.setting(key).await,
        }
    }

    /// The version of Flink. One start of a JobManager is one version: it is asked once for each `incarnation`, which the caller has
    /// been told.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn version(&self, incarnation: &str) -> Result<Version> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, version)) = told.filter(|(by, _)| by == incarnation) {
            return Ok(version);
        }
        let version = Version::parse(&self.client.overview().await?.flink_version)?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((incarnation.to_owned(), version));
        Ok(version)
    }

    /// Every job that the cluster lists.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn jobs(&self) -> Result<Vec<Listed>> {
        if self.is_down() {
            return Ok(Vec::new());
        }
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

    /// The newest checkpoint or savepoint of a job that has ended, as the list has it: the highest id of what it completed
    /// and what it was itself restored from. Where that one was discarded it is told so: an older one is not the state.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn newest_checkpoint(&self, ended: &Listed) -> Result<Option<Newest>> {
        let begun = Instant::now();
        let mut needed_from = None;
        loop {
            let asked_at = begun.elapsed();
            let checkpoints = match self.client.checkpoints(&ended.id).await {
                Ok(Some(checkpoints)) => checkpoints,
                Err(error) if takes_none(&error) => return Ok(None),
                Err(error) => return Err(error),
                // Not to know the job says nothing of its checkpoints, also where the list has it still, or again.
                Ok(None) if asked_at >= PATIENCE || self.listed(&ended.id).await?.is_none() => {
                    return Err(self.forgot(ended));
                }
                Ok(None) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let own = Newest::own(&checkpoints);
            // Flink answers from a copy that is some seconds old, and can be of before the end: a newer checkpoint is not in
            // it yet, and an older savepoint would be taken for the newest state. The answer holds only when every copy of
            // before the end was too old to be served when it was asked for.
            let (interval, from) = match needed_from {
                Some(known) => known,
                None => {
                    let interval = self.refresh_interval().await?;
                    let age = self.age_of_end(ended).await?.saturating_sub(begun.elapsed());
                    *needed_from.insert((interval, interval.saturating_sub(age)))
                }
            };
            let nothing = own.iter().all(|newest| newest.is_gone);
            let needed = if nothing { interval } else { from };
            if asked_at < needed {
                tokio::time::sleep(Duration::from_millis(100).min(needed - asked_at)).await;
                continue;
            }
            let restored = checkpoints.latest.restored.and_then(|restored| {
                let path = restored.external_path?;
                // With high availability a job comes back from a checkpoint of its own.
                let is_own = path.contains(&ended.id);
                Some(Newest {
                    id: restored.id,
                    path,
                    triggered_at: None,
                    bytes: None,
                    is_own,
                    is_stop: false,
                    is_gone: false,
                })
            });
            // Flink counts on from what it restored; of the same number its own would be the newer one.
            return Ok(restored.into_iter().chain(own).max_by_key(|newest| newest.id));
        }
    }

    fn forgot(&self, ended: &Listed) -> Error {
        Error::new(
            &code::FLINK_JOB_NOT_FOUND,
            format!(
                "the JobManager of `{}` forgot `{}` ({}) while it was asked for its newest checkpoint",
                self.name, ended.name, ended.id
            ),
        )
        .hint("nothing was recorded of the end: do the same again; it looks at what is there then")
    }

    /// How long ago a job ended, by the clock of its JobManager; none at all where it does not say.
    async fn age_of_end(&self, ended: &Listed) -> Result<Duration> {
        let now = self.client.job(&ended.id).await?.map_or(0, |job| job.now);
        let age = if ended.end_time > 0 { now.saturating_sub(ended.end_time) } else { 0 };
        Ok(Duration::from_millis(u64::try_from(age).unwrap_or(0)))
    }

    /// How a job takes checkpoints, as `/jobs/:jobid/checkpoints/config` has it; none where it takes none at all.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn checkpoint_configuration(&self, id: &str) -> Result<Option<serde_json::Value>> {
        match self.client.get(&format!("/jobs/{id}/checkpoints/config")).await {
            Ok(configuration) => Ok(Some(configuration)),
            Err(error) if error.causes().iter().any(|cause| cause.contains("Checkpointing")) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first of some options of Flink that is set for a job: by its spec, else by its cluster.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn setting_of(&self, spec: &JobSpec, keys: &[&str]) -> Result<Option<String>> {
        // The job's own comes first, whichever name it goes by: it is sent under the one that holds.
        if let Some(own) = keys.iter().find_map(|key| spec.setting(key)) {
            return Ok(Some(own));
        }
        for key in keys {
            let found = self.setting(key).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What is known of a job's checkpoints; none where the JobManager does not know the job, or it takes none.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn checkpoints(&self, id: &str) -> Result<Option<Checkpoints>> {
        match self.client.checkpoints(id).await {
            Err(error) if takes_none(&error) => Ok(None),
            answer => answer,
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
    /// Whether it is a savepoint that the job was stopped with, by whomever.
    pub is_stop: bool,
    /// Whether Flink has deleted it.
    pub is_gone: bool,
}

impl Newest {
    /// The newest checkpoint and the newest savepoint that an execution made itself.
    pub fn own(checkpoints: &Checkpoints) -> Vec<Self> {
        let latest = [&checkpoints.latest.completed, &checkpoints.latest.savepoint].into_iter().flatten();
        latest.filter_map(Self::made).collect()
    }

    /// The savepoints before the newest one that Flink still tells of: somebody else may have taken several between two looks.
    pub fn earlier_savepoints(checkpoints: &Checkpoints) -> Vec<Self> {
        let newest = checkpoints.latest.savepoint.as_ref().map(|newest| newest.id);
        let whole = checkpoints.history.iter().filter(|one| one.is_savepoint && one.status == "COMPLETED");
        whole.filter(|one| Some(one.id) != newest).filter_map(Self::made).collect()
    }

    fn made(checkpoint: &Checkpoint) -> Option<Self> {
        Some(Self {
            id: checkpoint.id,
            path: checkpoint.external_path.clone()?,
            triggered_at: Some(checkpoint.trigger_timestamp),
            bytes: checkpoint.state_size,
            is_own: true,
            is_stop: checkpoint.checkpoint_type.as_deref() == Some("SYNC_SAVEPOINT"),
            is_gone: checkpoint.discarded,
        })
    }
}

/// What Flink says of a job without checkpoints, a batch job, too: it has no state that could be lost.
fn takes_none(error: &Error) -> bool {
    error.causes().iter().any(|cause| cause.contains("Checkpointing has not been enabled"))
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

#[cfg(test)]
mod tests {
    use super::Newest;

    #[test]
    fn savepoints_before_the_newest_are_seen_where_flink_still_has_them() {
        let one = |id: u64, savepoint: bool, status: &str, discarded: bool| {
            serde_json::json!({ "id": id, "status": status, "is_savepoint": savepoint, "trigger_timestamp": id,
                "external_path": format!("file:/s/{id}"), "discarded": discarded })
        };
        let history = [
            one(7, true, "COMPLETED", false),
            one(6, false, "COMPLETED", false),
            one(5, true, "COMPLETED", true),
            one(4, true, "FAILED", false),
            one(3, true, "COMPLETED", false),
        ];
        let told = serde_json::json!({ "counts": {}, "latest": { "savepoint": history[0], "completed": history[1] }, "history": history });
        let earlier = Newest::earlier_savepoints(&serde_json::from_value(told).unwrap());
        let seen: Vec<_> = earlier.iter().map(|one| (one.id, one.is_gone)).collect();
        assert_eq!(seen, [(5, true), (3, false)]);
    }
}
