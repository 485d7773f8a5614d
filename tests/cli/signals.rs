//! Ctrl-C: ends a script at once, and leaves a journal that can be resumed.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Workspace;

/// Sends a signal and waits for the end.
pub(crate) fn end(mut child: Child, signal: Signal) -> ExitStatus {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status,
            None if Instant::now() < deadline => std::thread::park_timeout(Duration::from_millis(10)),
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("it did not end after {signal:?}");
            }
        }
    }
}

/// A command for which SIGHUP is as a login shell leaves it, or ignored as by `nohup`, however the tests themselves were started.
fn with_hangup(run: &Command, how: &str) -> Command {
    let mut command = Command::new("env");
    command.arg(format!("--{how}-signal=HUP")).arg(run.get_program()).args(run.get_args());
    command.current_dir(run.get_current_dir().unwrap());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stderr(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits until the first run has recorded a step of this function.
pub(crate) fn wait_for_step(workspace: &Workspace, function: &str) {
    let state = workspace.path().join(".tidegate/state.db");
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let found = rusqlite::Connection::open(&state).ok().and_then(|state| {
            state.query_row("SELECT 1 FROM steps WHERE function = ?1", [function], |row| row.get::<_, i64>(0)).ok()
        });
        if found.is_some() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("no step `{function}` came");
}

#[test]
fn an_interrupt_ends_a_sleep_and_a_busy_loop() {
    for rest in ["time::sleep(\"1h\");", "let n = 0; loop { n += 1; }"] {
        let workspace = Workspace::idle();
        // The loop must still run when the signal comes.
        let file = std::fs::read_to_string(workspace.path().join("tidegate.yaml")).unwrap();
        workspace.write("tidegate.yaml", &format!("{file}limits: {{ operations: 1000000000000 }}\n"));
        workspace.write("scripts/it.rhai", &format!("files::exists(\"x\");\n{rest}\n"));
        let child = workspace.command(&["run", "it"]).stderr(Stdio::null()).spawn().unwrap();
        wait_for_step(&workspace, "files::exists");
        assert_eq!(end(child, Signal::INT).code(), Some(130), "{rest}");
        let runs = workspace.tidegate(&["runs"]);
        assert!(runs.contains("interrupted"), "{runs}");
    }
}

/// A closed ssh session ends a run as Ctrl-C does, however often it says so; under `nohup` the run goes on.
#[test]
fn a_hangup_ends_a_run_in_order_unless_it_is_ignored() {
    let workspace = Workspace::idle();
    workspace.write("scripts/it.rhai", "files::exists(\"x\");\ntime::sleep(\"1h\");\n");
    let child = with_hangup(&workspace.command(&["run", "it"]), "default").spawn().unwrap();
    wait_for_step(&workspace, "files::exists");
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::HUP).unwrap();
    assert_eq!(end(child, Signal::HUP).code(), Some(130));
    assert!(workspace.tidegate(&["runs"]).contains("interrupted"));

    let workspace = Workspace::idle();
    workspace.write(
        "scripts/it.rhai",
        "files::exists(\"x\");\nwhile !files::exists(\"go\") { time::sleep(\"20ms\"); }\nprint(\"done\");\n",
    );
    let mut child = with_hangup(&workspace.command(&["run", "it"]), "ignore").spawn().unwrap();
    wait_for_step(&workspace, "files::exists");
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::HUP).unwrap();
    workspace.write("go", "");
    assert!(child.wait().unwrap().success());
}
