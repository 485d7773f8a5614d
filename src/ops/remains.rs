//! What an attempt left that no JobManager knows any more, as far as its files can be seen from here.

use super::connection::Connection;
use super::gone_state::whole;
use super::ledger;
use super::services::Services;
use super::state_guard::{Known, savepoints};
use super::way_on;
use crate::base::clock::{self, Millis};
use crate::base::{Error, Result, code};
use crate::drivers::checkpoint_folder::{self, Folder};
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::snapshot::{SnapshotKind, SnapshotStatus, is_newer, number_at};
use crate::store::JobRow;

/// The newest checkpoint of an attempt whose folder can be read from here, or a savepoint that it took after; that there is none where the
/// folder shows that. None where nothing can be read.
///
/// # Errors
/// `flink.*`, `state.*`.
pub(super) async fn of(
    services: &Services,
    connection: Option<&Connection>,
    spec: &JobSpec,
    attempt: &Attempt,
) -> Result<Option<Known>> {
    let Some(connection) = connection else { return Ok(None) };
    let (seen, folder) = ledger::left_behind(connection, spec, attempt).await?;
    let found = match seen {
        Folder::Unseen => return Ok(None),
        Folder::Newest(found) => {
            services.store.see_checkpoint(attempt, found.number, &found.path, Some(found.completed_at), None)?;
            Some(found)
        }
        Folder::Nothing => None,
    };
    let recorded = services.store.snapshots_of(attempt.job, attempt.number)?;
    if found.is_none() && recorded.iter().any(|one| one.kind == SnapshotKind::Checkpoint) {
        // One was seen once: it lies somewhere else.
        return Ok(None);
    }
    if may_have_another(services, attempt, &folder, found.as_ref().map(|found| found.completed_at))? {
        return Ok(Some(Known::Not));
    }
    let savepoint = savepoints(&recorded).max_by_key(|one| one.created_at);
    let (savepoint, found) = match (savepoint, found) {
        (None, None) => return Ok(Some(Known::Nothing)),
        (None, Some(found)) => return Ok(Some(Known::Checkpoint(found.path, Some(found.number)))),
        (Some(savepoint), found) => (savepoint, found),
    };
    let Some(path) = savepoint.path.clone() else { return Ok(Some(Known::Not)) };
    let written = checkpoint_folder::written_at(&path);
    let number = savepoint.checkpoint.or(number_at(written.unwrap_or(savepoint.created_at), &recorded));
    let Some(found) = found else { return Ok(Some(Known::Checkpoint(path, number))) };
    Ok(Some(match is_newer(savepoint, written, found.completed_at) {
        Some(true) => Known::Checkpoint(path, number.max(Some(found.number))),
        Some(false) => Known::Checkpoint(found.path, Some(found.number)),
        // Which of them is the newer one nobody can tell.
        None => Known::Not,
    }))
}

/// Whether a stop whose answer was lost may have made a savepoint that is newer than the newest checkpoint, and is not seen from here.
fn may_have_another(services: &Services, attempt: &Attempt, folder: &str, newest: Option<Millis>) -> Result<bool> {
    let recorded = services.store.snapshots_of(attempt.job, attempt.number)?;
    let mut lost = recorded.iter().filter(|one| one.kind == SnapshotKind::Stop && one.status == SnapshotStatus::Lost);
    let unseen =
        lost.any(|one| one.target.as_deref().is_none_or(|target| !checkpoint_folder::would_be_seen(target, folder)));
    if !unseen {
        return Ok(false);
    }
    // What was completed after the JobManager was gone that had been asked is newer.
    let events = services.store.events(attempt.job)?;
    let of_attempt = events.iter().filter(|event| event.attempt == Some(attempt.number));
    let lost_at = of_attempt.filter(|event| event.kind == "savepoint lost").map(|event| event.at).max();
    Ok(newest.is_none_or(|newest| lost_at.is_none_or(|lost_at| newest <= lost_at)))
}

/// The refusal to start a job whose newest state nobody knows: what is known, and the ways on, those that keep state first.
///
/// # Errors
/// `state.*`.
pub(super) fn unknown(services: &Services, job: &JobRow, attempt: &Attempt) -> Result<Error> {
    let mut error = Error::new(
        &code::JOB_STATE_UNKNOWN,
        format!(
            "attempt {} of `{}` took checkpoints, or may have, and which was the newest is not known: the cluster has forgotten it, or has deleted it",
            attempt.number, job.name
        ),
    );
    let asked = services.store.snapshots_of(job.id, attempt.number)?;
    let newest = services.store.newest_snapshot(job.id)?.filter(|newest| newest.attempt == attempt.number);
    let newest = newest.and_then(|newest| newest.path).or_else(|| attempt.checkpoint.clone());
    if let Some(path) = &newest {
        error = error.caused_by(format!("the newest one seen, perhaps an old one: {path}"));
    }
    let checkpoint = asked.iter().rev().find(|one| {
        one.kind == SnapshotKind::Checkpoint && one.status == SnapshotStatus::Completed && one.path != newest
    });
    if let Some(path) = checkpoint.and_then(|one| one.path.as_ref()) {
        error = error.caused_by(format!("the newest checkpoint seen, which may be older or newer: {path}"));
    }
    let savepoint = savepoints(&asked).max_by_key(|one| one.created_at).and_then(|one| one.path.clone());
    if let Some(path) = savepoint.filter(|path| newest.as_ref() != Some(path)) {
        error = error.caused_by(format!("a savepoint of it is whole, and it may have gone on after it: {path}"));
    }
    if let Some(target) =
        asked.iter().rev().find(|one| one.status == SnapshotStatus::Lost).and_then(|one| one.target.clone())
    {
        error = error.caused_by(format!("a savepoint that was asked for may lie below {target}"));
    }
    if let Some(path) = &attempt.restored_from {
        error = error.caused_by(format!("it was started from {path}"));
    }
    let nothing = format!(
        "to start from nothing and abandon that state, say {}",
        way_on::abandon(&job.name, &format!("attempt-{}", attempt.number))
    );
    let all = services.store.snapshots(job.id)?;
    let kept = all.iter().filter(|one| whole(one)).max_by_key(|one| (one.attempt, one.taken_at()));
    let of = match kept {
        Some(kept) => services.store.attempt(job.id, kept.attempt)?,
        None => None,
    };
    let hint = match (kept.and_then(|kept| Some((kept.path.as_deref()?, kept.taken_at()))), of) {
        (Some((path, taken)), Some(of)) => format!(
            "`tidegate rollback {} --to {} --rewind` starts revision {} from {path}, taken {}, and what was processed since is processed \
             again; {nothing}",
            job.name,
            of.revision,
            of.revision,
            clock::short(taken)
        ),
        _ => nothing,
    };
    Ok(error.with("attempt", attempt.number).hint(hint))
}
