//! Whether a cluster has the slots for a job that is to replace the one that runs: looked at before that one is ended.

use serde::Deserialize;

use super::cluster::Slots;
use super::connection::Connection;
use super::services::Services;
use super::standing::submitted_spec;
use crate::base::{Error, Result, code, counted};
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;

/// The parallelism that a job is asked to run with, which is how many slots it needs at least.
pub(super) fn parallelism(spec: &JobSpec, slots: &Slots) -> u64 {
    let set = || spec.setting("parallelism.default").and_then(|text| text.parse().ok());
    spec.parallelism.map(u64::from).or_else(set).unwrap_or(slots.default_parallelism)
}

/// What a cluster does where slots are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Supply {
    /// It has the TaskManagers that it has: Flink fails the job at once.
    Fixed,
    /// It starts TaskManagers, or runs the job with fewer slots.
    Grows,
    /// That is not known.
    Unknown,
}

#[derive(Deserialize)]
struct Setting {
    key: String,
    value: String,
}

/// Looks whether the cluster of a spec has the slots that it takes more than the execution at `home` that it replaces. Gives a
/// warning where they seem to be missing, and it cannot be told for sure.
///
/// # Errors
/// `flink.no_slots` where it would fail for them, `flink.*`.
pub(super) async fn missing(
    services: &Services,
    home: &Connection,
    target: &Connection,
    spec: &JobSpec,
    attempt: &Attempt,
) -> Result<Option<String>> {
    let name = &spec.identity.job;
    let old = submitted_spec(attempt, name)?;
    let stays = home.name == target.name;
    let asks = |spec: &JobSpec| (spec.parallelism, spec.setting("parallelism.default"));
    // A batch job runs with fewer slots than it could use.
    if (stays && asks(spec) == asks(&old)) || spec.is_batch() {
        return Ok(None);
    }
    let slots = services.clusters.slots(target).await?;
    let (needed, before) = (parallelism(spec, &slots), parallelism(&old, &slots));
    if (stays && needed <= before) || needed <= slots.free {
        return Ok(None);
    }
    let own = match home.client.job(&attempt.flink_id).await?.filter(|_| stays) {
        Some(job) => job.vertices.iter().map(|vertex| vertex.parallelism).max().unwrap_or(0),
        None => 0,
    };
    let own = u64::try_from(own).unwrap_or(0);
    if needed <= slots.free + own {
        return Ok(None);
    }
    let supply = supply(target, &slots).await?;
    if supply == Supply::Grows {
        return Ok(None);
    }
    let its_own = if own > 0 { format!(", and {own} of its own") } else { String::new() };
    let message = format!(
        "`{name}` with parallelism {needed} needs {}, and `{}` has {} free{its_own}, of {} in all",
        counted(usize::try_from(needed).unwrap_or(usize::MAX), "slot"),
        target.name,
        slots.free,
        slots.total
    );
    // A program that gives its operators a parallelism of their own does not follow what it is asked for.
    if supply == Supply::Unknown || own != before {
        return Ok(Some(message));
    }
    Err(Error::new(&code::FLINK_NO_SLOTS, message).hint(
        "nothing was stopped; give the cluster more slots first, or end another job; with `jobmanager.scheduler: adaptive` it would run with what there is",
    ))
}

/// A warning where other jobs wait for slots on a cluster that has none left: they may take those that an execution frees when it is
/// ended for its successor. Nothing is asked where none waits.
///
/// # Errors
/// `flink.*`.
pub(super) async fn contended(
    services: &Services,
    home: &Connection,
    target: &Connection,
    listed: &[Listed],
    attempt: &Attempt,
) -> Result<Option<String>> {
    let waits = |one: &&Listed| {
        one.id != attempt.flink_id && one.state == "RUNNING" && one.tasks_total > 0 && !one.really_running()
    };
    let waiting: Vec<String> = listed.iter().filter(waits).map(|one| format!("`{}`", one.name)).collect();
    if waiting.is_empty() || home.name != target.name {
        return Ok(None);
    }
    let slots = services.clusters.slots(target).await?;
    if slots.free > 0 || supply(target, &slots).await? == Supply::Grows {
        return Ok(None);
    }
    let (verb, those) = if waiting.len() == 1 { ("waits", "it") } else { ("wait", "they") };
    Ok(Some(format!(
        "{} {verb} for slots on `{}`, which has none free: {those} may take those that attempt {} frees",
        waiting.join(", "),
        target.name,
        attempt.number
    )))
}

async fn supply(connection: &Connection, slots: &Slots) -> Result<Supply> {
    let settings: Vec<Setting> =
        serde_json::from_value(connection.client.get("/jobmanager/config").await?).map_err(|error| {
            Error::new(&code::FLINK_UNEXPECTED_ANSWER, "`/jobmanager/config` holds no settings").caused_by(error)
        })?;
    if settings.iter().any(is_of_growing) {
        return Ok(Supply::Grows);
    }
    if connection.is_local {
        return Ok(Supply::Fixed);
    }
    // YARN's containers are started on demand, whatever the configuration shows of it.
    let task_managers = connection.client.taskmanagers().await?;
    if task_managers.iter().any(|one| one.id.starts_with("container_")) {
        return Ok(Supply::Grows);
    }
    Ok(if slots.total == 0 { Supply::Unknown } else { Supply::Fixed })
}

/// Whether a setting is one of a cluster that is not held to the slots that it has.
fn is_of_growing(setting: &Setting) -> bool {
    let value = setting.value.to_lowercase();
    match setting.key.as_str() {
        "jobmanager.scheduler" => value == "adaptive",
        "scheduler-mode" => value == "reactive",
        "execution.target" => value.starts_with("yarn") || value.starts_with("kubernetes"),
        "high-availability.cluster-id" => value.starts_with("application_"),
        key => key.starts_with("yarn.") || key.starts_with("kubernetes."),
    }
}
