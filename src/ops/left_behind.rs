//! Tells which operators' state a new attempt left behind, where that was allowed.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::services::Services;
use crate::base::{Error, Result, code, counted};
use crate::drivers::flink::Tail;
use crate::model::attempt::{Attempt, Submission};
use crate::model::dropped_operators::dropped;
use crate::model::job_spec::JobSpec;
use crate::store::JobRow;

/// How long Flink may take to read the state, and how much of its log's end is read.
const PATIENCE: Duration = Duration::from_secs(30);
const END_OF_LOG: usize = 1 << 20;

/// The operators whose state was left behind: their ids, with the names of those that were tasks of the attempt whose state
/// it was. None where nothing was to be left behind, or Flink does not tell: that is said. The job runs all the same.
pub(super) async fn operators(services: &Services, connection: &Connection, attempt: &Attempt) -> Option<Vec<String>> {
    let restored_from = attempt.restored_from.as_deref().filter(|_| attempt.allow_non_restored)?;
    let told = async {
        let Some(ids) = ids(connection, attempt).await? else { return Ok(None) };
        named(services, connection, attempt, restored_from, ids).await.map(Some)
    };
    let why = match told.await {
        Ok(Some(operators)) => {
            let text = match operators.as_slice() {
                [] => "no operator's state was left behind".to_owned(),
                all => format!("left behind: the state of {}: {}", counted(all.len(), "operator"), all.join(", ")),
            };
            services.clusters.progress(&text);
            // A rollback past it has to know.
            if !operators.is_empty()
                && let Err(error) = services.store.leave_behind(attempt, &operators)
            {
                services.clusters.progress(&format!("warning: that could not be recorded: {error}"));
            }
            return Some(operators);
        }
        Ok(None) => "the JobManager's log does not tell it of this job".to_owned(),
        Err(error) => error.to_string(),
    };
    services.clusters.progress(&format!("which operators' state was left behind is not known: {why}"));
    None
}

/// Refuses to start a revision from the newest state where what its operators had was left behind since it ran: they would begin
/// empty, without a word of Flink's. `allow_state_loss` may name its last attempt.
///
/// # Errors
/// `job.upgrade_blocked`, `state.*`.
pub(super) fn is_whole(
    services: &Services,
    job: &JobRow,
    spec: &JobSpec,
    allow_state_loss: Option<&str>,
) -> Result<()> {
    let hash = spec.running_hash();
    let attempts = services.store.attempts(job.id)?;
    let ran = |attempt: &&Attempt| attempt.submission == Submission::Accepted && attempt.spec_hash == hash;
    let Some(last) = attempts.iter().rev().find(ran) else { return Ok(()) };
    let since = services.store.left_behind_after(job.id, last.number)?;
    let Some((by, count)) = since.first() else { return Ok(()) };
    let named = format!("attempt-{}", last.number);
    if allow_state_loss == Some(named.as_str()) {
        return Ok(());
    }
    let name = &job.name;
    let message = format!(
        "`{name}` would go back to what attempt {} ran, and the state of {} of it was left behind when attempt {by} was started",
        last.number,
        counted(*count, "operator"),
    );
    Err(Error::new(&code::JOB_UPGRADE_BLOCKED, message)
        .caused_by("in the newest state they have none: they would begin empty")
        .hint(format!(
            "`tidegate rollback {name} --to {} --rewind`, in a script `rollback(#{{ to: {0}, state: \"matching\" }})`, starts from its own newest \
             state; to begin empty, add `--allow-state-loss {named}`, in a script `allow_state_loss: \"{named}\"`",
            last.revision
        )))
}

/// Waits until Flink has read the state, or given up.
async fn ids(connection: &Connection, attempt: &Attempt) -> Result<Option<Vec<String>>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Its state is looked at first: a log that is read after that holds what led to it.
        let state = connection.listed(&attempt.flink_id).await?.map(|listed| listed.state);
        let log = connection.client.jobmanager_log(Tail::Bytes(END_OF_LOG)).await?;
        let found = dropped(&log.text, &attempt.flink_id);
        if found.is_some() || state.as_deref() != Some("INITIALIZING") || Instant::now() >= deadline {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn named(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    restored_from: &str,
    ids: Vec<String>,
) -> Result<Vec<String>> {
    let attempts = services.store.attempts(attempt.job)?;
    let vertices = match attempts.iter().find(|before| restored_from.contains(&before.flink_id)) {
        Some(before) => connection.client.job(&before.flink_id).await?.map(|job| job.vertices).unwrap_or_default(),
        None => Vec::new(),
    };
    let name = |id: String| match vertices.iter().find(|vertex| vertex.id == id) {
        Some(vertex) => format!("{id} ({})", vertex.name),
        None => id,
    };
    let mut operators: Vec<String> = ids.into_iter().map(name).collect();
    // Those that somebody can recognise come first.
    operators.sort_by_key(|operator| !operator.ends_with(')'));
    Ok(operators)
}
