//! What is recorded of the dependencies of jobs, beside `tidegate.lock`.

use super::dependencies::{change_lock, read_lock};
use super::services::Services;
use super::standing::revision_spec;
use super::wait::job_not_found;
use crate::base::{Error, Result, code};
use crate::model::dependency::{Closure, Dependency};
use crate::model::dependency_lock::FILE;
use crate::model::job_spec::JobSpec;

/// The newest revision of a job, and what its dependencies come to.
///
/// # Errors
/// `job.not_found`, `job.no_revision`, `state.*`.
pub fn of_job(services: &Services, environment: &str, name: &str) -> Result<(u32, Closure)> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let revisions = services.store.revisions(job.id)?;
    let newest = revisions.last().ok_or_else(|| {
        Error::new(&code::JOB_NO_REVISION, format!("`{name}` was never deployed")).hint("deploy it with a script")
    })?;
    Ok((newest.number, revision_spec(newest, name)?.dependencies))
}

/// A set of dependencies that is locked, and the recorded jobs that have it.
#[derive(Debug)]
pub struct LockedSet {
    /// What it comes to.
    pub closure: Closure,
    /// The jobs: `orders (local)`.
    pub jobs: Vec<String>,
}

/// The sets of `tidegate.lock`.
///
/// # Errors
/// `dependency.lock_invalid`, `state.*`.
pub fn locked_sets(services: &Services) -> Result<Vec<LockedSet>> {
    let jobs = recorded(services)?;
    let sets = read_lock(services)?;
    Ok(sets
        .sets()
        .iter()
        .map(|set| LockedSet {
            closure: set.clone(),
            jobs: jobs.iter().filter(|job| job.1.declared == set.declared).map(|job| job.0.clone()).collect(),
        })
        .collect())
}

/// Drops the sets of `tidegate.lock` that no recorded job has, and gives them.
///
/// # Errors
/// `dependency.lock_invalid`, `dependency.locked`, `state.*`.
pub async fn prune_lock(services: &Services) -> Result<Vec<Vec<Dependency>>> {
    let wanted: Vec<Vec<Dependency>> = recorded(services)?.into_iter().map(|(_, closure)| closure.declared).collect();
    let is_wanted = |set: &Closure| wanted.contains(&set.declared);
    let old = change_lock(services, |old| old.only(is_wanted)).await?;
    Ok(old.sets().iter().filter(|set| !is_wanted(set)).map(|set| set.declared.clone()).collect())
}

/// Claims that `tidegate.lock` has what a job was deployed with.
///
/// # Errors
/// `dependency.locked` with what differs.
pub fn check_locked(services: &Services, job: &str, closure: &Closure) -> Result<()> {
    if closure.is_empty() {
        return Ok(());
    }
    let lock = read_lock(services)?;
    let lines = match lock.find(&closure.declared) {
        Some(set) => set.differences(closure),
        None => match lock.nearest(&closure.declared) {
            Some(nearest) => nearest.declared_differences(&closure.declared),
            None => closure.declared.iter().map(|one| format!("+ {}", one.shown())).collect(),
        },
    };
    if lines.is_empty() {
        return Ok(());
    }
    let error =
        Error::new(&code::DEPENDENCY_LOCKED, format!("`{job}` was deployed with other dependencies than `{FILE}` has"));
    Err(lines
        .into_iter()
        .fold(error, |error, line| error.caused_by(line))
        .hint("deploy it with the lock as it is, or take the lock of the commit that it was deployed from"))
}

/// Every recorded job that was not removed, and what its dependencies come to.
fn recorded(services: &Services) -> Result<Vec<(String, Closure)>> {
    let jobs = services.store.jobs(None)?.into_iter().filter(|job| job.desired != "absent");
    jobs.map(|job| {
        let spec: JobSpec = serde_json::from_str(&job.spec).map_err(|error| {
            Error::new(&code::STATE_CORRUPT, format!("the spec of `{}` cannot be read", job.name)).caused_by(error)
        })?;
        Ok((format!("{} ({})", job.name, job.environment), spec.dependencies))
    })
    .collect()
}
