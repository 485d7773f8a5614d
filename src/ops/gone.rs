//! What is said of an execution that its cluster does not list any more.

use super::connection::Connection;
use super::deploy;
use super::services::Services;
use crate::base::Result;
use crate::model::attempt::Attempt;
use crate::model::job_status::Listed;

/// What a cluster lists of an execution.
pub(super) enum Seen {
    /// It is there, running or not.
    Listed(Listed),
    /// It is not, and nothing of it writes any more.
    Gone(Gone),
}

/// How it is gone.
pub(super) struct Gone {
    /// The word for its state.
    pub(super) state: &'static str,
    /// What is known, as a part of a sentence.
    pub(super) why: String,
}

/// Looks for an execution. One that went down with its JobManager may come back with high availability, and its tasks write for a
/// while: they are waited for.
///
/// # Errors
/// `flink.*`.
pub(super) async fn look(services: &Services, connection: &Connection, attempt: &Attempt) -> Result<Seen> {
    let listed = deploy::look(services, connection, Some(attempt), None).await?;
    if let Some(seen) = listed.into_iter().find(|listing| listing.id == attempt.flink_id) {
        return Ok(Seen::Listed(seen));
    }
    let (state, what) = if connection.incarnation().await? == attempt.incarnation {
        ("ENDED UNSEEN", "has forgotten how it ended")
    } else {
        ("VANISHED", "has restarted and does not know it")
    };
    let why = format!("attempt {} is {state}: the JobManager of `{}` {what}", attempt.number, connection.name);
    Ok(Seen::Gone(Gone { state, why }))
}
