//! `tidegate history`, `savepoints` and `stop`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Session;
use crate::api::table::layout;
use crate::base::Result;
use crate::cli::Outcome;
use crate::cli::args::OfJob;
use crate::ops::history;
use crate::script::runner::{self, Script};

/// What `tidegate stop` runs: like any run it is journaled, and can be resumed.
const STOP: &str = r#"fn options() { #{ job: params::string("the job") } }
let job = job::get(params::get("job")).stop();
let which = "`" + job.name + "` (attempt " + job.attempt + ")";
log::info(if job.action == "stopped" { which + " is stopped" } else { which + " was " + job.state + " already" });
if job.checkpoint != () { log::info("its newest state: " + job.checkpoint); }
"#;

pub(super) fn stop(session: &Session<'_>, job: &str, environment: Option<&str>) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment(environment)?;
    let script = Script::of_command("stop", STOP);
    let parameters = BTreeMap::from([("job".to_owned(), job.to_owned())]);
    let report = runner::start(&session.setting(&workspace), &script, &environment, &parameters)?;
    Ok(super::run::tell(session, report))
}

pub(super) fn history(session: &Session<'_>, of: &OfJob) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment_name(of.env.as_deref())?;
    let rows = history::attempts(&workspace.services, &environment, &of.job)?;
    print(
        session,
        of.json,
        rows,
        &["attempt", "at", "run", "script", "submission", "changed", "restored_from", "end", "ended_by"],
    );
    Ok(Outcome::Done)
}

pub(super) fn savepoints(session: &Session<'_>, of: &OfJob) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment_name(of.env.as_deref())?;
    let rows = history::savepoints(&workspace.services, &environment, &of.job)?;
    if rows.is_empty() && !of.json {
        session.terminal.say(&format!("no savepoint of `{}` was asked for from here yet", of.job));
        return Ok(Outcome::Done);
    }
    print(session, of.json, rows, &["attempt", "kind", "status", "at", "run", "path"]);
    Ok(Outcome::Done)
}

fn print(session: &Session<'_>, json: bool, rows: Vec<Value>, columns: &[&str]) {
    if json {
        session.terminal.json(&Value::Array(rows));
        return;
    }
    let shown: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|name| match row.get(*name) {
                    Some(Value::Array(words)) => {
                        words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ").into()
                    }
                    Some(value) if !value.is_null() => value.clone(),
                    _ => Value::from(""),
                })
                .collect()
        })
        .collect();
    let cells: Vec<Vec<&Value>> = shown.iter().map(|row| row.iter().collect()).collect();
    let names: Vec<String> = columns.iter().map(|name| name.replace('_', " ")).collect();
    session.terminal.data(&layout(&names, &cells));
}
