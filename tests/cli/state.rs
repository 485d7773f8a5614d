//! What somebody gets when the state cannot be used.

use insta::assert_snapshot;

use super::Workspace;

fn staged() -> Workspace {
    let workspace = Workspace::idle();
    workspace.script("print(\"hi\");\n");
    workspace
}

#[test]
fn a_state_of_a_newer_tidegate() {
    let workspace = staged();
    let state = workspace.path().join(".tidegate/state.db");
    rusqlite::Connection::open(state).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_snapshot!("state_newer", workspace.tidegate(&["runs"]));
}

#[test]
fn a_state_that_is_no_database() {
    let workspace = staged();
    for name in ["state.db-wal", "state.db-shm"] {
        // SQLite removes them at a clean end; where they are left they belong to the old file.
        if workspace.path().join(".tidegate").join(name).exists() {
            std::fs::remove_file(workspace.path().join(".tidegate").join(name)).unwrap();
        }
    }
    workspace.write(".tidegate/state.db", &"this is no database\n".repeat(40));
    assert_snapshot!("state_corrupt", workspace.tidegate(&["runs"]));
}

#[test]
fn a_state_that_somebody_holds() {
    let workspace = staged();
    let holder = rusqlite::Connection::open(workspace.path().join(".tidegate/state.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_snapshot!("state_locked", workspace.script("print(\"hi\");\n"));
}

#[test]
fn runs_and_steps() {
    let workspace = Workspace::idle();
    workspace.script("print(\"hi\");\nfiles::exists(\"tidegate.yaml\");\n");
    let runs = workspace.tidegate(&["runs", "--json"]);
    assert!(runs.contains("\"run\": \"r1\"") && runs.contains("\"status\": \"done\""), "{runs}");
    let shown = workspace.tidegate(&["runs", "show", "r1"]);
    assert!(shown.contains("files::exists  read   scripts/it.rhai:2"), "{shown}");
    assert_snapshot!("abandon_of_a_done_run", workspace.tidegate(&["abandon", "r1"]));
}

#[test]
fn a_resumed_run_uses_what_it_pinned_and_other_scripts_diverge() {
    let workspace = Workspace::idle();
    workspace.write("scripts/it.rhai", "let a = files::exists(\"x\");\ntime::sleep(\"1h\");\n");
    let child = workspace.command(&["run", "it"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    super::signals::wait_for_step(&workspace, "files::exists");
    super::signals::end(child, rustix::process::Signal::KILL);
    workspace.write("scripts/it.rhai", "let a = files::exists(\"y\");\nprint(\"done\");\n");
    assert_snapshot!("diverged", workspace.tidegate(&["resume", "r1", "--with-current-scripts"]));
    workspace.write("scripts/it.rhai", "let a = files::exists(\"x\");\nprint(\"done\");\n");
    assert_snapshot!("resumed", workspace.tidegate(&["resume", "r1", "--with-current-scripts"]));
}
