//! State: an upgrade by savepoint beside Flink's own stop and start over REST on the same cluster, in turn; a plan of a hundred
//! unchanged jobs; `ps` and `history` over a thousand jobs and a hundred thousand events. `cargo bench --bench state`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![allow(dead_code, unused_imports, unreachable_pub, reason = "the fake is shared with tests that use more of it")]

#[path = "../tests/support/mod.rs"]
mod fakes;
mod support;

use std::time::{Duration, Instant};

use base64::Engine as _;
use fakes::fake_flink::FakeFlink;
use serde_json::{Value, json};
use support::{Cluster, Figures, Workspace, figure, line, run};

const ROUNDS: usize = 7;
const JOBS: usize = 1_000;
const EVENTS: usize = 100_000;

const FILE: &str = "\
name: bench
clusters:
  laptop: { kind: local, flink: \"1.20\", slots: 4 }
environments:
  local: { cluster: laptop }
";

const SCRIPT: &str = r#"fn options() { #{ least: params::int(0) } }
job::sql("bench", #{ template: "bench.sql", vars: #{ least: params::get("least") }, parallelism: 1, checkpointing: #{ interval: "1s" } }).deploy();
"#;

const TABLE: &str = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10')";
const SINK: &str = "CREATE TABLE sums (s BIGINT) WITH ('connector' = 'blackhole')";

/// A request to the JobManager, with its answer as JSON.
fn ask(runtime: &tokio::runtime::Runtime, request: reqwest::RequestBuilder) -> Value {
    runtime.block_on(async { serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap() })
}

/// Flink's own way: stop with a savepoint, wait for it and for the end, run the jar from there. Gives the time and the new id.
fn by_hand(runtime: &tokio::runtime::Runtime, url: &str, id: &str, least: usize) -> (Duration, String) {
    let client = reqwest::Client::new();
    let begun = Instant::now();
    let asked = ask(runtime, client.post(format!("{url}/jobs/{id}/stop")).json(&json!({ "drain": false })));
    let trigger = asked["request-id"].as_str().unwrap().to_owned();
    let savepoint = loop {
        let told = ask(runtime, client.get(format!("{url}/jobs/{id}/savepoints/{trigger}")));
        if told["status"]["id"] == "COMPLETED" {
            break told["operation"]["location"].as_str().unwrap().to_owned();
        }
        std::thread::park_timeout(Duration::from_millis(10));
    };
    while ask(runtime, client.get(format!("{url}/jobs/{id}")))["state"] != "FINISHED" {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let jars = ask(runtime, client.get(format!("{url}/jars")));
    let jar = jars["files"][0]["id"].as_str().unwrap().to_owned();
    let insert = format!("INSERT INTO sums SELECT n FROM numbers WHERE n > {least}");
    let statements = [("define", TABLE), ("define", SINK), ("insert", insert.as_str())];
    let arguments: Vec<String> = statements
        .iter()
        .flat_map(|(kind, text)| {
            let encoded = base64::engine::general_purpose::URL_SAFE.encode(text);
            ["--statement".to_owned(), (*kind).to_owned(), encoded]
        })
        .collect();
    let body = json!({
        "entryClass": "dev.tidegate.runner.SqlRunner", "programArgsList": arguments, "parallelism": 1, "savepointPath": savepoint,
        "flinkConfiguration": { "execution.checkpointing.interval": "1 s", "pipeline.name": "by-hand" },
    });
    let started = ask(runtime, client.post(format!("{url}/jars/{jar}/run")).json(&body));
    (begun.elapsed(), started["jobid"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned())
}

/// Waits until all tasks of a job run.
fn settled(runtime: &tokio::runtime::Runtime, url: &str, id: &str) {
    let client = reqwest::Client::new();
    loop {
        let job = ask(runtime, client.get(format!("{url}/jobs/{id}")));
        let vertices = job["vertices"].as_array().unwrap();
        if !vertices.is_empty() && vertices.iter().all(|vertex| vertex["status"] == "RUNNING") {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn upgrades() {
    let template = format!("{TABLE};\n{SINK};\nINSERT INTO sums SELECT n FROM numbers WHERE n > {{{{ least }}}};\n");
    let workspace = Workspace::new(FILE, &[("scripts/bench.rhai", SCRIPT), ("templates/bench.sql", &template)]);
    let cluster = Cluster::up(&workspace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = cluster.status()["url"].as_str().unwrap().to_owned();
    let deploy = |least: usize| run(&mut workspace.tidegate(&["run", "bench", "-p", &format!("least={least}")])).0;
    let running = || {
        let (_, text) = run(&mut workspace.tidegate(&["ps", "--json"]));
        serde_json::from_str::<Value>(&text).unwrap()[0]["id"].as_str().unwrap().to_owned()
    };
    deploy(0);
    settled(&runtime, &url, &running());
    deploy(1);
    settled(&runtime, &url, &running());
    // The other one starts as a job of its own, from a savepoint of ours.
    let client = reqwest::Client::new();
    let mut theirs = {
        let (_, id) = by_hand(&runtime, &url, &running(), 0);
        id
    };
    settled(&runtime, &url, &theirs);
    run(&mut workspace.tidegate(&["cancel", "bench"]));
    deploy(2);
    settled(&runtime, &url, &running());
    let (mut our_time, mut their_time) = (Figures::default(), Figures::default());
    for round in 0..ROUNDS {
        our_time.add_time(deploy(round + 3));
        settled(&runtime, &url, &running());
        let (time, id) = by_hand(&runtime, &url, &theirs, round + 3);
        their_time.add_time(time);
        theirs = id;
        settled(&runtime, &url, &theirs);
    }
    drop(client);
    line("tidegate run: an upgrade by savepoint", &our_time, "ms", "");
    line("REST by hand: stop with a savepoint, and start", &their_time, "ms", "");
    figure("an upgrade by savepoint above that", our_time.median() - their_time.median(), "ms", "500 ms");
}

fn plans() {
    let flink = FakeFlink::start();
    let file = format!(
        "name: bench\nclusters:\n  it: {{ kind: session, url: \"{}\" }}\nenvironments:\n  local: {{ cluster: it }}\n",
        flink.url()
    );
    let script =
        "for n in 0..100 { job::sql(`bench-${n}`, #{ template: \"bench.sql\", vars: #{ least: n } }).deploy(); }\n";
    let template = format!("{TABLE};\n{SINK};\nINSERT INTO sums SELECT n FROM numbers WHERE n > {{{{ least }}}};\n");
    let workspace = Workspace::new(&file, &[("scripts/bench.rhai", script), ("templates/bench.sql", &template)]);
    run(&mut workspace.tidegate(&["run", "bench"]));
    let before = flink.requests().len();
    let mut times = Figures::default();
    for _ in 0..ROUNDS {
        times.add_time(run(&mut workspace.tidegate(&["plan", "bench"])).0);
    }
    let requests = (flink.requests().len() - before) / ROUNDS;
    line("tidegate plan: 100 unchanged jobs", &times, "ms", "1000 ms");
    figure("requests of such a plan", f64::from(u32::try_from(requests).unwrap()), "", "10");
}

fn listings() {
    let flink = FakeFlink::start();
    let file = format!(
        "name: bench\nclusters:\n  it: {{ kind: session, url: \"{}\" }}\nenvironments:\n  local: {{ cluster: it }}\n",
        flink.url()
    );
    let deploy = SCRIPT.replace(", parallelism: 1", "");
    let template = format!("{TABLE};\n{SINK};\nINSERT INTO sums SELECT n FROM numbers WHERE n > {{{{ least }}}};\n");
    let workspace = Workspace::new(&file, &[("scripts/bench.rhai", &deploy), ("templates/bench.sql", &template)]);
    run(&mut workspace.tidegate(&["run", "bench"]));
    let database = rusqlite::Connection::open(workspace.path().join(".tidegate/state.db")).unwrap();
    let copies = format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {JOBS})
         INSERT INTO job_rows SELECT i, environment, name || '-' || i, cluster, desired, spec, created_at, updated_at
         FROM n, job_rows WHERE id = 1;
         WITH RECURSIVE k(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM k WHERE j < 10)
         INSERT INTO attempt_rows (job, number, flink_id, cluster, submission, incarnation, spec, spec_hash, jar, run, path,
           sequence, created_at, revision)
         SELECT jobs.id, j, printf('%032x', jobs.id * 100 + j), a.cluster, a.submission, a.incarnation, a.spec, a.spec_hash, a.jar,
           a.run, a.path, a.sequence, a.created_at + j, j
         FROM job_rows jobs, k, attempt_rows a WHERE jobs.id > 1 AND a.job = 1;
         WITH RECURSIVE k(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM k WHERE j < 10)
         INSERT INTO revision_rows SELECT jobs.id, j, r.kind, r.origin, r.spec, r.spec_hash, r.secrets, r.run, r.path, r.sequence,
           r.created_at + j
         FROM job_rows jobs, k, revision_rows r WHERE jobs.id > 1 AND r.job = 1;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS})
         INSERT INTO event_rows (at, job, attempt, run, kind, data) SELECT i, 1 + i % {JOBS}, 1, 1, 'seen', '{{}}' FROM n;
         COMMIT;"
    );
    database.execute_batch(&copies).unwrap();
    let ids: Vec<(String, String)> = database
        .prepare("SELECT a.flink_id, j.name FROM attempt_rows a JOIN job_rows j ON j.id = a.job WHERE a.number = 10")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    drop(database);
    flink.with(|cluster| ids.iter().for_each(|(id, name)| cluster.put_job(id, name)));
    let (mut listed, mut history) = (Figures::default(), Figures::default());
    for round in 0..=ROUNDS {
        let (time, text) = run(&mut workspace.tidegate(&["ps"]));
        assert!(text.lines().count() > JOBS, "{text}");
        let (other, text) = run(&mut workspace.tidegate(&["history", "bench-500"]));
        assert!(text.lines().count() >= 10, "{text}");
        if round > 0 {
            listed.add_time(time);
            history.add_time(other);
        }
    }
    line("tidegate ps: 1,000 jobs, 10,000 attempts, 100,000 events", &listed, "ms", "100 ms");
    line("tidegate history: one of them", &history, "ms", "100 ms");
}

fn main() {
    plans();
    listings();
    upgrades();
}
