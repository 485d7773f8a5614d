//! Deploying a SQL job to a warm session cluster, with tidegate and with Flink's own client (`flink run -d`): the same
//! runner jar, the same statements, the same cluster, in turn. `cargo bench --bench deploy`
//!
//! The cluster is a local one in a temporary workspace; Flink is installed as `tidegate quickstart` does.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use support::{Cluster, Figures, Workspace, line, run, run_measured};
use tidegate::drivers::local::java::OPENED;

const ROUNDS: usize = 5;

const FILE: &str = "\
name: bench
clusters:
  laptop: { kind: local, flink: \"1.20\", slots: 2 }
environments:
  local: { cluster: laptop }
";

const SCRIPT: &str = r#"fn options() { #{ name: params::string("bench", "the name of the job") } }
job::sql(params::get("name"), #{ template: "bench.sql", parallelism: 1 }).deploy();
"#;

const TABLE: &str = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10')";
const SINK: &str = "CREATE TABLE sums (s BIGINT) WITH ('connector' = 'blackhole')";
const INSERT: &str = "INSERT INTO sums SELECT n + 1 FROM numbers";

impl Cluster<'_> {
    /// Waits until every job has ended: what was deployed before takes nothing from what is measured next.
    fn settle(&self) {
        loop {
            let status = self.status();
            if status["jobs"] == 0 && status["free"] == status["slots"] {
                return;
            }
        }
    }

    /// Flink's client on the Java, the classpath and the configuration of the JobManager.
    fn client(&self) -> Command {
        let status = self.status();
        let manager = status["processes"].as_array().unwrap().iter().find(|process| process["name"] == "jobmanager");
        let line = std::fs::read(format!("/proc/{}/cmdline", manager.unwrap()["pid"])).unwrap();
        let words: Vec<String> = String::from_utf8(line).unwrap().split('\0').map(str::to_owned).collect();
        let after = |word: &str| words[words.iter().position(|other| other == word).unwrap() + 1].clone();
        let conf = PathBuf::from(after("--configDir"));
        let mut client = Command::new(&words[0]);
        client
            .args(OPENED)
            .arg(format!("-Dlog.file={}", self.0.path().join("client.log").display()))
            .arg(format!("-Dlog4j.configurationFile=file:{}", conf.join("log4j.properties").display()))
            .args(["-cp", &after("-cp"), "org.apache.flink.client.cli.CliFrontend"])
            .env("FLINK_CONF_DIR", conf);
        client
    }
}

/// `flink run -d` of the job under this name.
fn flink(cluster: &Cluster<'_>, name: &str) -> Command {
    let mut client = cluster.client();
    client.args(["run", "-d", "-p", "1", "-c", "dev.tidegate.runner.SqlRunner"]);
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/runner/tidegate-sql-runner.jar"));
    let named = format!("pipeline.name\0{name}");
    for (kind, text) in [("set", named.as_str()), ("define", TABLE), ("define", SINK), ("insert", INSERT)] {
        client.args(["--statement", kind, &base64::engine::general_purpose::URL_SAFE.encode(text)]);
    }
    client
}

fn main() {
    let template = [TABLE, SINK, INSERT].map(|statement| format!("{statement};\n")).concat();
    let workspace = Workspace::new(FILE, &[("scripts/bench.rhai", SCRIPT), ("templates/bench.sql", &template)]);
    let cluster = Cluster::up(&workspace);
    let ours = |name: &str| workspace.tidegate(&["run", "bench", "-p", &format!("name={name}")]);

    // Both once before: the jar is uploaded, the JobManager has loaded its planner, the files are in memory.
    for round in 0..2 {
        run(&mut ours(&format!("warm-{round}")));
        run(&mut flink(&cluster, &format!("warm-flink-{round}")));
        cluster.settle();
    }
    let [mut our_time, mut our_memory, mut their_time, mut their_memory] = [(); 4].map(|()| Figures::default());
    for round in 0..ROUNDS {
        let (time, memory) = run_measured(&ours(&format!("ours-{round}")));
        our_time.add_time(time);
        our_memory.add(memory);
        cluster.settle();
        let (time, memory) = run_measured(&flink(&cluster, &format!("flink-{round}")));
        their_time.add_time(time);
        their_memory.add(memory);
        cluster.settle();
    }
    line("tidegate run: a SQL job deployed", &our_time, "ms", "");
    line("flink run -d: the same job", &their_time, "ms", "");
    line("tidegate run, peak memory of the client", &our_memory, "MB", "");
    line("flink run -d, peak memory of the client", &their_memory, "MB", "");
    ratio("time, flink / tidegate", &our_time, &their_time, "10");
    ratio("memory, flink / tidegate", &our_memory, &their_memory, "8");
}

fn ratio(what: &str, ours: &Figures, theirs: &Figures, target: &str) {
    println!(
        "{what:<58} {:>9.1} x    of the best {:>6.1} x   target {target} x",
        theirs.median() / ours.median(),
        theirs.minimum() / ours.minimum(),
    );
}
