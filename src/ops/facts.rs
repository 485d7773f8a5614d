//! The facts of a job handle: what was known of an attempt at one time.

use serde_json::{Value, json};

use super::connection::Connection;
use crate::base::clock;
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::Listed;

/// The facts after a deploy. `action` is `created`, `unchanged` or `finished`.
pub fn of(connection: &Connection, spec: &JobSpec, attempt: &Attempt, listing: Option<&Listed>, action: &str) -> Value {
    let state = listing.map(|listing| listing.state.clone()).or_else(|| attempt.end_state.clone());
    json!({
        "environment": spec.identity.environment,
        "name": spec.identity.job,
        "cluster": connection.name,
        "url": connection.client.base_url(),
        "attempt": attempt.number,
        "id": attempt.flink_id,
        "state": state.unwrap_or_else(|| "CREATED".to_owned()),
        "tasks_running": listing.map_or(0, |listing| listing.tasks_running),
        "tasks_total": listing.map_or(0, |listing| listing.tasks_total),
        "restored_from": attempt.restored_from,
        "action": action,
        "at": clock::rfc3339(clock::now()),
    })
}
