//! `tidegate flink`.

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::Result;
use crate::cli::Outcome;
use crate::cli::args::FlinkCommand;
use crate::ops::install::{self, Origin};

pub(super) fn flink(session: &Session<'_>, command: &FlinkCommand) -> Result<Outcome> {
    match command {
        FlinkCommand::Install { version } => {
            let progress = session.progress();
            let home = session.wait(install::flink(version, &session.cancel, &*progress))?;
            let how = match home.origin {
                Origin::Found => "is the one of FLINK_HOME",
                Origin::Installed => "was installed before",
                Origin::Downloaded => "is installed",
            };
            session.terminal.say(&format!("Flink {} {how}: {}", home.version, home.path.display()));
        }
        FlinkCommand::List { json } => {
            let installed = install::list()?;
            let facts: Vec<Value> = installed
                .iter()
                .map(|one| json!({ "version": one.version, "path": one.path, "size": format!("{} MB", one.bytes >> 20) }))
                .collect();
            if *json {
                session.terminal.json(&Value::Array(facts));
            } else if facts.is_empty() {
                session.terminal.say("no Flink is installed; `tidegate flink install 1.20` installs one");
            } else {
                let columns = ["version", "size", "path"];
                let rows: Vec<Vec<&Value>> =
                    facts.iter().map(|fact| columns.iter().map(|name| &fact[*name]).collect()).collect();
                session.terminal.data(&layout(&columns.map(str::to_owned), &rows));
            }
        }
    }
    Ok(Outcome::Done)
}
