//! What is seen of a job's checkpoints goes into the ledger: nobody's cancel or failure drops a pointer.

use std::time::{Duration, Instant};

use super::connection::{Connection, Newest};
use super::services::Services;
use crate::base::Result;
use crate::drivers::checkpoint_folder::{self, Folder};
use crate::drivers::flink::Checkpoints;
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;
use crate::model::running_configuration;
use crate::model::snapshot::SnapshotStatus;

/// Flink's options for the folder of checkpoints: since 1.20, and before.
pub(super) const FOLDERS: [&str; 2] = ["execution.checkpointing.dir", "state.checkpoints.dir"];

/// What is known of the checkpoints of an attempt that runs. Those that are whole and there are recorded.
///
/// # Errors
/// `flink.*`, `state.*`.
pub async fn look(services: &Services, connection: &Connection, attempt: &Attempt) -> Result<Option<Checkpoints>> {
    let checkpoints = connection.checkpoints(&attempt.flink_id).await?;
    let earlier = checkpoints.as_ref().map(Newest::earlier_savepoints).unwrap_or_default();
    let own = checkpoints.as_ref().map(Newest::own).unwrap_or_default();
    for seen in earlier.into_iter().chain(own).filter(|seen| !seen.is_gone) {
        services.store.see_checkpoint(attempt, seen.id, &seen.path, seen.triggered_at, seen.bytes)?;
    }
    Ok(checkpoints)
}

/// Whether an execution can be gone on from: from what it took itself, or was started from.
pub fn can_go_on(seen: &Checkpoints) -> bool {
    let restored = seen.latest.restored.as_ref().and_then(|restored| restored.external_path.as_ref());
    restored.is_some() || Newest::own(seen).iter().any(|own| !own.is_gone)
}

/// How long Flink may take to say whether it takes checkpoints of a job that it has just accepted.
const PATIENCE: Duration = Duration::from_secs(5);

/// Records whether Flink takes checkpoints of an attempt whose spec does not say so: its program, or its cluster, can. Where Flink
/// does not tell, that is not known, and a start after its loss is refused.
///
/// # Errors
/// `state.*`.
pub async fn note_checkpointing(
    services: &Services,
    connection: &Connection,
    spec: &JobSpec,
    attempt: &Attempt,
) -> Result<()> {
    if spec.is_stateful() || spec.is_batch() || attempt.takes_checkpoints.is_some() {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        // While it is being initialized Flink does not know it by itself.
        if let Ok(configuration) = connection.checkpoint_configuration(&attempt.flink_id).await {
            let takes = configuration.as_ref().and_then(running_configuration::interval).is_some();
            return services.store.note_checkpointing(attempt, takes);
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The newest checkpoint or savepoint of an attempt that has ended, as its JobManager tells it. Where it is there it is
/// recorded.
///
/// # Errors
/// `flink.*`, `state.*`.
pub async fn newest(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    ended: &Listed,
) -> Result<Option<Newest>> {
    let Some(newest) = connection.newest_checkpoint(ended).await? else { return Ok(None) };
    if newest.is_own && newest.is_gone && ended.state != "FINISHED" {
        services.store.lose_checkpoint(attempt, newest.id, &newest.path)?;
    } else if newest.is_own && !newest.is_gone {
        services.store.see_checkpoint(attempt, newest.id, &newest.path, newest.triggered_at, newest.bytes)?;
        if newest.is_stop && ended.state == "FINISHED" {
            // Somebody stopped it: it has not done its work, and is started again from there.
            services.store.see_stop(attempt, &newest.path)?;
        }
    }
    Ok(Some(newest))
}

/// What the checkpoint folder of an attempt shows that no JobManager knows any more: the newest by the time of its metadata, since
/// the highest number can belong to a lineage that was left. With the folder's path.
///
/// # Errors
/// `flink.*` where the cluster's own folder has to be asked for.
pub async fn left_behind(connection: &Connection, spec: &JobSpec, attempt: &Attempt) -> Result<(Folder, String)> {
    let Some(folder) = connection.setting_of(spec, &FOLDERS).await? else {
        return Ok((Folder::Unseen, String::new()));
    };
    let seen = checkpoint_folder::look(&folder, &attempt.flink_id);
    Ok((seen, format!("{}/{}", folder.trim_end_matches('/'), attempt.flink_id)))
}

/// Records savepoints whose answers went down with their JobManager, and which lie whole in their private folders all the same.
/// Whether the job ended with such a one, or went on after it, is not known.
///
/// # Errors
/// `state.*`.
pub fn find_lost(services: &Services, attempt: &Attempt) -> Result<()> {
    for lost in services.store.snapshots_of(attempt.job, attempt.number)? {
        let target = lost.target.as_deref().filter(|_| lost.status == SnapshotStatus::Lost);
        if let Some(path) = target.and_then(checkpoint_folder::savepoint_below) {
            let written = checkpoint_folder::written_at(&path).unwrap_or(lost.created_at);
            services.store.find_snapshot(&lost, &path, written)?;
        }
    }
    Ok(())
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
    let newest = newest(services, connection, attempt, ended).await?;
    let checkpoint = newest.filter(|newest| !newest.is_gone).map(|newest| newest.path);
    services.store.end_attempt(attempt, &ended.state, ended.end_time, checkpoint.as_deref())?;
    Ok(checkpoint)
}
