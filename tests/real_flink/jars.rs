//! Jobs that are jars, and SQL jobs with a jar of the user's functions.

use std::path::Path;

use super::java;
use super::recorder::Recorder;
use super::workspace::{Cluster, Workspace, request, until};

/// Compiles `tests/data/<source>` into a jar of the workspace, against the Flink that clusters are started with.
pub(crate) fn compile(workspace: &Workspace, source: &str, main_class: &str, jar: &str) {
    let surroundings = tidegate::drivers::local::Surroundings::of_process().unwrap();
    let installed = tidegate::drivers::local::install::list(&surroundings.cache).unwrap();
    let flink = installed.iter().find(|flink| flink.version.starts_with("1.20.")).unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(source).join("src");
    let jar = workspace.path(jar);
    std::fs::create_dir_all(jar.parent().unwrap()).unwrap();
    java::compile_jar(&sources, &format!("{}/lib/*", flink.path.display()), &jar, main_class).unwrap();
}

pub(crate) const COUNT: &str = "com.example.CountJob";

pub(crate) fn a_jar_with_main_class_and_arguments(cluster: &Cluster) {
    if !java::can_compile("a_jar_with_main_class_and_arguments") {
        return;
    }
    let workspace = Workspace::session("jars", &cluster.url);
    compile(&workspace, "jar-job", COUNT, "jars/count.jar");
    compile(&workspace, "jar-job", "", "jars/no-main.jar");
    let job = |name: &str, options: &str, then: &str| {
        workspace.script(name, &format!("let job = job::jar(\"{name}\", #{{ parallelism: 1, {options} }});\n{then}\n"));
        workspace.tidegate(&["run", name])
    };
    let execute = "let done = job.execute(#{ timeout: \"1m\" });\nprint(done.state);";

    let deploy = "job.deploy().wait_for(\"RUNNING\", \"1m\");";
    let streaming = "jar: \"jars/count.jar\", main_class: \"com.example.CountJob\", args: [\"--rate\", 50, \"--name\", \"counting\"], checkpointing: #{ interval: \"1s\" }";
    job("counting", streaming, deploy).ok();
    until("its counts", || {
        let printed = workspace.tidegate(&["logs", "counting", "--source", "stdout"]).ok().out;
        printed.contains("3: 2").then_some(())
    });
    let id = workspace.job("counting")["id"].as_str().unwrap().to_owned();
    until("a checkpoint", || {
        cluster.get(&format!("/jobs/{id}/checkpoints"))["counts"]["completed"].as_u64().filter(|count| *count > 0)
    });
    workspace.tidegate(&["cancel", "counting"]).ok().says(&["its newest checkpoint stays: file:"]);

    let bounded = job("bounded", "jar: \"jars/count.jar\", args: [\"--count\", 20, \"--rate\", 100]", execute).ok();
    assert_eq!(bounded.out, "FINISHED\n");

    job("wrong-class", "jar: \"jars/count.jar\", main_class: \"com.example.Cuont\"", execute)
        .fails("flink.entry_class")
        .says(&["com.example.Cuont", "com.example.CountJob"]);
    job("no-main", "jar: \"jars/no-main.jar\"", execute).fails("flink.entry_class");
    job("throws", "jar: \"jars/count.jar\", args: [\"--colour\", \"red\"]", execute)
        .fails("flink.main_failed")
        .says(&["main() of `throws` failed", "unknown option --colour"]);
    job(
        "fails",
        "jar: \"jars/count.jar\", args: [\"--rate\", 1000, \"--fail-at\", 5], restart_strategy: #{ type: \"none\" }",
        execute,
    )
    .fails("flink.job_failed")
    .says(&["`fails` (attempt 1) is FAILED", "reached the number 5"]);
}

const SHOUTING: &str = "CREATE FUNCTION shout AS 'com.example.Shout';
CREATE TABLE shouted (word STRING) WITH ('connector' = 'print');
INSERT INTO shouted SELECT shout(word) FROM (VALUES ('tide'), ('gate')) AS t (word);
";

pub(crate) fn a_function_in_a_jar_of_the_job(cluster: &Cluster) {
    if !java::can_compile("a_function_in_a_jar_of_the_job") {
        return;
    }
    let recorder = Recorder::before(&cluster.url);
    let workspace = Workspace::session("functions", &recorder.url());
    compile(&workspace, "udf-jar", "", "jars/shout.jar");
    workspace.write("templates/shouting.sql", SHOUTING);
    workspace.script(
        "shouting",
        "let job = job::sql(\"shouting\", #{ template: \"shouting.sql\", mode: \"batch\", parallelism: 1, jars: [\"jars/shout.jar\"] });\nprint(job.execute(#{ timeout: \"1m\" }).state);\n",
    );
    let uploads_in = |asked: &[String]| asked.iter().filter(|request| *request == "POST /jars/upload").count();
    let uploads = || uploads_in(&recorder.take());
    let run = || assert_eq!(workspace.tidegate(&["run", "shouting"]).ok().out, "FINISHED\n");
    run();
    assert_eq!(uploads(), 1);
    let printed = workspace.tidegate(&["logs", "shouting", "--source", "stdout"]).ok().out;
    assert!(printed.contains("+I[tide!]") && printed.contains("+I[gate!]"), "{printed}");

    run();
    let asked = recorder.take();
    assert_eq!(uploads_in(&asked), 0, "the same bytes are found again by their name");

    // Ours is the one that the job was started with; other scenarios upload theirs meanwhile.
    let ran = asked.iter().find_map(|request| request.strip_prefix("POST /jars/")?.strip_suffix("/run"));
    let id = ran.unwrap_or_else(|| panic!("no job was started: {asked:?}"));
    assert_eq!(request(|client| client.delete(format!("{}/jars/{id}", cluster.url))).0, 200);
    run();
    assert_eq!(uploads(), 1, "a cluster that forgot the bytes gets them again");
}
