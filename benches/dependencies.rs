//! What locked and cached dependencies add to a deploy: the connectors of a job from Kafka to a database, and the same job
//! without them, in turn. `cargo bench --bench dependencies`
//!
//! The JobManager is a fake on loopback that answers at once, so that nothing but tidegate is measured; the first deploy
//! resolves with the installed Maven and uploads. Then a `mvn` that fails stands first on the PATH.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

#[path = "../tests/support/mod.rs"]
mod fakes;
mod support;

use fakes::fake_flink::FakeFlink;
use fakes::fake_maven::FakeMaven;
use support::{Figures, Workspace, line, run};

const ROUNDS: usize = 40;

const WITH: &str = "dependencies: [\"org.apache.flink:flink-connector-kafka:3.4.0-1.20\", \
                    \"org.apache.flink:flink-connector-jdbc:3.3.0-1.20\", \"com.mysql:mysql-connector-j:8.4.0\"]";

fn script(dependencies: &str) -> String {
    format!(
        "fn options() {{ #{{ name: params::string(\"bench\", \"the name of the job\") }} }}\n\
         job::sql(params::get(\"name\"), #{{ sql: \"CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\\n\
         CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\\nINSERT INTO b SELECT n FROM a\", {dependencies} }}).deploy();\n"
    )
}

fn main() {
    let flink = FakeFlink::start();
    let file = format!(
        "name: bench\nclusters:\n  it: {{ kind: session, url: \"{}\" }}\nenvironments:\n  local: {{ cluster: it }}\n",
        flink.url()
    );
    let (with, without) = (script(WITH), script(""));
    let workspace = Workspace::new(&file, &[("scripts/with.rhai", &with), ("scripts/without.rhai", &without)]);
    let broken = FakeMaven::new();
    let deploy = |script: &str, round: usize| {
        let name = format!("name={script}-{round}");
        workspace.tidegate(&["run", script, "-p", &name])
    };
    // Resolved, fetched and uploaded once.
    run(&mut deploy("with", 0));
    run(&mut deploy("without", 0));
    let (mut plain, mut locked, mut again) = (Figures::default(), Figures::default(), Figures::default());
    for round in 1..=ROUNDS {
        let measured = |script: &str, round: usize| run(deploy(script, round).env("PATH", broken.path())).0;
        plain.add_time(measured("without", round));
        locked.add_time(measured("with", round));
        // The same job once more: nothing changes.
        again.add_time(measured("with", round));
    }
    assert!(broken.poms().is_empty(), "Maven was started");
    line("a job without dependencies deployed", &plain, "ms", "");
    line("a job with 25 locked and cached jars deployed", &locked, "ms", "");
    line("the same again, unchanged", &again, "ms", "");
    let added = locked.median() - plain.median();
    println!(
        "{:<58} {added:>9.1} ms   of the best {:>6.1} ms   target 20 ms",
        "what 25 locked jars add",
        locked.minimum() - plain.minimum()
    );
}
