//! Executions where none should be: two of one job, an older one, and those that nobody here has started, on any cluster.

use std::collections::{BTreeSet, HashSet};

use super::looks::Looks;
use super::{Drift, tell};
use crate::base::Result;
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::Listed;
use crate::ops::services::Services;
use crate::store::{Execution, JobRow, Store};

/// What to do about two executions.
const LOOK_AT_BOTH: &str = "look at both, and cancel the one that should not be there with Flink's own tools";

/// The jobs and executions that this state knows.
pub(super) struct Known {
    pub(super) jobs: Vec<JobRow>,
    executions: Vec<Execution>,
    ids: HashSet<String>,
}

impl Known {
    /// All of them.
    pub(super) fn read(store: &Store) -> Result<Self> {
        let executions = store.executions()?;
        let ids = executions.iter().map(|one| one.flink_id.clone()).collect();
        Ok(Self { jobs: store.jobs(None)?, executions, ids })
    }

    /// The executions of a job.
    pub(super) fn of(&self, job: &JobRow) -> impl Iterator<Item = &Execution> {
        self.executions.iter().filter(|one| one.job == job.id)
    }

    /// Whether a job is deployed to a cluster, or was.
    fn belongs(&self, services: &Services, job: &JobRow, cluster: &str) -> bool {
        services.environments.get(&job.environment).is_some_and(|own| own == cluster)
            || job.cluster == cluster
            || self.of(job).any(|one| one.cluster == cluster)
    }
}

/// What lives on any cluster and is recorded as an execution of a job, with the cluster's name.
pub(super) fn ours<'a>(looks: &'a Looks, known: &Known, job: &JobRow) -> Vec<(&'a str, &'a Listed)> {
    let own: HashSet<&str> = known.of(job).map(|one| one.flink_id.as_str()).collect();
    looks.alive().filter(|(_, listing)| own.contains(listing.id.as_str())).collect()
}

/// Two executions of a job, or one that is not the newest.
pub(super) fn of_ours(
    known: &Known,
    (job, newest): (&JobRow, Option<&Attempt>),
    ours: &[(&str, &Listed)],
    found: &mut Vec<Drift>,
) {
    let home = newest.map_or(&job.cluster, |attempt| &attempt.cluster);
    if ours.len() > 1 {
        let clusters: BTreeSet<&str> = ours.iter().map(|(cluster, _)| *cluster).collect();
        let named = ours.iter().map(|(cluster, listing)| match clusters.len() {
            1 => listing.id.clone(),
            _ => format!("{} on `{cluster}`", listing.id),
        });
        let text = format!("{} executions run: {}", ours.len(), named.collect::<Vec<_>>().join(", "));
        let cluster = if clusters.len() == 1 { ours[0].0 } else { home };
        found.push(tell(job, cluster, "twin", text, LOOK_AT_BOTH.to_owned()));
        return;
    }
    // One that was refused or never answered may have left what ran before as it was.
    let (Some(newest), [(cluster, listing)]) = (newest, ours) else { return };
    if newest.submission == Submission::Accepted && newest.flink_id != listing.id {
        let number = known.of(job).find(|one| one.flink_id == listing.id).map_or(0, |one| one.attempt);
        let text =
            format!("attempt {number} ({}) runs, and attempt {} on `{home}` is the newest", listing.id, newest.number);
        found.push(tell(job, cluster, "unwanted", text, LOOK_AT_BOTH.to_owned()));
    }
}

/// What has the id or the name of a job, and is not recorded.
pub(super) fn unknown(services: &Services, looks: &Looks, known: &Known, job: &JobRow, found: &mut Vec<Drift>) {
    let name = &job.name;
    let prefix = services.identity(&job.environment, name).prefix();
    let namesakes: Vec<String> =
        services.environments.keys().map(|environment| services.identity(environment, name).prefix()).collect();
    for (cluster, listing) in looks.alive().filter(|(_, listing)| !known.ids.contains(&listing.id)) {
        let is_home = services.environments.get(&job.environment).is_some_and(|own| own == cluster);
        let place = if is_home { String::new() } else { format!(" --cluster {cluster}") };
        let hint = || format!("`tidegate adopt {name} --id {}{place}` takes it over where no other runs", listing.id);
        if listing.id.starts_with(&prefix) {
            let text = format!("{} ({}) has the job's id and is not recorded here", listing.id, listing.state);
            found.push(tell(job, cluster, "orphan", text, hint()));
        } else if listing.name == *name && !namesakes.iter().any(|prefix| listing.id.starts_with(prefix)) {
            // Of the jobs of this name the one that is deployed there is meant.
            let is_of_another = !known.belongs(services, job, cluster)
                && known
                    .jobs
                    .iter()
                    .any(|other| other.id != job.id && other.name == *name && known.belongs(services, other, cluster));
            if !is_of_another {
                let text = format!("{} ({}) has the job's name and is not ours", listing.id, listing.state);
                found.push(tell(job, cluster, "foreign", text, hint()));
            }
        }
    }
}
