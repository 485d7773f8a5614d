//! A job that is new to this state and has run before: `.tidegate` was lost or moved, or this is another clone.

use super::connection::Connection;
use super::ledger;
use crate::base::{Error, Result, code};
use crate::drivers::checkpoint_folder;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};

/// Where a job of which nothing is recorded can be told to start.
const PATHS: [&str; 2] = ["execution.state-recovery.path", "execution.savepoint.path"];

/// The state that a job's options name for a start from no other.
pub(super) fn named_start(spec: &JobSpec) -> Option<String> {
    PATHS.iter().find_map(|key| spec.setting(key))
}

/// What is left of an execution that is not recorded.
struct Left {
    id: String,
    state: String,
    path: String,
}

/// Refuses to create a job whose cluster has state of it: it would begin from nothing. That its spec names the state to start
/// from, or `allow_state_loss` the attempt, are the ways on.
///
/// # Errors
/// `job.state_unknown`, `flink.*`.
pub(super) async fn has_no_state(
    connection: &Connection,
    spec: &JobSpec,
    listed: &[Listed],
    allow_state_loss: Option<&str>,
) -> Result<()> {
    if named_start(spec).is_some() {
        return Ok(());
    }
    let Some(left) = left(connection, spec, listed).await? else { return Ok(()) };
    let number = left.id.get(16..24).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    let named = format!("attempt-{number}");
    if allow_state_loss == Some(named.as_str()) {
        return Ok(());
    }
    let name = &spec.identity.job;
    let message = format!(
        "`{name}` is new here and would start from nothing, and `{}` has state of it: of attempt {number} ({}), which {}",
        connection.name, left.id, left.state
    );
    Err(Error::new(&code::JOB_STATE_UNKNOWN, message)
        .caused_by(format!("its newest state: {}", left.path))
        .caused_by("it was deployed under this workspace's name, by another clone or before `.tidegate` was lost")
        .hint(format!(
            "deploy from where it was deployed, or bring that `.tidegate` back; without it, the option \"{}\": \"{}\" of the job starts from \
             that state the first time, and `deploy(#{{ allow_state_loss: \"{named}\" }})` from nothing",
            PATHS[1], left.path
        )))
}

async fn left(connection: &Connection, spec: &JobSpec, listed: &[Listed]) -> Result<Option<Left>> {
    let prefix = spec.identity.prefix();
    let mut ended: Vec<&Listed> =
        listed.iter().filter(|one| one.id.starts_with(&prefix) && is_terminal(&one.state)).collect();
    ended.sort_by_key(|one| std::cmp::Reverse(one.start_time));
    for one in ended {
        if let Some(newest) = connection.newest_checkpoint(one).await?.filter(|newest| !newest.is_gone) {
            return Ok(Some(Left { id: one.id.clone(), state: format!("is {}", one.state), path: newest.path }));
        }
    }
    // Its JobManager has forgotten it.
    let Some(folder) = connection.setting_of(spec, &ledger::FOLDERS).await? else { return Ok(None) };
    let found = checkpoint_folder::newest_of(&folder, &prefix);
    Ok(found.map(|(id, found)| Left { id, state: "its JobManager has forgotten".to_owned(), path: found.path }))
}
