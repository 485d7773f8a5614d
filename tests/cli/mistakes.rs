//! What somebody gets who made a mistake: in the folder, in tidegate.yaml, in a script, in a template.

use insta::assert_snapshot;

use super::Workspace;

#[test]
fn command_lines_that_cannot_be_understood() {
    let workspace = Workspace::idle();
    assert_snapshot!("usage_argument", workspace.tidegate(&["run", "it", "--environment", "local"]));
    assert_snapshot!("usage_command", workspace.tidegate(&["runn", "it"]));
    assert_snapshot!("usage_missing", workspace.tidegate(&["explain"]));
    assert_snapshot!("usage_value", workspace.tidegate(&["completions", "tcsh"]));
}

#[test]
fn no_workspace_and_init() {
    let workspace = Workspace::empty();
    assert_snapshot!("no_workspace", workspace.tidegate(&["ps"]));
    assert_snapshot!("init", workspace.tidegate(&["init", "jobs"]));
    assert_snapshot!("init_again", workspace.tidegate(&["init", "jobs"]));
    assert_snapshot!("init_checked", workspace.tidegate(&["check", "-w", "jobs"]));
    assert_snapshot!("init_example", workspace.tidegate(&["init", "--example", "orders", "shop"]));
    assert_snapshot!("init_example_checked", workspace.tidegate(&["check", "-w", "shop"]));
    assert_snapshot!("init_example_unknown", workspace.tidegate(&["init", "--example", "order", "other"]));
}

#[test]
fn the_workspace_file() {
    let workspace = Workspace::idle();
    let good = std::fs::read_to_string(workspace.path().join("tidegate.yaml")).unwrap();
    for (name, text) in [
        ("yaml_broken", good.replace("local: {", "local: [")),
        ("yaml_unknown_key", good.replace("clusters:", "cluster:")),
        ("yaml_unknown_cluster", good.replace("cluster: shared", "cluster: sharde")),
        ("yaml_wrong_type", good.replace("name: orders", "name: [orders]")),
    ] {
        workspace.write("tidegate.yaml", &text);
        assert_snapshot!(name, workspace.tidegate(&["ps"]));
    }
}

#[test]
fn names_and_parameters() {
    let workspace = Workspace::idle();
    workspace.write("scripts/deploy.rhai", "fn options() { #{ rows: params::int(1, \"how many\"), city: params::string() } }\nprint(params::get(\"city\"));\n");
    for (name, arguments) in [
        ("unknown_environment", vec!["run", "deploy", "--env", "locl"]),
        ("unknown_script", vec!["run", "depoly"]),
        ("unknown_parameter", vec!["run", "deploy", "-p", "row=1"]),
        ("missing_parameter", vec!["run", "deploy"]),
        ("wrong_parameter", vec!["run", "deploy", "-p", "city=x", "-p", "rows=many"]),
        ("script_help", vec!["run", "deploy", "--help"]),
        ("unknown_run", vec!["resume", "r7"]),
        ("not_a_run", vec!["abandon", "seven"]),
        ("unknown_code", vec!["explain", "flink.unreachble"]),
    ] {
        assert_snapshot!(name, workspace.tidegate(&arguments));
    }
    assert_snapshot!("no_run_was_recorded", workspace.tidegate(&["runs"]));
    assert_snapshot!("unknown_job", workspace.tidegate(&["cancel", "orders"]));
}

#[test]
fn scripts() {
    let workspace = Workspace::idle();
    for (name, text) in [
        ("script_syntax", "let x = ;\n"),
        ("script_unknown_function", "job::sqll(\"a\", #{});\n"),
        ("script_unknown_variable", "print(nothing);\n"),
        ("script_recursion", "fn f(n) { f(n + 1) }\nf(0);\n"),
        ("script_too_long_a_string", "let s = \"x\";\nloop { s += s; }\n"),
        ("script_eval", "eval(\"1\");\n"),
        ("script_sleep", "sleep(1);\n"),
        ("script_throw", "throw \"no luck\";\n"),
        ("script_assert", "assert::equal(1 + 1, 3);\n"),
        ("script_outside", "files::read(\"../secret\");\n"),
        ("option_unknown", "job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT 1\", paralelism: 2 });\n"),
        ("option_wrong_type", "job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT 1\", parallelism: \"two\" });\n"),
        ("option_wrong_word", "job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT 1\", mode: \"bach\" });\n"),
        ("argument_wrong_type", "job::sql(1, #{});\n"),
        ("sql_makes_no_job", "job::sql(\"a\", #{ sql: \"SELECT 1\" });\n"),
        ("template_not_found", "job::sql(\"a\", #{ template: \"nothing.sql\" });\n"),
        ("jar_not_found", "job::jar(\"a\", #{ jar: \"jars/nothing.jar\" });\n"),
    ] {
        assert_snapshot!(name, workspace.script(text));
    }
}

#[test]
fn an_endless_loop_ends_at_the_limit() {
    let workspace = Workspace::idle();
    let file = workspace.path().join("tidegate.yaml");
    let text = std::fs::read_to_string(&file).unwrap() + "limits: { operations: 20000 }\n";
    workspace.write("tidegate.yaml", &text);
    assert_snapshot!("script_endless", workspace.script("let n = 0;\nloop { n += 1; }\n"));
}

#[test]
fn memory_ends_at_the_limit_that_the_workspace_sets() {
    let workspace = Workspace::idle();
    let file = workspace.path().join("tidegate.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    workspace.write("tidegate.yaml", &format!("{text}limits: {{ seconds: 60 }}\n"));
    let script = "let kept = #{};\nfor i in 0..40 { let part = \"x\"; for j in 0..20 { part += part; } kept[`${i}`] = part; }\nprint(\"kept\");\n";
    assert_snapshot!("script_much_memory", workspace.script(script));
    workspace.write("tidegate.yaml", &(text + "limits: { seconds: 60, memory_mb: 32 }\n"));
    assert_snapshot!("script_too_much_memory", workspace.script(script));
}

#[test]
fn templates() {
    let workspace = Workspace::idle();
    for (name, text) in [
        ("template_missing_variable", "CREATE TABLE t (i INT) WITH ('topic' = '{{ topik }}');\n"),
        ("template_syntax", "SELECT {% if x %}\n"),
        ("template_unclosed_string", "INSERT INTO t\nSELECT 'it;\n"),
    ] {
        workspace.write("templates/it.sql", text);
        assert_snapshot!(name, workspace.script("job::sql(\"a\", #{ template: \"it.sql\" });\n"));
    }
}
