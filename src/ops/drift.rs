//! Where clusters differ from what is recorded and desired. Looks, and changes nothing.

mod looks;
mod strays;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::looks::{Look, Looks};
use self::strays::Known;
use super::commands;
use super::ledger;
use super::services::Services;
use super::standing::submitted_spec;
use super::unsettled;
use crate::base::{Error, Result, clock, code, counted, duration};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::is_terminal;
use crate::model::{revision, running_configuration};
use crate::store::{Execution, JobRow};

/// After how many of its intervals without a checkpoint a job is said to be stalled, and the least time for that.
const STALLED_INTERVALS: u32 = 10;
const STALLED_AT_LEAST: std::time::Duration = std::time::Duration::from_secs(60);

/// One difference.
#[derive(Debug, Clone)]
pub struct Drift {
    /// The job; empty where it is the cluster itself that could not be looked at.
    pub job: String,
    /// The environment; empty as well then.
    pub environment: String,
    /// The cluster.
    pub cluster: String,
    /// `missing`, `unwanted`, `twin`, `orphan`, `foreign`, `parallelism`, `configuration`, `checkpoints`, `unknown`.
    pub kind: &'static str,
    /// What is there and what should be.
    pub text: String,
    /// What to do.
    pub hint: String,
}

impl Drift {
    /// As listings and scripts have it.
    pub fn to_json(&self) -> Value {
        json!({
            "job": self.job, "environment": self.environment, "cluster": self.cluster, "kind": self.kind,
            "text": self.text, "hint": self.hint,
        })
    }
}

/// The differences of an environment, or of all: on the clusters that the environments name, and on those that the jobs ever ran
/// on. Each of them is asked once for its jobs.
///
/// # Errors
/// `state.*`. A cluster that cannot be asked is a difference of its own, `unknown`: nothing is concluded from silence.
pub async fn drift(services: &Services, environment: Option<&str>) -> Result<Vec<Drift>> {
    let known = Known::read(&services.store)?;
    let chosen = |job: &&JobRow| environment.is_none_or(|environment| job.environment == environment);
    let mut jobs = Vec::new();
    for job in known.jobs.iter().filter(chosen) {
        jobs.push((job, services.store.newest_attempt(job.id)?));
    }
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let home = |(job, newest): &(&JobRow, Option<Attempt>)| {
        newest.as_ref().map_or(&job.cluster, |attempt| &attempt.cluster).clone()
    };
    let homes: BTreeSet<String> = jobs.iter().map(home).collect();
    let named = services.environments.iter().filter(|(name, _)| environment.is_none_or(|one| one == *name));
    let mut clusters = homes.clone();
    clusters.extend(named.map(|(_, cluster)| cluster.clone()));
    // One that is no longer in tidegate.yaml cannot be asked; where all has ended there nobody needs to.
    let is_asked = |one: &&Execution| !one.is_over || services.clusters.definition(&one.cluster).is_ok();
    for (job, _) in &jobs {
        clusters.extend(known.of(job).filter(is_asked).map(|one| one.cluster.clone()));
    }
    let looks = Looks::at(&services.clusters, clusters).await;
    let mut found = Vec::new();
    for one in &jobs {
        let (job, newest) = (one.0, one.1.as_ref());
        let ours = strays::ours(&looks, &known, job);
        strays::of_ours(&known, (job, newest), &ours, &mut found);
        strays::unknown(services, &looks, &known, job, &mut found);
        let home = home(one);
        match looks.of(&home) {
            Some(Ok(look)) => of_job(services, look, job, newest, ours.is_empty(), &mut found).await?,
            Some(Err(error)) => found.push(tell(job, &home, "unknown", error.to_string(), hint(error))),
            None => {}
        }
    }
    // A local cluster that is down runs nothing.
    let is_told = |(name, error): &(&str, &Error)| !homes.contains(*name) && !error.is(&code::CLUSTER_DOWN);
    for (cluster, error) in looks.failed().filter(is_told) {
        found.push(Drift {
            job: String::new(),
            environment: String::new(),
            cluster: cluster.to_owned(),
            kind: "unknown",
            text: format!("it could not be looked at, and a job may run there: {error}"),
            hint: hint(error),
        });
    }
    for one in found.iter_mut().filter(|one| !one.environment.is_empty()) {
        one.hint = commands::whole(services, &one.environment, &one.hint);
    }
    Ok(found)
}

fn hint(error: &Error) -> String {
    error.hint_text().unwrap_or("nothing is concluded from silence; look again").to_owned()
}

fn tell(job: &JobRow, cluster: &str, kind: &'static str, text: String, hint: String) -> Drift {
    Drift { job: job.name.clone(), environment: job.environment.clone(), cluster: cluster.to_owned(), kind, text, hint }
}

/// How the newest attempt of a job is, compared with what should be.
async fn of_job(
    services: &Services,
    Look { connection, listed, .. }: &Look,
    job: &JobRow,
    newest: Option<&Attempt>,
    nothing_runs: bool,
    found: &mut Vec<Drift>,
) -> Result<()> {
    let name = &job.name;
    let mut say = |kind, text, hint| found.push(tell(job, &connection.name, kind, text, hint));
    let Some(newest) = newest else { return Ok(()) };
    let number = newest.number;
    let is_listed = listed.iter().any(|listing| listing.id == newest.flink_id);
    if newest.submission == Submission::Open {
        let seen = if is_listed { "the cluster has it" } else { "the cluster does not list it" };
        let text =
            format!("attempt {number} was sent at {}, and never answered; {seen}", clock::short(newest.created_at));
        let hint = unsettled::goes_on(services, Some(newest.step.run))?;
        say("unknown", text, hint.unwrap_or_else(|| "run its script again, which settles it".to_owned()));
    }
    if newest.submission != Submission::Accepted && !is_listed {
        let is_over = matches!(newest.submission, Submission::Refused | Submission::GivenUp);
        if is_over && job.desired == "running" && nothing_runs {
            let how = newest.submission.answered();
            let attempts = services.store.attempts(job.id)?;
            let ran = attempts.iter().any(|attempt| attempt.submission == Submission::Accepted);
            let hint = match revision::before(&services.store.revisions(job.id)?, &attempts) {
                Some(_) => format!(
                    "`tidegate history {name}` shows what ran before, and `tidegate rollback {name}` goes back to it"
                ),
                None if ran => format!("`tidegate start {name}` starts it again"),
                None => "nothing of it ran before: deploy it again when what stood against it is mended".to_owned(),
            };
            say("missing", format!("it should run, and attempt {number} {how}"), hint);
        }
        return Ok(());
    }
    let newest_alive = listed.iter().find(|listing| listing.id == newest.flink_id && !is_terminal(&listing.state));
    let Some(live) = newest_alive else {
        let ended = listed.iter().find(|listing| listing.id == newest.flink_id);
        if let Some(ended) = ended.filter(|ended| ended.state == "FINISHED" && newest.end_state.is_none()) {
            // Somebody may have stopped it: then it has not done its work.
            ledger::newest(services, connection, newest, ended).await?;
        }
        let end = ended.map(|listing| listing.state.clone());
        let end = end.or_else(|| newest.end_state.clone());
        let stopped = unsettled::stopped(services, newest)?;
        let is_done = end.as_deref() == Some("FINISHED") && stopped.is_none();
        if job.desired == "running" && !is_done {
            let how = end.unwrap_or_else(|| "not there any more".to_owned());
            let mut text = format!("it should run, and attempt {number} is {how}");
            let run = stopped.and_then(|stopped| stopped.run);
            if let Some(run) = run {
                text.push_str(&format!(": run r{run} stopped it, and started nothing since"));
            }
            let hint = match unsettled::goes_on(services, run)? {
                Some(hint) => hint,
                None => {
                    format!(
                        "`tidegate logs {name}` shows why; `tidegate start {name}` goes on from its newest state, or says why it cannot"
                    )
                }
            };
            say("missing", text, hint);
        }
        return Ok(());
    };
    if job.desired != "running" {
        let text = format!("it should be {}, and attempt {} is {}", job.desired, newest.number, live.state);
        say("unwanted", text, format!("`tidegate stop {name}`, or `tidegate start {name}` if it is meant to run"));
    }
    let spec = submitted_spec(newest, name)?;
    if let (Some(wanted), Some(detail)) = (spec.parallelism, connection.client.job(&live.id).await?) {
        let has = detail.vertices.iter().map(|vertex| vertex.parallelism).max().unwrap_or(wanted.cast_signed());
        if has != wanted.cast_signed() && live.really_running() {
            let text = format!("parallelism {wanted} was deployed, and it runs with {has}");
            say("parallelism", text, format!("`tidegate rescale {name} {wanted}`, or deploy what is meant"));
        }
    }
    if spec.is_batch() {
        return Ok(());
    }
    let configuration = connection.checkpoint_configuration(&live.id).await?;
    for one in running_configuration::differences(&spec, configuration.as_ref()) {
        let text = format!("`{}` was deployed as {}, and it runs with {}", one.option, one.deployed, one.runs);
        say("configuration", text, "its own program, or its cluster, sets another one".to_owned());
    }
    let Some(interval) = configuration.as_ref().and_then(running_configuration::interval) else { return Ok(()) };
    let Some(checkpoints) = ledger::look(services, connection, newest).await? else { return Ok(()) };
    let last =
        checkpoints.latest.completed.as_ref().map(|one| one.latest_ack_timestamp.unwrap_or(one.trigger_timestamp));
    // Flink's clock can be ahead of ours: then it was just now.
    let since = clock::now().saturating_sub(last.unwrap_or(live.start_time)).max(0);
    let patience = (interval * STALLED_INTERVALS).max(STALLED_AT_LEAST);
    if u128::from(since.unsigned_abs()) > patience.as_millis() {
        let silence = duration::show(std::time::Duration::from_secs(since.unsigned_abs() / 1000));
        let failed = usize::try_from(checkpoints.counts.failed).unwrap_or(usize::MAX);
        let text = format!("no checkpoint for {silence}, {} since its start", counted(failed, "failed one"));
        say("checkpoints", text, format!("`tidegate logs {name} --source exceptions` shows what stands against it"));
    }
    Ok(())
}
