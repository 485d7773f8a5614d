//! Takes over a job that somebody else started, without touching it.

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::deploy::{self, Intent};
use super::effect::Acting;
use super::facts;
use super::ledger;
use super::services::Services;
use super::standing::lock;
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::job_status::{Listed, is_terminal};
use crate::model::revision::RevisionKind;
use crate::model::run::{Run, number};
use crate::model::running_configuration;

/// Records that the execution `id` on a cluster is the job of this name, also where an earlier one went down with its
/// JobManager. From then on it is looked at, stopped, and upgraded
/// like one that was deployed from here. Idempotent.
///
/// # Errors
/// `flink.job_not_found` where it does not run there; `job.twin` where the job lives already; `flink.*`.
pub async fn adopt(
    services: &Services,
    run: &Run,
    acting: &Acting,
    (environment, name): (&str, &str),
    cluster: &str,
    id: &str,
) -> Result<Value> {
    let identity = services.identity(environment, name);
    let _lock = lock(services, &identity).await?;
    let connection = services.clusters.connect(cluster, Start::No).await?;
    let mut listed = connection.jobs().await?;
    let is_namesake = running(&connection, &listed, id)?.name == name;
    let job = services.store.job(environment, name)?;
    let newest = deploy::newest(services, job.as_ref())?;
    if let Some(job) = job.as_ref().filter(|_| newest.as_ref().is_some_and(|own| own.flink_id == id)) {
        let listing = running(&connection, &listed, id)?;
        // Whatever was known of its submission: it runs.
        let own = &deploy::recognised(services, job, listing)?;
        let spec = super::standing::submitted_spec(own, name)?;
        return Ok(facts::of(&connection, &spec, own, Some(listing), "adopted"));
    }
    if services.store.known_flink_ids()?.contains(id) {
        return Err(Error::new(
            &code::JOB_TWIN,
            format!("{id} is recorded as an execution of another job, or an older one"),
        )
        .hint("`tidegate ps` lists what is recorded"));
    }
    if let Some(newest) = newest.as_ref().filter(|newest| newest.end_state.is_none())
        && newest.submission != Submission::Refused
    {
        if may_live(services, (name, id, is_namesake), cluster, newest).await? {
            return Err(twin(name, newest).hint(format!("`tidegate cancel {name}` ends it; then adopt the other one")));
        }
        // The tasks of the one before were waited for: much can have happened meanwhile.
        listed = connection.jobs().await?;
    }
    let listing = running(&connection, &listed, id)?;
    let spec = seen(&connection, identity, listing).await?;
    let intent = Intent { kind: RevisionKind::Adopt, ..Intent::DEPLOY };
    let revision = deploy::revision(services, acting, &spec, &intent)?;
    let seen_before = newest.as_ref().map_or(0, |attempt| attempt.number);
    let incarnation = connection.incarnation().await?;
    let attempt = Attempt {
        // It runs: it was accepted from the start.
        submission: Submission::Accepted,
        ..Attempt::new(&revision, seen_before + 1, id.to_owned(), cluster.to_owned(), incarnation)
    };
    let attempt = services.store.begin_attempt(run, &spec.identity, attempt, &revision, seen_before)?;
    services.store.observe(attempt.job, attempt.number, &listing.state, listing.tasks_running, listing.tasks_total)?;
    Ok(facts::of(&connection, &spec, &attempt, Some(listing), "adopted"))
}

fn twin(name: &str, newest: &Attempt) -> Error {
    let message =
        format!("attempt {} of `{name}` may live on `{}`: two executions of one job", newest.number, newest.cluster);
    Error::new(&code::JOB_TWIN, message)
}

/// Whether the newest attempt, of which no end is recorded, may still write. One that its JobManager does not list has
/// ended, or went down with the JobManager before: then its tasks are waited for. One that was never answered is given up
/// where the JobManager that it was sent to is gone: nothing can come of it any more.
///
/// # Errors
/// `job.twin` where it was never answered, and may still be.
async fn may_live(
    services: &Services,
    (name, id, is_namesake): (&str, &str, bool),
    cluster: &str,
    newest: &Attempt,
) -> Result<bool> {
    let home = match services.clusters.connect(&newest.cluster, Start::No).await {
        Ok(home) => home,
        // A local cluster that is down runs nothing.
        Err(error) if error.is(&code::CLUSTER_DOWN) && newest.cluster != cluster => return Ok(false),
        Err(error) => return Err(error),
    };
    let listed = deploy::look(services, &home, Some(newest), None).await?;
    let found = listed.iter().find(|listing| listing.id == newest.flink_id);
    if found.is_some() && newest.submission != Submission::Accepted {
        services.store.recognise_attempt(newest)?;
    }
    match found {
        Some(listing) if is_terminal(&listing.state) => {
            ledger::end(services, &home, newest, listing).await?;
            Ok(false)
        }
        Some(_) => Ok(true),
        None if newest.submission != Submission::Open => Ok(false),
        None if home.incarnation().await? == newest.incarnation => {
            Err(unanswered(services, (name, id, is_namesake), newest)?)
        }
        None => {
            services.store.settle_attempt(newest, Submission::GivenUp, None)?;
            Ok(false)
        }
    }
}

/// The refusal to adopt where a submission of ours was sent and never answered: it can arrive later, too.
fn unanswered(services: &Services, (name, id, is_namesake): (&str, &str, bool), newest: &Attempt) -> Result<Error> {
    let run = newest.step.run;
    let error = twin(name, newest).caused_by(format!(
        "it was sent by run r{run} at {}, and never answered: its job may start yet",
        clock::short(newest.created_at)
    ));
    Ok(error.with("flink_id", newest.flink_id.clone()).hint(if !services.store.run(run)?.status.is_open() {
        format!("`tidegate cancel {name}` ends what came of it, or says how to give it up; then adopt the other one")
    } else if is_namesake {
        let step = number(&newest.step.path, newest.step.sequence);
        format!(
            "where {} is not on the cluster and nothing can start it any more, `tidegate resume r{run} --step {step}=retry` \
             gives it up, and starts nothing beside {id}; then adopt again",
            newest.flink_id
        )
    } else {
        // What is not known to be the job would not keep the run from starting another attempt.
        format!("`tidegate resume r{run}` settles it, and `tidegate cancel {name}` ends what came of it; then adopt the other one")
    }))
}

fn running<'a>(connection: &Connection, listed: &'a [Listed], id: &str) -> Result<&'a Listed> {
    let found = listed.iter().find(|listing| listing.id == id);
    match found {
        Some(listing) if !is_terminal(&listing.state) => Ok(listing),
        other => {
            let how = other.map_or_else(|| "is not there".to_owned(), |listing| format!("is {}", listing.state));
            let alive = listed.iter().filter(|listing| !is_terminal(&listing.state));
            let alive: Vec<String> = alive.map(|one| format!("{} ({})", one.id, one.name)).collect();
            let error =
                Error::new(&code::FLINK_JOB_NOT_FOUND, format!("no job {id} runs on `{}`: it {how}", connection.name));
            Err(match alive.is_empty() {
                true => error.hint("no job runs there"),
                false => error.hint(format!("these run there: {}", alive.join(", "))),
            })
        }
    }
}

/// What can be told of a job that somebody else started: whether it takes checkpoints, and with which interval.
async fn seen(
    connection: &Connection,
    identity: crate::model::identity::Identity,
    listing: &Listed,
) -> Result<JobSpec> {
    let mut configuration = std::collections::BTreeMap::new();
    let runs = connection.checkpoint_configuration(&listing.id).await?;
    if let Some(interval) = runs.as_ref().and_then(running_configuration::interval) {
        let interval = format!("{} ms", interval.as_millis());
        configuration.insert("execution.checkpointing.interval".to_owned(), interval);
    }
    Ok(JobSpec {
        identity,
        cluster: connection.name.clone(),
        program: Program::Adopted { name: listing.name.clone(), id: listing.id.clone() },
        parallelism: None,
        configuration,
        jars: Vec::new(),
        dependencies: crate::model::dependency::Closure::default(),
        tags: Vec::new(),
        owner: None,
    })
}
