//! `run::approve`: the run waits for somebody, without a process.

use std::time::Duration;

use serde_json::{Value, json};

use super::declare::Call;
use super::job_options;
use super::planner::Planner;
use super::types::{Type, options};
use crate::base::{Error, Result, clock, code, duration};
use crate::ops::approval;
use crate::ops::effect::Acting;

options! {
    /// The options of `run::approve`.
    pub(super) struct ApproveOptions {
        /// how long the run waits at most; for ever if not given
        timeout: Option<String> => Type::Duration,
    }
}

pub(super) fn approve(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let (message, timeout) = asked(call)?;
    if call.host.confirm.is_some() {
        let error = Error::new(
            &code::EFFECT_FORBIDDEN,
            "`run::approve` ends the process and goes on in another one, which a session cannot",
        );
        return Err(error.hint("write it into a script: `tidegate run`, then `tidegate approve`"));
    }
    let run = call.host.journal()?.run();
    approval::ask(run, acting, &message, timeout).inspect_err(|error| {
        if error.is(&code::RUN_WAITS) {
            call.scope.wait();
        }
    })
}

/// A plan takes it for granted that somebody approves.
pub(super) fn would_ask(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let (message, timeout) = asked(call)?;
    let patience = timeout.map_or_else(String::new, |timeout| format!(", for {} at most", duration::show(timeout)));
    planner.tell_call(call, vec![format!("waits for somebody{patience}: {message}")]);
    Ok(json!({ "by": "somebody", "at": clock::rfc3339(clock::now()), "reason": null }))
}

fn asked(call: &Call<'_>) -> Result<(String, Option<Duration>)> {
    let message = call.string(0);
    if message.trim().is_empty() {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: the message is empty", call.name))
            .hint("say what somebody approves: run::approve(\"deploy orders to prod\")"));
    }
    let options: ApproveOptions = job_options::read(call.name, call.json(1)?)?;
    let timeout = options.timeout.as_deref().map(duration::parse).transpose()?;
    Ok((call.host.services.secrets.mask(&message), timeout))
}
