//! What was begun on a job and not brought to its end, and which run goes on with it.

use super::services::Services;
use super::wish::has_died;
use crate::base::Result;
use crate::model::attempt::Attempt;
use crate::model::snapshot::{SnapshotKind, SnapshotStatus};

/// A stop that was asked for, of an attempt that has ended since.
pub(super) struct Stopped {
    /// The run that asked.
    pub(super) run: Option<i64>,
}

/// The stop that an attempt may have ended with: one that is done, or whose outcome nobody has recorded.
///
/// # Errors
/// `state.*`.
pub(super) fn stopped(services: &Services, attempt: &Attempt) -> Result<Option<Stopped>> {
    let asked = services.store.snapshots_of(attempt.job, attempt.number)?;
    let may_be = [SnapshotStatus::Open, SnapshotStatus::Lost, SnapshotStatus::Completed];
    let stop = asked.iter().rev().find(|one| one.kind == SnapshotKind::Stop && may_be.contains(&one.status));
    Ok(stop.map(|stop| Stopped { run: stop.run }))
}

/// What goes on with what a run has begun, as the beginning of a sentence; none where the run has ended.
///
/// # Errors
/// `state.*`.
pub(super) fn goes_on(services: &Services, run: Option<i64>) -> Result<Option<String>> {
    let Some(run) = run else { return Ok(None) };
    Ok(match services.store.run(run)?.status.is_open() {
        true if has_died(services, run)? => Some(format!("`tidegate resume r{run}` goes on with it")),
        true => Some(format!("run r{run} is at work on it")),
        false => None,
    })
}
