//! A host function that is broken: what it left is told, and the run goes on with another process.

use super::Workspace;

#[test]
fn a_panic_in_a_host_function_is_told_and_the_run_goes_on() {
    let script = "fn f(work) { work.call() }\ntry { f(|| state::set(\"k\", 1)); } catch (e) { print(\"caught\"); }\nprint(state::get(\"k\"));\n";
    let boundaries = {
        let workspace = Workspace::idle();
        workspace.write("scripts/it.rhai", script);
        let log = workspace.path().join("boundaries");
        assert!(workspace.command(&["run", "it"]).env("TIDEGATE_HALT_LOG", &log).output().unwrap().status.success());
        std::fs::read_to_string(log).unwrap().lines().count()
    };
    let mut told = 0;
    for boundary in 1..=boundaries {
        let workspace = Workspace::idle();
        workspace.write("scripts/it.rhai", script);
        let at = format!("{boundary}:panic");
        let output = workspace.command(&["run", "it"]).env("TIDEGATE_HALT_AT", at).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        // The others lie outside of the script: before it began, or after its end.
        if !err.contains("error[script.panic]") {
            continue;
        }
        told += 1;
        assert_eq!(output.status.code(), Some(3), "{err}");
        assert!(err.contains("a host function crashed") && !err.contains("panicked at"), "{err}");
        assert!(output.stdout.is_empty(), "a panic was caught by the script: {err}");
        let resumed = workspace.command(&["resume", "r1"]).output().unwrap();
        assert_eq!(String::from_utf8(resumed.stdout).unwrap(), "1\n", "{boundary}: {err}");
    }
    assert!(told >= 4, "{told} of {boundaries}");
}
