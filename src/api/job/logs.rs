//! What a job wrote, and what went wrong with it.

use serde_json::Value;

use super::{Call, this_job};
use crate::api::job_options::read;
use crate::api::types::{Type, options};
use crate::base::Result;
use crate::ops::effect::Acting;
use crate::ops::logs;

options! {
    /// The options of `job.logs`.
    pub(super) struct LogsOptions {
        /// one source; all of them if not given
        source: Option<String> => Type::Word(&logs::SOURCES),
        /// how many of the last lines of each source; 100 if not given
        lines: Option<usize>,
        /// keeps the lines that hold this text
        grep: Option<String>,
    }
}

pub(super) fn do_logs(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    look_at_logs(call)
}

pub(super) fn look_at_logs(call: &Call<'_>) -> Result<Value> {
    let options: LogsOptions = read(call.name, call.json(1)?)?;
    let job = this_job(call)?;
    let mut parts = call.host.wait(logs::logs(
        &call.host.services,
        job.environment(),
        job.name(),
        options.source.as_deref(),
        logs::Tail::All,
    ))?;
    if let Some(wanted) = &options.grep {
        for part in &mut parts {
            part.text = part.text.lines().filter(|line| line.contains(wanted.as_str())).collect::<Vec<_>>().join("\n");
        }
    }
    Ok(logs::last(&parts, options.lines.unwrap_or(100)))
}

pub(super) fn exceptions(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    look_at_exceptions(call)
}

pub(super) fn look_at_exceptions(call: &Call<'_>) -> Result<Value> {
    let job = this_job(call)?;
    call.host.wait(logs::exceptions(&call.host.services, job.environment(), job.name(), job.attempt()))
}
