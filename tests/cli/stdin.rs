//! `tidegate run -`: a script from standard input is a script like any other.

use insta::assert_snapshot;
use rustix::process::Signal;

use super::Workspace;

#[test]
fn a_script_from_standard_input() {
    let workspace = Workspace::idle();
    workspace
        .write("scripts/lib/greet.rhai", "fn hello(name) { if name == \"\" { throw \"nobody\"; } `hello ${name}` }\n");
    let script = "import \"./lib/greet\" as greet;\nfn options() { #{ who: params::string(\"you\", \"whom to greet\") } }\nprint(greet::hello(params::get(\"who\")));\n";
    for (name, input, arguments) in [
        ("stdin_runs", script, vec!["run", "-", "-p", "who=sea", "--env", "local"]),
        ("stdin_help", script, vec!["run", "-", "--help"]),
        ("stdin_fails", script, vec!["run", "-", "-p", "who="]),
        ("stdin_wrong_parameter", script, vec!["run", "-", "-p", "whom=sea"]),
        ("stdin_syntax", "let x = 1;\nlet y = ;\n", vec!["run", "-"]),
        ("stdin_import_leaves", "import \"../x\" as x;\n", vec!["run", "-"]),
        ("stdin_empty", " \n", vec!["run", "-"]),
    ] {
        assert_snapshot!(name, workspace.tidegate_reading(input, &arguments));
    }
    let runs = workspace.tidegate(&["runs", "--json"]);
    assert_eq!(runs.matches("\"script\": \"<stdin>\"").count(), 2, "{runs}");
}

#[test]
fn text_that_is_no_script_is_refused() {
    let workspace = Workspace::idle();
    let large = format!("// {}\n", "x".repeat(1 << 20));
    assert_snapshot!("stdin_too_large", workspace.tidegate_reading(&large, &["run", "-"]));
}

#[test]
fn a_run_from_standard_input_is_resumed_from_what_it_pinned() {
    let workspace = Workspace::idle();
    workspace.write(
        "script",
        "files::exists(\"x\");\nwhile !files::exists(\"go\") { time::sleep(\"10ms\"); }\nprint(\"gone on\");\n",
    );
    let input = std::fs::File::open(workspace.path().join("script")).unwrap();
    let child = workspace.command(&["run", "-"]).stdin(input).stderr(std::process::Stdio::null()).spawn().unwrap();
    super::signals::wait_for_step(&workspace, "time::sleep");
    super::signals::end(child, Signal::KILL);
    workspace.write("go", "");
    // Whichever scripts are asked for: standard input has no newer one.
    assert_snapshot!("stdin_resumed", workspace.tidegate(&["resume", "r1", "--with-current-scripts"]));
}
