//! The same scripts on every Flink version that can be installed: `cargo test --test versions -- --ignored`.
//!
//! By itself it takes the oldest and the newest that a user is likely to have; `VERSIONS=all`, or `VERSIONS="1.15 2.1"`, takes
//! others. One after another, for the memory. What was seen has to be what `docs/versions.md` says, whose table
//! `UPDATE=1 VERSIONS=all` writes again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the times are asked for")]
#![allow(dead_code, reason = "the support is shared with tests that use more of it")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

#[path = "support/java.rs"]
mod java;
#[path = "versions/scenarios.rs"]
mod scenarios;
#[path = "versions/table.rs"]
mod table;
#[path = "support/workspace.rs"]
mod workspace;

use table::Row;
use workspace::{Cluster, Workspace};

/// What `docs/versions.md` tells of.
const ALL: [&str; 9] = ["1.15", "1.17", "1.18", "1.19", "1.20", "2.0", "2.1", "2.2", "2.3"];

/// What is tried on a cluster, by the heading of its column; it says what was seen.
type Scenario = (&'static str, fn(&Cluster) -> String);

const SCENARIOS: [Scenario; 8] = [
    ("SQL, streaming", scenarios::a_streaming_job_goes_on_from_its_checkpoint),
    ("mistakes", scenarios::a_mistake_is_told_with_its_line),
    ("validate", scenarios::a_statement_is_planned_without_running),
    ("jar", scenarios::a_jar_runs),
    ("jar with options", scenarios::a_jar_with_options),
    ("cancel", scenarios::a_job_is_cancelled),
    ("logs", scenarios::every_source_of_logs_answers),
    ("exceptions", scenarios::what_fails_at_run_time_is_told),
];

#[test]
#[ignore = "installs other versions of Flink: a command of its own"]
fn every_version() {
    let chosen = std::env::var("VERSIONS").unwrap_or_else(|_| "1.17 2.3".to_owned());
    let chosen: Vec<&str> = if chosen == "all" { ALL.to_vec() } else { chosen.split_whitespace().collect() };
    assert!(
        !chosen.is_empty() && chosen.iter().all(|version| ALL.contains(version)),
        "VERSIONS: {ALL:?}, not {chosen:?}"
    );
    let begun = Instant::now();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for version in &chosen {
        match catch_unwind(|| on(version)) {
            Ok((row, wrong)) => {
                failed.extend(wrong.iter().map(|name| format!("{version}: {name}")));
                rows.push(row);
            }
            Err(_) => failed.push(format!("{version}: quickstart, or the end of the cluster")),
        }
    }
    eprintln!("{} versions in {:.0} s", chosen.len(), begun.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "failed: {}", failed.join("; "));
    table::compare(&rows, chosen == ALL);
}

/// Everything on one version: what was seen, and what failed.
fn on(version: &str) -> (Row, Vec<&'static str>) {
    let begun = Instant::now();
    let workspace = Workspace::on("versions", &format!("{{ kind: local, flink: \"{version}\", slots: 4 }}"));
    let (cluster, first) = Cluster::started_by(workspace, &["quickstart"]);
    assert!(first.err.contains(&format!("Flink {version}.")), "{first}");
    for line in ["sun       714   239.4     35.0", "snow       23   208.1     11.1"] {
        assert!(first.out.contains(line), "{first}");
    }
    let mut row = Row::new(&scenarios::flink_version(&cluster), &scenarios::java_version(&cluster));
    row.see("SQL, batch", "yes".to_owned());
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS {
        let part = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| scenario(&cluster))) {
            Ok(seen) => {
                eprintln!("Flink {version}: {name}: {seen}, {:.1} s", part.elapsed().as_secs_f64());
                row.see(name, seen);
            }
            Err(_) => failed.push(name),
        }
    }
    drop(cluster);
    eprintln!("Flink {version}: all in {:.1} s", begun.elapsed().as_secs_f64());
    (row, failed)
}
