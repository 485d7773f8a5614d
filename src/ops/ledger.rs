//! What is seen of a job's checkpoints goes into the ledger: nobody's cancel or failure drops a pointer.

use super::cluster::Connection;
use super::services::Services;
use crate::base::Result;
use crate::drivers::checkpoint_folder::{self, Found};
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;

/// Flink's options for the folder of checkpoints: since 1.20, and before.
const FOLDERS: [&str; 2] = ["execution.checkpointing.dir", "state.checkpoints.dir"];

/// The newest checkpoint or savepoint of an attempt that has ended, as its JobManager tells it. It is recorded.
///
/// # Errors
/// `flink.*`, `state.*`.
pub async fn newest(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    ended: &Listed,
) -> Result<Option<String>> {
    let Some(newest) = connection.newest_checkpoint(ended).await? else { return Ok(None) };
    if newest.is_own {
        services.store.see_checkpoint(attempt, newest.id, &newest.path, newest.triggered_at, newest.bytes)?;
    }
    Ok(Some(newest.path))
}

/// The newest checkpoint of an attempt that no JobManager knows any more, where its folder can be read from here: by the
/// time of its metadata, since the highest number can belong to a lineage that was left.
///
/// # Errors
/// `flink.*` where the cluster's own folder has to be asked for.
pub async fn left_behind(connection: &Connection, spec: &JobSpec, attempt: &Attempt) -> Result<Option<Found>> {
    let folder = connection.setting_of(spec, &FOLDERS).await?;
    Ok(folder.and_then(|folder| checkpoint_folder::newest(&folder, &attempt.flink_id)))
}

/// Records that an attempt has ended, with its newest state, which it gives.
///
/// # Errors
/// As [`newest`].
pub async fn end(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    ended: &Listed,
) -> Result<Option<String>> {
    let checkpoint = newest(services, connection, attempt, ended).await?;
    services.store.end_attempt(attempt, &ended.state, ended.end_time, checkpoint.as_deref())?;
    Ok(checkpoint)
}
