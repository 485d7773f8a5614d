//! A hundred new SQL jobs on one cluster, until all of them run: one script with `run::parallel_map`, and the same hundred
//! bare REST requests with the same parallelism, in turn. `cargo bench --bench parallel`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![allow(dead_code, reason = "the support is shared with benchmarks that use more of it")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use support::{Cluster, Figures, Workspace, line, run};

const JOBS: usize = 100;
const AT_ONCE: usize = 8;
const ROUNDS: usize = 2;

const FILE: &str = "\
name: bench
clusters:
  laptop: { kind: local, flink: \"1.20\", slots: 104 }
environments:
  local: { cluster: laptop }
";

const TABLE: &str = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1')";
const SINK: &str = "CREATE TABLE sums (s BIGINT) WITH ('connector' = 'blackhole')";
const INSERT: &str = "INSERT INTO sums SELECT n + 1 FROM numbers";

fn script() -> String {
    format!(
        "fn options() {{ #{{ round: params::string(\"r\"), jobs: params::int({JOBS}) }} }}\n\
         let round = params::get(\"round\");\n\
         let names = [];\n\
         for n in 0..params::get(\"jobs\") {{ names.push(`${{round}}-${{n}}`); }}\n\
         let jobs = run::parallel_map(names, |name| {{\n\
             job::sql(name, #{{ template: \"bench.sql\", parallelism: 1 }}).deploy().wait_for(\"RUNNING\", \"5m\")\n\
         }}, #{{ max: {AT_ONCE} }});\n\
         print(jobs.len());\n"
    )
}

fn main() {
    let template = [TABLE, SINK, INSERT].map(|statement| format!("{statement};\n")).concat();
    let script = script();
    let workspace = Workspace::new(FILE, &[("scripts/bench.rhai", &script), ("templates/bench.sql", &template)]);
    let cluster = Cluster::up(&workspace);
    let url = cluster.status()["url"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rest = Rest { client: reqwest::Client::new(), url };
    let ours = |round: &str, jobs: usize| {
        run(&mut workspace.tidegate(&["run", "bench", "-p", &format!("round={round}"), "-p", &format!("jobs={jobs}")]))
            .0
    };

    // Both before: the planner is loaded and compiled.
    ours("warm", 20);
    runtime.block_on(rest.cancel_all());
    let jar = runtime.block_on(rest.upload());
    runtime.block_on(rest.start("warm-rest", &jar, 20));
    runtime.block_on(rest.cancel_all());

    let (mut scripts, mut bare) = (Figures::default(), Figures::default());
    for round in 0..ROUNDS {
        scripts.add_time(ours(&format!("script-{round}"), JOBS));
        runtime.block_on(rest.cancel_all());
        let start = Instant::now();
        runtime.block_on(rest.start(&format!("rest-{round}"), &jar, JOBS));
        bare.add_time(start.elapsed());
        runtime.block_on(rest.cancel_all());
    }
    line(&format!("{JOBS} jobs by one script, {AT_ONCE} at once, until all run"), &scripts, "ms", "");
    line("the same by bare REST requests", &bare, "ms", "");
    println!(
        "{:<58} {:>9.2} x    of the best {:>6.2} x   target at most 1.3 x",
        "time, script / REST",
        scripts.median() / bare.median(),
        scripts.minimum() / bare.minimum(),
    );
}

#[derive(Clone)]
struct Rest {
    client: reqwest::Client,
    url: String,
}

impl Rest {
    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    async fn upload(&self) -> String {
        let jar = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/runner/tidegate-sql-runner.jar")).unwrap();
        let part = reqwest::multipart::Part::bytes(jar).file_name("bench.jar");
        let form = reqwest::multipart::Form::new().part("jarfile", part);
        let answer = self.client.post(format!("{}/jars/upload", self.url)).multipart(form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// Starts jobs, so many at once, each waited for until its tasks run.
    async fn start(&self, round: &str, jar: &str, jobs: usize) {
        let permits = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..jobs {
            let (rest, jar, name, permits) =
                (self.clone(), jar.to_owned(), format!("{round}-{number}"), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                rest.one(&name, &jar).await;
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }

    async fn one(&self, name: &str, jar: &str) {
        let mut arguments = Vec::new();
        for (kind, text) in [("define", TABLE), ("define", SINK), ("insert", INSERT)] {
            let encoded = base64::engine::general_purpose::URL_SAFE.encode(text);
            arguments.extend(["--statement".to_owned(), kind.to_owned(), encoded]);
        }
        let body = json!({
            "entryClass": "dev.tidegate.runner.SqlRunner", "programArgsList": arguments, "parallelism": 1,
            "flinkConfiguration": { "pipeline.name": name },
        });
        let answer = self.client.post(format!("{}/jars/{jar}/run", self.url)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["jobid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let mut pause = Duration::from_millis(50);
        loop {
            let job = self.get(&format!("/jobs/{id}")).await;
            let vertices = job["vertices"].as_array().unwrap();
            if !vertices.is_empty() && vertices.iter().all(|vertex| vertex["status"] == "RUNNING") {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    /// Cancels every job and waits until none is left.
    async fn cancel_all(&self) {
        loop {
            let jobs = self.get("/jobs/overview").await;
            let ended = ["CANCELED", "FINISHED", "FAILED"];
            let live: Vec<&Value> = jobs["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|job| !ended.contains(&job["state"].as_str().unwrap()))
                .collect();
            if live.is_empty() {
                return;
            }
            for job in live.iter().filter(|job| job["state"] == "RUNNING") {
                let id = job["jid"].as_str().unwrap();
                self.client.patch(format!("{}/jobs/{id}?mode=cancel", self.url)).send().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
