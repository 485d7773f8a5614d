//! Runs and their steps: the journal, as data.

use serde::{Deserialize, Serialize};

use super::attempt::StepKey;
use super::class::Class;
use crate::base::clock::Millis;

/// How a run stands. `Running` without a process that holds its lock is a crashed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Begun and not ended.
    Running,
    /// Ended well.
    Done,
    /// Ended with an error that the script did not catch.
    Failed,
    /// Stopped by Ctrl-C; can be resumed.
    Interrupted,
    /// An outcome is unknown: somebody has to say how to go on.
    Waiting,
    /// Given up by `tidegate abandon`.
    Abandoned,
}

impl RunStatus {
    /// The word in the database and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Abandoned => "abandoned",
        }
    }

    /// The reverse of [`RunStatus::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Failed, Self::Interrupted, Self::Waiting, Self::Abandoned]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// Whether `resume` may go on with it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Interrupted | Self::Waiting)
    }
}

/// One run of a script.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number; users write `r12`.
    pub id: i64,
    /// The script's path below `scripts/`.
    pub script: String,
    /// The environment.
    pub environment: String,
    /// The parameters given, as a JSON object.
    pub parameters: String,
    /// How it stands.
    pub status: RunStatus,
    /// Counts the processes that worked on it; a commit under an older number is refused.
    pub epoch: i64,
    /// The process that works, or last worked, on it.
    pub process: u32,
    /// The version of tidegate that began it.
    pub version: String,
    /// When it began.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// The error it ended with, as JSON.
    pub error: Option<String>,
}

impl Run {
    /// Whether a later process works on it than the one that began it.
    pub fn was_resumed(&self) -> bool {
        self.epoch > 1
    }
}

/// The number of a run as users write it: `r12`, or `12`.
pub fn parse_id(text: &str) -> Option<i64> {
    text.strip_prefix('r').unwrap_or(text).parse().ok().filter(|id| *id > 0)
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// The intent is recorded, the result is not.
    Open,
    /// The result is recorded.
    Done,
    /// The error is recorded; on replay it is raised again.
    Failed,
}

impl StepStatus {
    /// The word in the database and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The reverse of [`StepStatus::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Failed].into_iter().find(|status| status.name() == name)
    }
}

/// One recorded call of a host function.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where in the journal.
    pub key: StepKey,
    /// The function: `job.deploy`.
    pub function: String,
    /// Its class, by name.
    pub class: String,
    /// SHA-256 of the canonical arguments, secrets as placeholders.
    pub arguments_hash: String,
    /// The arguments as JSON, secrets as `***`.
    pub arguments: String,
    /// The script's file.
    pub file: String,
    /// The line, from 1; 0 where unknown.
    pub line: i64,
    /// The column, from 1; 0 where unknown.
    pub column: i64,
    /// How it stands.
    pub status: StepStatus,
    /// The result as JSON, or the error as JSON.
    pub outcome: Option<String>,
    /// When the intent was recorded.
    pub started_at: Millis,
    /// When the result was recorded.
    pub ended_at: Option<Millis>,
}

impl Step {
    /// The number that users give to `resume --step`: `3`, or `3/0` inside a scope.
    pub fn number(&self) -> String {
        number(&self.key.path, self.key.sequence)
    }
}

/// The number of a step as users see it.
pub fn number(path: &str, sequence: i64) -> String {
    format!("{path}{sequence}")
}

/// The path of the inside of step `sequence`: `3/`, where it has one.
pub fn inside(path: &str, sequence: i64) -> String {
    format!("{path}{sequence}/")
}

/// The path of one of the branches (or tries) of step `sequence`: `7.0/`. Counted in the script, not in time.
pub fn branch(path: &str, sequence: i64, branch: usize) -> String {
    format!("{path}{sequence}.{branch}/")
}

/// The path and sequence of a step number: `3`, `3/0`, `7.0/3`.
pub fn parse_number(number: &str) -> Option<(String, i64)> {
    let split = number.rfind('/').map_or(0, |slash| slash + 1);
    let (path, sequence) = number.split_at(split);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |part: &str| match part.split_once('.') {
        Some((step, branch)) => is_number(step) && is_number(branch),
        None => is_number(part),
    };
    let whole = path.strip_suffix('/').map_or(path.is_empty(), |path| path.split('/').all(is_part));
    (whole && is_number(sequence)).then(|| sequence.parse().ok()).flatten().map(|sequence| (path.to_owned(), sequence))
}

/// What sorts step numbers as the script has them: `7`, `7.0/0`, `7/0` (what came after branch 0), `7.1/0`, `8`.
pub fn order(number: &str) -> Vec<u64> {
    let value = |text: &str| text.parse().unwrap_or(u64::MAX / 4);
    let mut key = Vec::new();
    let mut inside_a_step = false;
    for part in number.split('/') {
        let (step, branch) = part.split_once('.').map_or((part, None), |(step, branch)| (step, Some(branch)));
        // Below a step lie its branches and its own steps, by turns; below a branch only steps.
        key.push(if inside_a_step { 2 * value(step) + 1 } else { value(step) });
        key.extend(branch.map(|branch| 2 * value(branch)));
        inside_a_step = branch.is_none();
    }
    key
}

/// What is recorded before a call acts.
#[derive(Debug, Clone)]
pub struct Intent<'a> {
    /// The function: `job.deploy`.
    pub function: &'a str,
    /// Its class.
    pub class: Class,
    /// SHA-256 of the canonical arguments.
    pub arguments_hash: String,
    /// The arguments as JSON, secrets as `***`.
    pub arguments: String,
    /// The script's file.
    pub file: String,
    /// The line, from 1; 0 where unknown.
    pub line: i64,
    /// The column, from 1; 0 where unknown.
    pub column: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written() {
        assert_eq!(parse_id("r12"), Some(12));
        assert_eq!(parse_id("x"), None);
        assert_eq!(parse_number("3/0"), Some(("3/".to_owned(), 0)));
        assert_eq!(parse_number("7"), Some((String::new(), 7)));
        assert_eq!(number("3/", 0), "3/0");
        assert_eq!(parse_number("7.0/3"), Some(("7.0/".to_owned(), 3)));
        assert_eq!(parse_number("7.0/3/12.1/0"), Some(("7.0/3/12.1/".to_owned(), 0)));
        for wrong in ["", "/", "x", "3/", "/3", "7./3", ".0/3", "7.0.1/3", "-1", "3//1", "7.0"] {
            assert_eq!(parse_number(wrong), None, "{wrong}");
        }
        assert_eq!(branch("3/", 7, 10), "3/7.10/");
        assert_eq!(inside("", 3), "3/");
    }

    #[test]
    fn steps_sort_as_the_script_has_them() {
        let sorted = [
            "0",
            "3",
            "3/0",
            "3/1",
            "3/1/0",
            "3/2.0/1",
            "3/2/0",
            "4",
            "7",
            "7.0/0",
            "7.0/2",
            "7.0/2/0",
            "7.0/10",
            "7/0",
            "7.1/0",
            "7.1/3.0/0",
            "7.1/3.1/0",
            "7/1",
            "7.10/0",
            "8",
            "10",
        ];
        let mut shuffled = sorted;
        shuffled.sort_unstable();
        assert_ne!(shuffled, sorted);
        shuffled.sort_by_key(|number| order(number));
        assert_eq!(shuffled, sorted);
    }
}
