//! Builds a project: in a clean folder at a commit, once for the same commit, command and toolchain.

mod collect;
mod prepare;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::blocking::blocking;
use super::inputs::artifact_path;
use super::projects;
use super::services::Services;
use crate::base::hash::sha256;
use crate::base::wording::without_colors;
use crate::base::{Error, Result, boundary, clock, code, counted, duration};
use crate::drivers::build::{self, Failure, Launch, LogEnd};
use crate::drivers::git;
use crate::model::attempt::StepKey;
use crate::model::build::{Build, BuildStatus, Built};
use crate::model::build_log::telling;
use crate::model::run::Run;
use crate::store::Store;

pub use crate::drivers::build::Follow;
pub use prepare::{Prepared, Wanted, prepare};

/// What of a log is looked through for the reason of a failure, in bytes.
const LOOKED_THROUGH: usize = 4 << 20;

/// The build of this very kind that is there already, with all of its artifacts.
///
/// # Errors
/// `state.*`.
pub fn cached(services: &Services, prepared: &Prepared) -> Result<Option<Build>> {
    let found = services.store.builds_of_key(&prepared.key)?;
    Ok(found.into_iter().find(|build| has_artifacts(services, build)))
}

/// The newest build of this very kind, where it has failed.
///
/// # Errors
/// `state.*`.
pub fn failed_before(services: &Services, prepared: &Prepared) -> Result<Option<Build>> {
    let builds = services.store.builds(Some(prepared.project.shown()), usize::MAX)?;
    let newest = builds.into_iter().find(|build| build.cache_key == prepared.key);
    Ok(newest.filter(|build| build.status == BuildStatus::Failed))
}

/// Builds, or gives what was built before; the second value says which. A build that an earlier tidegate left running is ended
/// first.
///
/// # Errors
/// `build.*`, `git.*`, `secret.missing`, `state.*`.
pub async fn build(
    services: &Services,
    run: &Run,
    step: &StepKey,
    prepared: &Prepared,
    follow: Arc<dyn Follow>,
) -> Result<(Build, bool)> {
    // Whoever wants the same waits here, and finds it built.
    let name = lock_name(&prepared.key);
    let what = format!("builds `{}`", prepared.project.shown());
    let _lock = projects::wait_for_lock(services, &name, &what).await?;
    settle(services, &prepared.key)?;
    if let Some(build) = cached(services, prepared)? {
        return Ok((build, true));
    }
    let mut build = Build {
        id: 0,
        project: prepared.project.shown().to_owned(),
        url: prepared.project.url.clone(),
        wanted: prepared.project.wanted.text(),
        commit: prepared.commit.clone(),
        command: prepared.command.clone(),
        cache_key: prepared.key.clone(),
        status: BuildStatus::Open,
        artifacts: Vec::new(),
        error: None,
        step: step.clone(),
        started_at: clock::now(),
        ended_at: None,
    };
    build.id = services.store.begin_build(run, &build)?;
    // From here on every end is recorded: where the run is cancelled, when this is dropped.
    let mut open = Open { store: services.store.clone(), id: build.id, is_open: true, remove: true };
    let ended = perform(services, prepared, &build, follow).await;
    let ended = ended.map_err(|error| error.map_texts(&|text| services.secrets.mask(text)));
    open.remove = prepared.wanted.clean;
    match ended {
        Ok(artifacts) => {
            open.end(BuildStatus::Done, &artifacts, None)?;
            drop(open);
            Ok((recorded(services, build.id)?, false))
        }
        Err(error) if super::effect::leaves_open(&error) => Err(error),
        Err(error) => {
            open.end(BuildStatus::Failed, &[], Some(&error.to_json().to_string()))?;
            Err(error)
        }
    }
}

/// A recorded build.
///
/// # Errors
/// `build.not_found`, `state.*`.
pub fn recorded(services: &Services, id: i64) -> Result<Build> {
    services.store.build(id)?.ok_or_else(|| {
        Error::new(&code::BUILD_NOT_FOUND, format!("there is no build {id}")).hint("`tidegate builds` lists them")
    })
}

/// A recorded build that ended well and can be deployed.
///
/// # Errors
/// `build.not_found`, `build.failed`, `build.artifacts_gone`, `state.*`.
pub fn deployable(services: &Services, id: i64) -> Result<Build> {
    let build = recorded(services, id)?;
    if build.status != BuildStatus::Done {
        let status = status(services, &build);
        return Err(Error::new(&code::BUILD_FAILED, format!("build {id} left nothing to deploy: it is {status}"))
            .hint(format!("`tidegate builds log {id}` shows its log")));
    }
    if !has_artifacts(services, &build) {
        return Err(Error::new(&code::BUILD_ARTIFACTS_GONE, format!("the artifacts of build {id} were pruned"))
            .hint(format!("build {} again: `commit: \"{}\"`", build.project, build.commit)));
    }
    Ok(build)
}

/// The newest builds, newest first: of all projects, or of one.
///
/// # Errors
/// `state.*`.
pub fn list(services: &Services, project: Option<&str>, limit: usize) -> Result<Vec<Build>> {
    services.store.builds(project, limit)
}

/// The word for how a build stands: one that no process works on any more does not run.
pub fn status(services: &Services, build: &Build) -> &'static str {
    match build.status {
        BuildStatus::Open if !services.store.is_locked(&lock_name(&build.cache_key)) => BuildStatus::Interrupted.name(),
        status => status.name(),
    }
}

/// The file of a build's log, where it is kept, and how it is shown.
pub fn log_path(services: &Services, id: i64) -> (PathBuf, String) {
    let path = folder(&services.store, id).join("log");
    let shown = path.strip_prefix(services.folder.root()).unwrap_or(&path).display().to_string();
    (path, shown)
}

/// The text of a build's log.
///
/// # Errors
/// `build.not_found`, `logs.not_found`, `state.*`.
pub fn log(services: &Services, id: i64) -> Result<String> {
    recorded(services, id)?;
    let (path, shown) = log_path(services, id);
    let bytes = std::fs::read(path).map_err(|error| {
        Error::new(&code::LOG_NOT_FOUND, format!("build {id} has no log at {shown}")).caused_by(error)
    })?;
    Ok(services.secrets.mask(&without_colors(&String::from_utf8_lossy(&bytes))))
}

/// Whether everything that a build left is still kept.
pub fn has_artifacts(services: &Services, build: &Build) -> bool {
    build.artifacts.iter().all(|built| artifact_path(&services.store, &built.sha256).is_file())
}

fn lock_name(key: &str) -> String {
    format!("build-{}", &key[..key.len().min(24)])
}

fn folder(store: &Store, id: i64) -> PathBuf {
    store.directory().join("builds").join(id.to_string())
}

/// What tells the processes of a build from all others: those of another workspace have another one.
fn mark(store: &Store, id: i64) -> String {
    use std::os::unix::ffi::OsStrExt;
    let directory = store.directory().canonicalize().unwrap_or_else(|_| store.directory().to_owned());
    format!("{}-{id}", &sha256(directory.as_os_str().as_bytes())[..16])
}

/// Ends what builds of dead tidegates left: their processes, their folders, and their open rows. A build whose lock is held
/// runs, unless it is ours (`key`).
fn settle(services: &Services, key: &str) -> Result<()> {
    remove_leftovers(services);
    for build in services.store.open_builds()? {
        let lock =
            if build.cache_key == key { None } else { services.store.try_lock(&lock_name(&build.cache_key)).ok() };
        if build.cache_key != key && lock.is_none() {
            continue;
        }
        let killed = build::kill_marked(&mark(&services.store, build.id));
        if killed > 0 {
            let ended = counted(killed, "process");
            let text = format!("build {} was left running by a tidegate that died: {ended} ended", build.id);
            services.clusters.progress(&text);
        }
        Open { store: services.store.clone(), id: build.id, is_open: true, remove: true }.end(
            BuildStatus::Interrupted,
            &[],
            None,
        )?;
    }
    Ok(())
}

/// A checkout that was under way when its run was cancelled may have gone on for a moment.
fn remove_leftovers(services: &Services) {
    let builds = services.store.directory().join("builds");
    for entry in std::fs::read_dir(builds).into_iter().flatten().flatten() {
        let work = entry.path().join("work");
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let is_interrupted = || {
            services.store.build(id).is_ok_and(|build| build.is_some_and(|one| one.status == BuildStatus::Interrupted))
        };
        if work.exists() && is_interrupted() {
            // What cannot be removed takes room and does no harm.
            let _ = std::fs::remove_dir_all(work);
        }
    }
}

/// A build that is begun. Dropped before its end was told, it is interrupted; its folder goes with it.
struct Open {
    store: Store,
    id: i64,
    is_open: bool,
    remove: bool,
}

impl Open {
    fn end(&mut self, status: BuildStatus, artifacts: &[Built], error: Option<&str>) -> Result<()> {
        self.store.end_build(self.id, status, artifacts, error)?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_open {
            // Where it cannot be recorded now, the next build finds the row open and its lock free.
            let _ = self.store.end_build(self.id, BuildStatus::Interrupted, &[], None);
        }
        if self.remove {
            // What cannot be removed takes room and does no harm.
            let _ = std::fs::remove_dir_all(folder(&self.store, self.id).join("work"));
        }
    }
}

async fn perform(
    services: &Services,
    prepared: &Prepared,
    build: &Build,
    follow: Arc<dyn Follow>,
) -> Result<Vec<Built>> {
    let parts = projects::parts(services, &prepared.project, &prepared.commit).await?;
    let folder = folder(&services.store, build.id);
    let work = folder.join("work");
    let unwritten = |error: std::io::Error| {
        Error::new(&code::STATE_IO, format!("{} cannot be written", folder.display())).caused_by(error)
    };
    if work.exists() {
        std::fs::remove_dir_all(&work).map_err(unwritten)?;
    }
    std::fs::create_dir_all(&work).map_err(unwritten)?;
    projects::check_out(parts, work.clone()).await?;
    let looked_at = work.clone();
    let pointers = blocking(move |_| Ok(git::pointers(&looked_at))).await?;
    let note = (!pointers.is_empty()).then(|| of_lfs(&pointers));
    let (log, shown) = log_path(services, build.id);
    let launch = Launch {
        program: build::find_program(&prepared.words[0], &work)?,
        arguments: prepared.words[1..].to_vec(),
        folder: work.clone(),
        environment: prepared
            .wanted
            .environment
            .iter()
            .map(|(name, value)| Ok((name.clone(), services.secrets.reveal(value)?)))
            .collect::<Result<_>>()?,
        mark: mark(&services.store, build.id),
        timeout: prepared.wanted.timeout,
        log: log.clone(),
        note: note.clone(),
    };
    let what = format!(
        "build {} of `{}` at {}: `{}`",
        build.id,
        build.project,
        build.commit.get(..10).unwrap_or(&build.commit),
        build.command
    );
    boundary::reach("build.before");
    let ended = build::run(launch, services.secrets.clone(), follow).await;
    boundary::reach("build.after");
    let why = |error: Error, end: &LogEnd| {
        let text = last_of(&log);
        let lines = telling(&text, &work.to_string_lossy());
        let error = lines.iter().chain(&note).chain(&end.survives).fold(error, Error::caused_by);
        error.with("build", build.id).with("log", shown.clone()).with("end", lines)
    };
    match ended {
        Ok((0, end)) => {
            for line in &end.survives {
                services.clusters.progress(&services.secrets.mask(&format!("build {}: {line}", build.id)));
            }
            collect::artifacts(services, prepared, &work)
                .map_err(|error| error.with("build", build.id).with("log", shown.clone()))
        }
        Ok((exit, end)) => Err(why(Error::new(&code::BUILD_FAILED, format!("{what} ended with code {exit}")), &end)
            .hint(format!("`tidegate builds log {}` shows all of {shown}", build.id))
            .with("code", exit)),
        Err(Failure::TimedOut(end)) => {
            let patience = duration::show(prepared.wanted.timeout);
            let message = format!("{what} did not end within {patience} and was killed");
            Err(why(Error::new(&code::BUILD_TIMEOUT, message), &end).hint("give it longer: #{ timeout: \"1h\" }"))
        }
        Err(Failure::NotStarted(error)) => {
            Err(Error::new(&code::BUILD_NOT_STARTED, format!("{what} cannot be started")).caused_by(error))
        }
        Err(Failure::Lost(error)) => {
            Err(Error::new(&code::BUILD_FAILED, format!("{what} ended in a way that the system does not tell"))
                .caused_by(error))
        }
    }
}

/// What is said of files that stand for others.
fn of_lfs(pointers: &[String]) -> String {
    let some: Vec<String> = pointers.iter().take(3).map(|path| format!("`{path}`")).collect();
    let more = if pointers.len() > some.len() { ", ..." } else { "" };
    format!(
        "{} not fetched from Git LFS, only pointers are there: {}{more}",
        counted(pointers.len(), "file"),
        some.join(", ")
    )
}

/// The end of a log, as text.
fn last_of(log: &std::path::Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOOKED_THROUGH)..]).into_owned()
}

/// How long a build may take where nothing is said of it.
pub const TIMEOUT: Duration = Duration::from_secs(30 * 60);
