//! A job spec as scripts hold it.

use std::sync::Arc;

use serde_json::Value;

use super::marked::{self, MARK};
use crate::model::job_spec::JobSpec;

/// Marks it in the journal.
const KIND: &str = "spec/1";

/// The job somebody wants; made by `job::sql` and `job::jar`, immutable.
#[derive(Debug, Clone)]
pub struct Spec(pub Arc<JobSpec>);

impl Spec {
    /// The spec as the journal holds it: who, and a hash of all the rest.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            MARK: KIND,
            "environment": self.0.identity.environment,
            "name": self.0.identity.job,
            "hash": self.0.running_hash(),
            "tags": self.0.tags,
            "owner": self.0.owner,
        })
    }

    /// The job's name in what [`Spec::to_json`] gave; none in any other value.
    pub fn name_in(value: &Value) -> Option<&str> {
        marked::is(value, KIND).then_some(())?;
        value.get("name")?.as_str()
    }
}
