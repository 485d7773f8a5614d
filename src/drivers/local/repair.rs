//! What makes a cluster whole again whose JobManager lives.

use super::cluster::{Cluster, Up, give_up, started, task_manager_name, url_of};
use super::health::{self, Expected, Logs};
use super::jvm::{self, Jvm};
use super::record::Record;
use super::starter::Starter;
use super::{Report, word};
use crate::base::Result;
use crate::base::cancel::Cancel;

/// What came of a repair.
pub(super) enum Repair {
    Whole(Up),
    /// The process number of the JobManager that all else would have belonged to.
    JobManagerEnded(u32),
}

impl Cluster {
    /// Starts the TaskManagers that are missing, stops those that are too many.
    ///
    /// # Errors
    /// `cluster.start_failed`, `cluster.stop_failed`, `cancelled`.
    pub(super) async fn repair(
        &self,
        mut record: Record,
        job_manager: &Jvm,
        alive: &[Jvm],
        client: &reqwest::Client,
        cancel: &Cancel,
        progress: Report<'_>,
    ) -> Result<Repair> {
        let directory = record.directory.clone();
        let names: Vec<String> = (1..=self.task_managers).map(task_manager_name).collect();
        let mut task_managers: Vec<Jvm> = Vec::new();
        let mut surplus: Vec<Jvm> = Vec::new();
        for each in alive.iter().filter(|each| !each.is_job_manager()) {
            let known = names.contains(&each.name) && !task_managers.iter().any(|other| other.name == each.name);
            if known { &mut task_managers } else { &mut surplus }.push(each.clone());
        }
        jvm::stop(&surplus, cancel).await?;
        let missing: Vec<&String> =
            names.iter().filter(|name| !task_managers.iter().any(|each| each.name == **name)).collect();
        let logs = Logs::mark(&directory, names.iter().map(String::as_str).chain([jvm::JOB_MANAGER]));
        record.running = true;
        record.task_managers = self.task_managers;
        record.processes = std::iter::once(job_manager).chain(&task_managers).map(started).collect();
        let mut new = Vec::new();
        if !missing.is_empty() {
            word(
                progress,
                format!(
                    "starting {} again",
                    missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ")
                ),
            );
            let starter = Starter::new(&record)?;
            for name in &missing {
                let launched = starter.task_manager(name).and_then(|jvm| {
                    new.push(jvm.clone());
                    record.processes.push(started(&jvm));
                    record.save(&directory)
                });
                if let Err(error) = launched {
                    return Err(give_up(error, &new).await);
                }
            }
        }
        task_managers.extend(new.iter().cloned());
        let url = url_of(&record);
        let expected = Expected { url: &url, job_manager, task_managers: &task_managers, logs: &logs };
        let answer = match health::wait(&expected, client, cancel, progress).await {
            Ok(answer) => answer,
            // It was killed, and had not yet ended when the processes were looked at.
            Err(_) if !job_manager.is_alive() => return Ok(Repair::JobManagerEnded(job_manager.pid)),
            Err(failure) => {
                let hint =
                    format!("`tidegate cluster down {}` ends the cluster, and the next `up` starts it anew", self.name);
                let error = if failure.error.hint_text().is_none() { failure.error.hint(hint) } else { failure.error };
                return Err(give_up(error, &new).await);
            }
        };
        record.complete = true;
        record.save(&directory)?;
        Ok(Repair::Whole(Up {
            url,
            reused: new.is_empty(),
            version: record.version,
            job_manager_pid: job_manager.pid,
            task_manager_pids: task_managers.iter().map(|each| each.pid).collect(),
            slots: answer.slots_total,
        }))
    }
}
