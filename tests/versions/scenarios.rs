//! What is tried on each version; each scenario panics where it fails, and else says what was seen.

use base64::Engine as _;
use serde_json::{Value, json};

use super::java;
use super::workspace::{Cluster, request, until};

/// The whole version of the JobManager.
pub(crate) fn flink_version(cluster: &Cluster) -> String {
    cluster.get("/overview")["flink-version"].as_str().unwrap().to_owned()
}

/// The Java that the JobManager runs on, as it says itself at the start of its log.
pub(crate) fn java_version(cluster: &Cluster) -> String {
    let log = cluster.workspace.tidegate(&["logs", "quickstart", "--source", "jobmanager", "-n", "100000"]).ok().out;
    let line = log.lines().find(|line| line.contains(" JVM: ")).unwrap_or_else(|| panic!("no JVM in {log}"));
    // "JVM: OpenJDK 64-Bit Server VM - Debian - 17/17.0.15+6-Debian-1deb12u1"
    let version = line.rsplit_once(" - ").unwrap().1;
    version.split(['/', '.']).next().unwrap().to_owned()
}

fn yes() -> String {
    "yes".to_owned()
}

pub(crate) fn a_streaming_job_goes_on_from_its_checkpoint(cluster: &Cluster) -> String {
    let workspace = &cluster.workspace;
    let deploy = ["run", "streaming", "-p", "sink=blackhole"];
    let first = workspace.tidegate(&deploy).ok();
    assert!(first.out.starts_with("streaming: RUNNING, attempt 1, "), "{first}");
    assert_eq!(workspace.tidegate(&deploy).ok().out, first.out);
    let id = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    let checkpoints = |id: &str| cluster.get(&format!("/jobs/{id}/checkpoints"));
    until("a checkpoint", || checkpoints(&id)["counts"]["completed"].as_u64().filter(|count| *count > 0));
    let strategy = cluster.get(&format!("/jobs/{id}/config"))["execution-config"]["restart-strategy"].clone();
    let strategy = strategy.as_str().unwrap();
    assert_eq!(cluster.listed("streaming").len(), 1);
    let ended = workspace.tidegate(&["cancel", "streaming"]).ok();
    ended.says(&["is CANCELED", "its newest checkpoint stays: file:"]);
    let newest = checkpoints(&id)["latest"]["completed"]["external_path"].clone();
    assert!(workspace.tidegate(&deploy).ok().out.starts_with("streaming: RUNNING, attempt 2, "));
    let second = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    assert_eq!(checkpoints(&second)["latest"]["restored"]["external_path"], newest);
    workspace.tidegate(&["cancel", "streaming"]).ok();
    assert!(strategy.contains("#3 restart attempts") || strategy.starts_with("Cluster level default"), "{strategy}");
    "yes, restored".to_owned()
}

pub(crate) fn a_mistake_is_told_with_its_line(cluster: &Cluster) -> String {
    let workspace = &cluster.workspace;
    workspace.write(
        "templates/mistake.sql",
        "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
         CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT m FROM a;\n",
    );
    workspace.script("mistake", "job::sql(\"mistake\", #{ template: \"mistake.sql\" }).deploy();\n");
    let ended = workspace.tidegate(&["run", "mistake"]).fails("flink.sql_refused");
    assert!(ended.err.contains("Column 'm' not found") && ended.err.contains("templates/mistake.sql:3:22"), "{ended}");
    assert!(cluster.listed("mistake").is_empty(), "it was started");
    "at their line".to_owned()
}

/// What `validate` stands on: `POST /jars/:id/plan` of our runner plans good SQL, refuses bad SQL, and starts nothing.
pub(crate) fn a_statement_is_planned_without_running(cluster: &Cluster) -> String {
    let jars = cluster.get("/jars");
    let runner = jars["files"].as_array().unwrap().iter().find(|jar| {
        let classes = jar["entry"].as_array().unwrap();
        classes.iter().any(|class| class["name"] == tidegate::drivers::payload::RUNNER_CLASS)
    });
    let id = runner.unwrap_or_else(|| panic!("no runner in {jars}"))["id"].as_str().unwrap();
    let url = format!("{}/jars/{id}/plan", cluster.url);
    let before = cluster.get("/jobs/overview")["jobs"].as_array().unwrap().len();
    let plan = |insert: &str| {
        let statements = [
            ("define", "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen')"),
            ("define", "CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole')"),
            ("insert", insert),
        ];
        let arguments: Vec<String> = statements
            .iter()
            .flat_map(|(kind, text)| {
                let text = base64::engine::general_purpose::URL_SAFE.encode(text);
                ["--statement".to_owned(), (*kind).to_owned(), text]
            })
            .collect();
        let body = json!({ "entryClass": tidegate::drivers::payload::RUNNER_CLASS, "programArgsList": arguments });
        request(|client| client.post(&url).json(&body))
    };
    let (status, planned) = plan("INSERT INTO b SELECT n FROM a");
    assert_eq!(status, 200, "{planned}");
    assert!(planned["plan"]["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()), "{planned}");
    let (status, refused) = plan("INSERT INTO b SELECT m FROM a");
    let text = refused["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<String>();
    assert!(text.contains("TIDEGATE_STATEMENT 2") && text.contains("Column 'm' not found"), "{status}: {refused}");
    assert_eq!(cluster.get("/jobs/overview")["jobs"].as_array().unwrap().len(), before, "planning started a job");
    format!("yes, a mistake is HTTP {status}")
}

/// Compiles the job of the tests for this workspace; the class files are the same against every version.
fn count_jar(cluster: &Cluster) {
    let surroundings = tidegate::drivers::local::Surroundings::of_process().unwrap();
    let installed = tidegate::drivers::local::install::list(&surroundings.cache).unwrap();
    let version = flink_version(cluster);
    let flink = installed.iter().find(|installed| installed.version == version).unwrap();
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jar-job/src");
    let jar = cluster.workspace.path("jars/count.jar");
    std::fs::create_dir_all(jar.parent().unwrap()).unwrap();
    java::compile_jar(&sources, &format!("{}/lib/*", flink.path.display()), &jar, "com.example.CountJob").unwrap();
}

pub(crate) fn a_jar_runs(cluster: &Cluster) -> String {
    count_jar(cluster);
    cluster.workspace.script(
        "count",
        "job::jar(\"count\", #{ jar: \"jars/count.jar\", main_class: \"com.example.CountJob\", parallelism: 1, \
         args: [\"--count\", 50, \"--rate\", 100] }).deploy().wait_for(\"FINISHED\", \"2m\");\n",
    );
    cluster.workspace.tidegate(&["run", "count"]).ok();
    let printed = cluster.workspace.tidegate(&["logs", "count", "--source", "stdout"]).ok().out;
    assert!(printed.contains("3: 12"), "{printed}");
    yes()
}

pub(crate) fn a_jar_with_options(cluster: &Cluster) -> String {
    cluster.workspace.script(
        "options",
        "job::jar(\"options\", #{ jar: \"jars/count.jar\", parallelism: 1, checkpointing: #{ interval: \"200ms\" }, \
         args: [\"--rate\", 100] }).deploy().wait_for(\"RUNNING\", \"2m\");\n",
    );
    let ended = cluster.workspace.tidegate(&["run", "options"]);
    if ended.code != Some(0) {
        let ended = ended.fails("flink.version");
        assert!(ended.error_line().contains("cannot take options") && ended.err.contains("hint: "), "{ended}");
        return "no: `flink.version`".to_owned();
    }
    let id = cluster.workspace.job("options")["id"].as_str().unwrap().to_owned();
    let interval = cluster.get(&format!("/jobs/{id}/checkpoints/config"))["interval"].clone();
    assert_eq!(interval, 200);
    cluster.workspace.tidegate(&["cancel", "options"]).ok();
    yes()
}

pub(crate) fn a_job_is_cancelled(cluster: &Cluster) -> String {
    cluster.workspace.script(
        "endless",
        "job::jar(\"endless\", #{ jar: \"jars/count.jar\", parallelism: 1, args: [\"--rate\", 100] })\n  \
         .deploy().wait_for(\"RUNNING\", \"2m\");\n",
    );
    cluster.workspace.tidegate(&["run", "endless"]).ok();
    let id = cluster.workspace.job("endless")["id"].as_str().unwrap().to_owned();
    cluster.workspace.tidegate(&["cancel", "endless"]).ok().says(&["`endless` (attempt 1) is CANCELED"]);
    assert_eq!(cluster.get(&format!("/jobs/{id}"))["state"], "CANCELED");
    // Somebody's second cancel is no error.
    cluster.workspace.tidegate(&["cancel", "endless"]).ok();
    yes()
}

pub(crate) fn every_source_of_logs_answers(cluster: &Cluster) -> String {
    let workspace = &cluster.workspace;
    let of = |source: &str| workspace.tidegate(&["logs", "endless", "--source", source, "-n", "100000"]).ok().out;
    assert!(of("jobmanager").contains("StandaloneSessionClusterEntrypoint"), "the JobManager's log");
    assert!(of("taskmanager").contains("TaskManagerRunner"), "the TaskManager's log");
    assert!(of("stdout").contains("3: 2"), "what the job printed");
    assert_eq!(of("exceptions"), "", "a cancelled job has no exception");
    yes()
}

pub(crate) fn what_fails_at_run_time_is_told(cluster: &Cluster) -> String {
    let workspace = &cluster.workspace;
    workspace.script(
        "fails",
        "let job = job::sql(\"fails\", #{ parallelism: 1, restart_strategy: #{ type: \"none\" }, sql: `\n\
         CREATE TABLE t (n BIGINT) WITH ('connector' = 'blackhole');\n\
         INSERT INTO t SELECT CAST(w AS BIGINT) FROM (VALUES ('x1')) AS v (w)` });\n\
         job.execute(#{ timeout: \"1m\" });\n",
    );
    workspace.tidegate(&["run", "fails"]).fails("flink.job_failed").says(&["`fails` (attempt 1) is FAILED", "x1"]);
    let trace = workspace.tidegate(&["logs", "fails", "--source", "exceptions"]).ok().out;
    assert!(trace.contains("NumberFormatException") && trace.contains("x1"), "{trace}");
    workspace.script("why", "for e in job::get(\"fails\").exceptions() { print(e.root_cause); }\n");
    let why = workspace.tidegate(&["run", "why"]).ok();
    assert!(why.out.contains("x1"), "{why}");
    yes()
}
