//! `run::approve`: the run waits for somebody, without a process.

use serde::Deserialize;
use serde_json::Value;

use super::declare::Call;
use super::job_options;
use crate::base::{Error, Result, code, duration};
use crate::ops::approval;
use crate::ops::effect::Acting;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    timeout: Option<String>,
}

pub(super) fn approve(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let message = call.string(0);
    if message.trim().is_empty() {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: the message is empty", call.name))
            .hint("say what somebody approves: run::approve(\"deploy orders to prod\")"));
    }
    let options = match call.json(1)? {
        Value::Null => Options::default(),
        given => job_options::read(call.name, given, &["timeout"])?,
    };
    let timeout = options.timeout.as_deref().map(duration::parse).transpose()?;
    let run = call.host.journal()?.run();
    let message = call.host.services.secrets.mask(&message);
    approval::ask(run, acting, &message, timeout).inspect_err(|error| {
        if error.is(&code::RUN_WAITS) {
            call.scope.wait();
        }
    })
}
