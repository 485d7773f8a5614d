//! A file in the artifact store as scripts hold it: what a build gives, and what `jar:` and `jars:` of a job take.

use rhai::Dynamic;
use serde_json::Value;

use super::declare::{Body, Call, Function, Type};
use super::jar;
use super::marked::{self, MARK};
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::model::job_spec;

/// Marks it in the journal.
pub const KIND: &str = "artifact/1";

/// A file in the artifact store, known by its bytes. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// How it is shown: the path that it was made at.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How long it is.
    pub bytes: u64,
    /// Where it was built from: `jobs@<commit>`; none where it was not built here.
    pub origin: Option<String>,
}

impl Artifact {
    /// The artifact as the journal holds it.
    pub fn to_json(&self) -> Value {
        let mut value =
            serde_json::json!({ MARK: KIND, "path": self.path, "sha256": self.sha256, "bytes": self.bytes });
        if let Some(origin) = &self.origin {
            value["origin"] = origin.as_str().into();
        }
        value
    }

    /// The artifact in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        marked::is(value, KIND).then_some(())?;
        Self::of_facts(value)
    }

    /// The three facts that every handle of a file in the store has.
    pub(super) fn of_facts(value: &Value) -> Option<Self> {
        let sha256 = value.get("sha256")?.as_str()?;
        // It becomes part of a path.
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then_some(())?;
        Some(Self {
            path: value.get("path")?.as_str()?.to_owned(),
            sha256: sha256.to_owned(),
            bytes: value.get("bytes")?.as_u64()?,
            origin: value.get("origin").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

impl std::fmt::Display for Artifact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "artifact `{}` of {} bytes", self.path, self.bytes)
    }
}

/// The file that an argument or an option names: by its path in the workspace, pinned for the run; as an artifact; or
/// as a jar that was opened. `what` names it in errors: "`file`", "option `jar`".
///
/// # Errors
/// `argument.invalid`; `file.*`, also where the artifact is not in the store any more.
pub fn given(call: &Call<'_>, what: &str, value: &Value) -> Result<job_spec::Artifact> {
    if let Value::String(path) = value {
        return call.host.inputs.artifact(path);
    }
    match Artifact::from_json(value).or_else(|| jar::facts_in(value)) {
        Some(Artifact { path, sha256, origin, .. }) => {
            call.host.inputs.stored(job_spec::Artifact { path, sha256, origin })
        }
        None => {
            Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: {what} must be {}", call.name, Type::File.article())))
        }
    }
}

/// The properties that scripts read.
pub(super) const PATH: Function = fact("path", Type::String, "How it is shown: the path that it was made at.", path);
pub(super) const SHA256: Function = fact("sha256", Type::String, "The SHA-256 of its bytes.", sha256);
pub(super) const BYTES: Function = fact("bytes", Type::Integer, "How long it is, in bytes.", bytes);

pub(super) const ORIGIN: Function =
    fact("origin", Type::Any, "The project and commit that it was built from, `jobs@<commit>`, or `()`.", origin);

const fn fact(
    name: &'static str,
    kind: Type,
    summary: &'static str,
    body: fn(&mut Call<'_>) -> Result<Dynamic>,
) -> Function {
    Function::new(name, Class::Pure, &[], kind, Body::Pure(body)).property(Type::Artifact).docs(summary, "")
}

fn this(call: &Call<'_>) -> Result<Artifact> {
    call.arguments[0]
        .clone()
        .try_cast::<Artifact>()
        .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not an artifact", call.name)))
}

fn path(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this(call)?.path.into())
}

fn sha256(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this(call)?.sha256.into())
}

fn bytes(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(i64::try_from(this(call)?.bytes).unwrap_or(i64::MAX).into())
}

fn origin(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this(call)?.origin.map_or(Dynamic::UNIT, Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn artifacts_go_to_the_journal_and_back() {
        for origin in [None, Some("jobs@1234".to_owned())] {
            let path = "jobs/target/jobs.jar".to_owned();
            let artifact = Artifact { path, sha256: "ab".repeat(32), bytes: 12, origin };
            assert_eq!(Artifact::from_json(&artifact.to_json()), Some(artifact));
        }
    }

    #[test]
    fn what_is_no_hash_never_becomes_a_path() {
        for sha256 in ["", "../../../etc/passwd", &"AB".repeat(32), &"ab".repeat(31)] {
            let forged = json!({ MARK: KIND, "path": "x.jar", "sha256": sha256, "bytes": 1 });
            assert_eq!(Artifact::from_json(&forged), None, "{sha256}");
        }
        assert_eq!(Artifact::from_json(&json!({ "path": "x", "sha256": "ab".repeat(32), "bytes": 1 })), None);
    }
}
