//! The journal of a run: every call of a host function that is not pure passes through [`Journal::perform`], which
//! records the intent, lets it act, and records the result; or answers from what was recorded before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::divergence;
use crate::base::clock::Millis;
use crate::base::error::Place;
use crate::base::hash::sha256;
use crate::base::secret::Secrets;
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::StepKey;
use crate::model::class::Class;
use crate::model::run::{Intent, Run, Step, StepStatus, number, order};
use crate::store::{Durability, Lock, Store};

/// A call of a host function from a script.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The function: `job.deploy`.
    pub function: &'a str,
    /// Its class.
    pub class: Class,
    /// Its arguments, handles and secrets as placeholders.
    pub arguments: &'a Value,
    /// The script's file.
    pub file: &'a str,
    /// The line, from 1; 0 where unknown.
    pub line: usize,
    /// The column, from 1; 0 where unknown.
    pub column: usize,
}

/// The step that is being performed.
#[derive(Debug)]
pub struct Acting {
    /// Its key.
    pub key: StepKey,
    /// Whether an earlier process recorded the intent: the effect may have happened.
    pub recovering: bool,
    /// When the intent was recorded, by whichever process.
    pub begun_at: Millis,
}

/// The journal of one run, held by one process.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    run: Run,
    secrets: Secrets,
    recorded: BTreeMap<String, BTreeMap<i64, Recorded>>,
    _lock: Lock,
}

impl Journal {
    /// The journal of a run that this process has just begun or taken over, under its lock.
    ///
    /// # Errors
    /// `state.*`.
    pub fn open(store: Store, run: Run, secrets: Secrets, lock: Lock) -> Result<Self> {
        let mut recorded: BTreeMap<String, BTreeMap<i64, Recorded>> = BTreeMap::new();
        // A run in its first process has nothing recorded.
        if run.epoch > 1 {
            for step in store.steps(run.id)? {
                let path = recorded.entry(step.key.path.clone()).or_default();
                path.insert(step.key.sequence, Recorded { step, reached: AtomicBool::new(false) });
            }
        }
        Ok(Self { store, run, secrets, recorded, _lock: lock })
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Whether an earlier process recorded a step on this path with this number, or a later one: what is printed before
    /// it was printed then. Other branches do not matter, so the answer never depends on timing.
    pub fn has_from(&self, path: &str, sequence: i64) -> bool {
        self.recorded.get(path).and_then(BTreeMap::last_key_value).is_some_and(|(last, _)| *last >= sequence)
    }

    /// Whether an earlier process recorded this very step.
    pub fn has_at(&self, path: &str, sequence: i64) -> bool {
        self.recorded.get(path).is_some_and(|steps| steps.contains_key(&sequence))
    }

    /// Whether an earlier process recorded anything below this path.
    pub fn has_below(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Recorded> {
        let paths = self.recorded.range(prefix.to_owned()..).take_while(move |(path, _)| path.starts_with(prefix));
        paths.flat_map(|(_, steps)| steps.values())
    }

    /// Answers a call from the record, or lets it act between intent and result.
    ///
    /// `act` is told whether an earlier process may have acted under the same key.
    ///
    /// # Errors
    /// What `act` gives, which is recorded and raised again on replay; `run.diverged` where the record holds another
    /// call; `run.superseded`; `state.*`. An error that leaves the outcome open (see [`leaves_open`]) is not recorded.
    pub fn perform(
        &self,
        path: &str,
        sequence: i64,
        call: &Call<'_>,
        act: impl FnOnce(&Acting) -> Result<Value>,
    ) -> Result<Value> {
        let key = StepKey { run: self.run.id, path: path.to_owned(), sequence };
        let canonical = canonical(call.arguments);
        let arguments_hash = sha256(canonical.as_bytes());
        let earlier = self.recorded.get(path).and_then(|steps| steps.get(&sequence));
        if let Some(Recorded { step, reached }) = earlier {
            if step.function != call.function || step.arguments_hash != arguments_hash {
                let (file, line, column) = (call.file.to_owned(), call.line, call.column);
                let now = Place { file, line, column, excerpt: None, label: String::new() };
                let arguments = self.secrets.mask(&canonical);
                return Err(divergence::another_call(&self.store, &self.run, step, now, call.function, &arguments));
            }
            reached.store(true, Ordering::Relaxed);
            if let Some(answer) = answer(step) {
                return answer;
            }
            if call.class == Class::Opaque {
                return Err(unknown_outcome(self.run.id, step));
            }
        }
        let intent = Intent {
            function: call.function,
            class: call.class,
            arguments_hash,
            arguments: self.secrets.mask(&canonical),
            file: call.file.to_owned(),
            line: i64::try_from(call.line).unwrap_or(0),
            column: i64::try_from(call.column).unwrap_or(0),
        };
        let started_at = clock::now();
        let with_intent = call.class != Class::Read;
        if with_intent && earlier.is_none() {
            self.store.begin_step(&self.run, &key, &intent)?;
        }
        let begun_at = earlier.map_or(started_at, |earlier| earlier.step.started_at);
        let acting = Acting { key, recovering: earlier.is_some(), begun_at };
        let result = act(&acting).map_err(|error| error.map_texts(&|text| self.secrets.mask(text)));
        let (status, outcome) = match &result {
            Ok(value) => (StepStatus::Done, value.to_string()),
            Err(error) if leaves_open(error) => {
                return result.map_err(|error| with_numbers(error, self.run.id, path, sequence));
            }
            Err(error) => (StepStatus::Failed, error.to_json().to_string()),
        };
        let outcome = self.secrets.mask(&outcome);
        if with_intent {
            let durability = if call.class.is_effect() { Durability::Full } else { Durability::Normal };
            self.store.end_step(&self.run, &acting.key, durability, status, &outcome)?;
        } else {
            self.store.record_step(&self.run, &acting.key, &intent, status, &outcome, started_at)?;
        }
        result
    }

    /// Checks at the end of a script that nothing recorded was left out.
    ///
    /// # Errors
    /// `run.diverged` with the first step that the script did not come to.
    pub fn check_finished(&self) -> Result<()> {
        self.check_below("", "the script ends")
    }

    /// Checks at the end of a scope that nothing recorded below `prefix` was left out; `end` says what ended.
    ///
    /// # Errors
    /// `run.diverged` with the first step that the script did not come to.
    pub fn check_below(&self, prefix: &str, end: &str) -> Result<()> {
        self.none_left_out(self.below(prefix), end)
    }

    /// Like [`Journal::check_below`], for the steps on this very path alone.
    ///
    /// # Errors
    /// `run.diverged` with the first step that the script did not come to.
    pub fn check_on(&self, path: &str, end: &str) -> Result<()> {
        self.none_left_out(self.recorded.get(path).into_iter().flat_map(BTreeMap::values), end)
    }

    fn none_left_out<'a>(&self, steps: impl Iterator<Item = &'a Recorded>, end: &str) -> Result<()> {
        let left: Vec<&Step> =
            steps.filter(|recorded| !recorded.reached.load(Ordering::Relaxed)).map(|recorded| &recorded.step).collect();
        match left.iter().min_by_key(|step| order(&step.number())) {
            None => Ok(()),
            Some(first) => Err(divergence::left_out(&self.store, &self.run, first, left.len() - 1, end)),
        }
    }
}

/// A step that an earlier process recorded.
#[derive(Debug)]
struct Recorded {
    step: Step,
    /// Whether the script came to it again.
    reached: AtomicBool,
}

/// An opaque effect was begun by an earlier process: whether it happened cannot be found out by looking.
fn unknown_outcome(run: i64, step: &Step) -> Error {
    let number = step.number();
    Error::new(
        &code::RUN_UNKNOWN_OUTCOME,
        format!("`{}` was begun by an earlier process, and how it ended is not known", step.function),
    )
    .caused_by(format!("step {number} of run r{run}, at {}:{}: {}", step.file, step.line, divergence::shortened(&step.arguments)))
    .hint(format!(
        "find out whether it happened, and that nothing of it still runs; then `tidegate resume r{run} --step {number}=retry` \
         does it again, and `--step {number}=done:JSON` goes on with that as its result"
    ))
}

fn answer(step: &Step) -> Option<Result<Value>> {
    let outcome = step.outcome.as_deref().unwrap_or("null");
    let damaged = |error: serde_json::Error| {
        Error::new(
            &code::STATE_CORRUPT,
            format!(
                "the outcome of step {} of run r{} cannot be read",
                number(&step.key.path, step.key.sequence),
                step.key.run
            ),
        )
        .caused_by(error)
    };
    match step.status {
        StepStatus::Open => None,
        StepStatus::Done => Some(serde_json::from_str(outcome).map_err(damaged)),
        StepStatus::Failed => Some(Err(match serde_json::from_str(outcome) {
            Ok(value) => Error::from_json(&value),
            Err(error) => damaged(error),
        })),
    }
}

/// An error whose hint names the run that waits, and its step: whoever made it did not know them.
fn with_numbers(error: Error, run: i64, path: &str, sequence: i64) -> Error {
    let Some(hint) = error.hint_text() else { return error };
    let hint = hint
        .replace("tidegate resume RUN", &format!("tidegate resume r{run}"))
        .replace("--step N=", &format!("--step {}=", number(path, sequence)));
    error.hint(hint)
}

/// Whether an error says nothing about the effect: the step stays open, and `resume` goes on with it. Such an error
/// ends the run at once; a script cannot catch it.
pub fn leaves_open(error: &Error) -> bool {
    [
        &code::CANCELLED,
        &code::RUN_SUPERSEDED,
        &code::RUN_DIVERGED,
        &code::RUN_UNKNOWN_OUTCOME,
        &code::RUN_WAITS,
        &code::JOB_UNKNOWN_OUTCOME,
        &code::STATE_LOCKED,
        &code::STATE_READ_ONLY,
        &code::STATE_DISK_FULL,
        &code::STATE_CORRUPT,
        &code::STATE_IO,
    ]
    .iter()
    .any(|code| error.is(code))
}

/// JSON with sorted keys, so that equal values have one text.
///
/// Written out here since the order of `serde_json::Map` depends on a feature that any dependency may switch on.
pub fn canonical(value: &Value) -> String {
    fn write(value: &Value, text: &mut String) {
        match value {
            Value::Object(map) => {
                let sorted: BTreeMap<&String, &Value> = map.iter().collect();
                text.push('{');
                for (index, (key, value)) in sorted.into_iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(&Value::String(key.clone()).to_string());
                    text.push(':');
                    write(value, text);
                }
                text.push('}');
            }
            Value::Array(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write(item, text);
                }
                text.push(']');
            }
            value => text.push_str(&value.to_string()),
        }
    }
    let mut text = String::new();
    write(value, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn journal(store: &Store, run: Run) -> Journal {
        let lock = store.try_lock(&format!("run-{}", run.id)).unwrap();
        Journal::open(store.clone(), run, Secrets::default(), lock).unwrap()
    }

    fn call<'a>(function: &'a str, class: Class, arguments: &'a Value) -> Call<'a> {
        Call { function, class, arguments, file: "a.rhai", line: 1, column: 1 }
    }

    fn resumed(store: &Store, id: i64) -> Journal {
        journal(store, store.take_over_run(id).unwrap())
    }

    #[test]
    fn a_result_is_recorded_once_and_answered_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let arguments = json!([1, {"b": 2, "a": 1}]);
        let first = journal(&store, store.begin_run("a.rhai", "local", "{}").unwrap());
        let id = first.run().id;
        for class in [Class::Read, Class::Set] {
            let sequence = i64::from(class == Class::Set);
            first.perform("", sequence, &call("f", class, &arguments), |_| Ok(json!(42))).unwrap();
        }
        drop(first);
        let second = resumed(&store, id);
        assert!(second.has_from("", 1) && !second.has_from("", 2) && !second.has_from("0/", 0));
        for class in [Class::Read, Class::Set] {
            let sequence = i64::from(class == Class::Set);
            let same = json!([1, {"a": 1, "b": 2}]);
            let value = second.perform("", sequence, &call("f", class, &same), |_| panic!("acted twice")).unwrap();
            assert_eq!(value, json!(42));
        }
        second.check_finished().unwrap();
    }

    #[test]
    fn errors_are_recorded_and_open_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let first = journal(&store, store.begin_run("a.rhai", "local", "{}").unwrap());
        let id = first.run().id;
        let none = json!([]);
        let refused =
            first.perform("", 0, &call("f", Class::Set, &none), |_| Err(Error::new(&code::FLINK_REFUSED, "no")));
        assert!(refused.unwrap_err().is(&code::FLINK_REFUSED));
        first
            .perform("", 1, &call("g", Class::Keyed, &none), |_| Err(Error::new(&code::CANCELLED, "stop")))
            .unwrap_err();
        drop(first);
        let second = resumed(&store, id);
        let again = second.perform("", 0, &call("f", Class::Set, &none), |_| panic!("acted twice"));
        assert!(again.unwrap_err().is(&code::FLINK_REFUSED));
        let mut told = None;
        second
            .perform("", 1, &call("g", Class::Keyed, &none), |acting| {
                told = Some(acting.recovering);
                Ok(Value::Null)
            })
            .unwrap();
        assert_eq!(told, Some(true));
    }

    #[test]
    fn another_function_other_arguments_and_leftover_steps_diverge() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let first = journal(&store, store.begin_run("a.rhai", "local", "{}").unwrap());
        let id = first.run().id;
        let one = json!([1]);
        first.perform("", 0, &call("f", Class::Read, &one), |_| Ok(Value::Null)).unwrap();
        drop(first);
        let second = resumed(&store, id);
        let two = json!([2]);
        for (function, arguments) in [("g", &one), ("f", &two)] {
            let error =
                second.perform("", 0, &call(function, Class::Read, arguments), |_| Ok(Value::Null)).unwrap_err();
            assert!(error.is(&code::RUN_DIVERGED), "{error}");
        }
        let left = second.check_finished().unwrap_err();
        assert!(left.is(&code::RUN_DIVERGED));
        assert_eq!(left.message(), "the script ends without step 0 that run r1 recorded: `f`");
        assert_eq!(left.places()[0].file, "a.rhai");
    }

    #[test]
    fn a_process_that_was_overtaken_commits_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let stale = journal(&store, store.begin_run("a.rhai", "local", "{}").unwrap());
        let id = stale.run().id;
        store.take_over_run(id).unwrap();
        let none = json!([]);
        let error = stale.perform("", 0, &call("f", Class::Set, &none), |_| panic!("acted")).unwrap_err();
        assert!(error.is(&code::RUN_SUPERSEDED));
    }
}
