//! What to do where a job cannot be ended, or started, with its state: in the words of the command line and in those of scripts.

use super::connection::Connection;
use super::ledger;
use super::services::Services;
use crate::base::{Error, code};
use crate::model::attempt::Attempt;
use crate::model::job_status::is_terminal;
use crate::model::upgrade::Mode;

/// The mode of an upgrade that takes no savepoint.
const LAST_STATE: &str =
    "`--upgrade last_state`, in a script `upgrade: \"last_state\"`, goes on from its newest checkpoint instead";

/// What ends a job that has nothing to go on from, and starts it again: it loses nothing by that.
fn anew(name: &str, attempt: &Attempt) -> String {
    let from = attempt.restored_from.as_deref().unwrap_or("nothing");
    format!(
        "`tidegate cancel {name}`, in a script `cancel()`, ends it; deployed again, it starts from {from}, as attempt {} did",
        attempt.number
    )
}

/// The hint where a job cannot be upgraded in a mode since it has nothing to go on from, and no savepoint can be taken either: it fails
/// before its first checkpoint, again and again.
pub(super) fn of_stuck(name: &str, attempt: &Attempt, mode: Mode) -> String {
    let anew = anew(name, attempt);
    let stuck = format!("its tasks do not all run, and it has no checkpoint: {anew}");
    match mode {
        Mode::Stateless => format!(
            "{stuck}; or add `--allow-state-loss attempt-{0}`, in a script `allow_state_loss: \"attempt-{0}\"`",
            attempt.number
        ),
        Mode::Savepoint | Mode::LastState => stuck,
    }
}

/// What goes on where a savepoint could not be taken.
async fn instead(services: &Services, connection: &Connection, attempt: &Attempt, name: &str) -> String {
    match ledger::look(services, connection, attempt).await {
        Ok(seen) if !seen.as_ref().is_some_and(ledger::can_go_on) => {
            format!("it has no checkpoint to go on from: {}", anew(name, attempt))
        }
        // Where that cannot be told, the other mode looks for itself.
        _ => LAST_STATE.to_owned(),
    }
}

/// The hint where a savepoint cannot be asked for, since not all tasks run.
pub(super) async fn not_asked_for(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
) -> String {
    let instead = instead(services, connection, attempt, name).await;
    format!("nothing was asked for, and it was left as it is; {instead}")
}

/// The hint where a job could not be stopped with a savepoint: how it is now, and what goes on.
pub(super) async fn after_failed_stop(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
) -> String {
    let (state, runs) = match connection.listed(&attempt.flink_id).await {
        Ok(Some(seen)) => (seen.state.clone(), seen.really_running()),
        Ok(None) => ("not there any more".to_owned(), false),
        Err(_) => return format!("it was not ended by us, and how it is now is not known; {LAST_STATE}"),
    };
    match state.as_str() {
        "CANCELLING" | "FAILING" => {
            format!(
                "it is {state}, and that was not asked for here: when it has ended, do the same again; it goes on from its newest checkpoint"
            )
        }
        ended if is_terminal(ended) || ended.starts_with("not there") => {
            format!("it is {state}: do the same again; it goes on from its newest checkpoint where that is known")
        }
        _ => {
            // What runs may yet come to a checkpoint.
            let instead = match runs {
                true => LAST_STATE.to_owned(),
                false => instead(services, connection, attempt, name).await,
            };
            format!("it is {state}: it was left as it is, and may have restarted; {instead}")
        }
    }
}

/// An error of `stop` and `remove`, which know no modes.
pub(super) fn of_stop(error: Error, name: &str) -> Error {
    let names_mode = error.hint_text().is_some_and(|hint| hint.contains(LAST_STATE));
    if !error.is(&code::SAVEPOINT_FAILED) || !names_mode {
        return error;
    }
    let instead = format!("`tidegate cancel {name}`, in a script `cancel()`, ends it, and its newest checkpoint stays");
    let hint = error.hint_text().unwrap_or_default().replace(LAST_STATE, &instead);
    error.hint(hint)
}

/// How a state is abandoned that stands against a start.
pub(super) fn abandon(job: &str, state: &str) -> String {
    format!(
        "`tidegate start {job} --allow-state-loss {state}`, or in a script `deploy(#{{ allow_state_loss: \"{state}\" }})`"
    )
}
