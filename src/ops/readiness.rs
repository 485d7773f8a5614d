//! Whether a spec can be started where it is to run: looked at before what runs is ended for it.

use super::connection::Connection;
use super::run_request;
use super::services::Services;
use super::upload;
use super::validate;
use crate::base::Result;
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;

/// The jar of a spec, as a cluster has it.
#[derive(Debug)]
pub(super) struct Ready {
    /// Flink's id of it.
    pub(super) jar: String,
    /// The start of the JobManager that has it.
    pub(super) incarnation: String,
}

/// Looks whether a spec could be started in the place of what runs: its jars are whole and on the cluster, its secrets can be
/// resolved, and the cluster plans its SQL. A jar is not planned, nor is what uses an external catalog: it would act.
///
/// As long as the JobManager is the one that `running` was sent to, what is found holds.
///
/// # Errors
/// `secret.*`, `file.*`, `flink.*`; where the SQL is refused it says that what runs goes on.
pub(super) async fn look(
    services: &Services,
    connection: &Connection,
    spec: &JobSpec,
    running: &Attempt,
) -> Result<Ready> {
    let version = connection.version(&running.incarnation).await?;
    let jar = match validate::would_act(spec, &[]) {
        Some(_) => {
            let payload = upload::payload(services, spec)?;
            run_request::request(services, version, true, "", None, false, spec)?;
            upload::ensure(&connection.client, &payload, false).await?
        }
        None => validate::planned(services, connection, spec, version).await.map_err(|error| {
            let goes_on = format!("nothing was ended for it: attempt {} goes on", running.number);
            match error.hint_text().map(str::to_owned) {
                Some(hint) => error.hint(format!("{hint}; {goes_on}")),
                None => error.hint(goes_on),
            }
        })?,
    };
    Ok(Ready { jar, incarnation: running.incarnation.clone() })
}
