//! What is added to an error where a job was ended for something that then came to nothing: that it is down, where its state is,
//! and what brings it back.

use super::effect::leaves_open;
use super::services::Services;
use super::standing::{is_same_job, revision_spec, submitted_spec};
use crate::base::code::Code;
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::run::Run;
use crate::model::stability::UNSTABLE;

/// The cluster's final word on a submission.
const REFUSALS: [&Code; 4] =
    [&code::FLINK_SQL_REFUSED, &code::FLINK_ENTRY_CLASS, &code::FLINK_MAIN_FAILED, &code::FLINK_START_FAILED];

/// The error of a run that could not bring a job to a spec; with what it left behind, where it had ended what ran.
pub(super) fn told(services: &Services, run: &Run, spec: &JobSpec, error: Error) -> Error {
    // Of an open outcome nobody can say that nothing runs.
    if leaves_open(&error) {
        return error;
    }
    match ended(services, run, spec, &error) {
        Ok(Some((ended, command))) => add(&spec.identity.job, run, error, &ended, command.as_deref()),
        // What it adds is not worth losing the error itself.
        Ok(None) | Err(_) => error,
    }
}

/// The attempt that the run ended and nothing followed, and the command that starts its revision again. One that an earlier run has
/// ended is told, too, where the cluster refuses once more what was to follow: whoever is woken sees the last error.
fn ended(services: &Services, run: &Run, spec: &JobSpec, error: &Error) -> Result<Option<(Attempt, Option<String>)>> {
    let identity = &spec.identity;
    let Some(job) = services.store.job(&identity.environment, &identity.job)? else { return Ok(None) };
    let attempts = services.store.attempts(job.id)?;
    let last = attempts.into_iter().rev().find(|attempt| attempt.submission != Submission::Refused);
    let by = format!("run r{}", run.id);
    let is_refused = REFUSALS.iter().any(|code| error.is(code));
    let is_ended = |one: &Attempt| {
        one.end_state.is_some()
            && one
                .end_asked_by
                .as_deref()
                .is_some_and(|asked| asked == by || (is_refused && asked.starts_with("run r")))
    };
    let Some(last) = last.filter(is_ended) else { return Ok(None) };
    let is_adopted = matches!(submitted_spec(&last, &job.name)?.program, Program::Adopted { .. });
    if is_adopted || last.verdict.as_deref() == Some(UNSTABLE) {
        return Ok(Some((last, None)));
    }
    let revisions = services.store.revisions(job.id)?;
    let newest = revisions.last().map(|newest| revision_spec(newest, &job.name)).transpose()?;
    let command = match newest.is_some_and(|newest| is_same_job(&last, &newest)) {
        true => format!("tidegate start {}", job.name),
        false => format!("tidegate rollback {} --to {}", job.name, last.revision),
    };
    Ok(Some((last, Some(command))))
}

fn add(name: &str, run: &Run, error: Error, ended: &Attempt, command: Option<&str>) -> Error {
    let by = ended.end_asked_by.as_deref().filter(|by| *by != format!("run r{}", run.id));
    let (by, since) = by.map_or(("this run", "now"), |by| (by, "since"));
    let (how, what) = match ended.end_state.as_deref() {
        Some("FINISHED") => ("stopped with a savepoint", "it"),
        _ => ("cancelled", "its newest state"),
    };
    let state = match &ended.checkpoint {
        Some(path) => format!("{what} is {path}"),
        None => "it left no state".to_owned(),
    };
    if error.is(&code::JOB_EXISTS_UNMANAGED) || error.is(&code::JOB_TWIN) {
        let way = beside(name, &error, ended);
        return error.caused_by(format!("attempt {} was {how} by {by}; {state}", ended.number)).hint(way);
    }
    let error =
        error.caused_by(format!("attempt {} was {how} by {by}, and nothing runs {since}; {state}", ended.number));
    let Some(command) = command else { return error };
    let back = format!("`{command}` brings back what ran, from its newest state");
    match error.hint_text().map(str::to_owned) {
        Some(hint) => error.hint(format!("{back}; to go on: {hint}")),
        None => error.hint(back),
    }
}

/// How to go on where somebody started the job meanwhile: nothing can be brought back beside that.
fn beside(name: &str, error: &Error, ended: &Attempt) -> String {
    match error.data().get("flink_id").and_then(serde_json::Value::as_str) {
        Some(id) => format!(
            "nothing was started in its place: cancel {id} with Flink's own tools and run the script again, it goes on from there; \
             or `tidegate adopt {name} --id {id}` takes that one over, without the state of attempt {}",
            ended.number
        ),
        None => "nothing was started in its place: cancel what should not be there with Flink's own tools, and run the script \
                 again, it goes on from there"
            .to_owned(),
    }
}
