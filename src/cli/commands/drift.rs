//! `tidegate drift`.

use serde_json::Value;

use super::Session;
use crate::base::Result;
use crate::cli::Outcome;
use crate::ops::drift::{self, Drift};

pub(super) fn drift(session: &Session<'_>, environment: Option<&str>, json: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = environment.map(|name| workspace.environment_name(Some(name))).transpose()?;
    let found = session.wait(drift::drift(&workspace.services, environment.as_deref()))?;
    if json {
        session.terminal.json(&found.iter().map(Drift::to_json).collect::<Value>());
    } else if found.is_empty() {
        session.terminal.say("no difference from what is recorded");
    }
    for one in found.iter().filter(|_| !json) {
        let kind = one.kind.to_uppercase();
        let place = match one.job.as_str() {
            "" => format!("cluster `{}`", one.cluster),
            job => format!("{}/{job} on `{}`", one.environment, one.cluster),
        };
        session.terminal.data(&format!("{kind:13} {place}: {}\n", one.text));
        session.terminal.data(&format!("              hint: {}\n", one.hint));
    }
    Ok(if found.is_empty() { Outcome::Done } else { Outcome::Changes })
}
