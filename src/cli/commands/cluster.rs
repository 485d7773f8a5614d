//! `tidegate cluster`.

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::{Result, counted};
use crate::cli::Outcome;
use crate::cli::args::ClusterCommand;
use crate::ops::cluster::{Clusters, Definition, Start, State};
use crate::workspace::Workspace;

pub(super) fn cluster(session: &Session<'_>, command: &ClusterCommand) -> Result<Outcome> {
    let workspace = session.open()?;
    match command {
        ClusterCommand::Up { name } => {
            let name = name_of(&workspace, name.as_deref())?;
            let up = session.wait(workspace.services.clusters.up(&name))?;
            let did = if up.reused { "runs already" } else { "is up" };
            session
                .terminal
                .say(&format!("cluster `{name}` {did}: Flink {}, {} slots, {}", up.version, up.slots, up.url));
        }
        ClusterCommand::Down { name } => {
            let name = name_of(&workspace, name.as_deref())?;
            let stopped = session.wait(workspace.services.clusters.down(&name))?;
            session.terminal.say(&match stopped.stopped.len() {
                0 => format!("cluster `{name}` was down"),
                count => format!("cluster `{name}` is down: {} ended", counted(count, "process")),
            });
        }
        ClusterCommand::Status { name, json } => return status(session, &workspace, name.as_deref(), *json),
    }
    Ok(Outcome::Done)
}

/// The cluster that is named, or the default environment's.
fn name_of(workspace: &Workspace, given: Option<&str>) -> Result<String> {
    match given {
        Some(name) => Ok(name.to_owned()),
        None => Ok(workspace.environment(None)?.cluster),
    }
}

fn status(session: &Session<'_>, workspace: &Workspace, only: Option<&str>, json: bool) -> Result<Outcome> {
    let clusters = &workspace.services.clusters;
    if let Some(name) = only {
        clusters.definition(name)?;
    }
    let mut facts = Vec::new();
    for name in clusters.names().filter(|name| only.is_none_or(|only| only == *name)) {
        facts.push(session.wait(describe(name, clusters))?);
    }
    if json {
        session.terminal.json(&Value::Array(facts));
        return Ok(Outcome::Done);
    }
    let columns = ["cluster", "kind", "state", "flink", "slots", "free", "jobs", "url", "memory"];
    let rows: Vec<Vec<&Value>> =
        facts.iter().map(|fact| columns.iter().map(|name| fact.get(*name).unwrap_or(&Value::Null)).collect()).collect();
    session.terminal.data(&layout(&columns.map(str::to_owned), &rows));
    for fact in &facts {
        for problem in fact.get("problems").and_then(Value::as_array).into_iter().flatten() {
            session.terminal.say(&format!(
                "{}: {}",
                fact["cluster"].as_str().unwrap_or_default(),
                problem.as_str().unwrap_or_default()
            ));
        }
    }
    Ok(Outcome::Done)
}

async fn describe(name: &str, clusters: &Clusters) -> Result<Value> {
    match clusters.definition(name)? {
        Definition::Local(cluster) => {
            let status = cluster.status().await?;
            let state = match status.state {
                State::Down => "down",
                State::Starting => "starting",
                State::Up => "up",
                State::Degraded => "degraded",
            };
            let memory: u64 = status.members.iter().filter_map(|member| member.memory_bytes).sum();
            let processes: Vec<Value> = status
                .members
                .iter()
                .map(|member| json!({ "name": member.name, "pid": member.pid, "alive": member.alive, "memory_bytes": member.memory_bytes, "log": member.log }))
                .collect();
            Ok(json!({
                "cluster": name, "kind": "local", "state": state, "flink": status.version.unwrap_or_else(|| cluster.version.clone()),
                "slots": status.slots_total, "free": status.slots_free, "jobs": status.jobs_running, "url": status.url,
                "memory": if memory == 0 { Value::Null } else { format!("{} MB", memory >> 20).into() },
                "processes": processes, "problems": status.problems,
            }))
        }
        Definition::Session { url } => Ok(match clusters.connect(name, Start::No).await?.client.overview().await {
            Ok(overview) => json!({
                "cluster": name, "kind": "session", "state": "up", "flink": overview.flink_version, "slots": overview.slots_total,
                "free": overview.slots_available, "jobs": overview.jobs_running, "url": url, "problems": [],
            }),
            Err(error) => json!({
                "cluster": name, "kind": "session", "state": "unreachable", "url": url, "problems": [error.to_string()],
            }),
        }),
    }
}
