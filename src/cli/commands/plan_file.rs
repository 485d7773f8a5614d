//! `tidegate plan -o FILE` and `tidegate apply FILE`: what was looked at and agreed upon is what is run, or nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Session;
use crate::base::hash::sha256;
use crate::base::wording::shell_word;
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::script::planning::{self, Plan};
use crate::script::runner::{self, Script};

/// The version of the file's form.
const FORM: u32 = 1;

/// A plan as a file holds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    form: u32,
    workspace: String,
    environment: String,
    script: String,
    parameters: BTreeMap<String, String>,
    changes: Vec<Planned>,
    /// The commits that git projects were seen at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    projects: BTreeMap<String, String>,
}

/// One change: what would be done, and upon what that was decided.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    action: String,
    subject: String,
    place: String,
    /// What is recorded of the job and what its cluster said of it: revision, attempt, Flink job id, state.
    basis: String,
    /// The hash of the spec that would run.
    spec: Option<String>,
    differences: Vec<String>,
}

impl PlanFile {
    /// A plan that may be applied.
    ///
    /// # Errors
    /// `plan.not_applicable` where a run would stop, or where the plan ends before the script does.
    fn of(
        plan: &Plan,
        workspace: &str,
        environment: &str,
        script: &str,
        parameters: BTreeMap<String, String>,
    ) -> Result<Self> {
        let why = match (plan.is_blocked(), &plan.end) {
            (true, _) => Some("a run would be refused".to_owned()),
            (false, Some(end)) => Some(format!("it ends before the script does: {end}")),
            (false, None) => None,
        };
        if let Some(why) = why {
            return Err(Error::new(&code::PLAN_NOT_APPLICABLE, format!("this plan cannot be applied: {why}"))
                .hint("no file was written; what is listed above says why"));
        }
        let changes = plan.entries.iter().map(|entry| Planned {
            action: entry.change.action.name().to_owned(),
            subject: entry.change.subject.clone(),
            place: format!("{}:{}", entry.place.file, entry.place.line),
            basis: entry.change.basis.clone(),
            spec: entry.spec.as_ref().map(|spec| sha256(serde_json::json!(**spec).to_string().as_bytes())),
            differences: entry.change.differences.clone(),
        });
        Ok(Self {
            form: FORM,
            workspace: workspace.to_owned(),
            environment: environment.to_owned(),
            script: script.to_owned(),
            parameters,
            changes: changes.collect(),
            projects: plan.projects.clone(),
        })
    }

    /// The command that makes the same plan anew: of the same environment, with the same parameters. Without them another plan would
    /// take the place of this one, ready to be applied.
    fn command(&self, path: &Path) -> String {
        let parameters = self.parameters.iter().flat_map(|(name, value)| ["-p".to_owned(), format!("{name}={value}")]);
        let mut words = vec!["tidegate".to_owned(), "plan".to_owned(), "-e".to_owned(), self.environment.clone()];
        words.extend(parameters);
        words.extend(["-o".to_owned(), path.display().to_string(), self.script.clone()]);
        let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    }

    /// The git projects that are at another commit now.
    fn moved(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let short = |commit: &str| commit.get(..10).unwrap_or(commit).to_owned();
        let both = self.projects.iter().filter_map(|(project, old)| Some((project, old, now.get(project)?)));
        let moved = both.filter(|(_, old, new)| old != new);
        moved
            .map(|(project, old, new)| {
                format!("{project} is at {} now, and the plan was made for {}", short(new), short(old))
            })
            .collect()
    }

    /// Where a plan of now differs, in words.
    fn difference(&self, now: &Self) -> Option<String> {
        if self.changes.len() != now.changes.len() {
            return Some(format!("{} changes then, and {} now", self.changes.len(), now.changes.len()));
        }
        let mut pairs = self.changes.iter().zip(&now.changes);
        let (old, new) = pairs.find(|(old, new)| old != new)?;
        let subject = &old.subject;
        Some(if old.subject != new.subject || old.action != new.action {
            format!("{} `{subject}` then, {} `{}` now", old.action, new.action, new.subject)
        } else if old.basis != new.basis {
            format!("`{subject}`: {} then, {} now", old.basis, new.basis)
        } else if old.spec != new.spec || old.differences != new.differences {
            format!("`{subject}`: its script or template makes another spec now")
        } else {
            format!("`{subject}`: planned at {} then, at {} now", old.place, new.place)
        })
    }
}

/// Writes a plan for `tidegate apply`.
pub(super) fn write(
    session: &Session<'_>,
    path: &Path,
    plan: &Plan,
    (workspace, environment): (&str, &str),
    script: &str,
    parameters: BTreeMap<String, String>,
) -> Result<()> {
    let file = PlanFile::of(plan, workspace, environment, script, parameters)?;
    let text = serde_json::to_string_pretty(&file)
        .map_err(|error| Error::new(&code::INTERNAL, "a plan cannot be written").caused_by(error))?;
    std::fs::write(path, text + "\n").map_err(|error| {
        Error::new(&code::FILE_INVALID, format!("cannot write {}", path.display())).caused_by(error)
    })?;
    session.terminal.say(&format!(
        "written to {}; `tidegate apply {}` does it",
        path.display(),
        shell_word(&path.display().to_string())
    ));
    Ok(())
}

pub(super) fn apply(session: &Session<'_>, path: &Path) -> Result<Outcome> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(&code::FILE_NOT_FOUND, format!("cannot read {}", path.display())).caused_by(error)
    })?;
    let invalid = |why: String| {
        Error::new(&code::FILE_INVALID, format!("{} is not a plan: {why}", path.display()))
            .hint("`tidegate plan SCRIPT -o FILE` writes one")
    };
    let file: PlanFile = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    if file.form != FORM {
        return Err(invalid(format!("it has the form {}, and this tidegate knows {FORM}", file.form)));
    }
    let workspace = session.open()?;
    if file.workspace != workspace.services.workspace {
        let message = format!(
            "it was made for the workspace `{}`, and this is `{}`",
            file.workspace, workspace.services.workspace
        );
        return Err(Error::new(&code::PLAN_CHANGED, message).hint("nothing was done; make a plan here"));
    }
    let environment = workspace.environment(Some(&file.environment))?;
    let setting = session.setting(&workspace);
    let script = Script::named(&file.script);
    if !super::check::passes(session, &workspace, &script, &environment.name)? {
        return Ok(Outcome::Failed);
    }
    let plan = planning::plan(&setting, &script, &environment, &file.parameters)?;
    let now = PlanFile::of(&plan, &file.workspace, &file.environment, &file.script, file.parameters.clone());
    let changed = match &now {
        Ok(now) => file.difference(now),
        Err(error) => Some(error.to_string()),
    };
    if let Some(difference) = changed {
        let error = Error::new(&code::PLAN_CHANGED, "something has changed since the plan was made; nothing was done");
        let moved = file.moved(&plan.projects);
        // A commit that is not built yet ends the plan: that is no cause, but what follows of the one above.
        let follows =
            if moved.is_empty() || now.is_ok() { Some(difference) } else { plan.end.map(|end| end.to_string()) };
        let command = workspace.services.secrets.mask(&file.command(path));
        return Err(moved
            .into_iter()
            .chain(follows)
            .fold(error, |error, cause| error.caused_by(cause))
            .hint(format!("look at a new one: `{command}`")));
    }
    let report = runner::start(&setting, &script, &environment, &file.parameters)?;
    Ok(super::run::tell(session, report))
}
