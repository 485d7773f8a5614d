//! Approvals: a run asks, ends its process, and somebody else answers, perhaps days later.

use std::time::Duration;

use serde_json::{Value, json};

use super::effect::Acting;
use super::services::Services;
use crate::base::clock::Millis;
use crate::base::{Error, Result, clock, code, duration};
use crate::model::attempt::StepKey;
use crate::model::run::{Run, Step, StepStatus, number};
use crate::store::Durability;

/// The function that asks, as the journal has it.
pub const FUNCTION: &str = "run::approve";

/// What somebody says.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Who.
    pub by: String,
    /// Whether it is approved.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
}

/// What became of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It is recorded.
    Recorded,
    /// The time was over: the script gets `run.approval_timed_out`.
    TooLate,
}

/// Asks: the run waits, or has waited long enough. Only a recorded answer lets it go on, and that one is the journal's.
///
/// # Errors
/// `run.waits`, which leaves the step open, or `run.approval_timed_out`.
pub fn ask(run: &Run, acting: &Acting, message: &str, timeout: Option<Duration>) -> Result<Value> {
    let deadline = timeout.map(|timeout| deadline(acting.begun_at, timeout));
    if let Some(deadline) = deadline.filter(|deadline| clock::now() >= *deadline) {
        return Err(Error::new(
            &code::RUN_APPROVAL_TIMED_OUT,
            format!("nobody approved until {}: {message}", clock::short(deadline)),
        )
        .with("message", message)
        .with("until", clock::rfc3339(deadline)));
    }
    let step = number(&acting.key.path, acting.key.sequence);
    let error = Error::new(&code::RUN_WAITS, format!("run r{} waits for an approval: {message}", run.id))
        .with("run", run.id)
        .with("step", step)
        .with("message", message);
    let error = match deadline {
        Some(deadline) => error
            .caused_by(format!("it waits until {}", clock::short(deadline)))
            .with("until", clock::rfc3339(deadline)),
        None => error,
    };
    Err(error.hint(format!(
        "`tidegate approve r{id}` approves it and goes on; `tidegate approve r{id} --reject` refuses it",
        id = run.id
    )))
}

/// Several that wait, as one.
pub fn together(waiting: Vec<Error>) -> Option<Error> {
    let [first, _, ..] = waiting.as_slice() else { return waiting.into_iter().next() };
    let text =
        |error: &Error, name: &str| error.data().get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let run = first.data().get("run").and_then(Value::as_i64).unwrap_or_default();
    let mut asked: Vec<(Vec<u64>, String)> = waiting
        .iter()
        .map(|error| {
            let step = text(error, "step");
            (crate::model::run::order(&step), format!("step {step}: {}", text(error, "message")))
        })
        .collect();
    asked.sort();
    let error = Error::new(&code::RUN_WAITS, format!("run r{run} waits for {} approvals", waiting.len()));
    let error = asked.into_iter().fold(error, |error, (_, line)| error.caused_by(line));
    Some(error.hint(format!("`tidegate approve r{run} --step N` answers one of them")))
}

/// The message that an open step asks with, where it is an approval.
pub fn asked(step: &Step) -> Option<String> {
    if step.function != FUNCTION || step.status != StepStatus::Open {
        return None;
    }
    let arguments: Value = serde_json::from_str(&step.arguments).ok()?;
    Some(arguments.get(0)?.as_str()?.to_owned())
}

/// Records a verdict. The run is not gone on with yet; its lock is the caller's.
///
/// # Errors
/// `run.not_found`, `run.not_open`, `run.not_waiting`, `state.*`.
pub fn decide(services: &Services, id: i64, step: Option<&(String, i64)>, verdict: &Verdict) -> Result<Given> {
    let run = services.store.run(id)?;
    let not_waiting = |message: String| {
        Error::new(&code::RUN_NOT_WAITING, message).hint(format!("`tidegate runs show r{id}` shows its steps"))
    };
    if !run.status.is_open() {
        let status = run.status.name();
        return Err(Error::new(
            &code::RUN_NOT_OPEN,
            format!("run r{id} is {status}: nothing in it waits for an approval"),
        )
        .hint(format!("`tidegate runs show r{id}` shows who approved what")));
    }
    let step = match step {
        Some((path, sequence)) => {
            let key = StepKey { run: id, path: path.clone(), sequence: *sequence };
            let shown = number(path, *sequence);
            match services.store.step(&key)? {
                Some(step) if asked(&step).is_some() => step,
                Some(step) if step.function == FUNCTION => {
                    return Err(not_waiting(format!(
                        "step {shown} of run r{id} was answered already{}",
                        answered(&step)
                    )));
                }
                Some(_) => return Err(not_waiting(format!("step {shown} of run r{id} is no approval"))),
                None => return Err(not_waiting(format!("run r{id} has no step {shown}"))),
            }
        }
        None => {
            let mut open: Vec<Step> =
                services.store.steps(id)?.into_iter().filter(|step| asked(step).is_some()).collect();
            open.sort_by_key(|step| crate::model::run::order(&step.number()));
            match open.len() {
                0 => return Err(not_waiting(format!("run r{id} does not wait for an approval"))),
                1 => open.remove(0),
                count => {
                    let error =
                        Error::new(&code::RUN_NOT_WAITING, format!("run r{id} waits for {count} approvals: say which"));
                    let error = open.iter().fold(error, |error, step| {
                        error.caused_by(format!("step {}: {}", step.number(), asked(step).unwrap_or_default()))
                    });
                    return Err(error.hint(format!("tidegate approve r{id} --step {}", open[0].number())));
                }
            }
        }
    };
    if timeout(&step).is_some_and(|timeout| clock::now() >= deadline(step.started_at, timeout)) {
        return Ok(Given::TooLate);
    }
    let at = clock::rfc3339(clock::now());
    let mask = |text: &str| services.secrets.mask(text);
    let reason = verdict.reason.as_deref().map(mask);
    let (status, outcome) = if verdict.approved {
        (StepStatus::Done, json!({ "by": verdict.by, "at": at, "reason": reason }))
    } else {
        let message = asked(&step).unwrap_or_default();
        let error = Error::new(&code::RUN_REJECTED, format!("`{}` rejected: {message}", verdict.by))
            .with("by", verdict.by.as_str())
            .with("at", at)
            .with("reason", reason.clone());
        let error = reason.iter().fold(error, |error, reason| error.caused_by(reason));
        (StepStatus::Failed, error.to_json())
    };
    services.store.end_step(&run, &step.key, Durability::Full, status, &outcome.to_string())?;
    Ok(Given::Recorded)
}

fn deadline(begun_at: Millis, timeout: Duration) -> Millis {
    begun_at.saturating_add(Millis::try_from(timeout.as_millis()).unwrap_or(Millis::MAX))
}

fn timeout(step: &Step) -> Option<Duration> {
    let arguments: Value = serde_json::from_str(&step.arguments).ok()?;
    duration::parse(arguments.get(1)?.get("timeout")?.as_str()?).ok()
}

/// Who answered a step, and when.
fn answered(step: &Step) -> String {
    let outcome: Value = step.outcome.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let facts =
        if step.status == StepStatus::Failed { outcome.get("data").cloned().unwrap_or_default() } else { outcome };
    let text = |name: &str| facts.get(name).and_then(Value::as_str);
    match (text("by"), text("at")) {
        (Some(by), Some(at)) => format!(": by `{by}` at {at}"),
        _ => String::new(),
    }
}
