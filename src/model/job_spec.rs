//! The job somebody wants: what a script's `job::sql` and `job::jar` make of their options.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dependency::Closure;
use super::identity::Identity;
use super::sql_form::normalised;
use super::statement::Statement;
use crate::base::hash::sha256;
use crate::base::secret::SecretText;

/// A jar of the workspace, known by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The path as the script wrote it.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Where it was built from: `jobs@<commit>`. A label: the bytes say what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// SQL statements, run by our runner.
    Sql {
        /// The template, or `<sql>` for inline text.
        source: String,
        /// The statements in order.
        statements: Vec<Statement>,
    },
    /// A main class in a jar.
    Jar {
        /// The jar.
        jar: Artifact,
        /// The main class; the jar's manifest names it where this is absent.
        main_class: Option<String>,
        /// The program arguments.
        arguments: Vec<SecretText>,
    },
    /// Something that somebody else started and we took over: what it is was never known here.
    Adopted {
        /// The name that Flink shows.
        name: String,
        /// The Flink job id.
        id: String,
    },
}

/// A job as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Who it is.
    pub identity: Identity,
    /// The cluster's name in `tidegate.yaml`.
    pub cluster: String,
    /// What runs.
    pub program: Program,
    /// Flink's `parallelism.default`.
    pub parallelism: Option<u32>,
    /// Flink's configuration for the job.
    pub configuration: BTreeMap<String, String>,
    /// Jars that travel inside the uploaded one as `lib/*.jar`.
    pub jars: Vec<Artifact>,
    /// What its dependencies come to; these jars travel the same way.
    #[serde(default, skip_serializing_if = "Closure::is_empty")]
    pub dependencies: Closure,
    /// Labels of ours.
    pub tags: Vec<String>,
    /// Whom to ask.
    pub owner: Option<String>,
}

impl JobSpec {
    /// The hash of everything that a running job has of its spec; of SQL the form that counts. Labels are ours and not in it: a deploy that changes
    /// only those touches no job.
    pub fn running_hash(&self) -> String {
        let program = match &self.program {
            Program::Sql { statements, .. } => serde_json::json!({
                "sql": statements.iter().map(|one| (normalised(&one.text), &one.kind)).collect::<Vec<_>>(),
            }),
            // By its bytes: the same jar under another path, or built from another commit, is no other job.
            Program::Jar { jar, main_class, arguments } => serde_json::json!({
                "jar": jar.sha256, "main_class": main_class, "arguments": arguments,
            }),
            program @ Program::Adopted { .. } => serde_json::json!(program),
        };
        let jars: Vec<&str> = self.jars.iter().map(|jar| jar.sha256.as_str()).collect();
        let mut parts = serde_json::json!({
            "cluster": self.cluster, "program": program, "parallelism": self.parallelism,
            "configuration": self.configuration, "jars": jars,
        });
        // A job without dependencies keeps the hash that it had before there were any.
        if !self.dependencies.files.is_empty() {
            parts["dependencies"] = self.dependency_hashes().into();
        }
        sha256(parts.to_string().as_bytes())
    }

    /// The hashes of the files that its dependencies come to, each once, sorted.
    fn dependency_hashes(&self) -> Vec<&str> {
        let mut hashes: Vec<&str> = self.dependencies.files.iter().map(|file| file.sha256.as_str()).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// The hashes of all jars that travel inside the uploaded one.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        let jars = self.jars.iter().map(|jar| jar.sha256.as_str());
        jars.chain(self.dependencies.files.iter().map(|file| file.sha256.as_str()))
    }

    /// The jars that the job's classes come from, in the order of its class path, by the names that users know: paths and coordinates.
    pub fn class_path(&self) -> Vec<Artifact> {
        let own = match &self.program {
            Program::Jar { jar, .. } => Some(jar.clone()),
            Program::Sql { .. } | Program::Adopted { .. } => None,
        };
        let fetched = self.dependencies.files.iter().map(|file| Artifact {
            path: file.coordinates.to_string(),
            sha256: file.sha256.clone(),
            origin: None,
        });
        own.into_iter().chain(self.jars.iter().cloned()).chain(fetched).collect()
    }

    /// The hashes of all artifacts that it takes to start the job.
    pub fn artifacts(&self) -> impl Iterator<Item = &str> {
        let own = match &self.program {
            Program::Jar { jar, .. } => Some(jar.sha256.as_str()),
            Program::Sql { .. } | Program::Adopted { .. } => None,
        };
        own.into_iter().chain(self.libraries())
    }

    /// The names of the parts in which a running job differs from `other`.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.cluster != other.cluster {
            names.push("cluster");
        }
        match (&self.program, &other.program) {
            (Program::Sql { statements: left, .. }, Program::Sql { statements: right, .. }) => {
                let form = |statement: &Statement| normalised(&statement.text);
                if left.iter().map(form).ne(right.iter().map(form)) {
                    names.push("sql");
                }
            }
            (
                Program::Jar { jar: left, main_class: left_class, arguments: left_arguments },
                Program::Jar { jar: right, main_class: right_class, arguments: right_arguments },
            ) => {
                if left.sha256 != right.sha256 {
                    names.push("jar");
                }
                if left_class != right_class {
                    names.push("main_class");
                }
                if left_arguments != right_arguments {
                    names.push("args");
                }
            }
            _ => names.push("program"),
        }
        if self.parallelism != other.parallelism {
            names.push("parallelism");
        }
        if self.configuration != other.configuration {
            names.push("options");
        }
        if self.jars.iter().map(|jar| &jar.sha256).ne(other.jars.iter().map(|jar| &jar.sha256)) {
            names.push("jars");
        }
        if self.dependency_hashes() != other.dependency_hashes() {
            names.push("dependencies");
        }
        names
    }

    /// Whether the job takes checkpoints, and so has state that must not be lost.
    pub fn is_stateful(&self) -> bool {
        self.setting("execution.checkpointing.interval").is_some() && !self.is_batch()
    }

    /// Whether the job runs in batch mode.
    pub fn is_batch(&self) -> bool {
        self.setting("execution.runtime-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("batch"))
    }

    /// The value of a Flink option: what the SQL sets last, else the configuration.
    pub fn setting(&self, key: &str) -> Option<String> {
        let mut value = self.configuration.get(key).cloned();
        if let Program::Sql { statements, .. } = &self.program {
            for statement in statements {
                match &statement.kind {
                    super::statement::Kind::Set { key: set, value: to } if set == key => value = Some(to.to_string()),
                    _ => {}
                }
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dependency::{ClosureFile, Dependency};

    /// As an older tidegate recorded it.
    const OLD: &str = r#"{"identity":{"workspace":"w","environment":"e","job":"j"},"cluster":"c",
        "program":{"sql":{"source":"<sql>","statements":[]}},"parallelism":2,"configuration":{"a":"b"},
        "jars":[{"path":"x.jar","sha256":"11"}],"tags":[],"owner":null}"#;

    #[test]
    fn a_spec_of_before_there_were_dependencies_is_read_and_keeps_its_hash() {
        let spec: JobSpec = serde_json::from_str(OLD).unwrap();
        assert!(spec.dependencies.is_empty());
        assert_eq!(spec.running_hash(), "2a17267562add5206fa2e3dab5e54bfe50f6470f3c1aabf52cc45547714e1ba8");
        assert!(!serde_json::to_string(&spec).unwrap().contains("dependencies"));
    }

    #[test]
    fn other_files_are_another_job_and_another_list_of_the_same_files_is_not() {
        let old: JobSpec = serde_json::from_str(OLD).unwrap();
        let mut new = old.clone();
        let coordinates: crate::model::coordinates::Coordinates = "a:b:1".parse().unwrap();
        new.dependencies.declared = vec![Dependency { coordinates: coordinates.clone(), exclude: Vec::new() }];
        new.dependencies.files = vec![ClosureFile { coordinates, sha256: "22".into(), bytes: 3, by: None }];
        assert_ne!(old.running_hash(), new.running_hash());
        assert_eq!(old.differences(&new), ["dependencies"]);
        assert_eq!(new.libraries().collect::<Vec<_>>(), ["11", "22"]);
        let mut other = new.clone();
        other.dependencies.declared[0].exclude.push("x:*".parse().unwrap());
        assert_eq!(other.running_hash(), new.running_hash());
        assert_eq!(serde_json::from_str::<JobSpec>(&serde_json::to_string(&other).unwrap()).unwrap(), other);
    }

    fn spec(path: &str, sha256: &str) -> JobSpec {
        let jar = Artifact { path: path.to_owned(), sha256: sha256.to_owned(), origin: None };
        JobSpec {
            identity: Identity { workspace: "w".into(), environment: "e".into(), job: "j".into() },
            cluster: "c".into(),
            program: Program::Jar { jar: jar.clone(), main_class: Some("a.Main".into()), arguments: Vec::new() },
            parallelism: None,
            configuration: BTreeMap::new(),
            jars: vec![jar],
            dependencies: Closure::default(),
            tags: Vec::new(),
            owner: None,
        }
    }

    #[test]
    fn a_jar_counts_by_its_bytes() {
        assert_eq!(spec("a.jar", "1").running_hash(), spec("target/b.jar", "1").running_hash());
        assert_ne!(spec("a.jar", "1").running_hash(), spec("a.jar", "2").running_hash());
    }

    #[test]
    fn where_a_jar_was_built_from_is_a_label() {
        let recorded = r#"{"identity":{"workspace":"w","environment":"e","job":"j"},"cluster":"c","program":{"jar":{"jar":
            {"path":"jobs.jar","sha256":"ab"},"main_class":null,"arguments":[]}},"parallelism":null,"configuration":{},
            "jars":[{"path":"lib.jar","sha256":"cd"}],"tags":[],"owner":null}"#;
        let old: JobSpec = serde_json::from_str(recorded).unwrap();
        let hash = old.running_hash();
        let mut new = old.clone();
        if let Program::Jar { jar, .. } = &mut new.program {
            jar.origin = Some("jobs@1234".into());
        }
        new.jars[0].origin = Some("lib@5678".into());
        assert_eq!(new.running_hash(), hash);
        assert!(new.differences(&old).is_empty());
        assert!(serde_json::to_string(&new).unwrap().contains("\"origin\":\"jobs@1234\""));
        assert!(!serde_json::to_string(&old).unwrap().contains("origin"));
    }
}
