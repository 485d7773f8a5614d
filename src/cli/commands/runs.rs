//! `tidegate runs` and `tidegate abandon`.

use serde_json::{Value, json};

use super::Session;
use super::run::run_id;
use crate::api::table::layout;
use crate::base::{Result, clock, duration};
use crate::cli::Outcome;
use crate::cli::args::RunsCommand;
use crate::model::run::{Run, RunStatus, Step, StepStatus, order};
use crate::ops::approval;
use crate::ops::services::Services;
use crate::script::runner;

pub(super) fn runs(session: &Session<'_>, command: Option<&RunsCommand>, limit: usize, json: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let services = &workspace.services;
    if let Some(RunsCommand::Show { run, json: as_json }) = command {
        return show(session, services, run_id(run)?, json || *as_json);
    }
    let runs = services.store.runs(limit)?;
    let facts: Vec<Value> = runs.iter().map(|run| facts(services, run)).collect();
    if json {
        session.terminal.json(&Value::Array(facts));
        return Ok(Outcome::Done);
    }
    if facts.is_empty() {
        session.terminal.say("no script was run yet");
        return Ok(Outcome::Done);
    }
    print(session, &["run", "script", "environment", "status", "started", "took"], &facts);
    Ok(Outcome::Done)
}

pub(super) fn abandon(session: &Session<'_>, run: &str) -> Result<Outcome> {
    let id = run_id(run)?;
    let workspace = session.open()?;
    let _lock = runner::lock(&workspace.services, id)?;
    let run = workspace.services.store.take_over_run(id)?;
    workspace.services.store.end_run(&run, RunStatus::Abandoned, None)?;
    session.terminal.say(&format!(
        "run r{id} is given up. What it started goes on; an unanswered submission is settled by the next run that deploys its job"
    ));
    Ok(Outcome::Done)
}

fn show(session: &Session<'_>, services: &Services, id: i64, json: bool) -> Result<Outcome> {
    let run = services.store.run(id)?;
    let mut steps = services.store.steps(id)?;
    steps.sort_by_cached_key(|step| order(&step.number()));
    if json {
        let mut facts = facts(services, &run);
        facts["steps"] = steps.iter().map(step_facts).collect();
        session.terminal.json(&facts);
        return Ok(Outcome::Done);
    }
    let facts = facts(services, &run);
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    session.terminal.data(&format!(
        "{} {} --env {}: {}\n",
        text("run"),
        text("script"),
        text("environment"),
        text("status")
    ));
    if let Some(error) = facts.get("error").and_then(|error| error.get("message")).and_then(Value::as_str) {
        session.terminal.data(&format!("  {error}\n"));
    }
    session.terminal.data("\n");
    let rows: Vec<Value> = steps.iter().map(step_facts).collect();
    if rows.is_empty() {
        session.terminal.say("it came to no step");
        return Ok(Outcome::Done);
    }
    print(session, &["step", "function", "class", "at", "started", "took", "status", "outcome"], &rows);
    Ok(Outcome::Done)
}

fn facts(services: &Services, run: &Run) -> Value {
    let status = match run.status {
        // The lock is the kernel's: without a holder the process is gone.
        RunStatus::Running if !services.store.is_locked(&format!("run-{}", run.id)) => "crashed",
        status => status.name(),
    };
    json!({
        "run": format!("r{}", run.id),
        "script": run.script,
        "environment": run.environment,
        "parameters": serde_json::from_str::<Value>(&run.parameters).unwrap_or_default(),
        "status": status,
        "started": clock::short(run.started_at),
        "took": run.ended_at.map(|ended| took(run.started_at, ended)),
        "error": run.error.as_deref().and_then(|error| serde_json::from_str::<Value>(error).ok()),
    })
}

fn step_facts(step: &Step) -> Value {
    let outcome: Value = step.outcome.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let shown = match step.status {
        StepStatus::Open => match approval::asked(step) {
            Some(message) => format!("waits for an approval: {message}"),
            None => "not known yet".to_owned(),
        },
        StepStatus::Failed => outcome.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        StepStatus::Done if step.function == approval::FUNCTION => {
            format!("approved by {}", outcome.get("by").and_then(Value::as_str).unwrap_or_default())
        }
        StepStatus::Done => brief(&outcome),
    };
    json!({
        "step": step.number(),
        "function": step.function,
        "class": step.class,
        "at": format!("{}:{}", step.file, step.line),
        "started": clock::short(step.started_at),
        "took": step.ended_at.map(|ended| took(step.started_at, ended)),
        "status": step.status.name(),
        "outcome": shown,
    })
}

fn took(from: i64, to: i64) -> String {
    duration::show(std::time::Duration::from_millis(u64::try_from(to - from).unwrap_or(0)))
}

/// A result in a few words: a job by its state, all else cut.
fn brief(outcome: &Value) -> String {
    if let (Some(state), Some(attempt)) = (outcome.get("state").and_then(Value::as_str), outcome.get("attempt")) {
        let action = outcome.get("action").and_then(Value::as_str).unwrap_or_default();
        return format!("{action}: attempt {attempt}, {state}");
    }
    match outcome {
        Value::Null => String::new(),
        Value::Array(items) => format!("{} items", items.len()),
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let short: String = text.chars().take(60).collect();
            if short.len() < text.len() { format!("{short}…") } else { short }
        }
    }
}

fn print(session: &Session<'_>, columns: &[&str], rows: &[Value]) {
    let names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let cells: Vec<Vec<&Value>> =
        rows.iter().map(|row| columns.iter().map(|name| row.get(*name).unwrap_or(&Value::Null)).collect()).collect();
    session.terminal.data(&layout(&names, &cells));
}
