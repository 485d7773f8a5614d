//! `tidegate ps` and `logs`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::Result;
use crate::cli::Outcome;
use crate::cli::args;
use crate::ops::logs::Tail;
use crate::ops::{commands, logs, observe};

/// How often a followed log is read.
const PERIOD: Duration = Duration::from_millis(500);

pub(super) fn ps(session: &Session<'_>, environment: Option<&str>, json: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = environment.map(|name| workspace.environment_name(Some(name))).transpose()?;
    let jobs = session.wait(observe::jobs(&workspace.services, environment.as_deref()))?;
    if json {
        session.terminal.json(&Value::Array(jobs));
        return Ok(Outcome::Done);
    }
    if jobs.is_empty() {
        session.terminal.say("no job was deployed from here yet");
        return Ok(Outcome::Done);
    }
    let columns = ["environment", "job", "cluster", "state", "tasks", "attempt", "since", "note"];
    let rows: Vec<[Value; 8]> = jobs
        .iter()
        .map(|job| {
            let get = |name: &str| job.get(name).cloned().unwrap_or_default();
            let total = job.get("tasks_total").and_then(Value::as_u64).unwrap_or(0);
            let tasks = if total == 0 { String::new() } else { format!("{}/{total}", get("tasks_running")) };
            let since = ["end_time", "start_time", "submitted_at"]
                .iter()
                .find_map(|name| job.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default();
            let since = since.split('.').next().unwrap_or_default().replace('T', " ");
            [
                get("environment"),
                get("name"),
                get("cluster"),
                get("state"),
                tasks.into(),
                get("attempt"),
                since.into(),
                get("note"),
            ]
        })
        .collect();
    let cells: Vec<Vec<&Value>> = rows.iter().map(|row| row.iter().collect()).collect();
    session.terminal.data(&layout(&columns.map(str::to_owned), &cells));
    Ok(Outcome::Done)
}

pub(super) fn logs(session: &Session<'_>, arguments: &args::Logs) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment_name(arguments.env.as_deref())?;
    let read = |tail: Tail| {
        let work = logs::logs(&workspace.services, &environment, &arguments.job, arguments.source.as_deref(), tail);
        commands::in_result(&workspace.services, &environment, session.wait(work))
    };
    let parts = read(Tail::Lines(arguments.lines))?;
    if arguments.json {
        let parts: Vec<Value> = parts
            .iter()
            .map(|part| json!({ "source": part.source, "lines": part.text.lines().collect::<Vec<_>>() }))
            .collect();
        session.terminal.json(&Value::Array(parts));
        return Ok(Outcome::Done);
    }
    for part in &parts {
        session.terminal.say(&format!("==> {} <==", part.source));
        session.terminal.data(&ended(&part.text));
    }
    if arguments.follow {
        follow(session, &read)?;
    }
    Ok(Outcome::Done)
}

/// Shows what is added to the logs until Ctrl-C.
fn follow(session: &Session<'_>, read: &dyn Fn(Tail) -> Result<Vec<logs::Part>>) -> Result<()> {
    let mut shown: BTreeMap<String, usize> =
        read(Tail::All)?.into_iter().map(|part| (part.source, part.text.len())).collect();
    let mut last = String::new();
    loop {
        let pause = async {
            tokio::time::sleep(PERIOD).await;
            Ok(())
        };
        if session.wait(pause).is_err() {
            return Ok(());
        }
        for part in read(Tail::All)? {
            let from = shown.insert(part.source.clone(), part.text.len()).unwrap_or(0);
            // A shorter log is a new one: it was rolled, or its process restarted.
            let from = if from > part.text.len() { 0 } else { from };
            let Some(added) = part.text.get(from..).filter(|added| !added.is_empty()) else { continue };
            if last != part.source {
                session.terminal.say(&format!("==> {} <==", part.source));
                last.clone_from(&part.source);
            }
            session.terminal.data(added);
        }
    }
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
