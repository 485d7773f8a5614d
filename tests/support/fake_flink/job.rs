//! A job, and what REST tells of it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub(super) struct Job {
    pub(super) name: String,
    pub(super) begun: Instant,
    pub(super) begun_millis: u64,
    pub(super) bounded: bool,
    pub(super) parallelism: u32,
    /// What other operators have, whatever the job's own is.
    pub(super) fixed: Vec<u32>,
    pub(super) max_parallelism: u32,
    /// Its terminal state and when it was reached.
    pub(super) end: Option<(&'static str, Instant)>,
    /// When it will be, or was, CANCELED.
    pub(super) cancelled_at: Option<Instant>,
    /// A state that a test set: RESTARTING, FAILING.
    pub(super) forced: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) restarts: u32,
    pub(super) restored_from: Option<String>,
    /// Number and path.
    pub(super) checkpoints: Vec<(u64, String)>,
    /// Whether checkpointing is on.
    pub(super) takes_checkpoints: bool,
    /// Whether its checkpoints were deleted.
    pub(super) discarded: bool,
    /// Number and path of the savepoint that it was stopped with.
    pub(super) savepoint: Option<(u64, String)>,
    pub(super) execution: Option<usize>,
    /// Once a job has shown itself it keeps to its times, whatever is set later.
    pub(super) startup: Duration,
    pub(super) finish_after: Duration,
}

impl Job {
    pub(super) fn state(&self) -> (String, bool) {
        if let Some((state, _)) = self.end {
            return (state.to_owned(), false);
        }
        if self.cancelled_at.is_some() {
            return ("CANCELLING".to_owned(), false);
        }
        if let Some(state) = &self.forced {
            return (state.clone(), false);
        }
        let elapsed = self.begun.elapsed();
        // Flink says RUNNING while the tasks still wait for their slots.
        match elapsed {
            _ if elapsed >= self.startup => ("RUNNING".to_owned(), true),
            _ if elapsed * 3 >= self.startup * 2 => ("RUNNING".to_owned(), false),
            _ if elapsed * 3 >= self.startup => ("CREATED".to_owned(), false),
            _ => ("INITIALIZING".to_owned(), false),
        }
    }

    /// Flink counts over checkpoints and savepoints.
    pub(super) fn next_number(&self) -> u64 {
        self.checkpoints.iter().chain(&self.savepoint).map(|(number, _)| number + 1).max().unwrap_or(1)
    }

    pub(super) fn times(&self) -> (u64, i64, u64) {
        let duration = |until: Instant| u64::try_from((until - self.begun).as_millis()).unwrap();
        match self.end {
            Some((_, at)) => {
                (self.begun_millis, i64::try_from(self.begun_millis + duration(at)).unwrap(), duration(at))
            }
            None => (self.begun_millis, -1, duration(Instant::now())),
        }
    }

    /// The state of a job's tasks; none while it has none.
    fn task_state(&self) -> Option<&'static str> {
        match self.state() {
            (state, _) if matches!(state.as_str(), "INITIALIZING" | "CREATED") => None,
            (state, running) if state == "RUNNING" => Some(if running { "RUNNING" } else { "DEPLOYING" }),
            (state, _) if state == "FINISHED" => Some("FINISHED"),
            (state, _) if state == "FAILED" => Some("FAILED"),
            (state, _) if state == "CANCELLING" => Some("CANCELING"),
            (state, _) if state == "CANCELED" => Some("CANCELED"),
            _ => Some("CREATED"),
        }
    }

    pub(super) fn overview(&self, id: &str, is_new: bool) -> Value {
        let (start, end, duration) = self.times();
        let mut tasks = json!({"running": 0, "canceling": 0, "canceled": 0, "total": 0, "created": 0, "scheduled": 0,
            "deploying": 0, "reconciling": 0, "finished": 0, "initializing": 0, "failed": 0});
        if let Some(name) = self.task_state() {
            let total: u32 = self.vertices().map(|(_, _, parallelism)| parallelism).sum();
            tasks[name.to_lowercase()] = json!(total);
            tasks["total"] = json!(total);
        }
        let mut overview = json!({"jid": id, "name": self.name, "start-time": start, "end-time": end, "duration": duration,
            "state": self.state().0, "last-modification": start, "tasks": tasks});
        if is_new {
            overview["jobType"] = json!("STREAMING");
            overview["schedulerType"] = json!("Default");
        }
        overview
    }

    pub(super) fn detail(&self, id: &str) -> Value {
        let (start, end, duration) = self.times();
        let vertex = |state: &str, (id, name, parallelism): (String, &str, u32)| {
            let mut tasks = json!({"CREATED": 0, "SCHEDULED": 0, "DEPLOYING": 0, "INITIALIZING": 0, "RUNNING": 0,
                "FINISHED": 0, "CANCELING": 0, "CANCELED": 0, "FAILED": 0, "RECONCILING": 0});
            tasks[state] = json!(parallelism);
            json!({"id": id, "name": name, "parallelism": parallelism, "maxParallelism": self.max_parallelism,
                "status": state, "start-time": start, "end-time": end, "duration": duration, "tasks": tasks})
        };
        let state = self.task_state();
        let vertices: Vec<Value> =
            state.into_iter().flat_map(|state| self.vertices().map(move |one| vertex(state, one))).collect();
        json!({"jid": id, "name": self.name, "isStoppable": false, "state": self.state().0, "job-type": "STREAMING",
            "start-time": start, "end-time": end, "duration": duration, "maxParallelism": -1, "now": millis(),
            "timestamps": {}, "vertices": vertices, "status-counts": {}, "plan": {"jid": id, "name": self.name, "nodes": []}})
    }

    /// Id, name and parallelism of each vertex.
    pub(super) fn vertices(&self) -> impl Iterator<Item = (String, &'static str, u32)> {
        let own = ("bc764cd8ddf7a0cff126f51c16239658".to_owned(), "Source: src -> Sink: out", self.parallelism);
        let fixed = self.fixed.iter().zip(1..);
        std::iter::once(own).chain(fixed.map(|(has, number): (&u32, u32)| (format!("{number:032x}"), "Ordered", *has)))
    }

    /// What `resource-requirements` tells.
    pub(super) fn requirements(&self) -> Value {
        let bounds = |has: u32| json!({"parallelism": {"lowerBound": 1, "upperBound": has}});
        self.vertices().map(|(id, _, parallelism)| (id, bounds(parallelism))).collect::<serde_json::Map<_, _>>().into()
    }

    /// What a change of them does: all, or nothing and why.
    pub(super) fn require(&mut self, wanted: &Value) -> Result<(), String> {
        let ids: Vec<String> = self.vertices().map(|(id, _, _)| id).collect();
        let upper = |id: &String| {
            let bound =
                wanted[id]["parallelism"]["upperBound"].as_u64().ok_or_else(|| format!("no bounds for {id}"))?;
            u32::try_from(bound).map_err(|error| error.to_string())
        };
        let bounds = ids.iter().map(upper).collect::<Result<Vec<_>, _>>()?;
        if let Some(bound) = bounds.iter().find(|bound| **bound > self.max_parallelism) {
            return Err(format!("The requested parallelism {bound} exceeds the maximum {}.", self.max_parallelism));
        }
        self.parallelism = bounds[0];
        self.fixed = bounds[1..].to_vec();
        Ok(())
    }

    pub(super) fn exceptions(&self, is_new: bool) -> Value {
        let entries: Vec<Value> = self
            .trace
            .iter()
            .map(|trace| {
                let class = trace.split([':', '\n']).next();
                json!({"exceptionName": class, "stacktrace": trace, "timestamp": millis(), "failureLabels": {},
                    "taskName": null, "endpoint": null, "taskManagerId": null, "concurrentExceptions": []})
            })
            .collect();
        let history = json!({"entries": entries, "truncated": false});
        if is_new {
            return json!({ "exceptionHistory": history });
        }
        json!({"root-exception": self.trace, "timestamp": self.trace.as_ref().map(|_| millis()), "all-exceptions": [],
            "truncated": false, "exceptionHistory": history})
    }

    pub(super) fn checkpoints(&self, hides_newest: bool) -> Value {
        let checkpoint = |(number, path): &(u64, String)| {
            json!({"className": "completed", "id": number, "status": "COMPLETED", "is_savepoint": false,
                "trigger_timestamp": self.begun_millis + number, "latest_ack_timestamp": self.begun_millis + number,
                "state_size": 1, "tasks": {},
                "checkpoint_type": if path.contains("/savepoint-") { "SYNC_SAVEPOINT" } else { "CHECKPOINT" }, "external_path": path,
                "discarded": self.discarded && !path.contains("/savepoint-")})
        };
        let shown = |(number, _): &&(u64, String)| !hides_newest || number + 1 < self.next_number();
        let history: Vec<Value> = self.checkpoints.iter().rev().filter(shown).take(10).map(checkpoint).collect();
        let restored = self.restored_from.as_ref().map(
            |path| json!({"id": 1, "restore_timestamp": self.begun_millis, "is_savepoint": true, "external_path": path}),
        );
        let count = self.checkpoints.len();
        json!({"counts": {"restored": u32::from(restored.is_some()), "total": count, "in_progress": 0, "completed": count, "failed": 0},
            "summary": {"end_to_end_duration": {"p50": "NaN"}},
            "latest": {"completed": history.first(), "savepoint": self.savepoint.as_ref().filter(shown).map(checkpoint), "failed": null, "restored": restored},
            "history": history})
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn millis() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(elapsed.as_millis()).unwrap()
}
