//! `run::parallel`, `retry`, `approve` and `defer`: what they do when the process dies, waits, or is interrupted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod approve;
mod defer;
mod parallel;
mod retry;
#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::fake_flink::FakeFlink;
use support::sandbox::{Ended, Sandbox};

const SQL: &str = "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
                   CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT n FROM a;\n";

/// A workspace with this script, `scripts/it.rhai`, on a fake JobManager.
pub(crate) fn stage(script: &str) -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    let files = [("templates/job.sql", SQL), ("scripts/it.rhai", script)];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    (flink, sandbox)
}

/// Runs a command and checks its exit code.
#[track_caller]
pub(crate) fn expect(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Ended {
    let ended = sandbox.run(arguments);
    assert_eq!(ended.code(), Some(code), "{arguments:?}: {}", ended.said);
    ended
}

/// The numbers of the steps of run 1, in the order of the script.
pub(crate) fn steps(sandbox: &Sandbox) -> Vec<String> {
    let mut steps = sandbox.ask("SELECT step || ' ' || function FROM steps WHERE run = 1");
    steps.sort_by_cached_key(|line| tidegate::model::run::order(line.split(' ').next().unwrap()));
    steps
}

/// Waits until a query gives a row.
#[track_caller]
pub(crate) fn wait_for(sandbox: &Sandbox, query: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while sandbox.ask(query).is_empty() {
        assert!(Instant::now() < deadline, "never came: {query}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// As if a step had been begun an hour earlier.
pub(crate) fn an_hour_ago(sandbox: &Sandbox, function: &str) {
    let sql = "UPDATE step_rows SET started_at = started_at - 3600000 WHERE function = ?1";
    assert_eq!(sandbox.database().execute(sql, [function]).unwrap(), 1);
}

/// How often a line was said.
pub(crate) fn times(ended: &Ended, line: &str) -> usize {
    ended.said.lines().filter(|said| *said == line).count()
}
