//! Starts one execution of a bounded job.

use super::class_path;
use super::cluster::Start;
use super::dependencies;
use super::deploy::{self, Begin, Intent};
use super::effect::Acting;
use super::services::Services;
use super::standing::{self, live, lock};
use super::submit::{self, Sent};
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::run::Run;

/// Starts one new execution of a bounded job, or goes on with the one that this step, or a run that died, has begun.
///
/// # Errors
/// `job.twin` where the job lives already, and those of [`deploy::bring`].
pub async fn start(services: &Services, run: &Run, acting: &Acting, spec: &JobSpec) -> Result<Attempt> {
    let _lock = lock(services, &spec.identity).await?;
    let connection = services.clusters.connect(&spec.cluster, Start::IfDown).await?;
    deploy::settle(services, &connection, spec).await?;
    if let Some(own) = services.store.attempt_of_step(&acting.key)?
        && own.submission == Submission::Accepted
    {
        return Ok(own);
    }
    let job = services.store.job(&spec.identity.environment, &spec.identity.job)?;
    let newest = deploy::newest(services, job.as_ref())?;
    if let Some(other) = standing::elsewhere(services, spec, newest.as_ref()).await? {
        let listed = other.jobs().await?;
        if let Some(listing) = live(services, &spec.identity, &other.name, &listed)? {
            return Err(standing::twin_elsewhere(spec, listing, &connection));
        }
    }
    let listed = deploy::look(services, &connection, newest.as_ref(), None).await?;
    if let (Some(listing), Some(job)) = (live(services, &spec.identity, &connection.name, &listed)?, &job) {
        let attempt = deploy::recognised(services, job, listing)?;
        let owner_died = attempt.step.run != run.id && !services.store.is_locked(&format!("run-{}", attempt.step.run));
        if owner_died && standing::is_same_job(&attempt, spec) {
            // Running a script again instead of resuming it: the execution that the dead run began is the one.
            return Ok(attempt);
        }
        return Err(Error::new(
            &code::JOB_TWIN,
            format!("`{}` already runs as attempt {} (run r{})", spec.identity.job, attempt.number, attempt.step.run),
        )
        .hint(format!("wait for it, or `tidegate cancel {}`", spec.identity.job)));
    }
    class_path::ensure(services, spec, &connection).await?;
    dependencies::lock_in(services, &spec.dependencies).await?;
    let revision = deploy::revision(services, acting, spec, &Intent::DEPLOY)?;
    let newest = newest.as_ref();
    let begin = Begin { run, spec, connection: &connection, revision: &revision, newest, is_watched: false };
    let (attempt, jar) = begin.attempt(services, None, false, None).await?;
    submit::drive(services, &connection, &attempt, spec, Sent::Never { jar }).await?;
    Ok(attempt)
}
