//! What a script would do, as a plan tells it.

use serde::Serialize;

use super::class::Class;
use crate::base::Error;

/// What would be done with a job, or with something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// The job's first execution is started.
    Create,
    /// It is at its spec: nothing is done.
    Noop,
    /// What only we keep of it is recorded; the running job is not touched.
    Record,
    /// It has ended, and a new attempt is started.
    Restart,
    /// It runs with another spec.
    Upgrade,
    /// One new execution of a bounded job is started and waited for.
    Execute,
    /// It is cancelled.
    Cancel,
    /// It is stopped with a savepoint.
    Stop,
    /// It is stopped with a savepoint, and not desired any more.
    Remove,
    /// It is taken over as it runs.
    Adopt,
    /// A savepoint is taken of it.
    Savepoint,
    /// It goes back to an earlier revision.
    Rollback,
    /// It gets another parallelism.
    Rescale,
    /// A function with an effect of another kind is called.
    Call,
    /// Its cluster did not tell how it stands, and a run would stop.
    Unknown,
}

impl Action {
    /// The word in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Noop => "NOOP",
            Self::Record => "RECORD",
            Self::Restart => "RESTART",
            Self::Upgrade => "UPGRADE",
            Self::Execute => "EXECUTE",
            Self::Cancel => "CANCEL",
            Self::Stop => "STOP",
            Self::Remove => "REMOVE",
            Self::Adopt => "ADOPT",
            Self::Savepoint => "SAVEPOINT",
            Self::Rollback => "ROLLBACK",
            Self::Rescale => "RESCALE",
            Self::Call => "CALL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether something in the world, or in what is recorded, would be another afterwards.
    pub fn is_change(self) -> bool {
        self != Self::Noop
    }
}

/// One thing that a run would do for a change, and what may be done about it after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// In a few words: `submit attempt 3`.
    pub does: String,
    /// Its effect class.
    pub class: Class,
}

/// The task slots that a change needs on its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotDemand {
    /// The cluster.
    pub cluster: String,
    /// Those that the new attempt takes, where its program sets nothing else.
    pub needed: u64,
    /// Those that the attempt before gives back first.
    pub freed: u64,
    /// Those that are free now.
    pub free: u64,
    /// All there are now.
    pub total: u64,
}

impl SlotDemand {
    /// How many are missing where changes, all of one cluster, are made one after the other.
    pub fn missing<'a>(demands: impl IntoIterator<Item = &'a Self>) -> u64 {
        let (mut free, mut missing) = (None, 0);
        for demand in demands {
            let has = free.unwrap_or(demand.free) + demand.freed;
            missing += demand.needed.saturating_sub(has);
            free = Some(has.saturating_sub(demand.needed));
        }
        missing
    }
}

/// The newest state of a job, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewestState {
    /// `checkpoint`, `savepoint` or `stop`.
    pub kind: &'static str,
    /// The attempt that it is of.
    pub attempt: u32,
    /// Where it lies.
    pub path: String,
    /// How old it is, in milliseconds.
    #[serde(rename = "age_ms")]
    pub age: u64,
}

/// What is to be known of a change before it is agreed upon, beside what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// The first half of the job's Flink ids.
    pub identity: Option<String>,
    /// How long the attempt that runs has been running, in milliseconds.
    pub running_for: Option<u64>,
    /// The newest state that is recorded; the cluster may know a newer one.
    pub newest_state: Option<NewestState>,
    /// What it needs of its cluster.
    pub slots: Option<SlotDemand>,
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// The revision that a `rollback` afterwards goes back to.
    pub rollback_to: Option<u32>,
}

/// One effect of a plan.
#[derive(Debug, Clone)]
pub struct Change {
    /// What would be done.
    pub action: Action,
    /// With what: the job's name, or the function that would be called.
    pub subject: String,
    /// In a few words: which attempt, from which state, on which cluster.
    pub notes: Vec<String>,
    /// What differs from what is recorded, a line each.
    pub differences: Vec<String>,
    /// Upon what it was decided: what is recorded of the job, and what its cluster said of it.
    pub basis: String,
    /// What is to be known beside.
    pub outlook: Outlook,
    /// Why it would be refused.
    pub blocked: Option<Error>,
}

impl Change {
    /// A change that nothing stands against, with no differences to tell.
    pub fn new(action: Action, subject: impl Into<String>, notes: Vec<String>) -> Self {
        Self {
            action,
            subject: subject.into(),
            notes,
            differences: Vec::new(),
            basis: String::new(),
            outlook: Outlook::default(),
            blocked: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SlotDemand;

    #[test]
    fn slots_are_counted_over_all_changes_of_a_cluster() {
        let demand = |needed, freed| SlotDemand { cluster: "c".to_owned(), needed, freed, free: 4, total: 8 };
        assert_eq!(SlotDemand::missing(&[demand(4, 0)]), 0);
        assert_eq!(SlotDemand::missing(&[demand(5, 0)]), 1);
        assert_eq!(SlotDemand::missing(&[demand(5, 1)]), 0);
        assert_eq!(SlotDemand::missing(&[demand(3, 0), demand(3, 0)]), 2);
        // One that shrinks makes room for the next.
        assert_eq!(SlotDemand::missing(&[demand(1, 3), demand(6, 0)]), 0);
        assert_eq!(SlotDemand::missing(&[]), 0);
    }
}
