//! What a job's dependencies come to: the closure that its run pinned, else the one in `tidegate.lock`, else Maven's answer.
//! Where lock and store satisfy a job, no Maven is started. Only a deploy writes the lock: making a spec changes nothing that
//! anybody would have to commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::artifacts::{self, Taken};
use super::capability;
use super::dependency_notes;
use super::inputs::Inputs;
use super::services::Services;
use crate::base::{Error, Result, code, counted};
use crate::drivers::maven::{self, Ask, Found, Maven};
use crate::model::coordinates::{Coordinates, Exclusion};
use crate::model::dependency::{Closure, ClosureFile, Dependency, LeftOut, sorted};
use crate::model::dependency_lock::{DependencyLock, FILE};
use crate::model::provided;
use crate::store::{Lock, is_own};

/// The longest `tidegate.lock`, in bytes.
const LONGEST_LOCK: u64 = 16 << 20;

/// How this process may treat `tidegate.lock`, and what it has resolved without writing it.
#[derive(Debug, Default)]
pub struct LockUse {
    refuses: AtomicBool,
    /// What Maven was asked for and is not locked: the next job with the same dependencies needs no second answer.
    answered: Mutex<DependencyLock>,
}

impl LockUse {
    /// From now on `tidegate.lock` must satisfy every job as it is.
    pub fn refuse_changes(&self) {
        self.refuses.store(true, Ordering::Relaxed);
    }
}

/// What dependencies come to.
#[derive(Debug, Clone, Default)]
pub struct Resolution {
    /// The files.
    pub closure: Closure,
    /// In what `tidegate.lock` changes when the job is deployed.
    pub lock_changes: Vec<String>,
}

/// Resolves the dependencies of a job, and has their files in the store.
///
/// # Errors
/// `dependency.*`, `maven.not_found`, `state.*`.
pub async fn resolve(services: &Services, inputs: &Inputs, declared: Vec<Dependency>) -> Result<Resolution> {
    let declared = sorted(declared)?;
    if declared.is_empty() {
        return Ok(Resolution::default());
    }
    if let Some(other) = declared.iter().find(|one| !["jar", "pom"].contains(&one.coordinates.extension.as_str())) {
        let message = format!("`{}` is no jar: only jars can be put on a class path", other.coordinates);
        return Err(Error::new(&code::DEPENDENCY_INVALID, message)
            .hint("leave the extension out; `pom` stands for what an artifact without a jar brings"));
    }
    if let Some(closure) = inputs.closure(&declared)? {
        have_all(services, &closure).await?;
        return Ok(Resolution { closure, lock_changes: Vec::new() });
    }
    let lock = read_lock(services)?;
    let resolution = match lock.find(&declared) {
        Some(closure) => Resolution { closure: closure.clone(), lock_changes: Vec::new() },
        None if services.lock_use.refuses.load(Ordering::Relaxed) => return Err(locked(&lock, &declared)),
        None => anew(services, &declared).await?,
    };
    have_all(services, &resolution.closure).await?;
    inputs.pin_closure(&resolution.closure)?;
    Ok(resolution)
}

/// What `tidegate.lock` holds; nothing where there is none.
///
/// # Errors
/// `dependency.lock_invalid`, `file.*`.
pub fn read_lock(services: &Services) -> Result<DependencyLock> {
    match services.folder.read_text(FILE, LONGEST_LOCK)? {
        Some(text) => DependencyLock::parse(&text),
        None => Ok(DependencyLock::default()),
    }
}

/// Changes `tidegate.lock` under its lock, and gives what it was before.
///
/// # Errors
/// `dependency.lock_invalid`, `state.*`.
pub async fn change_lock(
    services: &Services,
    change: impl FnOnce(&DependencyLock) -> DependencyLock,
) -> Result<DependencyLock> {
    let _turn = turn(services).await?;
    let old = read_lock(services)?;
    if services.lock_use.refuses.load(Ordering::Relaxed) {
        return Err(Error::new(&code::DEPENDENCY_LOCKED, format!("`{FILE}` would change, and it is locked"))
            .hint("run it without TIDEGATE_LOCKED where the change is meant"));
    }
    write_lock(services, &old, &change(&old))?;
    Ok(old)
}

fn write_lock(services: &Services, old: &DependencyLock, new: &DependencyLock) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let path = services.folder.resolve(FILE)?;
    let partial = path.with_extension(format!("lock.{}", std::process::id()));
    let write = || {
        use std::io::Write;
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(new.text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &path)
    };
    write().map_err(|error| {
        // Beside the error there is nothing to say of what is left.
        let _ = std::fs::remove_file(&partial);
        Error::new(&code::STATE_IO, format!("`{FILE}` cannot be written"))
            .caused_by(error)
            .hint("make the folder of the workspace writable; where the lock must not change, run with `--locked`")
    })
}

/// The one who asks Maven and writes `tidegate.lock`; the others wait, and find what they need there.
async fn turn(services: &Services) -> Result<Lock> {
    let mut told = false;
    loop {
        match services.store.try_lock("dependencies") {
            Ok(lock) => return Ok(lock),
            Err(error) if !error.is(&code::STATE_LOCKED) => return Err(error),
            Err(error) => {
                if !told {
                    let who = if is_own(&error) { "another branch of this run".to_owned() } else { error.to_string() };
                    services.clusters.progress(&format!("waiting for another job's dependencies: {who}"));
                    told = true;
                }
                // The kernel has no waiting that can be cancelled.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn anew(services: &Services, declared: &[Dependency]) -> Result<Resolution> {
    let _turn = turn(services).await?;
    // Whoever had it before may have locked the same.
    let lock = read_lock(services)?;
    if let Some(closure) = lock.find(declared) {
        return Ok(Resolution { closure: closure.clone(), lock_changes: Vec::new() });
    }
    let answered = || services.lock_use.answered.lock().unwrap_or_else(PoisonError::into_inner);
    let known = answered().find(declared).cloned();
    let closure = match known {
        Some(closure) => closure,
        None => ask_maven(services, declared, &lock).await?,
    };
    let mut lock_changes = match lock.nearest(declared) {
        Some(nearest) => [nearest.declared_differences(declared), nearest.differences(&closure)].concat(),
        None => declared.iter().map(|one| format!("+ {}", one.shown())).collect(),
    };
    lock_changes.push(format!("{} in all, {}", counted(closure.files.len(), "file"), size(closure.bytes())));
    let mut answered = answered();
    *answered = answered.with(closure.clone());
    Ok(Resolution { closure, lock_changes })
}

/// Has what a job is deployed with in `tidegate.lock`. A run that goes on with what it pinned is not refused for a lock that
/// must not change.
///
/// # Errors
/// `dependency.lock_invalid`, `dependency.checksum`, `state.*`.
pub(super) async fn lock_in(services: &Services, closure: &Closure) -> Result<()> {
    let is_locked = |lock: &DependencyLock| lock.find(&closure.declared).is_some();
    if closure.is_empty() || services.lock_use.refuses.load(Ordering::Relaxed) || is_locked(&read_lock(services)?) {
        return Ok(());
    }
    let _turn = turn(services).await?;
    let lock = read_lock(services)?;
    if is_locked(&lock) {
        return Ok(());
    }
    let other = closure.files.iter().find(|file| lock.sha256(&file.coordinates).is_some_and(|one| one != file.sha256));
    if let Some(file) = other {
        return Err(Error::new(
            &code::DEPENDENCY_CHECKSUM,
            format!("`{}` is locked as another file since this run resolved it", file.coordinates),
        )
        .hint(format!("run the script again: it takes what `{FILE}` has now")));
    }
    write_lock(services, &lock, &lock.with(closure.clone()))?;
    services.clusters.progress(&format!("`{FILE}` has {} more: commit it", counted(closure.files.len(), "file")));
    Ok(())
}

/// Has Maven resolve dependencies, and takes their files.
async fn ask_maven(services: &Services, declared: &[Dependency], lock: &DependencyLock) -> Result<Closure> {
    // What Flink has is not asked for, even where the author names it.
    let (named, asked): (Vec<_>, Vec<_>) =
        declared.iter().cloned().partition(|one| provided::reason(&one.coordinates).is_some());
    let mut left_out: Vec<LeftOut> =
        named.into_iter().map(|one| LeftOut { coordinates: one.coordinates, by: None }).collect();
    let mut found = Vec::new();
    if !asked.is_empty() {
        let mask = |text: &str| services.secrets.mask(text);
        let tell = |text: &str| services.clusters.progress(text);
        let maven = maven(services, &mask, &tell)?;
        services.clusters.progress(&format!("resolving {} with Maven", dependencies(asked.len())));
        found = maven.resolve(Ask::Closure(&asked, &[])).await?;
        dependency_notes::idle_exclusions(services, &maven, &asked).await;
        let brought = provided_in(&found);
        let names: Vec<&Coordinates> = brought.iter().map(|one| &one.coordinates).collect();
        let brings = |one: &Found| one.by.as_ref().is_some_and(|by| names.contains(&by));
        // What only Flink's own jars bring, Flink has as well; what others need, too, has to stay. Maven knows which is which.
        if found.iter().any(|one| provided::reason(&one.coordinates).is_none() && brings(one)) {
            let excluded: Vec<Exclusion> = names.iter().map(|one| excluded(one)).collect();
            found = maven.resolve(Ask::Closure(&asked, &excluded)).await?;
        }
        left_out.extend(brought);
    }
    found.retain(|one| provided::reason(&one.coordinates).is_none());
    let mut files = Vec::new();
    for one in found {
        let Taken { sha256, bytes } = artifacts::take(&services.store, &one.path, None)?;
        if let Some(expected) = lock.sha256(&one.coordinates).filter(|expected| *expected != sha256) {
            return Err(differs(&one, expected, &sha256));
        }
        files.push(ClosureFile { coordinates: one.coordinates, sha256, bytes, by: one.by });
    }
    files.sort_by(|one, other| one.coordinates.cmp(&other.coordinates));
    left_out.sort_by(|one, other| one.coordinates.cmp(&other.coordinates));
    dependency_notes::left_out(services, &left_out);
    dependency_notes::snapshots(services, &files);
    Ok(Closure { declared: declared.to_vec(), files, left_out })
}

/// The topmost files that Flink has, or that nobody needs.
fn provided_in(found: &[Found]) -> Vec<LeftOut> {
    let is_provided = |coordinates: &Coordinates| provided::reason(coordinates).is_some();
    let topmost = found.iter().filter(|one| is_provided(&one.coordinates) && !one.by.as_ref().is_some_and(is_provided));
    topmost.map(|one| LeftOut { coordinates: one.coordinates.clone(), by: one.by.clone() }).collect()
}

fn excluded(coordinates: &Coordinates) -> Exclusion {
    Exclusion { group: coordinates.group.clone(), artifact: coordinates.artifact.clone() }
}

/// Has every file of a closure in the store: what is missing is fetched again, and must be what the lock says.
async fn have_all(services: &Services, closure: &Closure) -> Result<()> {
    let lacks = |file: &&ClosureFile| !artifacts::holds(&services.store, &file.sha256, file.bytes);
    if closure.files.iter().any(|file| lacks(&file)) {
        let _turn = turn(services).await?;
        let missing: Vec<&ClosureFile> = closure.files.iter().filter(lacks).collect();
        fetch(services, &missing).await?;
    }
    closure.files.iter().for_each(|file| artifacts::used(&services.store, &file.sha256));
    Ok(())
}

async fn fetch(services: &Services, missing: &[&ClosureFile]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let mask = |text: &str| services.secrets.mask(text);
    let tell = |text: &str| services.clusters.progress(text);
    let maven = maven(services, &mask, &tell)?;
    services.clusters.progress(&format!("fetching {} of the dependencies with Maven", counted(missing.len(), "file")));
    let coordinates: Vec<Coordinates> = missing.iter().map(|file| file.coordinates.clone()).collect();
    let found = maven.resolve(Ask::Files(&coordinates)).await?;
    for file in missing {
        let one = found.iter().find(|one| one.coordinates.name() == file.coordinates.name()).ok_or_else(|| {
            Error::new(
                &code::DEPENDENCY_FAILED,
                format!("Maven was asked for `{}` and did not give it", file.coordinates),
            )
        })?;
        let taken = artifacts::take(&services.store, &one.path, Some(&file.sha256))?;
        if taken.sha256 != file.sha256 {
            return Err(differs(one, &file.sha256, &taken.sha256));
        }
    }
    Ok(())
}

fn maven<'a>(
    services: &Services,
    mask: &'a (dyn Fn(&str) -> String + Sync),
    tell: &'a (dyn Fn(&str) + Sync),
) -> Result<Maven<'a>> {
    let program = match maven::find(services.folder.root())? {
        maven::Program::Installed(program) => program,
        maven::Program::Wrapper(program) => {
            capability::wrapper(&services.projects)?;
            program
        }
    };
    // Maven works in a folder of its own, from where a relative path would lead elsewhere.
    let state = services.store.directory();
    let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    Ok(Maven { program, folder: state.join("maven"), mask, tell })
}

fn differs(one: &Found, expected: &str, sha256: &str) -> Error {
    let hint = match dependency_notes::is_snapshot(&one.coordinates) {
        true => format!(
            "a SNAPSHOT changes in its repository: to take the one of now, delete its sets, whole, from `{FILE}`"
        ),
        false => format!(
            "a released file never changes: delete that one, so that Maven fetches it anew; where it stays another, ask who keeps \
             the repository, and only then delete its sets from `{FILE}`"
        ),
    };
    Error::new(&code::DEPENDENCY_CHECKSUM, format!("`{}` is another file than `{FILE}` says", one.coordinates))
        .caused_by(format!("the lock has SHA-256 {expected}"))
        .caused_by(format!("Maven gave {sha256}: {}", one.path.display()))
        .hint(hint)
        .with("coordinates", one.coordinates.to_string())
        .with("expected", expected)
        .with("found", sha256)
}

fn locked(lock: &DependencyLock, declared: &[Dependency]) -> Error {
    let error = Error::new(&code::DEPENDENCY_LOCKED, format!("`{FILE}` would change, and it is locked"));
    let lines = match lock.nearest(declared) {
        Some(nearest) => nearest.declared_differences(declared),
        None => declared.iter().map(|one| format!("+ {}", one.shown())).collect(),
    };
    lines
        .into_iter()
        .fold(error, |error, line| error.caused_by(line))
        .hint(format!("run it without `--locked` and TIDEGATE_LOCKED where the change is meant, and commit `{FILE}`"))
}

fn dependencies(number: usize) -> String {
    if number == 1 { "1 dependency".to_owned() } else { format!("{number} dependencies") }
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
