//! How a running job is brought to another spec: decided from what is known of it alone. Pure.

use serde::Deserialize;

/// What becomes of the state of a running job that is deployed with another spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Stop with a savepoint, and start from it.
    #[default]
    Savepoint,
    /// Cancel, and start from the newest retained checkpoint.
    LastState,
    /// Cancel, and start from nothing.
    Stateless,
}

impl Mode {
    /// The words of the option `upgrade`.
    pub const WORDS: [&'static str; 3] = ["savepoint", "last_state", "stateless"];

    /// The word of the option.
    pub fn name(self) -> &'static str {
        match self {
            Self::Savepoint => "savepoint",
            Self::LastState => "last_state",
            Self::Stateless => "stateless",
        }
    }
}

/// What is known of the execution that runs.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// Its attempt's number.
    pub attempt: u32,
    /// It runs in batch mode: no savepoint can be taken of it.
    pub is_batch: bool,
    /// It takes checkpoints, or was started from some state.
    pub had_state: bool,
    /// A checkpoint or savepoint is known that it can be started from again.
    pub has_checkpoint: bool,
    /// Flink keeps its newest checkpoint when it is cancelled.
    pub keeps_checkpoints: bool,
    /// Somebody allowed in so many words that its state is abandoned.
    pub loss_is_allowed: bool,
}

/// How it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a savepoint.
    StopWithSavepoint,
    /// Cancelled.
    Cancel,
}

/// Why an upgrade is not begun, and what may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The reason.
    pub why: String,
    /// The way out.
    pub hint: String,
}

/// How the running execution is ended in this mode. There is no silent step from one mode to another.
///
/// # Errors
/// [`Blocked`] where the mode cannot keep its promise.
pub fn ending(mode: Mode, running: Running) -> Result<Ending, Blocked> {
    let blocked = |why: &str, hint: String| Err(Blocked { why: why.to_owned(), hint });
    match mode {
        Mode::Savepoint if running.is_batch => blocked(
            "it runs in batch mode, and Flink takes no savepoint of that",
            "let it end, or start it over with `--upgrade stateless`, in a script `deploy(#{ upgrade: \"stateless\" })`".to_owned(),
        ),
        Mode::Savepoint => Ok(Ending::StopWithSavepoint),
        Mode::LastState if !running.has_checkpoint => blocked(
            "it has no checkpoint to go on from",
            "with `--upgrade savepoint`, in a script `upgrade: \"savepoint\"`, it is stopped with one; or wait for its first checkpoint".to_owned(),
        ),
        Mode::LastState if !running.keeps_checkpoints => blocked(
            "Flink deletes its checkpoints when it is cancelled: its program, or its cluster, says so",
            "with `--upgrade savepoint`, in a script `upgrade: \"savepoint\"`, it is stopped with a savepoint, which stays".to_owned(),
        ),
        Mode::LastState => Ok(Ending::Cancel),
        Mode::Stateless if running.had_state && !running.loss_is_allowed => blocked(
            "it has state, which would be lost",
            format!(
                "`--upgrade savepoint`, in a script `upgrade: \"savepoint\"`, keeps it; to abandon it, add `--allow-state-loss attempt-{0}`, \
                 in a script `allow_state_loss: \"attempt-{0}\"`",
                running.attempt
            ),
        ),
        Mode::Stateless => Ok(Ending::Cancel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination: state is never dropped without being named, and no mode turns into another.
    #[test]
    fn no_mode_turns_into_another_and_state_goes_only_when_named() {
        for bits in 0..32_u8 {
            let has = |bit: u8| bits & (1 << bit) != 0;
            let running = Running {
                attempt: 3,
                is_batch: has(0),
                had_state: has(1),
                has_checkpoint: has(2),
                loss_is_allowed: has(3),
                keeps_checkpoints: has(4),
            };
            assert_eq!(ending(Mode::Savepoint, running) == Ok(Ending::StopWithSavepoint), !running.is_batch);
            let can_go_on = running.has_checkpoint && running.keeps_checkpoints;
            assert_eq!(ending(Mode::LastState, running) == Ok(Ending::Cancel), can_go_on);
            let may_go = !running.had_state || running.loss_is_allowed;
            assert_eq!(ending(Mode::Stateless, running) == Ok(Ending::Cancel), may_go);
        }
    }
}
