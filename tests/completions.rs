//! The completions in a real bash: what readline would offer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn offered(folder: &std::path::Path, line: &str) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_tidegate");
    let script = format!(
        "tidegate() {{ '{program}' \"$@\"; }}\nsource <(tidegate completions bash)\n\
         COMP_LINE='{line}'\nCOMP_POINT=${{#COMP_LINE}}\n_tidegate\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn words_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("init").current_dir(folder.path()).output().unwrap();
    assert!(made.status.success());
    // Somebody else's file: no shell may run what its name says.
    std::fs::write(folder.path().join("scripts/quick$(touch ran)`touch ran`.rhai"), "print(1);\n").unwrap();
    for (line, words) in [
        ("tidegate quick", &["quickstart"][..]),
        ("tidegate run qu", &["quickstart"]),
        ("tidegate plan str", &["streaming"]),
        ("tidegate run quickstart --env re", &["recent"]),
        ("tidegate explain flink.un", &["flink.unreachable", "flink.unexpected_answer"]),
        // Of `job::sql` readline has `job::` already.
        ("tidegate docs job::s", &["sql"]),
        ("tidegate cluster up la", &["laptop"]),
        ("tidegate run quickstart --he", &["--help"]),
        ("tidegate cluster st", &["status"]),
        ("tidegate resume ", &["--step", "--with-current-scripts", "--workspace", "--verbose", "--help"]),
        ("tidegate complete", &[]),
    ] {
        let mut found = offered(folder.path(), line);
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        found.sort();
        words.sort();
        assert_eq!(found, words, "{line}");
    }
    assert!(!folder.path().join("ran").exists(), "a name was run");
    let elsewhere = tempfile::tempdir().unwrap();
    let line = format!("tidegate --workspace {} run str", folder.path().display());
    assert_eq!(offered(elsewhere.path(), &line), ["streaming"]);
    assert!(!folder.path().join(".tidegate").exists(), "a state was made");
}
