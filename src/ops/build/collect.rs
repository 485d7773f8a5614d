//! What a build left: found by patterns, copied into the artifact store under its hash.

use std::path::Path;

use super::Prepared;
use crate::base::{Error, Result, code, suggest};
use crate::drivers::folder::Folder;
use crate::drivers::git;
use crate::model::build::Built;
use crate::ops::inputs::keep_artifact;
use crate::ops::services::Services;

/// Where Maven and Gradle put the jars of a module.
const OUTPUTS: [&str; 2] = ["target", "build/libs"];

/// How many jars are named where none is the one.
const MOST_NAMED: usize = 5;

/// Keeps the artifacts of a build that ended well.
///
/// # Errors
/// `build.no_artifact` where there is none and one was asked for; `file.*`, `state.*`.
pub(super) fn artifacts(services: &Services, prepared: &Prepared, work: &Path) -> Result<Vec<Built>> {
    let wanted = &prepared.wanted;
    let folder = Folder::new(work)?;
    let patterns = wanted.artifacts.clone();
    let is_default = patterns.is_none();
    let patterns = patterns.unwrap_or_else(|| OUTPUTS.map(|output| format!("**/{output}/*.jar")).to_vec());
    let mut found = Vec::new();
    for pattern in &patterns {
        for path in folder.list(pattern)? {
            let module = module(&path);
            let is_wanted =
                wanted.modules.is_empty() || wanted.modules.iter().any(|one| path.starts_with(&format!("{one}/")));
            if is_wanted && !(is_default && is_secondary(&path)) && !found.iter().any(|(other, _)| *other == path) {
                found.push((path, module));
            }
        }
    }
    found.sort();
    if found.is_empty() && !patterns.is_empty() {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let of = match wanted.modules.as_slice() {
            [] => String::new(),
            modules => format!(" below {}", modules.join(", ")),
        };
        let error = Error::new(
            &code::BUILD_NO_ARTIFACT,
            format!("the build ended well and left no file like {}{of}", suggest::list(&patterns)),
        );
        return Err(match seen(&folder)? {
            Some(jars) => error.caused_by(jars),
            None => error,
        }
        .hint("say what it makes: #{ artifacts: [\"dist/*.jar\"] }; an empty list where it makes nothing"));
    }
    let keep = |(path, module): (String, String)| {
        let source = work.join(&path);
        if git::is_pointer(&source) {
            let message = format!("`{path}` is no result: it only points to what Git LFS has, which was not fetched");
            return Err(Error::new(&code::BUILD_NO_ARTIFACT, message)
                .hint("have the build fetch it (`git lfs pull`), or leave it out of `artifacts`"));
        }
        let sha256 = keep_artifact(&services.store, &source, &path)?;
        let bytes = std::fs::metadata(&source).map_or(0, |metadata| metadata.len());
        Ok(Built { path, module, sha256, bytes })
    };
    found.into_iter().map(keep).collect()
}

/// The jars that a build left, wherever: one of them is meant; none where there is none.
fn seen(folder: &Folder) -> Result<Option<String>> {
    let mut jars = folder.list("**/*.jar")?;
    jars.sort();
    let more = jars.len().saturating_sub(MOST_NAMED);
    let shown: Vec<&str> = jars.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Ok((!shown.is_empty())
        .then(|| format!("it has these jars, and none of them is meant: {}{more}", suggest::list(&shown))))
}

/// The folder of the module that a file is of: what stands before the folder of outputs; else the file's own.
fn module(path: &str) -> String {
    let below = format!("/{path}");
    let of_output = OUTPUTS.iter().find_map(|output| below.find(&format!("/{output}/"))).map(|at| &below[..at]);
    let module = of_output.or_else(|| below.rsplit_once('/').map(|(folder, _)| folder)).unwrap_or_default();
    match module.trim_start_matches('/') {
        "" => ".".to_owned(),
        module => module.to_owned(),
    }
}

/// Whether a jar stands beside the one that runs: sources, documents, tests, and what shading began with.
fn is_secondary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".jar").unwrap_or(name);
    name.starts_with("original-")
        || ["-sources", "-javadoc", "-tests", "-test-sources", "-plain"].iter().any(|end| stem.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_the_folders_before_the_outputs() {
        for (path, expected) in [
            ("target/app.jar", "."),
            ("jobs/target/jobs.jar", "jobs"),
            ("apps/jobs/build/libs/jobs.jar", "apps/jobs"),
            ("dist/all.jar", "dist"),
            ("all.jar", "."),
        ] {
            assert_eq!(module(path), expected, "{path}");
        }
    }

    #[test]
    fn what_does_not_run_is_left_out() {
        for name in ["original-a.jar", "a-sources.jar", "a-javadoc.jar", "a-tests.jar"] {
            assert!(is_secondary(&format!("x/target/{name}")), "{name}");
        }
        assert!(!is_secondary("x/target/a-1.0.jar"));
    }
}
