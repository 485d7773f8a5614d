//! `tidegate check`, and the check before a run.

use super::Session;
use crate::base::Result;
use crate::cli::Outcome;
use crate::cli::args;
use crate::script::check::{self, Report};
use crate::script::runner::Script;
use crate::workspace::Workspace;
use crate::workspace::inspect::inspect;

/// How many places are shown of one reason for not checking.
const SHOWN: usize = 3;

pub(super) fn check(session: &Session<'_>, arguments: &args::Check) -> Result<Outcome> {
    let (files, knowledge) = inspect(session.folder, arguments.env.as_deref())?;
    let report = check::check(&files, &knowledge, &arguments.scripts)?;
    if arguments.json {
        session.terminal.json(&report.to_json());
    } else {
        tell(session, &report);
        for (reason, places) in &report.not_checked {
            let shown: Vec<String> =
                places.iter().take(SHOWN).map(|place| format!("{}:{}", place.file, place.line)).collect();
            let more = match places.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            session.terminal.say(&format!("not checked: {reason} ({}{more})", shown.join(", ")));
        }
        session.terminal.data(&format!("{}\n", report.summary()));
    }
    Ok(if report.findings.is_empty() { Outcome::Done } else { Outcome::Failed })
}

/// Checks a script before it is run or planned; whether it may be.
///
/// # Errors
/// As the check itself.
pub(super) fn passes(session: &Session<'_>, workspace: &Workspace, script: &Script, environment: &str) -> Result<bool> {
    let (files, knowledge) = workspace.inspect(Some(environment))?;
    let report = check::check_scripts(&files, &knowledge, std::slice::from_ref(script))?;
    tell(session, &report);
    if report.findings.len() > 1 {
        session.terminal.say(&report.summary());
    }
    Ok(report.findings.is_empty())
}

fn tell(session: &Session<'_>, report: &Report) {
    for (index, finding) in report.findings.iter().enumerate() {
        if index > 0 {
            session.terminal.say("");
        }
        session.terminal.error(finding);
    }
}
