//! The state of a workspace in one SQLite file: runs and their journal, jobs, attempts, observations, events.
//! The only place with SQL against our own tables.

mod attempts;
mod builds;
mod decisions;
mod executions;
mod jobs;
mod locks;
mod needed;
mod open;
mod query;
mod revisions;
mod runs;
mod secret_key;
mod snapshots;
mod steps;
mod values;

pub use decisions::Decision;
pub use executions::Execution;
pub use jobs::{Event, JobRow, Observation, Said, Sighting};
pub use locks::{Lock, is_own};
pub use open::{Durability, Store};
pub use query::{Arguments, TIME as QUERY_TIME, VIEWS, too_slow};
