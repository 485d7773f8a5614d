//! What may be concluded from what was recorded and what a cluster said. Pure: no clock, no network.

use serde::{Deserialize, Serialize};

/// Flink's terminal job states.
///
/// Source: `org.apache.flink.api.common.JobStatus`, the globally terminal ones.
pub const TERMINAL: [&str; 3] = ["FINISHED", "CANCELED", "FAILED"];

/// Whether a Flink job state is terminal.
pub fn is_terminal(state: &str) -> bool {
    TERMINAL.contains(&state)
}

/// The words that `wait_for` takes: Flink's own.
pub const STATES: [&str; 11] = [
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "RESTARTING",
    "FAILING",
    "CANCELLING",
    "SUSPENDED",
    "RECONCILING",
    "FINISHED",
    "CANCELED",
    "FAILED",
];

/// A job as a cluster lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The Flink job id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state, Flink's word.
    pub state: String,
    /// Tasks that run.
    pub tasks_running: u64,
    /// All tasks.
    pub tasks_total: u64,
    /// Milliseconds since 1970.
    pub start_time: i64,
    /// Milliseconds since 1970; -1 while it has not ended.
    pub end_time: i64,
}

impl Listed {
    /// RUNNING means that all tasks run; Flink says RUNNING earlier, and also with no slots at all.
    pub fn really_running(&self) -> bool {
        self.state == "RUNNING" && self.tasks_total > 0 && self.tasks_running == self.tasks_total
    }
}

/// What one look at a cluster says of one recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The cluster lists it.
    Listed(Listed),
    /// The same JobManager answered and does not list it: it ended, and Flink forgot it.
    EndedUnseen,
    /// A new JobManager answered and does not list it, and it was last seen alive.
    Vanished,
    /// A new JobManager answered and does not list it; it had been seen to end before.
    Ended(String),
    /// The cluster could not be asked. Says nothing of the job.
    Unreachable,
}

/// Concludes what happened to an attempt.
///
/// * `listed`: its line in the cluster's whole list, where it has one
/// * `answered`: whether the cluster answered with a whole list
/// * `same_incarnation`: whether the JobManager is the one the attempt was sent to
/// * `recorded_end`: the terminal state that was recorded before
pub fn conclude(listed: Option<&Listed>, answered: bool, same_incarnation: bool, recorded_end: Option<&str>) -> Seen {
    match (listed, answered, recorded_end, same_incarnation) {
        (Some(listed), ..) => Seen::Listed(listed.clone()),
        (None, false, ..) => Seen::Unreachable,
        (None, true, Some(end), _) => Seen::Ended(end.to_owned()),
        (None, true, None, true) => Seen::EndedUnseen,
        (None, true, None, false) => Seen::Vanished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(state: &str, running: u64, total: u64) -> Listed {
        Listed {
            id: "a".into(),
            name: "n".into(),
            state: state.into(),
            tasks_running: running,
            tasks_total: total,
            start_time: 0,
            end_time: -1,
        }
    }

    #[test]
    fn running_means_that_all_tasks_run() {
        assert!(listed("RUNNING", 2, 2).really_running());
        assert!(!listed("RUNNING", 1, 2).really_running());
        assert!(!listed("RUNNING", 0, 0).really_running());
        assert!(!listed("RESTARTING", 2, 2).really_running());
    }

    #[test]
    fn nobody_is_dead_because_somebody_was_not_reached() {
        assert_eq!(conclude(None, false, false, None), Seen::Unreachable);
        assert_eq!(conclude(None, false, true, Some("FINISHED")), Seen::Unreachable);
    }

    #[test]
    fn only_a_job_last_seen_alive_can_vanish() {
        assert_eq!(conclude(None, true, false, None), Seen::Vanished);
        assert_eq!(conclude(None, true, false, Some("CANCELED")), Seen::Ended("CANCELED".into()));
        assert_eq!(conclude(None, true, true, None), Seen::EndedUnseen);
    }
}
