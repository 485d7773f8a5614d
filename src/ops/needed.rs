//! Which artifacts of the store somebody needs, and what becomes of the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::dependencies::read_lock;
use super::inputs::{ARTIFACT, DEPENDENCIES};
use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::build::BuildStatus;
use crate::model::dependency::Closure;
use crate::model::job_spec::{JobSpec, Program};

/// A file of the artifact store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The hash that it lies under; the name of the file where that is none.
    pub sha256: String,
    /// What it is known as: a path of the workspace, coordinates.
    pub names: Vec<String>,
    /// Who needs it, in words; nobody where this is empty.
    pub needed_by: Vec<String>,
    /// How many bytes it has.
    pub bytes: u64,
    /// How long ago it was taken or used last.
    pub age: Duration,
    path: PathBuf,
}

/// What is known of an artifact.
#[derive(Debug, Default)]
struct Known {
    names: Vec<String>,
    needed_by: Vec<String>,
}

/// The artifacts that somebody needs, by hash.
#[derive(Debug, Default)]
struct Needed(BTreeMap<String, Known>);

impl Needed {
    fn add(&mut self, sha256: &str, name: &str, by: &str) {
        let known = self.0.entry(sha256.to_owned()).or_default();
        for (list, text) in [(&mut known.names, name), (&mut known.needed_by, by)] {
            if !text.is_empty() && !list.iter().any(|one| one == text) {
                list.push(text.to_owned());
            }
        }
    }

    fn add_closure(&mut self, closure: &Closure, by: &str) {
        closure.files.iter().for_each(|file| self.add(&file.sha256, &file.coordinates.to_string(), by));
    }
}

/// Everything that is recorded as needing an artifact. What cannot be read is no reason to delete anything.
fn needed(services: &Services) -> Result<Needed> {
    let mut needed = Needed::default();
    of_jobs(services, &mut needed)?;
    of_open_runs(services, &mut needed)?;
    of_builds(services, &mut needed)?;
    for set in read_lock(services)?.sets() {
        needed.add_closure(set, "tidegate.lock");
    }
    name_older_builds(services, &mut needed)?;
    Ok(needed)
}

/// The specs of all revisions and attempts: each of them may be started again.
fn of_jobs(services: &Services, needed: &mut Needed) -> Result<()> {
    for recorded in services.store.recorded_specs()? {
        let by = format!("{} ({})", recorded.job, recorded.environment);
        let spec: JobSpec = serde_json::from_str(&recorded.spec).map_err(|error| {
            Error::new(
                &code::STATE_CORRUPT,
                format!("the spec of {} of `{}` cannot be read", recorded.of, recorded.job),
            )
            .caused_by(error)
            .hint("use the tidegate that wrote it: what it needs is not known here")
        })?;
        if let Program::Jar { jar, .. } = &spec.program {
            needed.add(&jar.sha256, &jar.path, &by);
        }
        spec.jars.iter().for_each(|jar| needed.add(&jar.sha256, &jar.path, &by));
        needed.add_closure(&spec.dependencies, &by);
    }
    Ok(())
}

/// What open runs have pinned: they are resumed with it.
fn of_open_runs(services: &Services, needed: &mut Needed) -> Result<()> {
    for input in services.store.open_inputs(ARTIFACT)? {
        needed.add(&String::from_utf8_lossy(&input.bytes), &input.name, &format!("run r{}", input.run));
    }
    for input in services.store.open_inputs(DEPENDENCIES)? {
        let closure: Closure = serde_json::from_slice(&input.bytes).map_err(|error| {
            Error::new(&code::STATE_CORRUPT, format!("the dependencies that run r{} pinned cannot be read", input.run))
                .caused_by(error)
                .hint(format!("`tidegate abandon r{}` gives it up", input.run))
        })?;
        needed.add_closure(&closure, &format!("run r{}", input.run));
    }
    Ok(())
}

/// How many builds of a project keep what they made, beside those that a job needs.
pub const BUILDS_KEPT: usize = 5;

/// What the newest builds of each project have made: each of them may be deployed again. An older one is built again.
fn of_builds(services: &Services, needed: &mut Needed) -> Result<()> {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for build in services.store.builds(None, usize::MAX)? {
        if build.status != BuildStatus::Done {
            continue;
        }
        let count = counts.entry(build.project.clone()).or_default();
        *count += 1;
        if *count <= BUILDS_KEPT {
            for artifact in &build.artifacts {
                needed.add(&artifact.sha256, &artifact.path, &format!("build {} of {}", build.id, build.project));
            }
        }
    }
    Ok(())
}

/// What older builds have made, and nobody needs: its names alone, so that it is known what is deleted.
fn name_older_builds(services: &Services, needed: &mut Needed) -> Result<()> {
    for build in services.store.builds(None, usize::MAX)? {
        let commit = build.commit.get(..10).unwrap_or(&build.commit);
        for artifact in &build.artifacts {
            if !needed.0.contains_key(&artifact.sha256) {
                let name = format!("{}, build {} of {}, commit {commit}", artifact.path, build.id, build.project);
                needed.add(&artifact.sha256, &name, "");
            }
        }
    }
    Ok(())
}

/// How the files end that hold what was read of a jar ([`super::jar`]).
const FACTS: &str = ".facts";

/// The files of the artifact store, largest first.
///
/// # Errors
/// `state.*`, `dependency.lock_invalid`.
pub fn artifacts(services: &Services) -> Result<Vec<Kept>> {
    let needed = needed(services)?;
    let folder = services.store.directory().join("artifacts");
    let failed = |error: std::io::Error| {
        Error::new(&code::STATE_IO, format!("{} cannot be read", folder.display())).caused_by(error)
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Renamed or removed since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        if !metadata.is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(FACTS) {
            // What was read of a jar goes with it.
            continue;
        }
        let sha256 = name.strip_suffix(".jar").unwrap_or(&name).to_owned();
        let known = needed.0.get(&sha256);
        kept.push(Kept {
            names: known.map(|known| known.names.clone()).unwrap_or_default(),
            needed_by: known.map(|known| known.needed_by.clone()).unwrap_or_default(),
            bytes: metadata.len(),
            age: age(&metadata),
            path: entry.path(),
            sha256,
        });
    }
    kept.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.sha256.cmp(&other.sha256)));
    Ok(kept)
}

/// The artifacts that nobody needs and that were not used for a while. A deploy that goes on meanwhile has used what it
/// needs just now, even where nothing is recorded of it yet.
///
/// # Errors
/// As [`artifacts`].
pub fn unneeded(services: &Services, older_than: Duration) -> Result<Vec<Kept>> {
    let all = artifacts(services)?;
    Ok(all.into_iter().filter(|kept| kept.needed_by.is_empty() && kept.age >= older_than).collect())
}

/// Deletes an artifact, unless it was used since it was found to be unneeded. Gives whether it is gone.
///
/// # Errors
/// `state.io`.
pub fn delete(kept: &Kept, older_than: Duration) -> Result<bool> {
    let failed = |error: std::io::Error| {
        Error::new(&code::STATE_IO, format!("{} cannot be deleted", kept.path.display())).caused_by(error)
    };
    match std::fs::metadata(&kept.path) {
        Ok(metadata) if age(&metadata) < older_than => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    }
    let facts = kept.path.with_extension(&FACTS[1..]);
    match std::fs::remove_file(facts) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::fs::remove_file(&kept.path).map(|()| true).map_err(failed)
}

/// How long ago a file was written; nothing where its time lies in the future.
fn age(metadata: &std::fs::Metadata) -> Duration {
    metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}
