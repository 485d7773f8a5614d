//! How a job stands on its cluster: looked at by the deploy that acts, and by the plan that only tells.

use std::time::Duration;

use super::cluster::Start;
use super::connection::Connection;
use super::effect::Acting;
use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::identity::Identity;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};
use crate::model::revision::{Revision, SecretMarks, changed_secrets};
use crate::store::{Decision, JobRow, Lock, is_own};

/// How often a lock is tried that another branch of the run holds.
const POLL: Duration = Duration::from_millis(20);

/// Takes the job's lock: two tidegates never work on one job at once. Branches of one run take turns: each call holds the lock of one
/// job alone, and gives it back at its end.
///
/// # Errors
/// `state.locked`, `state.*`.
pub(super) async fn lock(services: &Services, identity: &Identity) -> Result<Lock> {
    let name = format!("job-{}", identity.prefix());
    let mut told = false;
    loop {
        match services.store.try_lock(&name) {
            Err(error) if is_own(&error) => {
                if !std::mem::replace(&mut told, true) {
                    services.clusters.progress(&format!(
                        "{}: another branch of this run works on it; waiting for that",
                        identity.job
                    ));
                }
                tokio::time::sleep(POLL).await;
            }
            Err(error) if error.is(&code::STATE_LOCKED) => {
                let hint = error.hint_text().unwrap_or("wait until it has ended").to_owned();
                let message = format!("another tidegate works on the job `{}`", identity.job);
                return Err(Error::new(&code::STATE_LOCKED, message).caused_by(error).hint(hint));
            }
            result => return result,
        }
    }
}

/// The one live execution of the job in the cluster's list, if there is one.
///
/// # Errors
/// `job.exists_unmanaged` for one that our state does not know; `job.twin` for more than one.
pub(super) fn live<'a>(
    services: &Services,
    identity: &Identity,
    cluster: &str,
    listed: &'a [Listed],
) -> Result<Option<&'a Listed>> {
    let prefix = identity.prefix();
    let alive = |listing: &&Listed| !is_terminal(&listing.state);
    let known = services.store.known_flink_ids()?;
    // An adopted execution has an id that somebody else drew.
    let adopted = services.store.flink_ids_of(&identity.environment, &identity.job)?;
    let is_ours = |listing: &&Listed| listing.id.starts_with(&prefix) || adopted.contains(&listing.id);
    let ours: Vec<&Listed> = listed.iter().filter(alive).filter(is_ours).collect();
    if let Some(stranger) = ours.iter().find(|listing| !known.contains(&listing.id)) {
        return Err(unmanaged(
            identity,
            cluster,
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
                format!("{} executions of `{}` run on the cluster: {}", many.len(), identity.job, ids.join(", ")),
            )
            .hint("look at both, and cancel the one that should not be there with Flink's own tools"));
        }
    }
    // A job of the same name that no workspace of this state started is most likely the same job.
    let namesake =
        listed.iter().filter(alive).find(|listing| listing.name == identity.job && !known.contains(&listing.id));
    match namesake {
        Some(namesake) => {
            Err(unmanaged(identity, cluster, namesake, "it has the job's name, and was not deployed from here"))
        }
        None => Ok(None),
    }
}

/// Refuses a submission while anything of the job lives on the cluster: it would be its twin.
///
/// # Errors
/// As [`live`], and `job.twin` for an execution of ours.
pub(super) fn none_lives(services: &Services, identity: &Identity, cluster: &str, listed: &[Listed]) -> Result<()> {
    let Some(one) = live(services, identity, cluster, listed)? else { return Ok(()) };
    Err(Error::new(
        &code::JOB_TWIN,
        format!("`{}` lives on `{cluster}` as {} ({}), and was to be started there", identity.job, one.id, one.state),
    )
    .hint("nothing was started: run the script again, it looks at what is there then"))
}

fn unmanaged(identity: &Identity, cluster: &str, listing: &Listed, why: &str) -> Error {
    Error::new(
        &code::JOB_EXISTS_UNMANAGED,
        format!("`{}` already runs on `{}` as {} ({})", identity.job, cluster, listing.id, listing.state),
    )
    .caused_by(format!("{why}; this state has no record of it"))
    .with("flink_id", listing.id.clone())
    .hint(format!(
        "deploying would start a twin: `tidegate adopt {} --id {}` takes it over, or deploy from where it was deployed",
        identity.job, listing.id
    ))
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
    end == Some("FINISHED") && is_same_job(newest, spec)
}

/// The cluster that the newest attempt went to and has not ended on as far as we know, where that is another one than
/// the spec names: what lives there would get a twin. None for a local cluster that is down.
///
/// # Errors
/// `flink.unreachable`, `cluster.unknown`: while it cannot be asked, nothing is started elsewhere.
pub(super) async fn elsewhere(
    services: &Services,
    spec: &JobSpec,
    newest: Option<&Attempt>,
) -> Result<Option<Connection>> {
    let Some(newest) = newest else { return Ok(None) };
    // Of one that was given up nobody knows whether it ran.
    let may_live =
        matches!(newest.submission, Submission::Accepted | Submission::GivenUp) && newest.end_state.is_none();
    if !may_live || newest.cluster == spec.cluster {
        return Ok(None);
    }
    let why = || {
        format!(
            "attempt {} of `{}` was started on `{}`, and may run there still",
            newest.number, spec.identity.job, newest.cluster
        )
    };
    let connection = match services.clusters.connect(&newest.cluster, Start::No).await {
        Ok(connection) => connection,
        Err(error) if error.is(&code::CLUSTER_DOWN) => return Ok(None),
        Err(error) => return Err(error.caused_by(why())),
    };
    connection.incarnation().await.map_err(|error| error.caused_by(why()))?;
    Ok(Some(connection))
}

/// Whether the newest attempt may have been accepted by this cluster, has not ended as far as we know, and is not listed.
pub(super) fn is_missing(newest: &Attempt, cluster: &str, listed: &[Listed]) -> bool {
    // Of one that was given up, or was never answered, nobody knows whether it ran.
    newest.submission != Submission::Refused
        && newest.end_state.is_none()
        && newest.cluster == cluster
        && !listed.iter().any(|listing| listing.id == newest.flink_id)
}

/// Whether an attempt runs a spec, secrets included as far as they are known.
pub(super) fn runs(services: &Services, attempt: &Attempt, spec: &JobSpec, secrets: &SecretMarks) -> Result<bool> {
    Ok(is_same_job(attempt, spec) && rotated(services, attempt, secrets)?.is_empty())
}

/// Whether an attempt was started with a spec. A hash that an older tidegate wrote may be of another form of the same.
pub(super) fn is_same_job(attempt: &Attempt, spec: &JobSpec) -> bool {
    let hash = spec.running_hash();
    attempt.spec_hash == hash
        || submitted_spec(attempt, &spec.identity.job).is_ok_and(|submitted| submitted.running_hash() == hash)
}

/// The secrets whose values have changed since an attempt was started.
pub(super) fn rotated(services: &Services, attempt: &Attempt, secrets: &SecretMarks) -> Result<Vec<String>> {
    let Some(revision) = services.store.revision(attempt.job, attempt.revision)? else { return Ok(Vec::new()) };
    Ok(changed_secrets(&revision.secrets, secrets).into_iter().map(str::to_owned).collect())
}

/// Refuses to go on with a step that an earlier process began, or that has made an attempt, where another run has decided something
/// else of the job since: that stands. `wanted` is what the step would bring about.
///
/// # Errors
/// `job.superseded`.
pub(super) fn superseded(services: &Services, job: &JobRow, acting: &Acting, wanted: &str) -> Result<()> {
    let own = services.store.attempt_of_step(&acting.key)?;
    let why = |what: String| {
        Err(Error::new(&code::JOB_SUPERSEDED, what).hint(format!(
            "nothing was done: `tidegate history {}` shows what holds now; run the script again if this is still wanted",
            job.name
        )))
    };
    let newest = services.store.newest_attempt(job.id)?;
    if let (Some(own), Some(newest)) = (&own, &newest)
        && own.number < newest.number
        && newest.step.run != acting.key.run
    {
        return why(format!(
            "this run has started attempt {} of `{}`, and run r{} has started attempt {} since",
            own.number, job.name, newest.step.run, newest.number
        ));
    }
    let has_begun_step = acting.recovering || own.is_some();
    let run = services.store.run(acting.key.run)?;
    // A run that goes on after a death, or when somebody has approved, wants what was wanted when it began.
    if !has_begun_step && !run.was_resumed() {
        return Ok(());
    }
    let (since, began) = match has_begun_step {
        true => (acting.begun_at, format!("this run began with `{}` before", job.name)),
        false => (run.started_at, "this run began before".to_owned()),
    };
    let decided = services.store.decided_since(job.id, since, acting.key.run)?;
    let is_same = |decision: &Decision| wanted != "running" && decision.desired.as_deref() == Some(wanted);
    if let Some(decision) = decided.filter(|decision| !is_same(decision)) {
        let did = match (decision.kind.as_str(), decision.attempt, decision.desired) {
            ("submitting", Some(attempt), _) => format!("started attempt {attempt}"),
            ("adopted", Some(attempt), _) => format!("adopted attempt {attempt}"),
            ("stopping", ..) => "begun to stop it".to_owned(),
            (.., Some(desired)) => format!("decided that it should be {desired}"),
            _ => "decided something else".to_owned(),
        };
        return why(format!("{began}, and run r{} has {did} since", decision.run));
    }
    let has_begun =
        own.is_some() || services.store.snapshots(job.id)?.iter().any(|one| one.run == Some(acting.key.run));
    let newest = services.store.newest_revision(job.id)?;
    let newer = services.store.revision(job.id, newest)?.filter(|newer| newer.step.run > acting.key.run);
    match newer {
        Some(newer) if !has_begun => why(format!(
            "this run has done nothing with `{}` yet, and run r{}, which is newer, has deployed revision {}",
            job.name, newer.step.run, newer.number
        )),
        _ => Ok(()),
    }
}

/// The refusal to start a job where it lives on two clusters.
pub(super) fn twin_elsewhere(spec: &JobSpec, listing: &Listed, home: &Connection) -> Error {
    let name = &spec.identity.job;
    Error::new(
        &code::JOB_TWIN,
        format!("`{name}` may live on two clusters: as {} ({}), and on `{}`", listing.id, listing.state, home.name),
    )
    .hint("look at both, and cancel the one that should not be there with Flink's own tools")
}

/// In what a spec differs from the one that runs; nothing where it is the same job, as in a restart.
pub(super) fn changed(spec: &JobSpec, attempt: &Attempt) -> Option<Error> {
    let old = serde_json::from_str::<JobSpec>(&attempt.spec).ok()?;
    let differences = spec.differences(&old);
    (!differences.is_empty()).then(|| {
        Error::new(
            &code::JOB_CHANGED,
            format!(
                "`{}` runs as attempt {} with another spec: {} changed",
                spec.identity.job,
                attempt.number,
                differences.join(", ")
            ),
        )
    })
}

/// The spec that an attempt of a job was submitted with.
pub(super) fn submitted_spec(attempt: &Attempt, job: &str) -> Result<JobSpec> {
    serde_json::from_str(&attempt.spec).map_err(|error| {
        Error::new(&code::STATE_CORRUPT, format!("the spec of attempt {} of `{job}` cannot be read", attempt.number))
            .caused_by(error)
    })
}

/// The spec of a revision of a job.
pub(super) fn revision_spec(revision: &Revision, job: &str) -> Result<JobSpec> {
    serde_json::from_str(&revision.spec).map_err(|error| {
        Error::new(&code::STATE_CORRUPT, format!("revision {} of `{job}` cannot be read", revision.number))
            .caused_by(error)
    })
}
