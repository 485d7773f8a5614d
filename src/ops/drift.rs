//! Where clusters differ from what is recorded and desired. Looks, and changes nothing.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::cluster::Start;
use super::commands;
use super::connection::Connection;
use super::ledger;
use super::services::Services;
use super::standing::submitted_spec;
use super::unsettled;
use crate::base::{Error, Result, clock, counted, duration};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::{Listed, is_terminal};
use crate::model::{revision, running_configuration};
use crate::store::JobRow;

/// After how many of its intervals without a checkpoint a job is said to be stalled, and the least time for that.
const STALLED_INTERVALS: u32 = 10;
const STALLED_AT_LEAST: std::time::Duration = std::time::Duration::from_secs(60);

/// One difference.
#[derive(Debug, Clone)]
pub struct Drift {
    /// The job.
    pub job: String,
    /// The environment.
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

/// The differences of an environment, or of all.
///
/// # Errors
/// `state.*`. A cluster that cannot be asked is a difference of its own, `unknown`: nothing is concluded from silence.
pub async fn drift(services: &Services, environment: Option<&str>) -> Result<Vec<Drift>> {
    let mut found = Vec::new();
    let known = services.store.known_flink_ids()?;
    let mut looks: BTreeMap<String, std::result::Result<(Connection, Vec<Listed>), Error>> = BTreeMap::new();
    for job in services.store.jobs(environment)? {
        let newest = services.store.newest_attempt(job.id)?;
        let cluster = newest.as_ref().map_or(&job.cluster, |attempt| &attempt.cluster).clone();
        if !looks.contains_key(&cluster) {
            looks.insert(cluster.clone(), look(services, &cluster).await);
        }
        match &looks[&cluster] {
            Ok((connection, listed)) => {
                let look = (connection, listed.as_slice());
                of_job(services, look, &known, &job, newest.as_ref(), &mut found).await?;
            }
            Err(error) => {
                let hint = error.hint_text().unwrap_or("nothing is concluded from silence; look again").to_owned();
                found.push(tell(&job, &cluster, "unknown", error.to_string(), hint));
            }
        }
    }
    for one in &mut found {
        one.hint = commands::whole(services, &one.environment, &one.hint);
    }
    Ok(found)
}

async fn look(services: &Services, cluster: &str) -> Result<(Connection, Vec<Listed>)> {
    let connection = services.clusters.connect(cluster, Start::No).await?;
    let listed = connection.jobs().await?;
    Ok((connection, listed))
}

fn tell(job: &JobRow, cluster: &str, kind: &'static str, text: String, hint: String) -> Drift {
    Drift { job: job.name.clone(), environment: job.environment.clone(), cluster: cluster.to_owned(), kind, text, hint }
}

async fn of_job(
    services: &Services,
    (connection, listed): (&Connection, &[Listed]),
    known: &HashSet<String>,
    job: &JobRow,
    newest: Option<&Attempt>,
    found: &mut Vec<Drift>,
) -> Result<()> {
    let name = &job.name;
    let prefix = services.identity(&job.environment, name).prefix();
    let own = services.store.flink_ids_of(&job.environment, name)?;
    let alive: Vec<&Listed> = listed.iter().filter(|listing| !is_terminal(&listing.state)).collect();
    let mut say = |kind, text, hint| found.push(tell(job, &connection.name, kind, text, hint));

    let ours: Vec<&&Listed> = alive.iter().filter(|listing| own.contains(&listing.id)).collect();
    if ours.len() > 1 {
        let ids: Vec<&str> = ours.iter().map(|listing| listing.id.as_str()).collect();
        let hint = "look at both, and cancel the one that should not be there with Flink's own tools".to_owned();
        say("twin", format!("{} executions run: {}", ids.len(), ids.join(", ")), hint);
    }
    for listing in alive.iter().filter(|listing| !known.contains(&listing.id)) {
        let hint = format!("`tidegate adopt {name} --id {}` takes it over where no other runs", listing.id);
        if listing.id.starts_with(&prefix) {
            say(
                "orphan",
                format!("{} ({}) has the job's id and is not recorded here", listing.id, listing.state),
                hint,
            );
        } else if listing.name == *name {
            say("foreign", format!("{} ({}) has the job's name and is not ours", listing.id, listing.state), hint);
        }
    }
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
        if is_over && job.desired == "running" && ours.is_empty() {
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
    let Some(live) = alive.iter().find(|listing| listing.id == newest.flink_id) else {
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
