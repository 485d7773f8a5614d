//! `tidegate builds`.

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::wording::cut;
use crate::base::{Result, clock, duration};
use crate::cli::Outcome;
use crate::ops::build;

const COLUMNS: [&str; 8] = ["build", "project", "commit", "command", "status", "started", "took", "outcome"];

pub(super) fn list(session: &Session<'_>, project: Option<&str>, limit: usize, json: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let services = &workspace.services;
    let builds = build::list(services, project, limit)?;
    if json {
        let rows = builds.iter().map(|one| {
            json!({
                "build": one.id,
                "project": one.project,
                "url": one.url,
                "wanted": one.wanted,
                "commit": one.commit,
                "command": one.command,
                "status": build::status(services, one),
                "artifacts": one.artifacts,
                "artifacts_kept": build::has_artifacts(services, one),
                "error": one.error.as_deref().and_then(|error| serde_json::from_str::<Value>(error).ok()),
                "run": format!("r{}", one.step.run),
                "started_at": clock::rfc3339(one.started_at),
                "took_ms": one.took(),
                "log": build::log_path(services, one.id).1,
            })
        });
        session.terminal.json(&rows.collect());
        return Ok(Outcome::Done);
    }
    if builds.is_empty() {
        session.terminal.say(&match project {
            Some(project) => format!("`{project}` was not built here yet"),
            None => "nothing was built yet".to_owned(),
        });
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<Value>> = builds
        .iter()
        .map(|one| {
            let error = one.error.as_deref().and_then(|error| serde_json::from_str::<Value>(error).ok());
            let outcome = match error.as_ref().and_then(|error| Some((error["code"].as_str()?, first_cause(error)?))) {
                Some((code, cause)) => format!("{code}: {}", cut(cause, 80)),
                None => {
                    let paths: Vec<&str> = one.artifacts.iter().map(|built| built.path.as_str()).collect();
                    let gone = if build::has_artifacts(services, one) { "" } else { "pruned: " };
                    cut(&format!("{gone}{}", paths.join(", ")), 100)
                }
            };
            let took = one.took().map(|millis| duration::show(std::time::Duration::from_millis(millis)));
            vec![
                one.id.into(),
                one.project.clone().into(),
                one.commit.get(..10).unwrap_or(&one.commit).into(),
                cut(&one.command, 40).into(),
                build::status(services, one).into(),
                clock::short(one.started_at).into(),
                took.unwrap_or_default().into(),
                outcome.into(),
            ]
        })
        .collect();
    let cells: Vec<Vec<&Value>> = rows.iter().map(|row| row.iter().collect()).collect();
    let names: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    session.terminal.data(&layout(&names, &cells));
    Ok(Outcome::Done)
}

/// What an error says first of why; its message where it says nothing more.
fn first_cause(error: &Value) -> Option<&str> {
    error["causes"][0].as_str().or_else(|| error["message"].as_str())
}

pub(super) fn log(session: &Session<'_>, number: i64) -> Result<Outcome> {
    let workspace = session.open()?;
    session.terminal.data(&build::log(&workspace.services, number)?);
    Ok(Outcome::Done)
}
