//! How a job stands on its cluster: looked at by the deploy that acts, and by the plan that only tells.

use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::identity::Identity;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};
use crate::store::{JobRow, Lock};

/// Takes the job's lock: two tidegates never work on one job at once.
pub(super) fn lock(services: &Services, identity: &Identity) -> Result<Lock> {
    services.store.try_lock(&format!("job-{}", identity.prefix())).map_err(|error| {
        let hint = error.hint_text().unwrap_or("wait until it has ended").to_owned();
        Error::new(&code::STATE_LOCKED, format!("another tidegate works on the job `{}`", identity.job))
            .caused_by(error)
            .hint(hint)
    })
}

/// The one live execution of the job in the cluster's list, if there is one.
///
/// # Errors
/// `job.exists_unmanaged` for one that our state does not know; `job.twin` for more than one.
pub(super) fn live<'a>(services: &Services, spec: &JobSpec, listed: &'a [Listed]) -> Result<Option<&'a Listed>> {
    let prefix = spec.identity.prefix();
    let alive = |listing: &&Listed| !is_terminal(&listing.state);
    let ours: Vec<&Listed> = listed.iter().filter(alive).filter(|listing| listing.id.starts_with(&prefix)).collect();
    let known = services.store.known_flink_ids()?;
    if let Some(stranger) = ours.iter().find(|listing| !known.contains(&listing.id)) {
        return Err(unmanaged(
            spec,
            stranger,
            "it was deployed under this workspace's name, by another clone or before `.tidegate` was lost",
        ));
    }
    match ours.as_slice() {
        [] => {}
        [one] => return Ok(Some(one)),
        many => {
            let ids: Vec<&str> = many.iter().map(|listing| listing.id.as_str()).collect();
            return Err(Error::new(
                &code::JOB_TWIN,
                format!("{} executions of `{}` run on the cluster: {}", many.len(), spec.identity.job, ids.join(", ")),
            )
            .hint("look at both, and cancel the one that should not be there with Flink's own tools"));
        }
    }
    // A job of the same name that no workspace of this state started is most likely the same job.
    let namesake =
        listed.iter().filter(alive).find(|listing| listing.name == spec.identity.job && !known.contains(&listing.id));
    match namesake {
        Some(namesake) => Err(unmanaged(spec, namesake, "it has the job's name, and was not deployed from here")),
        None => Ok(None),
    }
}

fn unmanaged(spec: &JobSpec, listing: &Listed, why: &str) -> Error {
    Error::new(
        &code::JOB_EXISTS_UNMANAGED,
        format!("`{}` already runs on `{}` as {} ({})", spec.identity.job, spec.cluster, listing.id, listing.state),
    )
    .caused_by(format!("{why}; this state has no record of it"))
    .with("flink_id", listing.id.clone())
    .hint("deploying would start a twin: deploy from where it was deployed, or cancel it on the cluster first")
}

/// The record of an execution that the cluster lists.
pub(super) fn recorded(services: &Services, job: &JobRow, listing: &Listed) -> Result<Attempt> {
    let attempts = services.store.attempts(job.id)?;
    attempts.into_iter().find(|attempt| attempt.flink_id == listing.id).ok_or_else(|| {
        Error::new(
            &code::INTERNAL,
            format!("the execution {} of `{}` is recorded for another job", listing.id, job.name),
        )
    })
}

/// Whether the job's newest attempt was a bounded job with this spec that has done its work.
pub(super) fn is_finished(newest: &Attempt, listing: Option<&Listed>, spec: &JobSpec) -> bool {
    let end = listing.map(|listing| listing.state.as_str()).or(newest.end_state.as_deref());
    end == Some("FINISHED") && newest.spec_hash == spec.running_hash()
}

/// Whether the newest attempt was accepted by this cluster, has not ended as far as we know, and is not listed any more.
pub(super) fn is_missing(newest: &Attempt, cluster: &str, listed: &[Listed]) -> bool {
    newest.submission == Submission::Accepted
        && newest.end_state.is_none()
        && newest.cluster == cluster
        && !listed.iter().any(|listing| listing.id == newest.flink_id)
}

/// The refusal to deploy another spec over a running job.
pub(super) fn changed(spec: &JobSpec, attempt: &Attempt) -> Error {
    let differences =
        serde_json::from_str::<JobSpec>(&attempt.spec).map(|old| spec.differences(&old)).unwrap_or_default();
    Error::new(
        &code::JOB_CHANGED,
        format!(
            "`{}` runs as attempt {} with another spec: {} changed",
            spec.identity.job,
            attempt.number,
            differences.join(", ")
        ),
    )
}

/// The spec that an attempt of a job was submitted with.
pub(super) fn submitted_spec(attempt: &Attempt, job: &str) -> Result<JobSpec> {
    serde_json::from_str(&attempt.spec).map_err(|error| {
        Error::new(&code::STATE_CORRUPT, format!("the spec of attempt {} of `{job}` cannot be read", attempt.number))
            .caused_by(error)
    })
}
