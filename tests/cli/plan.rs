//! `tidegate plan`: every action, what ends a plan, and that nothing is done.

use insta::assert_snapshot;

use super::Workspace;
use super::support::fake_flink::{FakeFlink, Fault, Reply};

fn staged(flink: &FakeFlink) -> Workspace {
    let workspace = Workspace::on(&flink.url());
    workspace.write(
        "templates/orders.sql",
        "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\nCREATE TABLE k (i INT) WITH ('connector' = 'blackhole');\n\
         INSERT INTO k\nSELECT i FROM s WHERE i > {{ least }};\n",
    );
    workspace.write("scripts/deploy.rhai", &deploy("least: 1", ""));
    workspace
}

fn deploy(vars: &str, options: &str) -> String {
    format!(
        "let job = job::sql(\"orders\", #{{ template: \"orders.sql\", vars: #{{ {vars} }}{options} }}).deploy();\n\
         job.wait_for(\"RUNNING\", \"10s\");\nprint(job.attempt);\n"
    )
}

/// What the JobManager was asked to do, beyond looking.
fn acts(flink: &FakeFlink) -> usize {
    flink.requests().iter().filter(|request| request.method != "GET").count()
}

#[test]
fn a_job_through_its_life() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    assert_snapshot!("plan_create", workspace.tidegate(&["plan", "deploy"]));
    assert_eq!(acts(&flink), 0);
    workspace.tidegate(&["run", "deploy"]);
    let acted = acts(&flink);
    assert_snapshot!("plan_noop", workspace.tidegate(&["plan", "deploy"]));
    workspace.write("scripts/deploy.rhai", &deploy("least: 1", ", tags: [\"red\"], owner: \"us\""));
    assert_snapshot!("plan_record", workspace.tidegate(&["plan", "deploy"]));
    workspace.write("scripts/deploy.rhai", &deploy("least: 2", ", parallelism: 4"));
    assert_snapshot!("plan_upgrade", workspace.tidegate(&["plan", "deploy"]));
    assert_snapshot!("plan_json", workspace.tidegate(&["plan", "deploy", "--json"]));
    assert_eq!(acts(&flink), acted);
    workspace.tidegate(&["cancel", "orders"]);
    assert_snapshot!("plan_restart", workspace.tidegate(&["plan", "deploy"]));
    flink.refuse();
    assert_snapshot!("plan_unreachable", workspace.tidegate(&["plan", "deploy"]));
    assert_eq!(
        workspace.tidegate(&["runs", "--json"]).matches("\"run\"").count(),
        2,
        "a plan is no run; the cancel is one"
    );
}

#[test]
fn a_change_tells_its_newest_state_slots_steps_and_the_way_back() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    let checkpointing = ", checkpointing: #{ interval: \"1s\" }";
    workspace.write("scripts/deploy.rhai", &deploy("least: 1", checkpointing));
    workspace.tidegate(&["run", "deploy"]);
    let id = flink.executions()[0].job_id.clone();
    flink.with(|cluster| cluster.complete_checkpoint(&id));
    // Where TaskManagers come on demand, too few slots stand against nothing.
    flink.with(|cluster| cluster.settings = vec![("kubernetes.cluster-id", "shared".to_owned())]);
    // A look at the job records what it has.
    workspace.tidegate(&["savepoints", "orders"]);
    workspace.write("scripts/deploy.rhai", &deploy("least: 2", &format!("{checkpointing}, parallelism: 120")));
    assert_snapshot!("plan_outlook", workspace.tidegate(&["plan", "deploy"]));
    workspace.write("scripts/stop.rhai", "job::get(\"orders\").stop();\n");
    assert_snapshot!("plan_outlook_stop", workspace.tidegate(&["plan", "stop"]));
    workspace.write("scripts/gone.rhai", "job::get(\"orders\").rescale(3);\n");
    assert_snapshot!("plan_outlook_rescale", workspace.tidegate(&["plan", "gone", "--json"]));
}

#[test]
fn the_script_goes_on_with_what_is_known_and_ends_at_what_is_not() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    workspace.write(
        "scripts/several.rhai",
        "let spec = job::sql(\"orders\", #{ template: \"orders.sql\", vars: #{ least: 1 } });\n\
         let job = spec.deploy();\nif job.attempt == 1 { log::info(\"the first\"); }\n\
         let again = job::get(\"orders\");\nif again.action != \"created\" { throw \"another handle\"; }\n\
         let batch = job::sql(\"report\", #{ template: \"orders.sql\", vars: #{ least: 2 }, mode: \"batch\" }).execute();\n\
         if batch.state != \"FINISHED\" { throw batch.state; }\n\
         run::step(\"later\", || job::sql(\"third\", #{ template: \"orders.sql\", vars: #{ least: 3 } }).deploy());\n\
         job.cancel();\nif job.wait_for(\"RUNNING\").tasks_total > 3 { throw \"many\"; }\nprint(\"never\");\n",
    );
    assert_snapshot!("plan_several", workspace.tidegate(&["plan", "several"]));
    workspace.write(
        "scripts/reads.rhai",
        "let jobs = flink::jobs();\nfor n in 1..3 { job::sql(`j${n}`, #{ template: \"orders.sql\", vars: #{ least: n } }).deploy(); }\n\
         let more = files::csv(\"results/*.csv\");\n",
    );
    assert_snapshot!("plan_ends_at_a_read", workspace.tidegate(&["plan", "reads"]));
    assert_eq!(acts(&flink), 0);
}

#[test]
fn a_script_that_fails_and_one_that_does_nothing() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    workspace.write("scripts/fails.rhai", "job::sql(\"orders\", #{ template: \"orders.sql\" }).deploy();\n");
    assert_snapshot!("plan_fails", workspace.tidegate(&["plan", "fails"]));
    workspace.write("scripts/nothing.rhai", "print(1 + 1);\n");
    assert_snapshot!("plan_nothing", workspace.tidegate(&["plan", "nothing"]));
}

#[test]
fn a_twin_of_another_clone_is_told_before() {
    let flink = FakeFlink::start();
    staged(&flink).tidegate(&["run", "deploy"]);
    assert_snapshot!("plan_unmanaged", staged(&flink).tidegate(&["plan", "deploy"]));
}

#[test]
fn the_clusters_planner_is_asked() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    assert_snapshot!("plan_validate", workspace.tidegate(&["plan", "deploy", "--validate"]));
    let path = format!("{}/tests/data/flink-answers/column-h120.json", env!("CARGO_MANIFEST_DIR"));
    let body = std::fs::read_to_string(path).unwrap();
    let body = body.replace("SQLRUNNER_STATEMENT_ERROR statement=3", "TIDEGATE_STATEMENT 2");
    flink.fault("POST", "/plan", 1, Fault::AnswerBefore(Reply::captured(500, body)));
    assert_snapshot!("plan_validate_refused", workspace.tidegate(&["plan", "deploy", "--validate"]));
    workspace.write(
        "templates/orders.sql",
        "CREATE CATALOG lake WITH ('type' = 'iceberg');\nINSERT INTO lake.d.k SELECT {{ least }};\n",
    );
    assert_snapshot!("plan_validate_catalog", workspace.tidegate(&["plan", "deploy", "--validate"]));
    let asked = |flink: &FakeFlink| flink.requests().iter().filter(|request| request.path.ends_with("/plan")).count();
    let before = asked(&flink);
    workspace.tidegate(&["plan", "deploy", "--validate", "--catalog", "lake"]);
    assert_eq!(asked(&flink), before + 1);
    assert!(flink.executions().is_empty());
}

#[test]
fn branches_tries_approvals_and_what_is_deferred_are_planned_too() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    workspace.write(
        "scripts/scopes.rhai",
        "fn spec(name) { job::sql(name, #{ template: \"orders.sql\", vars: #{ least: 1 } }) }\n\
         run::defer(|| spec(\"last\").deploy());\n\
         run::parallel_map([\"a\", \"b\", \"c\"], |name| spec(name).deploy(), #{ max: 2 });\n\
         run::approve(\"go on?\", #{ timeout: \"1h\" });\n\
         run::retry(#{ attempts: 5, delay: \"1h\" }, || spec(\"d\").deploy());\n",
    );
    assert_snapshot!("plan_scopes", workspace.tidegate(&["plan", "scopes"]));
    assert_eq!(acts(&flink), 0);
}
