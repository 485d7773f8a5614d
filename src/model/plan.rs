//! What a script would do, as a plan tells it.

use serde::Serialize;

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
    /// Why it would be refused.
    pub blocked: Option<Error>,
}

impl Change {
    /// A change that nothing stands against, with no differences to tell.
    pub fn new(action: Action, subject: impl Into<String>, notes: Vec<String>) -> Self {
        Self { action, subject: subject.into(), notes, differences: Vec::new(), basis: String::new(), blocked: None }
    }
}
