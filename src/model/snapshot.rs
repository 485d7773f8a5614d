//! A savepoint of the state ledger.

use crate::base::clock::Millis;

/// How a snapshot came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// We asked for it, and the job went on.
    Savepoint,
    /// We asked for it, and the job ended with it.
    Stop,
    /// Flink took it by itself, and we saw it.
    Checkpoint,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotStatus {
    /// The intent is on the disk; what came of it is not known.
    Open,
    /// It is whole.
    Completed,
    /// Flink said that it failed.
    Failed,
    /// The JobManager that was asked is gone, and with it the answer.
    Lost,
    /// It was whole, and we had Flink delete it.
    Disposed,
    /// A checkpoint that was whole; a newer one of its attempt has been seen since, and Flink keeps the newest few only.
    Subsumed,
}

macro_rules! names {
    ($kind:ty { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $kind {
            /// The word in the database and in listings.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The reverse of `name`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names!(SnapshotKind { Savepoint = "savepoint", Stop = "stop", Checkpoint = "checkpoint" });
names!(SnapshotStatus { Open = "open", Completed = "completed", Failed = "failed", Lost = "lost", Disposed = "disposed",
    Subsumed = "subsumed" });

/// One row of the state ledger.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The row's number; 0 before it is recorded.
    pub id: i64,
    /// The job's row.
    pub job: i64,
    /// The attempt whose state it holds.
    pub attempt: u32,
    /// How it came to be.
    pub kind: SnapshotKind,
    /// Our key, where we asked for it.
    pub trigger_id: Option<String>,
    /// The private folder that Flink was told to put it below.
    pub target: Option<String>,
    /// The JobManager that was asked.
    pub incarnation: String,
    /// How far it has come.
    pub status: SnapshotStatus,
    /// Where it lies.
    pub path: Option<String>,
    /// The run that asked for it.
    pub run: Option<i64>,
    /// When the intent was recorded.
    pub created_at: Millis,
    /// When it was known to be whole.
    pub completed_at: Option<Millis>,
    /// Flink's number of it, where Flink told.
    pub checkpoint: Option<u64>,
    /// When it was triggered, by Flink's clock.
    pub triggered_at: Option<Millis>,
    /// Its size, as Flink tells it.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// When it was taken, as far as is known.
    pub fn taken_at(&self) -> Millis {
        self.triggered_at.unwrap_or(self.created_at)
    }
}

/// The newest recorded state of an attempt that is newer than the one that would be restored, by Flink's numbers, which
/// count up within an attempt; a checkpoint that Flink has deleted counts, too. `number` is none where nothing of the attempt itself
/// would be restored.
pub fn newer_than(number: Option<u64>, recorded: &[Snapshot]) -> Option<&Snapshot> {
    let is_state = |one: &&Snapshot| match one.status {
        SnapshotStatus::Completed => one.path.is_some(),
        SnapshotStatus::Lost => one.kind == SnapshotKind::Checkpoint,
        _ => false,
    };
    let newest =
        recorded.iter().filter(is_state).filter(|one| one.checkpoint.is_some()).max_by_key(|one| one.checkpoint)?;
    (newest.checkpoint > number).then_some(newest)
}

/// The number of the newest recorded checkpoint that was taken before a time: what a state of that time is at least.
pub fn number_at(time: Millis, recorded: &[Snapshot]) -> Option<u64> {
    recorded.iter().filter(|one| one.taken_at() <= time).filter_map(|one| one.checkpoint).max()
}

/// Whether a savepoint is newer than a checkpoint that was completed at a time. `written` is when the savepoint was, where that can
/// be seen; else it lies between the asking and the moment at which we learned of it. None where that does not tell.
pub fn is_newer(savepoint: &Snapshot, written: Option<Millis>, completed_at: Millis) -> Option<bool> {
    match (written, savepoint.completed_at) {
        (Some(written), _) => Some(written > completed_at),
        _ if savepoint.created_at > completed_at => Some(true),
        (None, Some(learned)) if learned <= completed_at => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(checkpoint: u64, status: SnapshotStatus) -> Snapshot {
        Snapshot {
            id: 1,
            job: 1,
            attempt: 1,
            kind: SnapshotKind::Checkpoint,
            trigger_id: None,
            target: None,
            incarnation: String::new(),
            status,
            path: Some(format!("file:/c/job/chk-{checkpoint}")),
            run: None,
            created_at: 0,
            completed_at: Some(0),
            checkpoint: Some(checkpoint),
            triggered_at: None,
            bytes: None,
        }
    }

    #[test]
    fn what_is_recorded_and_newer_is_found() {
        use SnapshotStatus::{Completed, Disposed, Subsumed};
        let recorded = [seen(7, Subsumed), seen(9, Completed), seen(11, Disposed)];
        assert_eq!(newer_than(Some(7), &recorded).and_then(|newer| newer.checkpoint), Some(9));
        assert_eq!(newer_than(None, &recorded).and_then(|newer| newer.checkpoint), Some(9));
        assert!(newer_than(Some(9), &recorded).is_none());
        assert!(newer_than(Some(10), &recorded).is_none());
        assert!(newer_than(None, &recorded[..1]).is_none());
        // What Flink has deleted was the state all the same.
        let deleted = [seen(7, Completed), seen(9, SnapshotStatus::Lost)];
        assert_eq!(newer_than(Some(7), &deleted).and_then(|newer| newer.checkpoint), Some(9));
    }

    #[test]
    fn a_savepoint_is_compared_by_when_it_was_written_and_not_by_when_that_was_learned() {
        let savepoint = Snapshot { created_at: 100, completed_at: Some(900), ..seen(0, SnapshotStatus::Completed) };
        assert_eq!(is_newer(&savepoint, Some(400), 500), Some(false));
        assert_eq!(is_newer(&savepoint, Some(600), 500), Some(true));
        assert_eq!(is_newer(&savepoint, None, 50), Some(true));
        assert_eq!(is_newer(&savepoint, None, 950), Some(false));
        assert_eq!(is_newer(&savepoint, None, 500), None);
        let recorded = [
            Snapshot { created_at: 100, ..seen(3, SnapshotStatus::Completed) },
            Snapshot { created_at: 200, ..seen(4, SnapshotStatus::Completed) },
        ];
        assert_eq!(number_at(150, &recorded), Some(3));
        assert_eq!(number_at(50, &recorded), None);
    }
}
