//! What ending a job, or asking something of it that goes on, would do.

use serde_json::json;

use super::look::basis_of;
use super::{Planned, outlook};
use crate::base::Result;
use crate::model::attempt::{Attempt, Submission};
use crate::model::plan::{Action, Change};
use crate::model::running_configuration::keeps_checkpoints;
use crate::ops::cluster::Start;
use crate::ops::services::Services;
use crate::ops::wait;

/// What cancelling a recorded job ([`Action::Cancel`]), or stopping it with a savepoint ([`Action::Stop`]), would do.
/// `planned` where an earlier step of the plan would have started it.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub async fn end(services: &Services, environment: &str, name: &str, planned: bool, action: Action) -> Result<Planned> {
    let (state, stays) = match action {
        Action::Stop => ("FINISHED", Some("with a savepoint")),
        Action::Remove => ("FINISHED", Some("with a savepoint, and is not desired any more")),
        _ => ("CANCELED", None),
    };
    let basis = match planned {
        true => String::new(),
        false => basis_of(services, environment, name).await?,
    };
    let change = |action, note: String| Change { basis: basis.clone(), ..Change::new(action, name, vec![note]) };
    let facts = |state: &str| json!({ "name": name, "environment": environment, "state": state, "planned": true });
    if planned {
        let note = "what this plan would have started".to_owned();
        return Ok(Planned { change: change(action, note), facts: facts(state) });
    }
    let job = services.store.job(environment, name)?;
    let job = job.ok_or_else(|| wait::job_not_found(services, environment, name))?;
    let Some(newest) = services.store.newest_attempt(job.id)? else {
        return Ok(Planned { change: change(Action::Noop, "it was never submitted".to_owned()), facts: facts("") });
    };
    if newest.submission == Submission::Accepted
        && action != Action::Remove
        && let Some(end) = &newest.end_state
    {
        let note = format!("attempt {} is {end} already", newest.number);
        return Ok(Planned { change: change(Action::Noop, note), facts: facts(end) });
    }
    let stays = match stays {
        Some(stays) => stays,
        None => left_by_cancel(services, &newest).await,
    };
    let note = format!("attempt {} on `{}`; {stays}", newest.number, newest.cluster);
    let mut change = change(action, note);
    change.outlook.identity = Some(services.identity(environment, name).prefix());
    change.outlook.newest_state = outlook::newest_state(services, Some(&job))?;
    change.outlook.steps = vec![outlook::ending(newest.number, action != Action::Cancel)];
    Ok(Planned { change, facts: facts(state) })
}

/// What asks something of a job that goes on, [`Action::Adopt`] and [`Action::Savepoint`], with what that was decided upon.
///
/// # Errors
/// `state.*`.
pub async fn aside(services: &Services, environment: &str, name: &str, action: Action, note: String) -> Result<Change> {
    let basis = basis_of(services, environment, name).await?;
    Ok(Change { basis, ..Change::new(action, name, vec![note]) })
}

/// What a cancel leaves of an attempt, in words: a job that somebody else started may not keep its checkpoints.
async fn left_by_cancel(services: &Services, attempt: &Attempt) -> &'static str {
    let asked = async {
        let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
        connection.checkpoint_configuration(&attempt.flink_id).await
    };
    match asked.await {
        Ok(Some(configuration)) if keeps_checkpoints(&configuration) => "its newest checkpoint stays",
        Ok(Some(_)) => {
            "Flink deletes its newest checkpoint with it, as its configuration says: `stop` takes a savepoint"
        }
        Ok(None) => "it takes no checkpoints",
        Err(_) => "whether its newest checkpoint stays is not known: its cluster does not tell",
    }
}
