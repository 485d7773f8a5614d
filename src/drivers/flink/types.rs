//! What the JobManager answers, as far as tidegate reads it. Fields that a version lacks are optional.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::base::clock::Millis;

/// One start of a JobManager. Another value means that it was started again and has forgotten its jobs and job ids,
/// unless it is highly available.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub String);

impl fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `GET /overview`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// TaskManagers that are registered.
    pub taskmanagers: u32,
    /// Task slots there are.
    pub slots_total: u32,
    /// Task slots that are free.
    pub slots_available: u32,
    /// Jobs that have not ended.
    #[serde(default)]
    pub jobs_running: u32,
    /// Jobs that ended as FINISHED and are not forgotten yet.
    #[serde(default)]
    pub jobs_finished: u32,
    /// Jobs that ended as CANCELED and are not forgotten yet.
    #[serde(default)]
    pub jobs_cancelled: u32,
    /// Jobs that ended as FAILED and are not forgotten yet.
    #[serde(default)]
    pub jobs_failed: u32,
    /// `1.20.5`.
    pub flink_version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// The state of a job, in Flink's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum JobState {
    /// Its JobMaster is being made.
    Initializing,
    /// Not scheduled yet.
    Created,
    /// Scheduled; its tasks may still be waiting for slots.
    Running,
    /// A task failed; its end is under way.
    Failing,
    /// Ended by a failure.
    Failed,
    /// Its cancellation is under way.
    Cancelling,
    /// Ended by a cancellation.
    Canceled,
    /// Ended by itself, or stopped with a savepoint.
    Finished,
    /// Waiting to be started again by Flink's own restart strategy.
    Restarting,
    /// Its JobManager gave it up to another one.
    Suspended,
    /// Being taken over from an earlier JobManager.
    Reconciling,
    /// A state of a newer Flink.
    Other(String),
}

impl JobState {
    /// Flink's own name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
            Self::Other(name) => name,
        }
    }

    /// Whether no other state can follow, on any JobManager.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

impl From<String> for JobState {
    fn from(name: String) -> Self {
        const KNOWN: [JobState; 11] = [
            JobState::Initializing,
            JobState::Created,
            JobState::Running,
            JobState::Failing,
            JobState::Failed,
            JobState::Cancelling,
            JobState::Canceled,
            JobState::Finished,
            JobState::Restarting,
            JobState::Suspended,
            JobState::Reconciling,
        ];
        KNOWN.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Other(name))
    }
}

impl From<JobState> for String {
    fn from(state: JobState) -> Self {
        state.as_str().to_owned()
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How many tasks of a job are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskCounts {
    /// All of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u32,
    /// Not scheduled.
    #[serde(alias = "CREATED")]
    pub created: u32,
    /// Waiting for a slot.
    #[serde(alias = "SCHEDULED")]
    pub scheduled: u32,
    /// On their way to a TaskManager.
    #[serde(alias = "DEPLOYING")]
    pub deploying: u32,
    /// Restoring state.
    #[serde(alias = "INITIALIZING")]
    pub initializing: u32,
    /// Running.
    #[serde(alias = "RUNNING")]
    pub running: u32,
    /// At the end of their input.
    #[serde(alias = "FINISHED")]
    pub finished: u32,
    /// Being cancelled.
    #[serde(alias = "CANCELING")]
    pub canceling: u32,
    /// Cancelled.
    #[serde(alias = "CANCELED")]
    pub canceled: u32,
    /// Failed.
    #[serde(alias = "FAILED")]
    pub failed: u32,
    /// Being taken over.
    #[serde(alias = "RECONCILING")]
    pub reconciling: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl TaskCounts {
    fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.created, other.created),
            (&mut self.scheduled, other.scheduled),
            (&mut self.deploying, other.deploying),
            (&mut self.initializing, other.initializing),
            (&mut self.running, other.running),
            (&mut self.finished, other.finished),
            (&mut self.canceling, other.canceling),
            (&mut self.canceled, other.canceled),
            (&mut self.failed, other.failed),
            (&mut self.reconciling, other.reconciling),
        ] {
            *mine += theirs;
            self.total += theirs;
        }
    }

    /// Whether every task runs, or has run to its end.
    pub fn all_run(&self) -> bool {
        self.total > 0 && self.running + self.finished == self.total
    }
}

/// A job in `GET /jobs/overview`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobOverview {
    /// 32 hexadecimal digits.
    #[serde(rename = "jid")]
    pub id: String,
    /// The name that Flink shows; not unique.
    pub name: String,
    /// Its state.
    pub state: JobState,
    /// When it was submitted.
    pub start_time: Millis,
    /// When it ended.
    #[serde(deserialize_with = "moment")]
    pub end_time: Option<Millis>,
    /// How long it has been there, in milliseconds.
    pub duration: i64,
    /// Its tasks.
    #[serde(default)]
    pub tasks: TaskCounts,
}

impl JobOverview {
    /// Whether the job is RUNNING and all its tasks are: Flink says RUNNING also of a job that waits for slots.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running && self.tasks.all_run()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct JobsOverview {
    pub(super) jobs: Vec<JobOverview>,
}

/// `GET /jobs/:id`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobDetail {
    /// 32 hexadecimal digits.
    #[serde(rename = "jid")]
    pub id: String,
    /// The name that Flink shows.
    pub name: String,
    /// Its state.
    pub state: JobState,
    /// When it was submitted.
    pub start_time: Millis,
    /// When it ended.
    #[serde(deserialize_with = "moment")]
    pub end_time: Option<Millis>,
    /// How long it has been there, in milliseconds.
    pub duration: i64,
    /// The JobManager's clock.
    pub now: Millis,
    /// Its operators, chained as they run; none while the job is INITIALIZING.
    #[serde(default)]
    pub vertices: Vec<Vertex>,
    /// The plan with the operators' descriptions. It can hold literals of the SQL.
    #[serde(default)]
    pub plan: Value,
}

impl JobDetail {
    /// The tasks of all vertices.
    pub fn tasks(&self) -> TaskCounts {
        let mut sum = TaskCounts::default();
        self.vertices.iter().for_each(|vertex| sum.add(&vertex.tasks));
        sum
    }

    /// Whether the job is RUNNING and all its tasks are.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running && self.tasks().all_run()
    }
}

/// A vertex of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vertex {
    /// 32 hexadecimal digits; stays the same while the operators do.
    pub id: String,
    /// What it does.
    pub name: String,
    /// Its number of tasks; -1 while the batch scheduler has not decided.
    pub parallelism: i32,
    /// The most that it can have; none where Flink does not tell.
    #[serde(rename = "maxParallelism", default)]
    pub max_parallelism: Option<i32>,
    /// The state of the vertex.
    pub status: String,
    /// Its tasks.
    #[serde(default)]
    pub tasks: TaskCounts,
}

/// What the adaptive scheduler is asked for a vertex.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Requirement {
    /// How many tasks.
    pub parallelism: Bounds,
}

/// From how many to how many; as many as the slots allow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// With fewer it does not run.
    pub lower_bound: u32,
    /// It never has more.
    pub upper_bound: u32,
}

/// A moment that Flink writes as -1 while it has not come.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
    Ok(Option::<Millis>::deserialize(deserializer)?.filter(|moment| *moment >= 0))
}

/// What the JVM of the JobManager says of itself: `OpenJDK 64-Bit Server VM - Eclipse Adoptium - 17/17.0.13+11`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Jvm {
    #[serde(default)]
    version: String,
}

impl Jvm {
    /// The Java that it is: 17, also where it says 1.8.
    pub(super) fn java(&self) -> Option<u16> {
        let specification = self.version.rsplit(" - ").next()?.split('/').next()?.trim();
        specification.strip_prefix("1.").unwrap_or(specification).split('.').next()?.parse().ok()
    }
}

/// What the JVM of the JobManager was started with.
#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    #[serde(default)]
    pub(super) jvm: Jvm,
    #[serde(default)]
    pub(super) classpath: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyedValue {
    pub(super) id: String,
    pub(super) value: Option<String>,
}
