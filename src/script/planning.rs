//! The plan of a script: it is evaluated as in a run, and its effects are told and not had.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Scope;

use super::excerpt;
use super::runner::{self, Purpose, Script, Setting};
use crate::api::context::Context;
use crate::api::host::{Environment, Host};
use crate::api::params;
use crate::api::planner::Entry;
use crate::api::scope::finish;
use crate::base::{Error, Result, code};
use crate::ops::{commands, validate};

/// What a script would do.
#[derive(Debug)]
pub struct Plan {
    /// The changes, in the order of the script.
    pub entries: Vec<Entry>,
    /// In what `tidegate.lock` would change.
    pub lock: Vec<String>,
    /// The commits that git projects were seen at.
    pub projects: BTreeMap<String, String>,
    /// Where the plan ends before the script does, and why.
    pub end: Option<Error>,
    /// The error that the script would end with.
    pub error: Option<Error>,
}

impl Plan {
    /// Whether a run would stop with an error.
    pub fn is_blocked(&self) -> bool {
        self.error.is_some() || self.entries.iter().any(|entry| entry.change.blocked.is_some())
    }

    /// Whether a run would change anything, as far as the plan goes.
    pub fn has_changes(&self) -> bool {
        self.end.is_some() || self.entries.iter().any(|entry| entry.change.action.is_change())
    }
}

/// Plans a script. Nothing is recorded, and nothing is started.
///
/// # Errors
/// What is wrong with the script, its environment or its parameters before it begins.
pub fn plan(
    setting: &Setting,
    script: &Script,
    environment: &Environment,
    parameters: &BTreeMap<String, String>,
) -> Result<Plan> {
    let name = script.name().to_owned();
    let declared = runner::declared(setting, script, environment)?;
    params::check(&declared, parameters)?;
    let inputs = script.inputs(&setting.services, None);
    let text = inputs.script(&name)?.ok_or_else(|| runner::not_found(&inputs, &name))?;
    let host = runner::host(setting, environment.clone(), parameters.clone(), declared, inputs, Purpose::Plan, &name);
    let top = Context::top(host.clone());
    let interpreter = runner::interpreter(setting, &top);
    let ast = interpreter.compile(&name, &text)?;
    setting.services.clusters.look_once();
    let result = interpreter.execute_then(&ast, &mut Scope::new(), |engine, result| finish(engine, &top, result));
    setting.services.clusters.look_anew();
    let mask = |text: &str| setting.services.secrets.mask(text);
    let told = |error: Error| commands::in_error(&setting.services, &environment.name, error.map_texts(&mask));
    let error = result.err().map(told);
    let (end, error) = match error {
        Some(error) if error.is(&code::PLAN_ENDS) => (Some(error), None),
        Some(error) if error.is(&code::CANCELLED) => return Err(error),
        error => (None, error),
    };
    let texts: BTreeMap<String, String> = interpreter.loaded().into_iter().collect();
    let mut entries = entries(&host);
    for entry in &mut entries {
        let text = texts.get(&entry.place.file);
        entry.place.excerpt = text.and_then(|text| excerpt(text, entry.place.line));
        entry.change.blocked = entry.change.blocked.take().map(told);
    }
    let lock = host.planner.as_ref().map(crate::api::planner::Planner::lock).unwrap_or_default();
    let projects = host.planner.as_ref().map(crate::api::planner::Planner::projects).unwrap_or_default();
    Ok(Plan { entries, lock, projects, end, error })
}

fn entries(host: &Arc<Host>) -> Vec<Entry> {
    host.planner.as_ref().map(crate::api::planner::Planner::entries).unwrap_or_default()
}

/// What the cluster's planner says of the SQL jobs that a plan would start. What it refuses blocks the change.
///
/// Gives what was not validated, and why.
///
/// # Errors
/// `cancelled`, `state.*`.
pub fn validated(setting: &Setting, plan: &mut Plan, catalogs: &[String]) -> Result<Vec<Error>> {
    let mut skipped = Vec::new();
    for entry in &mut plan.entries {
        let Some(spec) = entry.spec.clone().filter(|_| entry.change.action.is_change()) else { continue };
        let work = validate::validate(&setting.services, &spec, catalogs);
        match setting.runtime.block_on(setting.cancel.select(work)) {
            Ok(()) => entry.change.notes.push("the cluster's planner accepts it".to_owned()),
            Err(error) if error.is(&code::CANCELLED) => return Err(error),
            Err(error) if error.is(&code::FLINK_SQL_REFUSED) => {
                entry.change.blocked = Some(error.map_texts(&|text| setting.services.secrets.mask(text)));
            }
            Err(error) => skipped.push(error),
        }
    }
    Ok(skipped)
}
