//! The whole program on a real Flink 1.20: in workspaces that `tidegate init` made, on clusters that it started.
//!
//! One cluster serves all scenarios that leave it whole; another one is there to be killed.
//! `ONLY=jars cargo test --test real_flink` runs the scenarios whose name holds that text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the support is shared with tests that use more of it")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "times and counts are told")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[path = "real_flink/batch.rs"]
mod batch;
#[path = "real_flink/jars.rs"]
mod jars;
#[path = "support/java.rs"]
mod java;
#[path = "real_flink/launchers.rs"]
mod launchers;
#[path = "real_flink/loss.rs"]
mod loss;
#[path = "real_flink/mistakes.rs"]
mod mistakes;
#[path = "support/recorder.rs"]
mod recorder;
#[path = "real_flink/streaming.rs"]
mod streaming;
#[path = "support/workspace.rs"]
mod workspace;

use workspace::{Cluster, Workspace};

/// What is tried on a cluster, by name.
type Scenario = (&'static str, fn(&Cluster));

/// In two rows that run side by side, each in its order.
const ROWS: [&[Scenario]; 2] = [
    &[
        ("streaming", streaming::lives_is_seen_and_goes_on_from_its_checkpoint),
        ("clone", streaming::a_clone_without_the_state_starts_no_twin),
        ("launchers", launchers::the_class_that_was_named_ran_with_its_options),
        ("module", launchers::every_job_of_a_module_is_deployed),
        ("mistakes", mistakes::mistakes_in_sql_are_told_with_their_line),
    ],
    &[("jars", jars::a_jar_with_main_class_and_arguments), ("functions", jars::a_function_in_a_jar_of_the_job)],
];

#[test]
fn scripts_on_a_cluster_that_quickstart_started() {
    // As `init` wrote it: this is what a newcomer has.
    let (cluster, first) = Cluster::started_by(Workspace::init("first"), &["quickstart"]);
    batch::quickstart_shows_what_the_table_holds(&cluster, &first);
    side_by_side(&cluster, &ROWS);
}

#[test]
fn a_cluster_that_is_killed() {
    let cluster = loss::cluster();
    let row: &[Scenario] = &[
        ("no slots", loss::no_slots_is_told_as_the_root_cause),
        ("loss", loss::a_killed_job_manager_loses_no_state_silently),
        ("repair", loss::a_job_manager_that_ends_while_the_cluster_is_repaired),
    ];
    side_by_side(&cluster, &[row]);
}

/// Runs every row in a thread; all of them end before a failure is told.
fn side_by_side(cluster: &Cluster, rows: &[&[Scenario]]) {
    let only = std::env::var("ONLY").unwrap_or_default();
    let told: Mutex<Vec<(&str, Duration, bool)>> = Mutex::default();
    std::thread::scope(|scope| {
        for row in rows {
            scope.spawn(|| {
                for (name, scenario) in row.iter().filter(|(name, _)| name.contains(&only)) {
                    let began = Instant::now();
                    let passed = catch_unwind(AssertUnwindSafe(|| scenario(cluster))).is_ok();
                    told.lock().unwrap().push((name, began.elapsed(), passed));
                }
            });
        }
    });
    let told = told.into_inner().unwrap();
    for (name, took, passed) in &told {
        println!("{name}: {}, {:.1} s", if *passed { "ok" } else { "FAILED" }, took.as_secs_f32());
    }
    let failed: Vec<&str> = told.iter().filter(|(.., passed)| !passed).map(|(name, ..)| *name).collect();
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}
