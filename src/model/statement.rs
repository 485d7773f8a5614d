//! A statement of a SQL job, with the way back to the template that it came from.

use serde::{Deserialize, Serialize};

use crate::base::secret::SecretText;

/// Where a rendered line came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The template.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
}

/// What a statement is to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `SET 'key' = 'value'`.
    Set { key: String, value: String },
    /// `RESET 'key'`, or `RESET` of all.
    Reset { key: Option<String> },
    /// `INSERT INTO`, into the one statement set.
    Insert,
    /// `CREATE TABLE`, `USE`, `ADD JAR` and their like.
    Definition,
    /// A statement that submits the job by itself: `CREATE TABLE ... AS SELECT`.
    Execute,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its text, without the semicolon.
    pub text: SecretText,
    /// What it is.
    pub kind: Kind,
    /// Where each of its lines came from.
    pub origin: Vec<Origin>,
    /// The table it writes to or creates.
    pub table: Option<String>,
}
