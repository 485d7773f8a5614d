//! Flink's REST API, 1.17 to 2.3: typed calls, no policy.

mod answer;
mod checkpoints;
mod client;
mod exceptions;
mod jars;
mod jobs;
mod logs;
mod savepoints;
mod types;
mod version;

pub use checkpoints::{Checkpoint, CheckpointCounts, Checkpoints, LatestCheckpoints, Restored};
pub use client::Client;
pub use exceptions::{Exceptions, JobException};
pub use jars::{ClaimMode, Jar, Planning, RunRequest, Submission};
pub use jobs::Cancellation;
pub use logs::{Log, LogFile, Tail, TaskManager};
pub use savepoints::{Disposal, SavepointRequest, SavepointStatus, Triggered};
pub use types::{Bounds, Incarnation, JobDetail, JobOverview, JobState, Overview, Requirement, TaskCounts, Vertex};
pub use version::Version;

#[cfg(test)]
mod tests;
