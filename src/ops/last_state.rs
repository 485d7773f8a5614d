//! What an execution would leave to go on from if it were cancelled now: known before it is.

use super::connection::Newest;
use super::services::Services;
use crate::base::clock::{self, Millis};
use crate::base::{Result, duration};
use crate::drivers::checkpoint_folder;
use crate::drivers::flink::Checkpoints;
use crate::model::attempt::Attempt;

/// A state that an execution can be started from again.
#[derive(Debug)]
pub(super) struct LastState {
    /// Where it lies.
    pub(super) path: String,
    /// Whether the execution made it itself, and was not started from it.
    pub(super) is_own: bool,
    /// When it was taken, where that is known.
    taken: Option<Millis>,
}

/// The newest checkpoint or savepoint of its own, else what it was started from. None where there is neither.
///
/// # Errors
/// `state.*`.
pub(super) fn of(services: &Services, attempt: &Attempt, seen: Option<&Checkpoints>) -> Result<Option<LastState>> {
    let own = seen.map(Newest::own).unwrap_or_default();
    if let Some(newest) = own.into_iter().filter(|newest| !newest.is_gone).max_by_key(|newest| newest.id) {
        return Ok(Some(LastState { path: newest.path, is_own: true, taken: newest.triggered_at }));
    }
    let told = seen.and_then(|seen| seen.latest.restored.as_ref()?.external_path.clone());
    let Some(path) = told.or_else(|| attempt.restored_from.clone()) else { return Ok(None) };
    restored(services, attempt, path).map(Some)
}

/// The state that an attempt was started from.
///
/// # Errors
/// `state.*`.
pub(super) fn restored(services: &Services, attempt: &Attempt, path: String) -> Result<LastState> {
    let recorded = services.store.snapshots(attempt.job)?;
    let row = recorded.iter().find(|one| one.path.as_deref() == Some(&path));
    let taken = row.map(|row| row.taken_at()).or_else(|| checkpoint_folder::written_at(&path));
    Ok(LastState { path, is_own: false, taken })
}

impl LastState {
    /// Whether it was deleted, as far as that is seen from here.
    pub(super) fn is_gone(&self) -> bool {
        checkpoint_folder::is_gone(&self.path)
    }

    /// What has to be known of it where it is not the execution's own: what came since is processed again.
    pub(super) fn told(&self) -> Option<String> {
        if self.is_own {
            return None;
        }
        let age = self.taken.map(|taken| u64::try_from(clock::now().saturating_sub(taken)).unwrap_or(0));
        let age = age.map_or_else(String::new, |age| format!(", taken {} ago", duration::age(age)));
        let there = if self.is_gone() { ", and that is gone" } else { ": what came since is processed again" };
        Some(format!(
            "it has completed no checkpoint of its own, so what is left is what it was started from, {}{age}{there}",
            self.path
        ))
    }
}
