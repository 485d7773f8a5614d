//! Builds: what was built of which commit, how it ended, and what it left.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::attempt::StepKey;
use crate::base::clock::Millis;

/// How far a build came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStatus {
    /// It was begun; while its lock is held it runs.
    Open,
    /// It ended well.
    Done,
    /// Its command failed, took too long, or left no artifact.
    Failed,
    /// The tidegate that ran it died or was cancelled.
    Interrupted,
}

impl BuildStatus {
    /// The word in the state and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Failed, Self::Interrupted].into_iter().find(|status| status.name() == name)
    }
}

/// A file that a build left, kept by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Its path in the project.
    pub path: String,
    /// The folder of the module that it is of; `.` for the project itself.
    pub module: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How long it is.
    pub bytes: u64,
}

/// A build as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its number.
    pub id: i64,
    /// The project's name, or its URL.
    pub project: String,
    /// The URL.
    pub url: String,
    /// Which commit was wanted: `branch main`.
    pub wanted: String,
    /// The commit.
    pub commit: String,
    /// The command.
    pub command: String,
    /// The hash of all that decides what comes of it.
    pub cache_key: String,
    /// How far it came.
    pub status: BuildStatus,
    /// What it left.
    pub artifacts: Vec<Built>,
    /// What it ended with, as JSON.
    pub error: Option<String>,
    /// The step that began it.
    pub step: StepKey,
    /// When it was begun.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
}

impl Build {
    /// What a revision says of where an artifact is from: `jobs@<commit>`.
    pub fn origin(&self) -> String {
        format!("{}@{}", self.project, self.commit)
    }

    /// How long it took, in milliseconds; none while it runs.
    pub fn took(&self) -> Option<u64> {
        self.ended_at.map(|ended| u64::try_from(ended - self.started_at).unwrap_or(0))
    }

    /// The artifacts as scripts and the journal have them.
    pub fn artifacts_json(&self) -> Value {
        let origin = self.origin();
        let each = self.artifacts.iter().map(|built| {
            json!({
                "$tidegate": "artifact/1",
                "path": built.path,
                "module": built.module,
                "sha256": built.sha256,
                "bytes": built.bytes,
                "origin": origin,
            })
        });
        each.collect()
    }
}

/// The one artifact that a word names: a module, a file name, a path, or a pattern with `*`.
///
/// # Errors
/// The paths that fit, where it is not one.
pub fn choose<'a>(artifacts: &'a [Built], word: Option<&str>) -> Result<&'a Built, Vec<&'a str>> {
    let fits: Vec<&Built> = match word {
        None => artifacts.iter().collect(),
        Some(word) => {
            let of_module = |built: &&Built| built.module == word || built.module.rsplit('/').next() == Some(word);
            let of_path = |built: &&Built| built.path == word || built.path.rsplit('/').next() == Some(word);
            let of_pattern = |built: &&Built| {
                word.contains('*')
                    && (matches(word, &built.path)
                        || built.path.rsplit('/').next().is_some_and(|name| matches(word, name)))
            };
            let ways: [&dyn Fn(&&Built) -> bool; 3] = [&of_path, &of_module, &of_pattern];
            let found = ways.into_iter().map(|way| artifacts.iter().filter(way).collect::<Vec<_>>());
            found.into_iter().find(|fits| !fits.is_empty()).unwrap_or_default()
        }
    };
    match fits.as_slice() {
        [one] => Ok(one),
        several => Err(several.iter().map(|built| built.path.as_str()).collect()),
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_chosen_by_module_name_or_pattern() {
        let built = |module: &str, name: &str| Built {
            path: format!("{module}/target/{name}"),
            module: module.to_owned(),
            sha256: "a".repeat(64),
            bytes: 1,
        };
        let artifacts =
            [built("core", "core-1.0.jar"), built("apps/jobs", "jobs-1.0.jar"), built("apps/jobs", "jobs-1.0-all.jar")];
        let path = |word| choose(&artifacts, word).map(|built| built.path.as_str());
        assert_eq!(path(Some("core")), Ok("core/target/core-1.0.jar"));
        assert_eq!(path(Some("jobs-1.0.jar")), Ok("apps/jobs/target/jobs-1.0.jar"));
        assert_eq!(path(Some("*-all.jar")), Ok("apps/jobs/target/jobs-1.0-all.jar"));
        assert_eq!(path(Some("jobs")).unwrap_err().len(), 2);
        assert_eq!(path(Some("none")), Err(vec![]));
        assert_eq!(path(None).unwrap_err().len(), 3);
    }
}
