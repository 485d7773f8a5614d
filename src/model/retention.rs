//! Which of our savepoints may go. Pure. Checkpoints are never disposed of by us: incremental ones share files.

use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::snapshot::{Snapshot, SnapshotKind, SnapshotStatus};
use crate::base::clock::Millis;

/// How many revisions can be rewound to: the newest state of each of the newest is kept.
pub const REACH: usize = 3;

/// What is kept, beside what is needed.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// So many of the newest savepoints.
    pub count: usize,
    /// And all that were made since then.
    pub since: Millis,
}

/// The savepoints of a job that nobody needs, the oldest first: asked for by us and whole (what somebody else made is not ours to delete), neither the newest state, nor the newest
/// state of a revision in reach, nor what the newest attempt was started from, and not kept by count or age.
pub fn disposable<'a>(snapshots: &'a [Snapshot], attempts: &[Attempt], keep: Keep) -> Vec<&'a Snapshot> {
    let whole = |one: &&Snapshot| one.status == SnapshotStatus::Completed && one.path.is_some();
    let made = |one: &Snapshot| one.completed_at.unwrap_or(one.created_at);
    let order = |one: &Snapshot| (one.attempt, made(one), one.id);
    let mut ours: Vec<&Snapshot> = snapshots
        .iter()
        .filter(whole)
        .filter(|one| one.kind != SnapshotKind::Checkpoint && one.trigger_id.is_some())
        .collect();
    ours.sort_by_key(|one| order(one));

    // Only what is sure to last counts as the newest state: Flink may delete a checkpoint when it takes the next.
    let mut newest_of: BTreeMap<u32, &Snapshot> = BTreeMap::new();
    for one in &ours {
        let revision = attempts.iter().find(|attempt| attempt.number == one.attempt).map_or(0, |found| found.revision);
        newest_of.insert(revision, one);
    }
    let mut needed: Vec<i64> = newest_of.values().rev().take(REACH).map(|one| one.id).collect();
    needed.extend(ours.last().map(|one| one.id));
    let restored: Vec<&str> = attempts.iter().rev().take(1).filter_map(|one| one.restored_from.as_deref()).collect();
    let kept = ours.len().saturating_sub(keep.count);
    let mut disposable: Vec<&Snapshot> = ours.iter().take(kept).copied().collect();
    disposable.retain(|one| {
        made(one) < keep.since
            && !needed.contains(&one.id)
            && !one.path.as_deref().is_some_and(|path| restored.contains(&path))
    });
    disposable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attempt::StepKey;
    use crate::model::revision::{Revision, RevisionKind, SecretMarks};

    fn snapshot(id: i64, attempt: u32, kind: SnapshotKind) -> Snapshot {
        Snapshot {
            id,
            job: 1,
            attempt,
            kind,
            trigger_id: Some(format!("{id:032x}")),
            target: None,
            incarnation: String::new(),
            status: SnapshotStatus::Completed,
            path: Some(format!("file:/s/{id}")),
            run: None,
            created_at: id,
            completed_at: Some(id),
            checkpoint: None,
            triggered_at: None,
            bytes: None,
        }
    }

    fn attempt(number: u32, revision: u32, restored_from: Option<&str>) -> Attempt {
        let wanted = Revision {
            job: 1,
            number: revision,
            kind: RevisionKind::Deploy,
            origin: None,
            spec: String::new(),
            spec_hash: String::new(),
            secrets: SecretMarks::new(),
            step: StepKey { run: 1, path: String::new(), sequence: 0 },
            created_at: 0,
        };
        let restored_from = restored_from.map(str::to_owned);
        Attempt { restored_from, ..Attempt::new(&wanted, number, String::new(), String::new(), String::new()) }
    }

    fn ids(snapshots: &[Snapshot], attempts: &[Attempt], count: usize, since: Millis) -> Vec<i64> {
        disposable(snapshots, attempts, Keep { count, since }).iter().map(|one| one.id).collect()
    }

    #[test]
    fn what_is_needed_stays_whatever_is_asked_for() {
        use SnapshotKind::{Checkpoint, Savepoint, Stop};
        let snapshots = [
            snapshot(1, 1, Savepoint),
            snapshot(2, 1, Stop),
            snapshot(3, 2, Savepoint),
            snapshot(4, 2, Stop),
            snapshot(5, 3, Savepoint),
            snapshot(6, 3, Stop),
            snapshot(7, 4, Savepoint),
            snapshot(8, 4, Savepoint),
            snapshot(9, 4, Checkpoint),
        ];
        let attempts = [
            attempt(1, 1, None),
            attempt(2, 2, Some("file:/s/2")),
            attempt(3, 3, Some("file:/s/4")),
            attempt(4, 4, Some("file:/s/5")),
        ];
        // The newest of revisions 4, 3 and 2, what runs was started from, and no checkpoint.
        assert_eq!(ids(&snapshots, &attempts, 0, 1_000), [1, 2, 3, 7]);
        assert_eq!(ids(&snapshots, &attempts, 6, 1_000), [1, 2]);
        assert_eq!(ids(&snapshots, &attempts, 0, 2), [1]);
        assert!(ids(&snapshots[..1], &attempts, 0, 1_000).is_empty());
    }

    #[test]
    fn what_somebody_else_made_is_not_ours_to_delete() {
        let foreign = Snapshot { trigger_id: None, ..snapshot(1, 1, SnapshotKind::Stop) };
        let snapshots = [foreign, snapshot(2, 2, SnapshotKind::Stop), snapshot(3, 2, SnapshotKind::Stop)];
        let attempts = [attempt(1, 1, None), attempt(2, 1, None), attempt(3, 1, None)];
        assert_eq!(ids(&snapshots, &attempts, 0, 1_000), [2]);
    }

    #[test]
    fn the_newest_of_a_revision_that_came_back_stays() {
        use SnapshotKind::Stop;
        let snapshots = [snapshot(1, 1, Stop), snapshot(2, 2, Stop), snapshot(3, 3, Stop)];
        let attempts = [attempt(1, 1, None), attempt(2, 2, None), attempt(3, 1, None)];
        assert_eq!(ids(&snapshots, &attempts, 0, 1_000), [1]);
    }
}
