//! The same scripts on other Flink versions than the one of `cargo test`: `cargo test --test versions -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the times are asked for")]
#![allow(dead_code, reason = "the support is shared with tests that use more of it")]

use std::time::Instant;

#[path = "support/java.rs"]
mod java;
#[path = "support/workspace.rs"]
mod workspace;

use workspace::{Cluster, Workspace, until};

#[test]
#[ignore = "installs Flink 1.17: a command of its own"]
fn flink_1_17() {
    all_of_it("1.17");
}

#[test]
#[ignore = "installs Flink 2.3: a command of its own"]
fn flink_2_3() {
    all_of_it("2.3");
}

fn all_of_it(version: &str) {
    let begun = Instant::now();
    let workspace = Workspace::on("versions", &format!("{{ kind: local, flink: \"{version}\", slots: 4 }}"));
    let (cluster, first) = Cluster::started_by(workspace, &["quickstart"]);
    assert!(first.err.contains(&format!("Flink {version}.")), "{first}");
    for line in ["sun       714   239.4     35.0", "snow       23   208.1     11.1"] {
        assert!(first.out.contains(line), "{first}");
    }
    a_streaming_job_goes_on_from_its_checkpoint(&cluster);
    a_mistake_is_told_with_its_line(&cluster);
    a_jar_runs(&cluster);
    eprintln!("Flink {version}: all in {:.1} s", begun.elapsed().as_secs_f64());
}

fn a_streaming_job_goes_on_from_its_checkpoint(cluster: &Cluster) {
    let workspace = &cluster.workspace;
    let deploy = ["run", "streaming", "-p", "sink=blackhole"];
    let first = workspace.tidegate(&deploy).ok();
    assert!(first.out.starts_with("streaming: RUNNING, attempt 1, "), "{first}");
    assert_eq!(workspace.tidegate(&deploy).ok().out, first.out);
    let id = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    let checkpoints = |id: &str| cluster.get(&format!("/jobs/{id}/checkpoints"));
    until("a checkpoint", || checkpoints(&id)["counts"]["completed"].as_u64().filter(|count| *count > 0));
    let strategy = cluster.get(&format!("/jobs/{id}/config"))["execution-config"]["restart-strategy"].clone();
    assert!(strategy.as_str().unwrap().contains("#3 restart attempts"), "{strategy}");
    workspace.tidegate(&["cancel", "streaming"]).ok().says(&["is CANCELED", "its newest checkpoint stays: file:"]);
    let newest = checkpoints(&id)["latest"]["completed"]["external_path"].clone();
    assert!(workspace.tidegate(&deploy).ok().out.starts_with("streaming: RUNNING, attempt 2, "));
    let second = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    assert_eq!(checkpoints(&second)["latest"]["restored"]["external_path"], newest);
    workspace.tidegate(&["cancel", "streaming"]).ok();
}

fn a_mistake_is_told_with_its_line(cluster: &Cluster) {
    let workspace = &cluster.workspace;
    workspace.write(
        "templates/mistake.sql",
        "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
         CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT m FROM a;\n",
    );
    workspace.script("mistake", "job::sql(\"mistake\", #{ template: \"mistake.sql\" }).deploy();\n");
    let ended = workspace.tidegate(&["run", "mistake"]).fails("flink.sql_refused");
    assert!(ended.err.contains("Column 'm' not found") && ended.err.contains("templates/mistake.sql:3:22"), "{ended}");
}

fn a_jar_runs(cluster: &Cluster) {
    if !java::can_compile("a_jar_runs") {
        return;
    }
    let workspace = &cluster.workspace;
    let surroundings = tidegate::drivers::local::Surroundings::of_process().unwrap();
    let installed = tidegate::drivers::local::install::list(&surroundings.cache).unwrap();
    let flink = installed.last().unwrap();
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jar-job/src");
    let jar = workspace.path("jars/count.jar");
    std::fs::create_dir_all(jar.parent().unwrap()).unwrap();
    java::compile_jar(&sources, &format!("{}/lib/*", flink.path.display()), &jar, "com.example.CountJob").unwrap();
    workspace.script(
        "count",
        "job::jar(\"count\", #{ jar: \"jars/count.jar\", main_class: \"com.example.CountJob\", \
         args: [\"--count\", 50, \"--rate\", 100] }).deploy().wait_for(\"FINISHED\", \"2m\");\n",
    );
    workspace.tidegate(&["run", "count"]).ok();
}
