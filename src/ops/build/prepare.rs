//! What is built, and what decides what comes of it.

use std::time::Duration;

use serde_json::json;

use crate::base::hash::sha256;
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code};
use crate::drivers::build::{toolchain, words};
use crate::model::git_project::GitProject;
use crate::ops::blocking::blocking;
use crate::ops::capability;
use crate::ops::services::Services;

/// Variables of tidegate that Maven and Gradle read, and that change what they do.
const READ_BY_TOOLS: [&str; 5] = ["MAVEN_OPTS", "MAVEN_ARGS", "GRADLE_OPTS", "JAVA_TOOL_OPTIONS", "LANG"];

/// What a script wants built.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The command, split as a shell splits it.
    pub command: String,
    /// The folders of the modules that are built.
    pub modules: Vec<String>,
    /// Patterns of what is kept; the jars of `target/` and `build/libs/` where none is given.
    pub artifacts: Option<Vec<String>>,
    /// Its variables.
    pub environment: Vec<(String, SecretText)>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether its folder is removed when it has ended.
    pub clean: bool,
}

/// A build that can be begun.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Of what.
    pub project: GitProject,
    /// The commit.
    pub commit: String,
    /// What is wanted.
    pub wanted: Wanted,
    /// The command as it is shown.
    pub command: String,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The hash of all that decides what comes of it.
    pub key: String,
}

/// Checks that a build is allowed and can be understood, and asks the toolchain for its versions where it has changed.
///
/// # Errors
/// `capability.denied`, `argument.invalid`, `build.not_started`.
pub async fn prepare(services: &Services, project: &GitProject, commit: &str, wanted: Wanted) -> Result<Prepared> {
    capability::build(&services.projects, project)?;
    let words = with_modules(words(&wanted.command)?, &wanted.modules)?;
    let folder = services.store.directory().join("builds");
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(&code::STATE_IO, format!("{} cannot be written", folder.display())).caused_by(error)
    })?;
    let program = words[0].clone();
    let toolchain = blocking(move |_| toolchain(&program, &folder.join("toolchains.json"))).await?;
    let read: Vec<_> = READ_BY_TOOLS.iter().map(|name| std::env::var(name).unwrap_or_default()).collect();
    // The commit fixes those of its submodules. Of secrets the names count: a rotated one builds nothing anew.
    let parts =
        json!(["1", project.url, commit, words, wanted.modules, wanted.artifacts, wanted.environment, toolchain, read]);
    let key = sha256(parts.to_string().as_bytes());
    let command = wanted.command.clone();
    Ok(Prepared { project: project.clone(), commit: commit.to_owned(), wanted, command, words, key })
}

/// The words of the command with what its tool needs: Maven builds the modules and what they need of their project, Gradle
/// leaves no daemon behind.
fn with_modules(mut words: Vec<String>, modules: &[String]) -> Result<Vec<String>> {
    for module in modules {
        let fits = !module.is_empty()
            && !module.starts_with(['-', '/', '!'])
            && !module.contains([',', ':', '*', '\\'])
            && module.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !fits {
            return Err(Error::new(&code::ARGUMENT_INVALID, format!("`{module}` cannot be a module"))
                .hint("write its folder below the project: `jobs`, `apps/jobs`"));
        }
    }
    let tool = words[0].rsplit('/').next().unwrap_or_default().to_owned();
    let is_given = |flag: &str| words.iter().any(|word| word == flag);
    let mut more = Vec::new();
    if matches!(tool.as_str(), "mvn" | "mvnw") && !modules.is_empty() {
        if is_given("-pl") || is_given("--projects") {
            return Err(Error::new(&code::ARGUMENT_INVALID, "`modules` and `-pl` of the command say the same")
                .hint("leave `-pl` out of the command"));
        }
        more = vec!["-pl".to_owned(), modules.join(","), "-am".to_owned()];
    }
    if matches!(tool.as_str(), "gradle" | "gradlew") && !is_given("--no-daemon") {
        more.push("--no-daemon".to_owned());
    }
    words.splice(1..1, more);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, modules: &[&str]) -> Result<String> {
        let modules: Vec<String> = modules.iter().map(|module| (*module).to_owned()).collect();
        with_modules(words(command)?, &modules).map(|words| words.join(" "))
    }

    #[test]
    fn tools_get_what_they_need() {
        for (command, modules, whole) in [
            ("mvn -q package", &[][..], "mvn -q package"),
            ("mvn -q package", &["jobs", "apps/etl"], "mvn -pl jobs,apps/etl -am -q package"),
            ("./mvnw package", &["jobs"], "./mvnw -pl jobs -am package"),
            ("./gradlew :jobs:jar", &["jobs"], "./gradlew --no-daemon :jobs:jar"),
            ("make", &["jobs"], "make"),
        ] {
            assert_eq!(of(command, modules).unwrap(), whole);
        }
        for module in ["../x", "/x", "-x", "a,b", "", ":jobs", "a//b"] {
            assert!(of("mvn package", &[module]).is_err(), "{module}");
        }
        assert!(of("mvn -pl core package", &["jobs"]).is_err());
    }
}
