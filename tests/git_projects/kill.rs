//! Builds whose tidegate dies.

use super::git_repository::Repository;
use super::{Workspace, until};

/// The processes whose environment has the mark of a build of this workspace.
fn marked(workspace: &Workspace) -> Vec<u32> {
    let folder = workspace.path(".tidegate/builds").display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&environ).into_owned();
        // The folder of the build is in PWD or OLDPWD of what it started.
        let is_alive = tidegate::base::process::start_time(pid).is_some();
        if is_alive && text.contains("TIDEGATE_BUILD=") && text.contains(&folder) {
            found.push(pid);
        }
    }
    found
}

/// A project whose build starts a process in a session of its own, and ends when `go` is there.
fn project(root: &std::path::Path) -> (Repository, Workspace) {
    let script = "setsid sleep 1000 &\nsleep 1000 &\necho begun\ntouch $STARTED\nwhile ! test -e $GO; do sleep 0.05; done\necho jar > out.jar\n";
    let jobs = Repository::new(&root.join("jobs"), &[("build.sh", script)]);
    let workspace =
        Workspace::new(&format!("projects:\n  jobs: {{ url: {} }}\nallow_builds: [jobs]\n", jobs.folder.display()));
    (jobs, workspace)
}

fn script(workspace: &Workspace) -> String {
    format!(
        "let b = git::project(\"jobs\").build(#{{ command: \"sh build.sh\", artifacts: [\"out.jar\"], environment: #{{ GO: \"{}\", STARTED: \"{}\" }} }});\nprint(`${{b.id}} ${{b.cached}}`);",
        workspace.path("go").display(),
        workspace.path("started").display()
    )
}

#[test]
fn a_killed_tidegate_leaves_no_orphan_after_the_next_run() {
    let root = tempfile::tempdir().unwrap();
    let (_jobs, workspace) = project(root.path());
    let script = script(&workspace);
    let mut process = workspace.start(&script);
    until("the build", || workspace.path("started").exists());
    process.kill().unwrap();
    process.wait().unwrap();
    let orphans = marked(&workspace);
    assert!(orphans.len() >= 2, "the build goes on without its tidegate: {orphans:?}");
    let listed = workspace.tidegate(&["builds", "--json"]).ok();
    assert!(listed.contains("\"interrupted\""), "{listed}");

    std::fs::remove_file(workspace.path("started")).unwrap();
    workspace.write("go", "");
    let ended = workspace.tidegate(&["resume", "r1"]);
    assert!(ended.err.contains("was left running by a tidegate that died"), "{}", ended.err);
    assert_eq!(ended.ok(), "2 false");
    for pid in &orphans {
        assert!(tidegate::base::process::start_time(*pid).is_none(), "{pid} lives");
    }
    assert_eq!(marked(&workspace), Vec::<u32>::new());
    let listed: serde_json::Value = serde_json::from_str(&workspace.tidegate(&["builds", "--json"]).ok()).unwrap();
    let states: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "interrupted"], "one build results");
    assert!(!workspace.path(".tidegate/builds/1/work").exists() && !workspace.path(".tidegate/builds/2/work").exists());
    // Another run finds it.
    assert_eq!(workspace.run(&script).ok(), "2 true");
}

#[test]
fn ctrl_c_kills_the_whole_tree_and_the_run_builds_later() {
    let root = tempfile::tempdir().unwrap();
    let (_jobs, workspace) = project(root.path());
    let mut process = workspace.start(&script(&workspace));
    until("the build", || workspace.path("started").exists());
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(130));
    until("the end of the tree", || marked(&workspace).is_empty());
    let listed = workspace.tidegate(&["builds", "--json"]).ok();
    assert!(listed.contains("\"interrupted\"") && !workspace.path(".tidegate/builds/1/work").exists(), "{listed}");
    workspace.write("go", "");
    assert_eq!(workspace.tidegate(&["resume", "r1"]).ok(), "2 false");
}

/// Two that want the same build get one.
#[test]
fn two_at_once_build_once() {
    let root = tempfile::tempdir().unwrap();
    let (_jobs, workspace) = project(root.path());
    let script = script(&workspace);
    workspace.write("scripts/two.rhai", &script);
    let mut first = workspace.start(&script);
    until("the build", || workspace.path("started").exists());
    let second = workspace.command(&["run", "two"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    workspace.write("go", "");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let second = second.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&second.stdout), "1 true\n");
}

/// Killed at each boundary of a build: afterwards a run has one whole build, and nothing is left running.
#[test]
fn killed_at_each_boundary_one_build_results() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, mut workspace) = project(root.path());
    workspace.write("go", "");
    let script = script(&workspace);
    let log = workspace.path("boundaries");
    workspace.set("TIDEGATE_HALT_LOG", &log.display().to_string());
    workspace.run(&script).ok();
    let reached = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(reached > 8, "only {reached} boundaries");
    let mut killed = 0;
    for at in 1..=reached {
        jobs.commit("next", &[("n", &at.to_string())]);
        let before = workspace.tidegate(&["builds", "--json", "--limit", "1"]).ok();
        workspace.set("TIDEGATE_HALT_AT", &at.to_string());
        let ended = workspace.run(&script);
        workspace.environment.retain(|(name, _)| name != "TIDEGATE_HALT_AT");
        killed += usize::from(ended.code.is_none());
        let again = workspace.run(&script).ok();
        let build: serde_json::Value =
            serde_json::from_str(&workspace.tidegate(&["builds", "--json", "--limit", "1"]).ok()).unwrap();
        assert_eq!(
            (&build[0]["status"], &build[0]["commit"]),
            (&"done".into(), &jobs.head().into()),
            "{at}: {again} {before}"
        );
        assert_eq!(marked(&workspace), Vec::<u32>::new(), "killed at {at}");
    }
    assert_eq!(killed, reached, "each boundary kills");
}
