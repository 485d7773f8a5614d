//! An attempt: one submission of a job under one Flink job id.

use serde::{Deserialize, Serialize};

use super::revision::Revision;
use crate::base::clock::Millis;

/// How far a submission has come, as far as we know it. What the job does afterwards is an observation, not this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Submission {
    /// The intent is on the disk; whether the request arrived is not known.
    Open,
    /// The JobManager has it, or had it: the id is burnt.
    Accepted,
    /// The JobManager refused it; no job came of it.
    Refused,
    /// The outcome could not be known, and somebody declared that it does not run.
    GivenUp,
}

impl Submission {
    /// The word in the database and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
        }
    }

    /// What came of it, as a part of a sentence.
    pub fn answered(self) -> &'static str {
        match self {
            Self::Open => "was never answered",
            Self::Accepted => "was accepted",
            Self::Refused => "was refused",
            Self::GivenUp => "was given up",
        }
    }

    /// The reverse of [`Submission::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Accepted, Self::Refused, Self::GivenUp].into_iter().find(|state| state.name() == name)
    }
}

/// The journal step that made an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepKey {
    /// The run's number.
    pub run: i64,
    /// The branch path: empty at top level, `"3/"` inside the scope of step 3.
    pub path: String,
    /// The sequence number on that path, from 0.
    pub sequence: i64,
}

/// One submission, as recorded.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job's row.
    pub job: i64,
    /// Counts from 1 for each job.
    pub number: u32,
    /// The Flink job id, made by us.
    pub flink_id: String,
    /// The cluster's name in `tidegate.yaml`.
    pub cluster: String,
    /// How far the submission has come.
    pub submission: Submission,
    /// The JobManager incarnation that it was sent to.
    pub incarnation: String,
    /// The spec that was submitted, as JSON.
    pub spec: String,
    /// Its hash.
    pub spec_hash: String,
    /// The revision that it runs.
    pub revision: u32,
    /// State of operators that the program no longer has may be left behind.
    pub allow_non_restored: bool,
    /// Whether Flink takes checkpoints of it; none where Flink was not asked.
    pub takes_checkpoints: Option<bool>,
    /// What the stability gate found: `stable` or `unstable`; `unjudged` where it is to find it; none where nobody asked.
    pub verdict: Option<String>,
    /// The file name of the uploaded jar.
    pub jar: String,
    /// The checkpoint or savepoint it was started from.
    pub restored_from: Option<String>,
    /// The step that made it.
    pub step: StepKey,
    /// When the intent was recorded.
    pub created_at: Millis,
    /// When the first answer came.
    pub answered_at: Option<Millis>,
    /// The terminal state, once somebody saw it.
    pub end_state: Option<String>,
    /// When the job ended, by Flink's clock, or when its end was seen.
    pub ended_at: Option<Millis>,
    /// Who asked for the end, where it was us.
    pub end_asked_by: Option<String>,
    /// The newest completed checkpoint or savepoint that was seen.
    pub checkpoint: Option<String>,
    /// Why it was refused, as JSON.
    pub error: Option<String>,
}

impl Attempt {
    /// An attempt at a revision that nobody has answered, started from nothing; its job's row and the revision's number come
    /// with its record.
    pub fn new(revision: &Revision, number: u32, flink_id: String, cluster: String, incarnation: String) -> Self {
        Self {
            job: 0,
            number,
            flink_id,
            cluster,
            submission: Submission::Open,
            incarnation,
            spec: revision.spec.clone(),
            spec_hash: revision.spec_hash.clone(),
            revision: revision.number,
            allow_non_restored: false,
            takes_checkpoints: None,
            verdict: None,
            jar: String::new(),
            restored_from: None,
            step: revision.step.clone(),
            created_at: revision.created_at,
            answered_at: None,
            end_state: None,
            ended_at: None,
            end_asked_by: None,
            checkpoint: None,
            error: None,
        }
    }
}
