//! Checks scripts without running anything: what is called, with what, and the templates and files that they name.

mod arguments;
mod calls;
mod catalog;
mod constant;
mod findings;
mod kinds;
mod load;
mod scope;
mod templates;
mod walk;

use std::collections::BTreeSet;

pub use findings::Report;

use super::catching::CatchNames;
use super::engine::{engine, on_own_thread};
use super::limits::Limits;
use super::resolver::unit_name;
use super::runner::{Script, modules, no_script};
use crate::api::host::Environment;
use crate::base::Result;
use crate::ops::texts::Texts;
use load::Loader;
use walk::Walker;

/// What a check knows of the workspace beside its files.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The environments that scripts are checked for.
    pub environments: Vec<Environment>,
    /// The other environments: what stands under a condition may be meant for them.
    pub others: Vec<Environment>,
    /// The names of the clusters.
    pub clusters: Vec<String>,
    /// The names of the git projects.
    pub projects: Vec<String>,
    /// The names of the secrets that are declared.
    pub secrets: Vec<String>,
}

/// Checks scripts, by the names that users type, and all that they import; where there are none, every script and every
/// template of the workspace.
///
/// # Errors
/// `script.not_found` for a script that is named and not there, `file.*` where the workspace cannot be read.
pub fn check(files: &Texts, knowledge: &Knowledge, scripts: &[String]) -> Result<Report> {
    match scripts {
        [] => {
            let all: Vec<Script> = files.scripts()?.iter().map(|name| Script::named(name)).collect();
            let mut report = check_scripts(files, knowledge, &all)?;
            report.templates = templates::check_all(files, &mut report)?;
            report.sort();
            Ok(report)
        }
        named => {
            let named: Vec<Script> = named.iter().map(|name| Script::named(name)).collect();
            check_scripts(files, knowledge, &named)
        }
    }
}

/// Checks scripts, which may be texts from elsewhere, and all that they import.
///
/// # Errors
/// As [`check`].
pub fn check_scripts(files: &Texts, knowledge: &Knowledge, scripts: &[Script]) -> Result<Report> {
    on_own_thread(&Limits::default(), || {
        let mut report = Report::default();
        let names: Vec<String> = scripts.iter().map(|script| script.name().to_owned()).collect();
        let (modules, global) = modules();
        let engine = engine(modules, global, &Limits::default(), CatchNames::default());
        let mut loader = Loader::new(files, &engine);
        let mut walked = BTreeSet::new();
        for script in scripts {
            let name = script.name();
            let text = match script.text() {
                Some(text) => text.to_owned(),
                None => files.script(name)?.ok_or_else(|| no_script(files.scripts().ok(), name))?,
            };
            let Some(main) = loader.load(&unit_name(name), &text, &mut report) else { continue };
            let reached = loader.reach(&main, &mut report);
            for loaded in &reached {
                let is_main = loaded.unit.name == main.unit.name;
                // What an imported file calls is the same whoever imports it.
                if !walked.insert((loaded.unit.name.clone(), is_main))
                    || (!is_main && is_a_main(&names, &loaded.unit.name))
                {
                    continue;
                }
                loaded.refused.clone().into_iter().for_each(|error| report.find(error));
                Walker::new(files, knowledge, &engine, loaded, &reached, is_main, &mut report).walk();
            }
        }
        report.scripts = names.len();
        report.sort();
        Ok(report)
    })
}

fn is_a_main(names: &[String], unit: &str) -> bool {
    names.iter().any(|name| unit_name(name) == unit)
}
