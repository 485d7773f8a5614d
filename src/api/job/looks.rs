//! What is seen of jobs: their state, plans and executions that are waited for, and where clusters differ.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, this_job, this_spec};
use crate::api::handle::as_handle;
use crate::api::job_options::read;
use crate::api::types::{Type, options};
use crate::base::{Error, Result, code, duration, suggest};
use crate::model::job_status::STATES;
use crate::ops::effect::Acting;
use crate::ops::{deploy, drift, execute, history, observe, plan, validate, wait};

options! {
    /// The options of `spec.execute`.
    pub(super) struct ExecuteOptions {
        /// how long to wait for FINISHED; `1h` if not given
        timeout: Option<String> => Type::Duration,
    }
}

pub(super) fn execute_timeout(call: &Call<'_>) -> Result<Duration> {
    let options: ExecuteOptions = read(call.name, call.json(1)?)?;
    options.timeout.as_deref().map_or(Ok(Duration::from_secs(3600)), duration::parse)
}

pub(super) fn do_execute(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let timeout = execute_timeout(call)?;
    let spec = this_spec(call)?;
    let services = &call.host.services;
    let run = call.host.journal()?.run();
    let facts = call.host.wait(async {
        let attempt = execute::start(services, run, acting, &spec).await?;
        let identity = &spec.identity;
        wait::wait_for(services, &identity.environment, &identity.job, attempt.number, "FINISHED", timeout).await
    })?;
    Ok(as_handle(facts))
}

pub(super) fn do_plan(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let spec = this_spec(call)?;
    let planned = call.host.wait(plan::deploy(
        &call.host.services,
        &spec,
        &deploy::Options::default(),
        &deploy::Intent::DEPLOY,
    ))?;
    let change = planned.change;
    Ok(json!({
        "action": change.action, "notes": change.notes, "differences": change.differences,
        "blocked": change.blocked.map(|error| error.to_string()),
    }))
}

options! {
    /// The options of `spec.validate`.
    pub(super) struct ValidateOptions {
        /// external catalogs whose definitions may be executed, since planning executes them
        #[serde(default)]
        catalogs: Vec<String>,
    }
}

pub(super) fn do_validate(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: ValidateOptions = read(call.name, call.json(1)?)?;
    let spec = this_spec(call)?;
    call.host.wait(validate::validate(&call.host.services, &spec, &options.catalogs))?;
    Ok(Value::Null)
}

/// The state that a call waits for, and how long.
pub(super) fn waited_for(call: &Call<'_>) -> Result<(String, Duration)> {
    let state = call.string(1);
    if !STATES.contains(&state.as_str()) {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: Flink has no job state `{state}`", call.name))
            .hint(suggest::hint(&state, STATES)));
    }
    let timeout = if call.get(2).is_some() { duration::parse(&call.string(2))? } else { Duration::from_secs(300) };
    Ok((state, timeout))
}

pub(super) fn wait_for(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let (state, timeout) = waited_for(call)?;
    let services = &call.host.services;
    call.host
        .wait(wait::wait_for(services, job.environment(), job.name(), job.attempt(), &state, timeout))
        .map(as_handle)
}

pub(super) fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let name = call.string(0);
    look(call, &call.host.environment.name, &name)
}

pub(super) fn refresh(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    look(call, job.environment(), job.name())
}

pub(super) fn look(call: &Call<'_>, environment: &str, name: &str) -> Result<Value> {
    let services = &call.host.services;
    let facts = call.host.wait(observe::job(services, environment, name))?;
    facts.map(as_handle).ok_or_else(|| wait::job_not_found(services, environment, name))
}

options! {
    /// The options of `job::find`.
    pub(super) struct FindOptions {
        /// Flink's state
        state: Option<String>,
        /// a part of the name
        name: Option<String>,
        /// a tag
        tag: Option<String>,
    }
}

pub(super) fn find(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: FindOptions = read(call.name, call.json(0)?)?;
    let environment = call.host.environment.name.clone();
    let jobs = call.host.wait(observe::jobs(&call.host.services, Some(&environment)))?;
    let fits = |facts: &Value| {
        let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
        options.state.as_deref().is_none_or(|state| text("state") == state)
            && options.name.as_deref().is_none_or(|part| text("name").contains(part))
            && options.tag.as_deref().is_none_or(|tag| {
                facts.get("tags").and_then(Value::as_array).is_some_and(|tags| tags.iter().any(|one| one == tag))
            })
    };
    Ok(jobs.into_iter().filter(fits).map(as_handle).collect())
}

/// Where clusters differ from what is recorded of this environment.
pub(super) fn do_drift(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let environment = call.host.environment.name.clone();
    let found = call.host.wait(drift::drift(&call.host.services, Some(&environment)))?;
    Ok(found.iter().map(drift::Drift::to_json).collect())
}

pub(super) fn do_history(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    history::attempts(&call.host.services, job.environment(), job.name()).map(Value::Array)
}

pub(super) fn do_savepoints(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let rows = call.host.wait(history::savepoints(&call.host.services, job.environment(), job.name()))?;
    Ok(Value::Array(rows))
}
