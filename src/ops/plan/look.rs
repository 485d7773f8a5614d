//! What a plan sees of a job before anything is decided.

use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};
use crate::ops::cluster::Start;
use crate::ops::connection::Connection;
use crate::ops::services::Services;
use crate::ops::standing::{self, is_missing, live, recorded};
use crate::store::JobRow;

/// What was seen of a job before anything is decided.
pub(super) struct Look {
    pub(super) job: Option<JobRow>,
    pub(super) newest: Option<Attempt>,
    /// None where a local cluster is down.
    pub(super) connection: Option<Connection>,
    /// The cluster that the newest attempt went to, where that is another one and it may live there.
    pub(super) elsewhere: Option<Connection>,
    pub(super) listed: Vec<Listed>,
    pub(super) live: Option<(Connection, Listed, Attempt)>,
    /// The cluster as it would be started, where it is a local one that is down.
    pub(super) down: Option<Connection>,
    pub(super) notes: Vec<String>,
    pub(super) refused: Option<Error>,
}

impl Look {
    fn nothing() -> Self {
        Self {
            job: None,
            newest: None,
            connection: None,
            elsewhere: None,
            listed: Vec::new(),
            live: None,
            down: None,
            notes: Vec::new(),
            refused: None,
        }
    }
}

pub(super) async fn look(services: &Services, spec: &JobSpec) -> Result<Look> {
    let identity = &spec.identity;
    let job = services.store.job(&identity.environment, &identity.job)?;
    let newest = match &job {
        Some(job) => services.store.newest_attempt(job.id)?,
        None => None,
    };
    let mut look = Look { job, newest, ..Look::nothing() };
    match services.clusters.connect(&spec.cluster, Start::No).await {
        Ok(connection) => look.connection = Some(connection),
        Err(error) if error.is(&code::CLUSTER_DOWN) => {
            look.down = Some(services.clusters.as_started(&spec.cluster)?);
            look.notes.push(format!("the local cluster `{}` is down and would be started", spec.cluster));
        }
        Err(error) if error.is(&code::CLUSTER_UNKNOWN) => return Err(error),
        Err(error) => look.refused = Some(error),
    }
    match standing::elsewhere(services, spec, look.newest.as_ref()).await {
        Ok(elsewhere) => look.elsewhere = elsewhere,
        Err(error) => look.refused = Some(error),
    }
    let Some(connection) = look.elsewhere.clone().or_else(|| look.connection.clone()) else {
        unsettled(&mut look, None);
        return Ok(look);
    };
    let (incarnation, listed) = match services.clusters.look(&connection).await {
        Ok(seen) => seen,
        Err(error) => {
            look.refused = Some(error);
            return Ok(look);
        }
    };
    unsettled(&mut look, Some((&incarnation, &listed)));
    match live(services, identity, &connection.name, &listed) {
        Err(error) => look.refused = Some(error),
        Ok(Some(listing)) => {
            if let Some(job) = &look.job {
                let attempt = recorded(services, job, listing)?;
                // It is listed, so what was not answered had arrived.
                look.refused = None;
                look.live = Some((connection.clone(), listing.clone(), attempt));
            }
        }
        Ok(None) => {}
    }
    if let Some(newest) = &look.newest
        && look.refused.is_none()
        && is_missing(newest, &connection.name, &listed)
        && !connection.is_local
        && incarnation != newest.incarnation
    {
        look.notes.push(format!(
            "the JobManager has restarted and lost attempt {}: its tasks are waited for first",
            newest.number
        ));
    }
    look.listed = listed;
    Ok(look)
}

/// Says what a deploy does about a submission that was never answered.
fn unsettled(look: &mut Look, seen: Option<(&str, &[Listed])>) {
    let Some(open) = look.newest.as_ref().filter(|newest| newest.submission == Submission::Open) else { return };
    let arrived = seen.is_some_and(|(_, listed)| listed.iter().any(|listing| listing.id == open.flink_id));
    let same = seen.is_some_and(|(incarnation, _)| incarnation == open.incarnation);
    if arrived {
        return;
    }
    if same {
        look.notes
            .push(format!("attempt {} was never answered: it is sent again under its own key first", open.number));
    } else {
        look.refused = Some(Error::new(
            &code::JOB_UNKNOWN_OUTCOME,
            format!("attempt {} was never answered, and the JobManager has restarted since", open.number),
        ));
    }
}

/// As [`basis`], of a job that is recorded, by its name: what ends it, or asks something of it, has no spec of its own.
///
/// # Errors
/// `state.*`.
pub(super) async fn basis_of(services: &Services, environment: &str, name: &str) -> Result<String> {
    let job = services.store.job(environment, name)?;
    let newest = match &job {
        Some(job) => services.store.newest_attempt(job.id)?,
        None => None,
    };
    let mut look = Look { job, newest, ..Look::nothing() };
    let Some(newest) = &look.newest else { return basis(services, &look) };
    let seen = async {
        let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
        let (_, listed) = services.clusters.look(&connection).await?;
        Ok::<_, Error>((connection, listed))
    };
    match seen.await {
        Ok((connection, listed)) => {
            let id = newest.flink_id.clone();
            let live = listed.iter().find(|listing| listing.id == id && !is_terminal(&listing.state)).cloned();
            look.live = live.map(|listing| (connection, listing, newest.clone()));
            look.listed = listed;
            basis(services, &look)
        }
        Err(_) => Ok(format!("{}, whose cluster does not tell", recorded_basis(services, &look)?)),
    }
}

/// What is recorded and what was seen, in a line that is another one when either has changed.
pub(super) fn basis(services: &Services, look: &Look) -> Result<String> {
    let seen = match (&look.newest, &look.live) {
        (_, Some((connection, listing, _))) => format!("{} on {} is live", listing.id, connection.name),
        (Some(newest), None) => match look.listed.iter().find(|listing| listing.id == newest.flink_id) {
            Some(listing) => format!("it is {}", listing.state),
            None => "it is not listed".to_owned(),
        },
        (None, None) => "nothing runs".to_owned(),
    };
    Ok(format!("{}, {seen}", recorded_basis(services, look)?))
}

fn recorded_basis(services: &Services, look: &Look) -> Result<String> {
    let revision = match &look.job {
        Some(job) => services.store.newest_revision(job.id)?,
        None => 0,
    };
    let attempt = look.newest.as_ref().map_or_else(
        || "no attempt".to_owned(),
        |newest| format!("attempt {} ({}, {})", newest.number, newest.flink_id, newest.submission.name()),
    );
    Ok(format!("revision {revision}, {attempt}"))
}
