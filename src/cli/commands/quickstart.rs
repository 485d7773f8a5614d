//! `tidegate quickstart`.

use std::collections::BTreeMap;

use super::Session;
use super::run::tell;
use crate::base::Result;
use crate::cli::Outcome;
use crate::ops::cluster::Definition;
use crate::script::runner;

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
    let report = runner::start(&session.setting(&workspace), SCRIPT, &environment, &BTreeMap::new())?;
    let run = report.run;
    let outcome = tell(session, report);
    if outcome == Outcome::Done {
        session.terminal.say(&format!(
            "\nwhere to look next:\n  \
             tidegate runs show r{run}      each step of this run, with its script line\n  \
             tidegate logs quickstart    what Flink wrote\n  \
             tidegate run streaming      a job that keeps running; then: tidegate ps, tidegate cancel streaming\n  \
             tidegate cluster down       stops the local Flink"
        ));
    }
    Ok(outcome)
}
