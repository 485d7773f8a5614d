//! What a JobManager holds and answers, as measured on Flink 1.17 to 2.3.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::job::{Job, millis};
use super::trace::{jar_missing, main_error, not_restored, rest_exception};
use super::wire::{Reply, Request};

/// An execution that began: the truth, whatever a client was told.
#[derive(Debug, Clone)]
pub struct Execution {
    pub job_id: String,
    pub name: String,
    /// The incarnation that began it, from 1.
    pub incarnation: u64,
    pub begun: Instant,
    /// When its last task stopped writing; can lie in the future.
    pub ended: Option<Instant>,
    /// What it was restored from.
    pub restored_from: Option<String>,
    /// The newest state that there is of it: what it made itself, else what it was restored from.
    pub newest: Option<String>,
}

impl Execution {
    pub fn is_live(&self) -> bool {
        self.ended.is_none_or(|ended| ended > Instant::now())
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.ended.is_none_or(|ended| ended > other.begun) && other.ended.is_none_or(|ended| ended > self.begun)
    }
}

/// The JobManager's memory, and the settings of the fake.
pub struct Cluster {
    /// `1.20.5`.
    pub version: String,
    /// From a submission to all tasks running.
    pub startup: Duration,
    /// From then to the end of a bounded job.
    pub finish_after: Duration,
    /// A job whose name contains one of these is bounded; so is one with `execution.runtime-mode: BATCH`.
    pub bounded_names: Vec<String>,
    /// A job with more parallelism than this ends as FAILED for lack of slots.
    pub slots: u32,
    /// From the wish to cancel to CANCELED.
    pub cancel_takes: Duration,
    /// How long the tasks of a dead JobManager go on writing (40 s were measured on a real one).
    pub tasks_outlive: Duration,
    /// Whether the next JobManager knows the jobs of the one before, which run on; its savepoints it does not.
    pub high_availability: bool,
    /// Logs by path: `/jobmanager/log`, `/taskmanagers/tm-1/stdout`.
    pub logs: BTreeMap<String, Vec<u8>>,
    /// What `/jobmanager/environment` lists; none before Flink 1.17.
    pub class_path: Option<Vec<String>>,
    /// The Java that it says it runs on.
    pub java: u16,
    /// The jars by id.
    pub jars: BTreeMap<String, Vec<u8>>,
    /// Every execution that ever began.
    pub executions: Vec<Execution>,
    /// Counts the starts of the JobManager, from 1.
    pub incarnation: u64,
    /// Lets the next savepoints fail with this trace.
    pub savepoints_fail: Option<String>,
    /// Where its configuration says that checkpoints lie, if it says so.
    pub checkpoints_dir: Option<String>,
    /// The folder of this machine in which checkpoints and savepoints lie; without one nobody sees them from here.
    pub files: Option<PathBuf>,
    /// Whether REST keeps the newest state of each job to itself, as a copy of before it would.
    pub hides_newest: bool,
    /// How each job takes checkpoints, as REST tells it.
    pub checkpoint_configuration: Value,
    /// More of its configuration.
    pub settings: Vec<(&'static str, String)>,
    /// Whether it has the adaptive scheduler.
    pub adaptive: bool,
    /// What the operators of the next jobs have as parallelism that the job's own does not change.
    pub fixed: Vec<u32>,
    /// The most that an operator of the next jobs can have.
    pub max_parallelism: u32,
    /// How far its clock is ahead, in milliseconds.
    pub clock_ahead: u64,
    /// The savepoints that were to be deleted.
    pub disposed: Vec<String>,
    /// Those that somebody else had deleted before.
    pub deleted: BTreeSet<String>,
    /// What became of the savepoints that were asked for, by trigger id.
    triggers: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Job>,
    burnt: BTreeSet<String>,
    port: u16,
    serial: u64,
}

impl Cluster {
    pub(super) fn new(version: &str, port: u16) -> Self {
        Self {
            version: version.to_owned(),
            startup: Duration::ZERO,
            finish_after: Duration::ZERO,
            bounded_names: vec!["bounded".to_owned()],
            slots: 100,
            cancel_takes: Duration::ZERO,
            tasks_outlive: Duration::ZERO,
            high_availability: false,
            logs: BTreeMap::from([("/jobmanager/log".to_owned(), b"starting\nstarted\n".to_vec())]),
            class_path: Some(vec!["/opt/flink/lib/flink-dist-1.20.5.jar".to_owned()]),
            java: 17,
            jars: BTreeMap::new(),
            executions: Vec::new(),
            incarnation: 1,
            savepoints_fail: None,
            checkpoints_dir: None,
            files: None,
            hides_newest: false,
            checkpoint_configuration: json!({"mode": "exactly_once", "interval": 1000, "timeout": 600_000, "min_pause": 0,
                "max_concurrent": 1, "externalization": {"enabled": true, "delete_on_cancellation": false},
                "state_backend": "HashMapStateBackend", "unaligned_checkpoints": false, "tolerable_failed_checkpoints": 0}),
            settings: Vec::new(),
            adaptive: false,
            fixed: Vec::new(),
            max_parallelism: 128,
            clock_ahead: 0,
            disposed: Vec::new(),
            deleted: BTreeSet::new(),
            triggers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            burnt: BTreeSet::new(),
            port,
            serial: 0,
        }
    }

    /// What `/jobmanager/config` names as `web.tmpdir`.
    pub fn tmpdir(&self) -> String {
        format!("/tmp/flink-web-{:08x}-{:04x}", self.port, self.incarnation)
    }

    /// The state of a job as REST would tell it.
    pub fn state_of(&self, job_id: &str) -> Option<String> {
        self.jobs.get(job_id).map(|job| job.state().0)
    }

    /// Puts a job there that nobody submitted: somebody else's, or one of before.
    pub fn put_job(&mut self, job_id: &str, name: &str) {
        self.begin(job_id, name.to_owned(), false, 1, None);
    }

    /// Ends a job as FAILED with this trace.
    pub fn fail_job(&mut self, job_id: &str, trace: &str) {
        self.job(job_id).trace = Some(trace.to_owned());
        self.end(job_id, "FAILED");
    }

    /// Ends a job as FINISHED.
    pub fn finish_job(&mut self, job_id: &str) {
        self.end(job_id, "FINISHED");
    }

    /// Ends a job as CANCELED.
    pub fn cancel_job(&mut self, job_id: &str) {
        self.end(job_id, "CANCELED");
    }

    /// Sets a state that does not end the job, with no task running (`RESTARTING`); none gives it back to its course.
    pub fn force_state(&mut self, job_id: &str, state: Option<&str>) {
        self.job(job_id).forced = state.map(str::to_owned);
    }

    /// Lets a failure of a task be followed by a restart of Flink's own.
    pub fn restart_job(&mut self, job_id: &str, trace: &str) {
        let job = self.job(job_id);
        job.trace = Some(trace.to_owned());
        job.restarts += 1;
    }

    /// Completes a checkpoint of a job and returns its path.
    pub fn complete_checkpoint(&mut self, job_id: &str) -> String {
        let number = self.job(job_id).next_number();
        let path = format!("{}/{job_id}/chk-{number}", self.place("checkpoints"));
        self.write(&path);
        self.complete_checkpoint_at(job_id, &path);
        path
    }

    /// Completes a checkpoint of every job whose tasks all run.
    pub fn complete_checkpoints(&mut self) {
        let running = self.jobs.iter().filter(|(_, job)| job.state() == ("RUNNING".to_owned(), true));
        let ids: Vec<String> = running.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.complete_checkpoint(&id);
        }
    }

    /// Completes a checkpoint of a job that lies in a folder of this machine.
    pub fn complete_checkpoint_at(&mut self, job_id: &str, path: &str) {
        let job = self.job(job_id);
        let number = job.next_number();
        job.checkpoints.push((number, path.to_owned()));
        self.is_newest(job_id, path);
    }

    /// Where states of a kind lie.
    fn place(&self, kind: &str) -> String {
        self.files.as_ref().map_or_else(|| format!("file:/{kind}"), |files| format!("file:{}/{kind}", files.display()))
    }

    /// Writes a state, where it can be seen from here.
    fn write(&self, path: &str) {
        if self.files.is_some() {
            let folder = path.trim_start_matches("file:");
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(format!("{folder}/_metadata"), "whole").unwrap();
        }
    }

    fn is_newest(&mut self, job_id: &str, path: &str) {
        if let Some(execution) = self.job(job_id).execution {
            self.executions[execution].newest = Some(path.to_owned());
        }
    }

    /// Stops a job with a savepoint, as somebody else would; returns its path.
    pub fn stop_by_hand(&mut self, job_id: &str) -> String {
        let job = self.job(job_id);
        let number = job.next_number();
        let path = format!("file:/elsewhere/savepoint-{number}");
        job.savepoint = Some((number, path.clone()));
        self.is_newest(job_id, &path);
        self.end(job_id, "FINISHED");
        path
    }

    /// The parallelism of each vertex of a job: what follows the job's own first.
    pub fn parallelisms(&self, job_id: &str) -> Vec<u32> {
        let job = &self.jobs[job_id];
        job.vertices().map(|(_, _, parallelism)| parallelism).collect()
    }

    /// Deletes the checkpoints of a job; REST goes on listing them, as `discarded`.
    pub fn discard_checkpoints(&mut self, job_id: &str) {
        self.job(job_id).discarded = true;
    }

    /// Forgets a job that has ended, as Flink does after an hour; its id stays burnt.
    pub fn forget_job(&mut self, job_id: &str) {
        assert!(self.job(job_id).end.is_some(), "Flink forgets only jobs that have ended");
        self.jobs.remove(job_id);
    }

    /// Forgets what became of the savepoints that were asked for, as Flink does after some minutes.
    pub fn forget_savepoints(&mut self) {
        self.triggers.clear();
    }

    fn job(&mut self, job_id: &str) -> &mut Job {
        self.jobs.get_mut(job_id).unwrap_or_else(|| panic!("no job `{job_id}`"))
    }

    fn end(&mut self, job_id: &str, state: &'static str) {
        self.end_at(job_id, state, Instant::now());
    }

    fn end_at(&mut self, job_id: &str, state: &'static str, at: Instant) {
        let job = self.job(job_id);
        if job.end.is_some() {
            return;
        }
        job.end = Some((state, at));
        if let Some(execution) = job.execution {
            self.executions[execution].ended = Some(at);
        }
    }

    /// Lets the jobs end whose time has come.
    pub(super) fn settle(&mut self) {
        let cancelled: Vec<(String, Instant)> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| Some((id.clone(), job.cancelled_at?)))
            .filter(|(_, at)| *at <= Instant::now())
            .collect();
        for (id, at) in cancelled {
            self.end_at(&id, "CANCELED", at);
        }
        let due: Vec<(String, Instant)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.bounded && job.end.is_none() && job.forced.is_none() && job.cancelled_at.is_none())
            .map(|(id, job)| (id.clone(), job.begun + job.startup + job.finish_after))
            .filter(|(_, at)| *at <= Instant::now())
            .collect();
        for (id, at) in due {
            self.end_at(&id, "FINISHED", at);
        }
    }

    pub(super) fn die(&mut self) {
        self.settle();
        self.triggers.clear();
        if self.high_availability {
            return;
        }
        let last_write = Instant::now() + self.tasks_outlive;
        for job in self.jobs.values() {
            if let (None, Some(execution)) = (job.end, job.execution) {
                self.executions[execution].ended = Some(last_write);
            }
        }
        self.jobs.clear();
        self.burnt.clear();
    }

    pub(super) fn come_back(&mut self, keep_jars: bool) {
        self.incarnation += 1;
        if !keep_jars {
            self.jars.clear();
        }
    }

    fn begin(&mut self, id: &str, name: String, bounded: bool, parallelism: u32, restored_from: Option<String>) {
        let begun = Instant::now();
        self.executions.push(Execution {
            job_id: id.to_owned(),
            name: name.clone(),
            incarnation: self.incarnation,
            begun,
            ended: None,
            restored_from: restored_from.clone(),
            newest: restored_from.clone(),
        });
        if let Some(files) = &self.files {
            // A JobManager makes it with the job.
            std::fs::create_dir_all(files.join(format!("checkpoints/{id}/taskowned"))).unwrap();
        }
        self.add_job(id, name, bounded, parallelism, restored_from, Some(self.executions.len() - 1));
    }

    fn add_job(
        &mut self,
        id: &str,
        name: String,
        bounded: bool,
        parallelism: u32,
        restored_from: Option<String>,
        execution: Option<usize>,
    ) {
        self.burnt.insert(id.to_owned());
        let job = Job {
            name,
            begun: execution.map_or_else(Instant::now, |execution| self.executions[execution].begun),
            begun_millis: millis() + self.clock_ahead,
            bounded,
            parallelism,
            fixed: self.fixed.clone(),
            max_parallelism: self.max_parallelism,
            end: None,
            cancelled_at: None,
            forced: None,
            trace: None,
            restarts: 0,
            restored_from,
            checkpoints: Vec::new(),
            discarded: false,
            takes_checkpoints: true,
            savepoint: None,
            execution,
            startup: self.startup,
            finish_after: self.finish_after,
        };
        self.jobs.insert(id.to_owned(), job);
    }

    fn is_new(&self) -> bool {
        !self.version.starts_with("1.")
    }

    fn configuration(&self) -> Value {
        let mut set = vec![
            ("rest.port", self.port.to_string()),
            ("web.tmpdir", self.tmpdir()),
            ("heartbeat.timeout", "500".to_owned()),
            ("state.savepoints.dir", self.place("savepoints")),
        ];
        set.extend(self.settings.clone());
        set.extend(self.adaptive.then(|| ("jobmanager.scheduler", "adaptive".to_owned())));
        let checkpoints =
            self.checkpoints_dir.clone().or_else(|| self.files.as_ref().map(|_| self.place("checkpoints")));
        set.extend(checkpoints.map(|folder| ("state.checkpoints.dir", folder)));
        set.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    }

    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["overview"]) => Reply::json(200, &self.overview()),
            ("GET", ["config"]) => Reply::json(
                200,
                &json!({"refresh-interval": 50, "timezone-name": "UTC", "timezone-offset": 0, "flink-version": self.version,
                        "flink-revision": "fake", "features": {"web-submit": true, "web-cancel": true}}),
            ),
            ("GET", ["jobmanager", "config"]) => Reply::json(200, &self.configuration()),
            ("GET", ["jobmanager", "environment"]) if self.class_path.is_some() => Reply::json(
                200,
                &json!({"jvm": {"version": format!("OpenJDK 64-Bit Server VM - Debian - {0}/{0}.0.9+1-Debian-1", self.java), "arch": "amd64", "options": []}, "classpath": self.class_path}),
            ),
            ("GET", ["jobs", "overview"]) => {
                let jobs: Vec<Value> = self.jobs.iter().map(|(id, job)| job.overview(id, self.is_new())).collect();
                Reply::json(200, &json!({ "jobs": jobs }))
            }
            ("GET", ["jobs"]) => {
                let jobs: Vec<Value> =
                    self.jobs.iter().map(|(id, job)| json!({"id": id, "status": job.state().0})).collect();
                Reply::json(200, &json!({ "jobs": jobs }))
            }
            (method, ["jobs", id, rest @ ..]) => self.answer_job(method, id, rest, request),
            ("GET", ["jars"]) => {
                let files: Vec<Value> = self.jars.keys().map(|id| self.jar(id)).collect();
                Reply::json(200, &json!({"address": format!("http://127.0.0.1:{}", self.port), "files": files}))
            }
            ("POST", ["savepoint-disposal"]) => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let path = body["savepoint-path"].as_str().unwrap().to_owned();
                self.disposed.push(path);
                Reply::json(202, &json!({"request-id": self.disposed.len().to_string()}))
            }
            ("GET", ["savepoint-disposal", id]) => {
                let path = id.parse::<usize>().ok().and_then(|id| self.disposed.get(id - 1)).unwrap();
                let operation = match self.deleted.contains(path) {
                    true => failed_operation(
                        "org.apache.flink.util.FlinkException",
                        &format!(
                            "org.apache.flink.util.FlinkException: Could not dispose savepoint {path}.\n\tat a.B.c(B.java:1)\n\
                             Caused by: java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory \
                             '{path}' on file system 'file'.\n\tat a.B.c(B.java:1)\n"
                        ),
                    ),
                    false => json!({}),
                };
                Reply::json(200, &json!({"status": {"id": "COMPLETED"}, "operation": operation}))
            }
            ("POST", ["jars", "upload"]) => self.upload(request),
            ("DELETE", ["jars", id]) => match self.jars.remove(*id) {
                Some(_) => Reply::json(200, &json!({})),
                None => Reply::errors(400, &rest_exception(&format!("File {id} does not exist in /tmp/upload."))),
            },
            ("POST", ["jars", id, "run"]) => self.run(id, request),
            ("POST", ["jars", id, "plan"]) if self.jars.contains_key(*id) => Reply::json(
                200,
                &json!({"plan": {"jid": "0".repeat(32), "name": "fake", "type": "STREAMING", "nodes": []}}),
            ),
            ("POST", ["jars", id, "plan"]) => jar_missing(id),
            ("GET", ["taskmanagers"]) => Reply::json(
                200,
                &json!({"taskmanagers": [{"id": "tm-1", "path": "fake", "dataPort": 1, "timeSinceLastHeartbeat": millis(),
                        "slotsNumber": self.slots, "freeSlots": self.slots}]}),
            ),
            ("GET", ["jobmanager", "logs"]) | ("GET", ["taskmanagers", _, "logs"]) => {
                let prefix = request.path.trim_end_matches('s');
                let logs: Vec<Value> = self
                    .logs
                    .iter()
                    .filter(|(path, _)| path.starts_with(prefix))
                    .map(|(path, log)| json!({"name": path.rsplit('/').next(), "size": log.len(), "mtime": millis()}))
                    .collect();
                Reply::json(200, &json!({ "logs": logs }))
            }
            ("GET", ["jobmanager" | "taskmanagers", ..]) => match self.logs.get(&request.path) {
                Some(log) => Reply::text(log),
                None => Reply::errors(404, "This file does not exist in JobManager log dir."),
            },
            _ => Reply::errors(404, &format!("Unable to load requested file {}.", request.path)),
        }
    }

    fn answer_job(&mut self, method: &str, id: &str, rest: &[&str], request: &Request) -> Reply {
        let Some(job) = self.jobs.get(id) else {
            return match (method, rest) {
                ("PATCH", []) => Reply::errors(404, "Job could not be found."),
                ("GET", ["metrics"]) => Reply::json(200, &json!([])),
                _ if id.len() != 32 => Reply::errors(400, "Cannot resolve path parameter (jobid) from value \"x\"."),
                _ => Reply::errors(
                    404,
                    &format!(
                        "org.apache.flink.runtime.rest.NotFoundException: Job {id} not found\n\tat fake.Handler.handle(Handler.java:1)\n"
                    ),
                ),
            };
        };
        match (method, rest) {
            ("GET", []) => Reply::json(200, &job.detail(id)),
            ("PATCH", []) => match job.end {
                Some(("CANCELED", _)) | None => {
                    let at = Instant::now() + self.cancel_takes;
                    self.job(id).cancelled_at.get_or_insert(at);
                    self.settle();
                    Reply::json(202, &json!({}))
                }
                Some((state, _)) => Reply::errors(
                    409,
                    &rest_exception(&format!(
                        "Job cancellation failed because the job has already reached another terminal state ({state})."
                    )),
                ),
            },
            ("POST", ["stop"]) => self.save(id, request, true),
            ("POST", ["savepoints"]) => self.save(id, request, false),
            ("GET", ["checkpoints", "config"]) if !job.takes_checkpoints => {
                Reply::errors(404, &rest_exception(&format!("Checkpointing is not enabled for this job ({id}).")))
            }
            ("GET", ["checkpoints", "config"]) => Reply::json(200, &self.checkpoint_configuration),
            ("GET", ["savepoints", trigger]) => match self.triggers.get(*trigger) {
                Some(operation) => Reply::json(200, &json!({"status": {"id": "COMPLETED"}, "operation": operation})),
                None => Reply::errors(
                    404,
                    &format!("There is no savepoint operation with triggerId={trigger} for job {id}"),
                ),
            },
            ("GET", ["status"]) => Reply::json(200, &json!({"status": job.state().0})),
            ("GET", ["plan"]) => Reply::json(200, &json!({"plan": {"jid": id, "name": job.name, "nodes": []}})),
            ("GET", ["resource-requirements"]) => Reply::json(200, &job.requirements()),
            ("PUT", ["resource-requirements"]) => {
                let wanted = serde_json::from_slice(&request.body).unwrap();
                match self.job(id).require(&wanted) {
                    Ok(()) => Reply::json(200, &json!({})),
                    Err(why) => Reply::errors(400, &rest_exception(&why)),
                }
            }
            ("GET", ["exceptions"]) => Reply::json(200, &job.exceptions(self.is_new())),
            ("GET", ["checkpoints"]) => Reply::json(200, &job.checkpoints(self.hides_newest)),
            ("GET", ["metrics"]) => {
                let known = [("numRestarts", job.restarts.to_string()), ("uptime", job.times().2.to_string())];
                let asked = request.query.strip_prefix("get=").unwrap_or_default();
                let values: Vec<Value> = known
                    .iter()
                    .filter(|(name, _)| asked.split(',').any(|asked| asked == *name))
                    .map(|(name, value)| json!({"id": name, "value": value}))
                    .collect();
                Reply::json(200, &Value::from(values))
            }
            _ => Reply::errors(404, &format!("Unable to load requested file {}.", request.path)),
        }
    }

    /// Stops a job with a savepoint, once for each trigger id.
    /// A savepoint, with which the job ends or goes on.
    fn save(&mut self, id: &str, request: &Request, stops: bool) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let target = if stops { &body["targetDirectory"] } else { &body["target-directory"] };
        let (trigger, target) = (body["triggerId"].as_str().unwrap(), target.as_str().unwrap());
        let accepted = Reply::json(202, &json!({ "request-id": trigger }));
        if self.triggers.contains_key(trigger) {
            return accepted;
        }
        if self.job(id).end.is_some() {
            return Reply::errors(409, &rest_exception("Job has already reached a terminal state."));
        }
        let failed = self.savepoints_fail.take().or_else(|| {
            let running = self.job(id).state() == ("RUNNING".to_owned(), true);
            (!running).then(|| "org.apache.flink.runtime.checkpoint.CheckpointException: Not all required tasks are currently running.\n".to_owned())
        });
        if let Some(trace) = failed {
            self.triggers
                .insert(trigger.to_owned(), failed_operation("java.util.concurrent.CompletionException", &trace));
            return accepted;
        }
        let job = self.job(id);
        let number = job.next_number();
        let path = format!("{target}/savepoint-{}", &trigger[..12]);
        job.savepoint = Some((number, path.clone()));
        let replaced = if stops { std::mem::take(&mut job.checkpoints) } else { Vec::new() };
        self.write(&path);
        self.is_newest(id, &path);
        for (_, path) in replaced.iter().filter(|_| self.files.is_some()) {
            std::fs::remove_dir_all(path.trim_start_matches("file:")).unwrap();
        }
        self.triggers.insert(trigger.to_owned(), json!({ "location": path }));
        if stops {
            self.end(id, "FINISHED");
        }
        accepted
    }

    fn overview(&self) -> Value {
        let ended = |state| self.jobs.values().filter(|job| job.end.is_some_and(|(end, _)| end == state)).count();
        let live = self.jobs.values().filter(|job| job.end.is_none());
        let used: u32 = live.clone().map(|job| job.parallelism).sum();
        json!({"taskmanagers": 1, "slots-total": self.slots, "slots-available": self.slots.saturating_sub(used),
               "jobs-running": live.count(), "jobs-finished": ended("FINISHED"), "jobs-cancelled": ended("CANCELED"),
               "jobs-failed": ended("FAILED"), "flink-version": self.version, "flink-commit": "fake"})
    }

    fn jar(&self, id: &str) -> Value {
        let name = id.split_once('_').map_or(id, |(_, name)| name);
        json!({"id": id, "name": name, "uploaded": millis(), "entry": []})
    }

    fn upload(&mut self, request: &Request) -> Reply {
        let Some((name, content)) = request.file().filter(|(name, _)| name.ends_with(".jar")) else {
            return Reply::errors(400, &rest_exception("Only Jar files are allowed."));
        };
        self.serial += 1;
        let id = format!("00000000-0000-0000-0000-{:012}_{name}", self.serial);
        self.jars.insert(id.clone(), content);
        Reply::json(200, &json!({"filename": format!("/tmp/upload/flink-web-upload/{id}"), "status": "success"}))
    }

    fn run(&mut self, jar: &str, request: &Request) -> Reply {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return Reply::errors(400, &rest_exception("Request did not match expected format JarRunRequestBody."));
        };
        if !self.jars.contains_key(jar) {
            return jar_missing(jar);
        }
        self.serial += 1;
        let id = body["jobId"].as_str().map_or_else(|| format!("{:032x}", self.serial), str::to_owned);
        if id.len() != 32 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
            return Reply::errors(400, &rest_exception(&format!("Cannot parse JobID from \"{id}\".")));
        }
        let options = &body["flinkConfiguration"];
        let name = options["pipeline.name"].as_str().unwrap_or("insert-into_default_catalog.default_database.out");
        if self.burnt.contains(&id) {
            return Reply::errors(400, &self.duplicate(name));
        }
        let bounded = self.bounded_names.iter().any(|part| name.contains(part.as_str()))
            || options["execution.runtime-mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("batch"));
        let parallelism = body["parallelism"].as_u64().map_or(1, |parallelism| u32::try_from(parallelism).unwrap());
        let restored_from = body["savepointPath"].as_str().map(str::to_owned);
        // The JobMaster cannot start: no task ever runs, but the job is listed as FAILED and its id is burnt.
        if let Some(path) = restored_from.as_deref().filter(|path| path.contains("missing")) {
            let trace = not_restored(path);
            self.add_job(&id, name.to_owned(), false, parallelism, None, None);
            self.fail_job(&id, &trace);
            return Reply::errors(
                400,
                &main_error(&format!(
                    "org.apache.flink.util.FlinkException: Failed to execute job '{name}'.\nCaused by: {trace}"
                )),
            );
        }
        self.begin(&id, name.to_owned(), bounded, parallelism, restored_from);
        self.job(&id).takes_checkpoints = options["execution.checkpointing.interval"].is_string();
        if parallelism > self.slots {
            self.fail_job(
                &id,
                "org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy\n\
                 Caused by: org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum required resources.\n",
            );
        }
        let mut answer = json!({ "jobid": id });
        if self.is_new() {
            answer["applicationId"] = json!(id);
        }
        Reply::json(200, &answer)
    }

    fn duplicate(&self, name: &str) -> String {
        let last = if self.is_new() {
            "DuplicateApplicationSubmissionException: Application has already been submitted."
        } else {
            "DuplicateJobSubmissionException: Job has already been submitted."
        };
        main_error(&format!(
            "org.apache.flink.util.FlinkException: Failed to execute job '{name}'.\n\tat fake.Execute.run(Execute.java:1)\n\
             Caused by: org.apache.flink.runtime.client.{last}\n\t... 1 more\n"
        ))
    }
}

/// How an operation ended that failed, as `/savepoints/:id` and `/savepoint-disposal/:id` tell it.
fn failed_operation(class: &str, trace: &str) -> Value {
    json!({ "failure-cause": {"class": class, "stack-trace": trace, "serialized-throwable": "rO0AB".repeat(6_000)} })
}
