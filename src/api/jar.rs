//! `jar::`: what is in a jar, read without a JVM.

use serde_json::Value;

use super::artifact::{self, Artifact};
use super::convert::MARK;
use super::declare::Namespace;

/// Marks it in the journal.
const KIND: &str = "jar/1";

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "jar",
    summary: "What is in a jar, read without a JVM.",
    functions: &[artifact::PATH, artifact::SHA256, artifact::BYTES, artifact::ORIGIN],
};

/// A jar whose classes can be asked for. Immutable.
#[derive(Debug, Clone)]
pub struct Jar {
    /// The file.
    pub file: Artifact,
}

impl Jar {
    /// The jar as the journal holds it.
    pub fn to_json(&self) -> Value {
        let mut value = self.file.to_json();
        value[MARK] = KIND.into();
        value
    }

    /// The jar in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        facts_in(value).map(|file| Self { file })
    }
}

/// The file of the jar in a marked object; none in any other value.
pub(super) fn facts_in(value: &Value) -> Option<Artifact> {
    (value.get(MARK)?.as_str()? == KIND).then_some(())?;
    Artifact::of_facts(value)
}
