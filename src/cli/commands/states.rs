//! `tidegate history`, `diff` and `savepoints`.

use serde_json::Value;

use super::Session;
use crate::api::table::layout;
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::cli::args::OfJob;
use crate::model::attempt::Submission;
use crate::model::spec_difference;
use crate::ops::{commands, history};

/// The columns of a history.
const COLUMNS: [&str; 12] = [
    "revision",
    "kind",
    "attempt",
    "at",
    "run",
    "script",
    "changed",
    "built_from",
    "restored_from",
    "verdict",
    "end",
    "ended_by",
];

pub(super) fn history(session: &Session<'_>, of: &OfJob) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment_name(of.env.as_deref())?;
    let rows = history::attempts(&workspace.services, &environment, &of.job);
    let rows = commands::in_result(&workspace.services, &environment, rows)?;
    // Most jobs are not built here.
    let was_built = rows.iter().any(|row| row.get("built_from").is_some_and(|from| !from.is_null()));
    let columns: Vec<&str> = COLUMNS.into_iter().filter(|name| was_built || *name != "built_from").collect();
    let rows = if of.json { rows } else { rows.into_iter().map(shortened).collect() };
    print(session, of.json, rows, &columns);
    Ok(Outcome::Done)
}

/// A row whose commits are as short as git shows them, and whose end says of what never ran that it did not.
fn shortened(mut row: Value) -> Value {
    let submission = row.get("submission").and_then(Value::as_str).unwrap_or_default();
    if submission != Submission::Accepted.name() && row.get("end").is_some_and(Value::is_null) {
        row["end"] = match Submission::from_name(submission) {
            Some(Submission::Open) => "never answered".into(),
            _ => submission.replace('_', " ").into(),
        };
    }
    if let Some(from) = row.get("built_from").and_then(Value::as_str) {
        let each: Vec<String> = from.split(", ").map(spec_difference::short_origin).collect();
        row["built_from"] = each.join(", ").into();
    }
    row
}

pub(super) fn diff(
    session: &Session<'_>,
    job: &str,
    (from, to): (u32, u32),
    environment: Option<&str>,
) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment_name(environment)?;
    let lines = history::difference(&workspace.services, &environment, job, from, to);
    let lines = commands::in_result(&workspace.services, &environment, lines)?;
    if lines.is_empty() {
        session.terminal.say(&format!("revisions {from} and {to} of `{job}` are the same job"));
    }
    for line in lines {
        session.terminal.data(&format!("{line}\n"));
    }
    Ok(Outcome::Done)
}

pub(super) fn savepoints(session: &Session<'_>, of: Option<&OfJob>) -> Result<Outcome> {
    let of = of.ok_or_else(|| {
        Error::new(&code::USAGE, "savepoints: which job?")
            .hint("`tidegate savepoints JOB`, or `tidegate savepoints prune`")
    })?;
    let workspace = session.open()?;
    let environment = workspace.environment_name(of.env.as_deref())?;
    let rows = session.wait(history::savepoints(&workspace.services, &environment, &of.job));
    let rows = commands::in_result(&workspace.services, &environment, rows)?;
    if rows.is_empty() && !of.json {
        session
            .terminal
            .say(&format!("no savepoint of `{}` was asked for from here yet, and no checkpoint was seen", of.job));
        return Ok(Outcome::Done);
    }
    print(session, of.json, rows, &["attempt", "kind", "status", "at", "bytes", "run", "path"]);
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
