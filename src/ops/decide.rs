//! What somebody says of a step whose outcome is unknown.

use serde_json::Value;

use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::attempt::{StepKey, Submission};
use crate::model::class::Class;
use crate::model::run::{StepStatus, number};
use crate::store::Durability;

/// What somebody says of an open step.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It never ran, or has ended: it is done again.
    Retry,
    /// It ran, with this result.
    Done(Value),
}

/// Records a decision. The run is not gone on with yet.
///
/// # Errors
/// `run.not_found`, `run.not_open`, `argument.invalid` where the step is not open.
pub fn decide(services: &Services, run: i64, step: &(String, i64), decision: Decision) -> Result<()> {
    let record = services.store.run(run)?;
    if !record.status.is_open() {
        return Err(Error::new(
            &code::RUN_NOT_OPEN,
            format!("run r{run} is {}: there is nothing left to decide", record.status.name()),
        ));
    }
    let key = StepKey { run, path: step.0.clone(), sequence: step.1 };
    let shown = number(&key.path, key.sequence);
    let found = services.store.step(&key)?.filter(|step| step.status == StepStatus::Open).ok_or_else(|| {
        Error::new(&code::ARGUMENT_INVALID, format!("step {shown} of run r{run} is not open"))
            .hint(format!("`tidegate runs show r{run}` shows which is"))
    })?;
    if found.function == super::approval::FUNCTION {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("step {shown} of run r{run} waits for an approval"))
            .hint(format!("tidegate approve r{run} --step {shown}")));
    }
    match decision {
        Decision::Done(value) => {
            services.store.end_step(&record, &key, Durability::Full, StepStatus::Done, &value.to_string())
        }
        Decision::Retry => {
            // The open attempt may be an earlier run's: the job that the step is about tells.
            let arguments: Value = serde_json::from_str(&found.arguments).unwrap_or_default();
            let named =
                |name: &str| arguments.pointer(&format!("/0/{name}")).and_then(Value::as_str).unwrap_or_default();
            if found.class == Class::Opaque.name() {
                return services.store.forget_step(&record, &key);
            }
            let Some(job) = services.store.job(named("environment"), named("name"))? else { return Ok(()) };
            if let Some(attempt) =
                services.store.newest_attempt(job.id)?.filter(|attempt| attempt.submission == Submission::Open)
            {
                services.store.settle_attempt(&attempt, Submission::GivenUp, None)?;
            }
            Ok(())
        }
    }
}
