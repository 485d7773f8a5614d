//! The plan of a script: what its effects would be, collected in place of having them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::Dynamic;
use serde_json::Value;

use super::declare::{Call, Planning};
use super::handle::{Job, as_handle};
use crate::base::error::Place;
use crate::base::{Error, Result, code};
use crate::model::job_spec::JobSpec;
use crate::model::plan::{Action, Change};
use crate::ops::effect::Acting;
use crate::ops::plan::Planned;

/// A change, and the call that would make it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The change.
    pub change: Change,
    /// The function that would be called: `spec.deploy`.
    pub function: String,
    /// Its effect class.
    pub class: &'static str,
    /// Where the call stands.
    pub place: Place,
    /// The spec that would be submitted.
    pub spec: Option<Arc<JobSpec>>,
}

/// Collects the changes of a plan.
#[derive(Debug, Default)]
pub struct Planner {
    entries: Mutex<Vec<Entry>>,
    /// In what `tidegate.lock` would change.
    lock: Mutex<Vec<String>>,
    /// The commits that git projects were seen at: `jobs` (branch main).
    projects: Mutex<BTreeMap<String, String>>,
    /// The handles that this plan gave, by job.
    jobs: Mutex<BTreeMap<String, Value>>,
}

impl Planner {
    /// Tells a change at the place of the call.
    pub fn tell(&self, call: &Call<'_>, change: Change, spec: Option<Arc<JobSpec>>) {
        let place = call.place();
        let class = call.function.class.name();
        let entry = Entry { change, function: call.name.to_owned(), class, place, spec };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Tells that a function with an effect of another kind would be called.
    pub fn tell_call(&self, call: &Call<'_>, notes: Vec<String>) {
        self.tell(call, Change::new(Action::Call, call.name, notes), None);
    }

    /// Tells what would be done with a job, and gives the handle that the script goes on with.
    pub fn tell_job(&self, call: &Call<'_>, planned: Planned, spec: Option<Arc<JobSpec>>) -> Value {
        let facts = as_handle(planned.facts);
        if let Some(name) = facts.get("name").and_then(Value::as_str).filter(|_| planned.change.action.is_change()) {
            self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), facts.clone());
        }
        self.tell(call, planned.change, spec);
        facts
    }

    /// Tells in what `tidegate.lock` would change; what was told before is not told twice.
    pub fn tell_lock(&self, changes: Vec<String>) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.iter().any(|change| !lock.contains(change)) {
            lock.extend(changes);
        }
    }

    /// In what `tidegate.lock` would change.
    pub fn lock(&self) -> Vec<String> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes at which commit a git project was seen.
    pub fn tell_project(&self, project: String, commit: &str) {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).insert(project, commit.to_owned());
    }

    /// The commits that git projects were seen at.
    pub fn projects(&self) -> BTreeMap<String, String> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The handle of a job that this plan would change.
    pub fn job(&self, name: &str) -> Option<Value> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The last deploy of a job that this plan tells: its spec, and where it is called.
    pub fn deployed(&self, name: &str) -> Option<(Arc<JobSpec>, Place)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let of_job = entries.iter().rev().filter(|entry| entry.change.subject == name);
        let last = of_job.take_while(|entry| entry.change.action != Action::Remove);
        let entry = { last }.find(|entry| entry.function == "spec.deploy")?;
        Some((entry.spec.clone()?, entry.place.clone()))
    }

    /// Whether anything would have been changed so far.
    pub fn has_changes(&self) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().any(|entry| entry.change.action.is_change())
    }

    /// The changes in the order of the script: in a plan its branches come one after the other.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A journaled call in a plan: what only looks looks, an effect is told.
///
/// # Errors
/// What the look gives; `plan.ends` where the answer is known only to the run.
pub fn planned(
    call: &mut Call<'_>,
    planner: &Planner,
    body: fn(&mut Call<'_>, &Acting) -> Result<Value>,
) -> Result<Value> {
    let key = crate::model::attempt::StepKey { run: 0, path: call.scope.path.to_string(), sequence: call.scope.next() };
    match call.function.planning {
        Planning::With(plan) => plan(call, planner),
        Planning::Ends => {
            planner.tell_call(call, Vec::new());
            Err(ends(format!("what `{}` gives is known only when it has been called", call.name)))
        }
        Planning::Stale if planner.has_changes() => {
            Err(ends(format!("`{}` would see what the changes before it have made", call.name)))
        }
        Planning::Looks | Planning::Stale => {
            let acting = Acting { key, recovering: false, begun_at: 0 };
            let result = body(call, &acting);
            // What is not there now may be what the changes before it would make.
            match result {
                Err(error) if planner.has_changes() && !crate::ops::effect::leaves_open(&error) => {
                    Err(ends(format!("`{}` may depend on the changes before it", call.name)).caused_by(error))
                }
                result => result,
            }
        }
    }
}

/// The end of a plan, which is no failure.
pub fn ends(why: String) -> Error {
    Error::new(&code::PLAN_ENDS, why)
}

/// A fact of a job handle. Where only the run would know it, the plan ends.
///
/// # Errors
/// `plan.ends`.
pub fn fact(job: &Job, name: &str) -> Result<Dynamic> {
    match job.facts().get(name) {
        Some(value) => Ok(super::convert::from_json(value)),
        None if job.is_planned() => {
            Err(ends(format!("`{name}` of the job `{}` is known only when it runs", job.name())))
        }
        None => Ok(Dynamic::UNIT),
    }
}
