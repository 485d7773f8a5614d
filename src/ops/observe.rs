//! Looks at the recorded jobs on their clusters: `ps`, and what scripts find.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::Start;
use super::commands;
use super::services::Services;
use super::unsettled;
use crate::base::{Result, clock};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::{Listed, Seen, conclude, is_terminal};
use crate::store::{JobRow, Said, Sighting};

/// The parts of a spec that a listing shows: the rest of a thousand specs need not be made out.
#[derive(Deserialize)]
struct Labels {
    tags: Vec<String>,
    owner: Option<String>,
}

/// What one look at a cluster gave.
struct Look {
    /// What the cluster lists, by its id.
    listed: Option<HashMap<String, Listed>>,
    incarnation: Option<String>,
    why_not: Option<String>,
}

/// The recorded jobs of an environment, or of all, with what their clusters say now.
///
/// One look at each cluster; one that cannot be reached leaves what was seen before, and says so.
///
/// # Errors
/// `state.*`.
pub async fn jobs(services: &Services, environment: Option<&str>) -> Result<Vec<Value>> {
    let rows = services.store.jobs(environment)?;
    let mut looks: BTreeMap<String, Look> = BTreeMap::new();
    let (mut answer, mut sightings) = (Vec::new(), Vec::new());
    for job in rows {
        let newest = services.store.newest_attempt(job.id)?;
        let is_over = newest.as_ref().is_none_or(|attempt| attempt.end_state.is_some());
        if job.desired == "absent" && is_over {
            continue;
        }
        let cluster = newest.as_ref().map_or_else(|| job.cluster.clone(), |attempt| attempt.cluster.clone());
        if !looks.contains_key(&cluster) {
            looks.insert(cluster.clone(), look(services, &cluster).await);
        }
        let facts = describe(services, &job, newest.as_ref(), &looks[&cluster], &mut sightings)?;
        // Removed, and gone without anybody seeing how; or it never ran.
        let is_gone = matches!(facts["state"].as_str(), Some("VANISHED" | "ENDED UNSEEN" | "REFUSED" | "GIVEN UP"));
        if job.desired == "absent" && is_gone {
            continue;
        }
        answer.push(facts);
    }
    services.store.observe_all(&sightings)?;
    Ok(answer)
}

/// One recorded job with what its cluster says now; `None` where it is not recorded.
///
/// # Errors
/// `state.*`.
pub async fn job(services: &Services, environment: &str, name: &str) -> Result<Option<Value>> {
    let Some(row) = services.store.job(environment, name)? else { return Ok(None) };
    let newest = services.store.newest_attempt(row.id)?;
    let cluster = newest.as_ref().map_or(&row.cluster, |attempt| &attempt.cluster);
    let look = look(services, cluster).await;
    let mut sightings = Vec::new();
    let facts = describe(services, &row, newest.as_ref(), &look, &mut sightings)?;
    services.store.observe_all(&sightings)?;
    Ok(Some(facts))
}

async fn look(services: &Services, cluster: &str) -> Look {
    let connection = match services.clusters.connect(cluster, Start::No).await {
        Ok(connection) => connection,
        Err(error) => return Look { listed: None, incarnation: None, why_not: Some(error.to_string()) },
    };
    // The incarnation is asked for first: a list from an older JobManager must not be read as a newer one's.
    let incarnation = connection.incarnation().await.ok();
    match connection.jobs().await {
        Ok(listed) => {
            let listed = listed.into_iter().map(|listed| (listed.id.clone(), listed)).collect();
            Look { listed: Some(listed), incarnation, why_not: None }
        }
        Err(error) => Look { listed: None, incarnation, why_not: Some(error.to_string()) },
    }
}

/// What is said of a job that should run and was stopped for something that did not follow.
fn half_done(services: &Services, job: &JobRow, attempt: &Attempt, state: &str) -> Result<Option<String>> {
    if job.desired != "running" || state != "FINISHED" {
        return Ok(None);
    }
    let Some(run) = unsettled::stopped(services, attempt)?.and_then(|stopped| stopped.run) else { return Ok(None) };
    let goes_on = unsettled::goes_on(services, Some(run))?;
    let goes_on = goes_on.unwrap_or_else(|| format!("`tidegate start {}` goes on from its savepoint", job.name));
    let goes_on = commands::whole(services, &job.environment, &goes_on);
    Ok(Some(format!("run r{run} stopped it, and started nothing since: {goes_on}")))
}

/// One job as its cluster was just seen; what is to be recorded of that comes to `sightings`.
fn describe(
    services: &Services,
    job: &JobRow,
    attempt: Option<&Attempt>,
    look: &Look,
    sightings: &mut Vec<Sighting>,
) -> Result<Value> {
    let mut facts = json!({
        "environment": job.environment, "name": job.name, "cluster": job.cluster, "desired": job.desired,
        "attempt": attempt.map(|attempt| attempt.number), "id": attempt.map(|attempt| attempt.flink_id.clone()),
        "at": clock::rfc3339(clock::now()),
    });
    if let Ok(labels) = serde_json::from_str::<Labels>(&job.spec) {
        facts["tags"] = labels.tags.into();
        facts["owner"] = labels.owner.into();
    }
    let mut say = |state: &str, running: u64, total: u64, note: &str| {
        facts["state"] = state.into();
        facts["tasks_running"] = running.into();
        facts["tasks_total"] = total.into();
        facts["note"] = note.into();
    };
    let Some(attempt) = attempt else {
        say("NOT SUBMITTED", 0, 0, "");
        return Ok(facts);
    };
    let listed = look.listed.as_ref().and_then(|jobs| jobs.get(&attempt.flink_id));
    // What is held of its submission. That the cluster lists it says more.
    let held = match attempt.submission {
        Submission::Accepted => None,
        Submission::Open => {
            let goes_on = unsettled::goes_on(services, Some(attempt.step.run))?;
            let goes_on = goes_on.unwrap_or_else(|| "run its script again".to_owned());
            Some(("UNKNOWN", "is unanswered", format!(": {goes_on}")))
        }
        Submission::Refused => Some(("REFUSED", attempt.submission.answered(), String::new())),
        Submission::GivenUp => Some(("GIVEN UP", attempt.submission.answered(), String::new())),
    };
    let doubt = match (held, listed) {
        (None, _) => String::new(),
        (Some((_, answer, _)), Some(_)) => {
            format!("its submission {answer}, and the cluster has it: run its script again, which goes on with it")
        }
        (Some((state, answer, what_to_do)), None) => {
            say(state, 0, 0, &format!("the last submission {answer}{what_to_do}"));
            facts["submitted_at"] = clock::rfc3339(attempt.created_at).into();
            return Ok(facts);
        }
    };
    let same = look.incarnation.as_deref() == Some(attempt.incarnation.as_str());
    match conclude(listed, look.listed.is_some() && look.incarnation.is_some(), same, attempt.end_state.as_deref()) {
        Seen::Listed(listed) => {
            let said = Said {
                state: listed.state.clone(),
                tasks_running: listed.tasks_running,
                tasks_total: listed.tasks_total,
            };
            sightings.push(Sighting { job: job.id, attempt: attempt.number, said: Some(said) });
            let partly = listed.state == "RUNNING" && !listed.really_running();
            let note = match (&doubt, half_done(services, job, attempt, &listed.state)?) {
                (doubt, _) if !doubt.is_empty() => doubt.clone(),
                (_, Some(half_done)) => half_done,
                _ if partly => "not all tasks run".to_owned(),
                _ => String::new(),
            };
            say(&listed.state, listed.tasks_running, listed.tasks_total, &note);
            facts["start_time"] = clock::rfc3339(listed.start_time).into();
            if is_terminal(&listed.state) {
                facts["end_time"] = clock::rfc3339(listed.end_time).into();
            }
        }
        Seen::Ended(state) => {
            let half_done = half_done(services, job, attempt, &state)?;
            say(&state, 0, 0, half_done.as_deref().unwrap_or("ended; Flink has forgotten it"));
        }
        Seen::EndedUnseen => say("ENDED UNSEEN", 0, 0, "ended while nobody looked; Flink has forgotten how"),
        Seen::Vanished => say("VANISHED", 0, 0, "the JobManager restarted and does not know it"),
        Seen::Unreachable => {
            sightings.push(Sighting { job: job.id, attempt: attempt.number, said: None });
            let why = look.why_not.clone().unwrap_or_else(|| "the cluster gave half an answer".to_owned());
            if let Some(end) = &attempt.end_state {
                say(end, 0, 0, "");
            } else if let Some(seen) = services.store.observation(job.id, attempt.number)? {
                let note = format!("as seen at {}; now: {why}", clock::short(seen.observed_at));
                say(&seen.state, seen.tasks_running, seen.tasks_total, &note);
            } else {
                say("NOT SEEN", 0, 0, &format!("never seen yet; now: {why}"));
            }
            facts["unreachable"] = true.into();
        }
    }
    Ok(facts)
}
