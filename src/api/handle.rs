//! The handle of a deployed job: facts as of a time, and the way to act on it.

use serde_json::Value;

use super::marked::{mark, unmark};

/// Marks it in the journal.
const KIND: &str = "job/1";

/// A deployed job as it was when the handle was made. Immutable.
#[derive(Debug, Clone)]
pub struct Job {
    facts: Value,
}

impl Job {
    /// A handle with these facts; see `ops::facts`.
    pub fn new(facts: Value) -> Self {
        Self { facts }
    }

    /// One fact as text.
    pub fn text(&self, name: &str) -> &str {
        self.facts.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The environment.
    pub fn environment(&self) -> &str {
        self.text("environment")
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The attempt's number.
    pub fn attempt(&self) -> u32 {
        self.facts.get("attempt").and_then(Value::as_u64).and_then(|number| number.try_into().ok()).unwrap_or(0)
    }

    /// Whether a plan made it up: some of its facts only the run would know.
    pub fn is_planned(&self) -> bool {
        self.facts.get("planned").is_some_and(|planned| planned == true)
    }

    /// All facts.
    pub fn facts(&self) -> &Value {
        &self.facts
    }

    /// The handle as the journal holds it.
    pub fn to_json(&self) -> Value {
        as_handle(self.facts.clone())
    }

    /// The handle in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        unmark(value, KIND).map(Self::new)
    }
}

/// Marks a job's facts as a handle, for the journal and for scripts.
pub(super) fn as_handle(facts: Value) -> Value {
    mark(facts, KIND)
}
