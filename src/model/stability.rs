//! When a new attempt counts as stable: RUNNING once is not enough. Pure.

use std::time::Duration;

use serde::Deserialize;

use crate::base::{counted, duration};

/// The word of an attempt that became stable.
pub const STABLE: &str = "stable";

/// The word of an attempt that did not become stable.
pub const UNSTABLE: &str = "unstable";

/// The word of an attempt that is to become stable, and of which nobody has said whether it did: it is watched, or whoever
/// watched it failed.
pub const UNJUDGED: &str = "unjudged";

/// What is done with a job whose new attempt does not become stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The revision before is started from the newest state.
    #[default]
    Rollback,
    /// The revision before is started from the state that it was ended with; what came after is left behind.
    Rewind,
    /// It stays as it is.
    Stay,
}

impl Otherwise {
    /// The words of the option `otherwise`.
    pub const WORDS: [&'static str; 3] = ["rollback", "rewind", "stay"];

    /// What it does, in words.
    pub fn does(self) -> &'static str {
        match self {
            Self::Rollback => "go back to the revision before",
            Self::Rewind => "go back to the revision before and its state",
            Self::Stay => "leave it as it is",
        }
    }
}

/// What a new attempt has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// How many checkpoints of its own. With none, it has to run all the time that is given.
    pub checkpoints: u64,
    /// How much time it has.
    pub within: Duration,
    /// How many restarts of Flink's own are allowed.
    pub max_restarts: u64,
    /// What is done where it does not.
    pub otherwise: Otherwise,
}

/// What was seen of it.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Flink's state of the job.
    pub state: String,
    /// Whether no other state can follow.
    pub has_ended: bool,
    /// Whether all tasks run.
    pub all_run: bool,
    /// Checkpoints of its own that are whole.
    pub checkpoints: u64,
    /// Restarts by Flink.
    pub restarts: u64,
    /// Since it was started.
    pub elapsed: Duration,
}

/// What is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is stable; how that shows.
    Stable(String),
    /// It is not, and will not become so; why.
    Unstable(String),
    /// Not known yet; what is there.
    NotYet(String),
}

/// Judges what was seen.
pub fn judge(gate: &Gate, seen: &Progress) -> Verdict {
    let shown = format!(
        "{}, {} and {} in {}",
        seen.state,
        counted(usize::try_from(seen.checkpoints).unwrap_or(usize::MAX), "checkpoint"),
        counted(usize::try_from(seen.restarts).unwrap_or(usize::MAX), "restart"),
        duration::show(Duration::from_secs(seen.elapsed.as_secs()))
    );
    let enough = seen.checkpoints >= gate.checkpoints && (gate.checkpoints > 0 || seen.elapsed >= gate.within);
    if seen.has_ended {
        Verdict::Unstable(format!("it has ended: {shown}"))
    } else if seen.restarts > gate.max_restarts {
        Verdict::Unstable(format!("{} allowed, and it is {shown}", counted_restarts(gate.max_restarts)))
    } else if seen.all_run && enough {
        Verdict::Stable(shown)
    } else if seen.elapsed >= gate.within {
        Verdict::Unstable(format!("its time is over: {shown}"))
    } else {
        Verdict::NotYet(shown)
    }
}

fn counted_restarts(number: u64) -> String {
    match number {
        0 => "no restart is".to_owned(),
        1 => "1 restart is".to_owned(),
        number => format!("{number} restarts are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_long_enough_is_stable() {
        let gate =
            Gate { checkpoints: 2, within: Duration::from_secs(60), max_restarts: 1, otherwise: Otherwise::Rollback };
        let seen = |checkpoints, restarts, seconds, all_run, has_ended| Progress {
            state: "RUNNING".to_owned(),
            has_ended,
            all_run,
            checkpoints,
            restarts,
            elapsed: Duration::from_secs(seconds),
        };
        let is = |gate: &Gate, seen: Progress| match judge(gate, &seen) {
            Verdict::Stable(_) => "stable",
            Verdict::Unstable(_) => "unstable",
            Verdict::NotYet(_) => "not yet",
        };
        assert_eq!(is(&gate, seen(1, 0, 1, true, false)), "not yet");
        assert_eq!(is(&gate, seen(2, 1, 1, true, false)), "stable");
        assert_eq!(is(&gate, seen(2, 1, 1, false, false)), "not yet");
        assert_eq!(is(&gate, seen(9, 2, 1, true, false)), "unstable");
        assert_eq!(is(&gate, seen(1, 0, 60, true, false)), "unstable");
        assert_eq!(is(&gate, seen(9, 0, 1, true, true)), "unstable");
        let without = Gate { checkpoints: 0, ..gate };
        assert_eq!(is(&without, seen(0, 0, 59, true, false)), "not yet");
        assert_eq!(is(&without, seen(0, 0, 60, true, false)), "stable");
    }
}
