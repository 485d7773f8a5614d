//! `tidegate approve`.

use super::Session;
use super::run::{run_id, tell};
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::model::run::parse_number;
use crate::ops::approval::{self, Given, Verdict};
use crate::script::runner;

/// Records what somebody says of a run that waits, and goes on with it.
pub(super) fn approve(
    session: &Session<'_>,
    run: &str,
    step: Option<&str>,
    verdict: &Verdict,
    with_current_scripts: bool,
) -> Result<Outcome> {
    let id = run_id(run)?;
    let step = step
        .map(|step| {
            parse_number(step).ok_or_else(|| {
                Error::new(&code::USAGE, format!("`--step {step}` is not the number of a step"))
                    .hint(format!("`tidegate runs show r{id}` shows them: 3, or 7.1/0 in a branch"))
            })
        })
        .transpose()?;
    let workspace = session.open()?;
    let lock = runner::lock(&workspace.services, id)?;
    let given = approval::decide(&workspace.services, id, step.as_ref(), verdict)?;
    drop(lock);
    session.terminal.say(&match given {
        Given::TooLate => format!("the time to approve is over: run r{id} goes on without it"),
        Given::Recorded if !verdict.approved => format!("rejected by `{}`; run r{id} goes on with that", verdict.by),
        Given::Recorded => format!("approved by `{}`; run r{id} goes on", verdict.by),
    });
    let report = runner::resume(&session.setting(&workspace), id, with_current_scripts)?;
    Ok(tell(session, report))
}

/// What somebody says, under the name that was given or the login.
pub(super) fn verdict(name: Option<String>, approved: bool, reason: Option<String>) -> Result<Verdict> {
    Ok(Verdict { by: approver(name)?, approved, reason })
}

/// Who approves: the name that was given, or the login.
fn approver(given: Option<String>) -> Result<String> {
    let login = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let name = match given {
        Some(name) => Some(name.trim().to_owned()),
        None => login(),
    };
    name.filter(|name| !name.is_empty() && !name.chars().any(char::is_control)).ok_or_else(|| {
        Error::new(&code::USAGE, "it is not known who approves: neither $USER nor $LOGNAME holds a name")
            .hint("tidegate approve RUN --as NAME")
    })
}
