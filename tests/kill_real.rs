//! tidegate is killed at random moments while it deploys to a real Flink 1.20; afterwards exactly one execution of the
//! job lives there, and the run is done.
//!
//! `SWEEP=full` takes 30 moments instead of 6.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and prints its counts")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::sandbox::Sandbox;

const SQL: &str = "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');\n\
                   CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT n FROM a;\n";
const SCRIPT: &str = "fn options() { #{ name: params::string(\"first\", \"the job's name\") } }\n\
                      let job = job::sql(params::get(\"name\"), #{ template: \"job.sql\", parallelism: 1 }).deploy();\n\
                      job.wait_for(\"RUNNING\", \"60s\");\n";
/// Gives the cluster's own list, `GET /jobs/overview`.
const LOOK: &str = "for job in flink::jobs() { print(`listed ${job.name} ${job.state}`); }\n";

/// A cluster of its own, which ends with the test.
struct Cluster(Sandbox);

impl Drop for Cluster {
    fn drop(&mut self) {
        self.0.run(&["cluster", "down"]);
    }
}

#[test]
fn killed_at_random_moments_one_execution_lives_on_a_real_flink() {
    let files = [("templates/job.sql", SQL), ("scripts/deploy.rhai", SCRIPT), ("scripts/look.rhai", LOOK)];
    let cluster = Cluster(Sandbox::new("{ kind: local, flink: \"1.20\", slots: 4 }", &files));
    let sandbox = &cluster.0;
    let up = sandbox.run(&["cluster", "up"]);
    assert_eq!(up.code(), Some(0), "{}", up.said);
    // The first one warms the JobManager, the second tells how long a deploy takes.
    let mut takes = Duration::ZERO;
    for name in ["first", "second"] {
        let begun = Instant::now();
        let ended = sandbox.run(&["run", "deploy", "-p", &format!("name={name}")]);
        assert_eq!(ended.code(), Some(0), "{}", ended.said);
        takes = begun.elapsed();
        assert_eq!(sandbox.run(&["cancel", name]).code(), Some(0));
    }
    let rounds = if std::env::var("SWEEP").is_ok_and(|value| value == "full") { 30 } else { 6 };
    let mut seed: u64 = 20_261_123;
    let (mut kills, mut resumed, mut second_runs) = (0, 0, 0);
    for round in 0..rounds {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = takes.mul_f64(f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(1_u32 << 31));
        let name = format!("round-{round}");
        let given = format!("name={name}");
        let before = newest_run(sandbox).0;
        let mut process = sandbox.start(&["run", "deploy", "-p", &given], None);
        // The moment itself is what is drawn.
        // The moment itself is the case: nothing is awaited.
        std::thread::park_timeout(moment);
        kills += usize::from(process.kill().was_killed());
        let (run, status) = newest_run(sandbox);
        let begun =
            !sandbox.ask(&format!("SELECT 1 FROM input_rows WHERE run = {run} AND name = 'environment'")).is_empty();
        let ended = if run > before && status == "running" && begun && round % 2 == 0 {
            resumed += 1;
            sandbox.run(&["resume", &format!("r{run}")])
        } else {
            second_runs += 1;
            sandbox.run(&["run", "deploy", "-p", &given])
        };
        assert_eq!(ended.code(), Some(0), "killed after {moment:?}: {}", ended.said);
        let runs: Value = serde_json::from_str(&sandbox.run(&["runs", "--json"]).said).unwrap();
        assert_eq!(runs[0]["status"], "done", "{runs}");
        let look = sandbox.run(&["run", "look"]);
        let listed: Vec<&str> = look.said.lines().filter(|line| line.contains(&format!("listed {name} "))).collect();
        assert_eq!(listed, [format!("listed {name} RUNNING")], "killed after {moment:?}: {}", look.said);
        assert_eq!(sandbox.run(&["cancel", &name]).code(), Some(0));
    }
    eprintln!("real Flink: kills {kills}, resumed {resumed}, second runs {second_runs}, duplicates 0, lost 0");
    assert!(kills > 0);
}

/// The newest run and its status; 0 where there is none.
fn newest_run(sandbox: &Sandbox) -> (i64, String) {
    let run = sandbox.ask("SELECT max(id) FROM runs").pop().and_then(|run| run.parse().ok()).unwrap_or(0);
    (run, sandbox.ask(&format!("SELECT status FROM runs WHERE id = {run}")).pop().unwrap_or_default())
}
