//! `tidegate plan`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Session;
use super::run::parameters;
use crate::api::planner::Entry;
use crate::base::{Error, Result, counted, duration};
use crate::cli::Outcome;
use crate::cli::args;
use crate::model::plan::{Action, Change, SlotDemand};
use crate::script::planning::{self, Plan};
use crate::script::runner::Script;

pub(super) fn plan(session: &Session<'_>, arguments: &args::Plan) -> Result<Outcome> {
    let workspace = session.open()?;
    if arguments.locked {
        workspace.services.lock_use.refuse_changes();
    }
    let environment = workspace.environment(arguments.env.as_deref())?;
    let setting = session.setting(&workspace);
    let script = Script::named(&arguments.script);
    if !super::check::passes(session, &workspace, &script, &environment.name)? {
        return Ok(Outcome::Failed);
    }
    let parameters = parameters(&arguments.parameters)?;
    let mut plan = planning::plan(&setting, &script, &environment, &parameters)?;
    let skipped = match arguments.validate {
        true => planning::validated(&setting, &mut plan, &arguments.catalog)?,
        false => Vec::new(),
    };
    if arguments.json {
        session.terminal.json(&as_json(&plan, &environment.name, &skipped));
    } else {
        show(session, &plan);
        for error in &skipped {
            session.terminal.say(&format!("not validated: {}", sentence(error)));
        }
    }
    if let Some(path) = &arguments.output {
        let named = (workspace.services.workspace.as_str(), environment.name.as_str());
        super::plan_file::write(session, path, &plan, named, &arguments.script, parameters)?;
    }
    Ok(if plan.is_blocked() {
        Outcome::Failed
    } else if plan.has_changes() {
        Outcome::Changes
    } else {
        Outcome::Done
    })
}

fn show(session: &Session<'_>, plan: &Plan) {
    let terminal = session.terminal;
    for entry in &plan.entries {
        let change = &entry.change;
        let word = if change.blocked.is_some() { "BLOCKED" } else { change.action.name() };
        let was = match change.action {
            Action::Unknown => String::new(),
            action if change.blocked.is_some() => format!(" ({})", action.name()),
            _ => String::new(),
        };
        terminal.data(&format!("{word:8} {}{was}  {}\n", change.subject, at(entry)));
        for note in &change.notes {
            terminal.data(&format!("         {note}\n"));
        }
        for difference in &change.differences {
            terminal.data(&format!("         {difference}\n"));
        }
        for line in outlook(change) {
            terminal.data(&format!("         {line}\n"));
        }
        if let Some(error) = &change.blocked {
            terminal.data(&format!("         error[{}]{}: {error}\n", error.code_name(), place(error)));
            if let Some((place, text)) = error.places().first().and_then(|place| Some((place, place.excerpt.as_ref()?)))
            {
                terminal.data(&format!("           {} | {}\n", place.line, text.trim()));
            }
            for cause in error.causes() {
                terminal.data(&format!("           caused by: {cause}\n"));
            }
            if let Some(hint) = error.hint_text() {
                terminal.data(&format!("           hint: {hint}\n"));
            }
        }
    }
    if !plan.lock.is_empty() {
        terminal.data("`tidegate.lock` would change:\n");
    }
    for line in &plan.lock {
        terminal.data(&format!("  {line}\n"));
    }
    for line in too_few_slots(plan) {
        terminal.data(&format!("{line}\n"));
    }
    if let Some(end) = &plan.end {
        terminal.data(&format!("the plan ends{}: {end}\n", place(end)));
        for cause in end.causes() {
            terminal.data(&format!("  {cause}\n"));
        }
    }
    if let Some(error) = &plan.error {
        terminal.error(error);
    }
    terminal.data(&format!("plan: {}. Nothing was done.\n", summary(plan)));
}

/// What is to be known of a change beside what it is. Of a job that stays as it is there is nothing to say.
fn outlook(change: &Change) -> Vec<String> {
    let outlook = &change.outlook;
    let mut lines = Vec::new();
    if !change.action.is_change() {
        return lines;
    }
    if let Some(prefix) = &outlook.identity {
        lines.push(format!("identity: its Flink ids begin with {prefix}"));
    }
    if let Some(newest) = &outlook.newest_state {
        let age = duration::age(newest.age);
        lines.push(format!(
            "newest state recorded: {} of attempt {}, taken {age} ago: {}",
            newest.kind, newest.attempt, newest.path
        ));
    }
    if let Some(slots) = &outlook.slots {
        let freed = if slots.freed > 0 {
            format!(", {} of them its own", slots.freed.min(slots.needed))
        } else {
            String::new()
        };
        lines.push(format!("slots: {} needed{freed}; {} of {} free", slots.needed, slots.free, slots.total));
    }
    if !outlook.steps.is_empty() && change.blocked.is_none() {
        let steps: Vec<String> = outlook.steps.iter().map(|step| format!("{} ({})", step.does, step.class)).collect();
        lines.push(format!("steps: {}", steps.join(", ")));
    }
    if let Some(revision) = outlook.rollback_to {
        lines.push(format!("a rollback would go to revision {revision}"));
    }
    lines
}

/// The clusters that have too few slots for all the changes, one after the other.
fn too_few_slots(plan: &Plan) -> Vec<String> {
    let mut by_cluster: BTreeMap<&str, Vec<&SlotDemand>> = BTreeMap::new();
    for demand in plan.entries.iter().filter_map(|entry| entry.change.outlook.slots.as_ref()) {
        by_cluster.entry(&demand.cluster).or_default().push(demand);
    }
    let missing = by_cluster.into_iter().map(|(cluster, demands)| (cluster, SlotDemand::missing(demands)));
    missing
        .filter(|(_, missing)| *missing > 0)
        .map(|(cluster, missing)| {
            let missing = counted(usize::try_from(missing).unwrap_or(usize::MAX), "slot");
            format!(
                "`{cluster}` lacks {missing} for all of this: jobs would wait until TaskManagers with free ones come"
            )
        })
        .collect()
}

fn at(entry: &Entry) -> String {
    format!("{}:{}", entry.place.file, entry.place.line)
}

/// " at file:line:column", where the error has a place.
fn place(error: &Error) -> String {
    error.places().first().map_or_else(String::new, |place| match place.column {
        0 => format!(" at {}:{}", place.file, place.line),
        column => format!(" at {}:{}:{column}", place.file, place.line),
    })
}

/// An error in one line, its hint behind it.
fn sentence(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

fn summary(plan: &Plan) -> String {
    let actions = [
        (Action::Create, "to create"),
        (Action::Restart, "to restart"),
        (Action::Upgrade, "to upgrade"),
        (Action::Execute, "to execute"),
        (Action::Cancel, "to cancel"),
        (Action::Stop, "to stop"),
        (Action::Remove, "to remove"),
        (Action::Adopt, "to adopt"),
        (Action::Savepoint, "to save"),
        (Action::Rollback, "to roll back"),
        (Action::Rescale, "to rescale"),
        (Action::Record, "to record"),
        (Action::Call, "to call"),
        (Action::Noop, "unchanged"),
        (Action::Unknown, "not known"),
    ];
    let count = |action: Action, blocked: bool| {
        plan.entries
            .iter()
            .filter(|entry| entry.change.action == action && entry.change.blocked.is_some() == blocked)
            .count()
    };
    let mut words: Vec<String> = actions
        .iter()
        .map(|(action, word)| (count(*action, false), *word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let blocked: usize = actions.iter().map(|(action, _)| count(*action, true)).sum();
    if blocked > 0 {
        words.push(format!("{blocked} blocked"));
    }
    match (words.is_empty(), plan.error.is_some()) {
        (true, true) => "the script fails before its first effect".to_owned(),
        (true, false) => "the script has no effect".to_owned(),
        (false, true) => format!("{}, then the script fails", words.join(", ")),
        (false, false) => words.join(", "),
    }
}

fn as_json(plan: &Plan, environment: &str, skipped: &[Error]) -> Value {
    let entries = plan.entries.iter().map(|entry| {
        let change = &entry.change;
        json!({
            "action": change.action, "subject": change.subject, "function": entry.function, "class": entry.class,
            "file": entry.place.file, "line": entry.place.line, "column": entry.place.column,
            "notes": change.notes, "differences": change.differences,
            "identity": change.outlook.identity, "running_for_ms": change.outlook.running_for,
            "newest_state": change.outlook.newest_state, "slots": change.outlook.slots,
            "steps": change.outlook.steps, "rollback_to": change.outlook.rollback_to,
            "blocked": change.blocked.as_ref().map(Error::to_json),
        })
    });
    json!({
        "environment": environment,
        "lock": plan.lock,
        "changes": entries.collect::<Vec<_>>(),
        "ends": plan.end.as_ref().map(Error::to_json),
        "error": plan.error.as_ref().map(Error::to_json),
        "not_validated": skipped.iter().map(Error::to_json).collect::<Vec<_>>(),
    })
}
