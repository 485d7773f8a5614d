//! The checkpoints and savepoints of a job.

use serde::{Deserialize, Deserializer, Serialize};

use crate::base::clock::Millis;

/// `GET /jobs/:id/checkpoints`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoints {
    /// How many there were since the job was submitted.
    pub counts: CheckpointCounts,
    /// The newest of each sort.
    #[serde(default)]
    pub latest: LatestCheckpoints,
    /// The last ten, the newest first.
    #[serde(default)]
    pub history: Vec<Checkpoint>,
}

/// How many checkpoints there were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointCounts {
    /// Times that the job was restored from one.
    pub restored: u64,
    /// All.
    pub total: u64,
    /// Under way.
    pub in_progress: u64,
    /// Whole.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
}

/// The newest checkpoint of each sort.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LatestCheckpoints {
    /// The newest whole checkpoint.
    pub completed: Option<Checkpoint>,
    /// The newest whole savepoint.
    pub savepoint: Option<Checkpoint>,
    /// The newest failure.
    pub failed: Option<Checkpoint>,
    /// What the job was last restored from.
    pub restored: Option<Restored>,
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Counts up over the restarts of a job.
    pub id: u64,
    /// `COMPLETED`, `IN_PROGRESS`, `FAILED`.
    pub status: String,
    /// Whether it is a savepoint.
    #[serde(default)]
    pub is_savepoint: bool,
    /// When it began.
    pub trigger_timestamp: Millis,
    /// When the last task was done with it.
    #[serde(default)]
    pub latest_ack_timestamp: Option<Millis>,
    /// In bytes.
    #[serde(default)]
    pub state_size: Option<u64>,
    /// Where it lies; none where it cannot be restored from.
    #[serde(default, deserialize_with = "address")]
    pub external_path: Option<String>,
    /// Whether Flink has deleted it since.
    #[serde(default)]
    pub discarded: bool,
    /// `CHECKPOINT`, `SAVEPOINT`, `SYNC_SAVEPOINT`.
    #[serde(default)]
    pub checkpoint_type: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub failure_message: Option<String>,
}

/// What a job was restored from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restored {
    /// The id of the checkpoint.
    pub id: u64,
    /// When.
    #[serde(default)]
    pub restore_timestamp: Option<Millis>,
    /// True also for a retained checkpoint.
    #[serde(default)]
    pub is_savepoint: bool,
    /// Where it lies.
    #[serde(default, deserialize_with = "address")]
    pub external_path: Option<String>,
}

/// Flink writes `<checkpoint-not-externally-addressable>` for a checkpoint in the JobManager's memory.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|path| !path.is_empty() && !path.starts_with('<')))
}
