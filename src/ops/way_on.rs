//! What to do where a job cannot be ended, or started, with its state: in the words of the command line and in those of scripts.

use super::connection::Connection;
use crate::base::{Error, code};
use crate::model::attempt::Attempt;
use crate::model::job_status::is_terminal;

/// The mode of an upgrade that takes no savepoint.
const LAST_STATE: &str =
    "`--upgrade last_state`, in a script `upgrade: \"last_state\"`, goes on from its newest checkpoint instead";

/// The hint where a savepoint cannot be asked for, since not all tasks run.
pub(super) fn not_asked_for() -> String {
    format!("nothing was asked for, and it was left as it is; {LAST_STATE}")
}

/// The hint where a job could not be stopped with a savepoint: how it is now, and what goes on.
pub(super) async fn after_failed_stop(connection: &Connection, attempt: &Attempt) -> String {
    let state = match connection.listed(&attempt.flink_id).await {
        Ok(Some(seen)) => seen.state,
        Ok(None) => "not there any more".to_owned(),
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
        _ => format!("it is {state}: it was left as it is, and may have restarted; {LAST_STATE}"),
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
