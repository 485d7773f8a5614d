//! What Flink says to mistakes in SQL: one line with the root cause, and the line of the template.

use super::workspace::{Cluster, Ended, Workspace};

const SOURCE: &str =
    "CREATE TABLE numbers (n BIGINT, word STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '5');\n";
const SINK: &str = "CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole');\n";

/// Name, SQL, the line of the template, what the message has to hold.
const REFUSED: [(&str, &str, u32, &str); 7] = [
    ("syntax", "\nINSERT INTO nowhere SELEC n FROM numbers;\n", 4, "SELEC"),
    ("column", "\nINSERT INTO nowhere SELECT m FROM numbers;\n", 4, "'m'"),
    ("table", "INSERT INTO nowhere\nSELECT n FROM nubmers;\n", 4, "nubmers"),
    (
        "connector",
        "CREATE TABLE k (n BIGINT) WITH ('connector' = 'kafak');\nINSERT INTO k SELECT n FROM numbers;\n",
        3,
        "kafak",
    ),
    (
        "option",
        "CREATE TABLE f (n BIGINT) WITH ('connector' = 'filesystem', 'format' = 'csv');\nINSERT INTO f SELECT n FROM numbers;\n",
        3,
        "path",
    ),
    // Flink names the table and no statement: the one that inserts into it is shown, not its definition.
    ("sink", "\n\nINSERT INTO nowhere SELECT word, n FROM numbers;\n", 5, "nowhere"),
    (
        "set",
        "SET 'execution.checkpointing.interval' = 'often';\nINSERT INTO nowhere SELECT n FROM numbers;\n",
        3,
        "often",
    ),
];

pub(crate) fn mistakes_in_sql_are_told_with_their_line(cluster: &Cluster) {
    let workspace = Workspace::session("mistakes", &cluster.url);
    for (name, sql, line, text) in REFUSED {
        write(&workspace, name, sql, "");
        // Asked before, the cluster's planner says the same, and nothing is submitted.
        let planned = workspace.tidegate(&["plan", name, "--validate"]);
        // What is not on the class path is known before anything is sent.
        let code = if name == "connector" { "connector.missing" } else { "flink.sql_refused" };
        let told = planned.out.lines().find(|line| line.contains(&format!("error[{code}]")));
        let told = told.unwrap_or_else(|| panic!("not refused: {planned}"));
        assert!(told.contains(&format!("templates/{name}.sql:{line}")) && planned.out.contains(text), "{planned}");
        assert_eq!(planned.code, Some(1), "{planned}");
        let ended = run(&workspace, name, sql, "").fails(code);
        assert!(ended.error_line().contains(&format!("`{name}`: ")) && ended.err.contains(text), "{ended}");
        let place = format!("templates/{name}.sql:{line}");
        assert!(ended.err.contains(&place), "not at {place}: {ended}");
        assert!(cluster.listed(name).is_empty(), "{name} was started");
    }
    let cast = "INSERT INTO nowhere SELECT CAST(w AS BIGINT) FROM (VALUES ('x1')) AS t (w);\n";
    run(&workspace, "cast", cast, "restart_strategy: #{ type: \"none\" }")
        .fails("flink.job_failed")
        .says(&["`cast` (attempt 1) is FAILED", "x1"]);
    assert_eq!(workspace.job("cast")["state"], "FAILED");
}

/// A bounded streaming job.
pub(crate) fn run(workspace: &Workspace, name: &str, sql: &str, options: &str) -> Ended {
    write(workspace, name, sql, options);
    workspace.tidegate(&["run", name])
}

fn write(workspace: &Workspace, name: &str, sql: &str, options: &str) {
    workspace.write(&format!("templates/{name}.sql"), &format!("{SOURCE}{SINK}{sql}"));
    workspace.script(
        name,
        &format!("job::sql(\"{name}\", #{{ template: \"{name}.sql\", {options} }}).execute(#{{ timeout: \"1m\" }});\n"),
    );
}
