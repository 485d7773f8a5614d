//! `tidegate quickstart`.

use std::collections::BTreeMap;

use super::Session;
use super::run::tell;
use crate::base::Result;
use crate::cli::Outcome;
use crate::ops::cluster::Definition;
use crate::script::runner::{self, Script};

/// The script that it runs.
const SCRIPT: &str = "quickstart";

pub(super) fn quickstart(session: &Session<'_>, environment: Option<&str>) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment(environment)?;
    let clusters = &workspace.services.clusters;
    // A session cluster is somebody else's; the script says what is wrong with it.
    if let Definition::Local(_) = clusters.definition(&environment.cluster)? {
        let up = session.wait(clusters.up(&environment.cluster))?;
        let did = if up.reused { "reusing" } else { "started" };
        session.terminal.say(&format!(
            "{did} cluster `{}`: Flink {}, {} slots, {}",
            environment.cluster, up.version, up.slots, up.url
        ));
    }
    session.terminal.say(&format!("running scripts/{SCRIPT}.rhai --env {}", environment.name));
    session.terminal.say("");
    let report = runner::start(&session.setting(&workspace), &Script::named(SCRIPT), &environment, &BTreeMap::new())?;
    let run = report.run;
    let outcome = tell(session, report);
    if outcome == Outcome::Done {
        session.terminal.say(&format!("\nwhere to look next:{}", on_path()));
        for (command, what) in [
            (format!("runs show r{run}"), "each step of this run, with its script line"),
            (format!("logs quickstart --env {}", environment.name), "what Flink wrote"),
            ("run streaming".to_owned(), "a job that keeps running; then: tidegate ps, tidegate cancel streaming"),
            (format!("cluster down {}", environment.cluster), "stops the local Flink, which otherwise goes on running"),
        ] {
            session.terminal.say(&format!("  tidegate {command:32}  {what}"));
        }
    }
    Ok(outcome)
}

/// Where the program is that the commands call `tidegate`, for somebody who has just built it.
fn on_path() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("tidegate").is_file()) {
        return String::new();
    }
    match std::env::current_exe() {
        Ok(program) => format!(" (`tidegate` is {}; `cargo install --path .` puts it on the PATH)", program.display()),
        Err(_) => String::new(),
    }
}
