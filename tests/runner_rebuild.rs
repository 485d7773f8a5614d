//! The committed runner jar is what its source compiles to, byte for byte.
//!
//! `UPDATE=1 cargo test --test runner_rebuild` rewrites it after a change of the source.

#![allow(clippy::unwrap_used)] // clippy allows it in the tests themselves, not in what they call

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/java.rs"]
mod java;

const FLINK: &str = "1.20.5";

#[test]
#[allow(clippy::print_stderr)] // Says by name what could not run.
fn the_committed_runner_jar_is_its_source() {
    if let Err(why) = java::javac() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the runner jar cannot be rebuilt: {why}");
        eprintln!("NOT RUN: the_committed_runner_jar_is_its_source: {why}");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("runner/tidegate-sql-runner.jar");
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("built.jar");
    let classpath = format!("{}/lib/*", flink_home().display());
    java::compile_jar(&root.join("runner/src"), &classpath, &built, tidegate::drivers::payload::RUNNER_CLASS).unwrap();
    let built = std::fs::read(built).unwrap();
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::write(&committed, &built).unwrap();
    }
    assert!(built.len() <= 10_000, "the runner jar grew to {} bytes", built.len());
    // Not `assert_eq`: nobody reads ten thousand numbers.
    assert!(
        built == std::fs::read(&committed).unwrap(),
        "runner/tidegate-sql-runner.jar is not what runner/src compiles to: \
         `UPDATE=1 cargo test --test runner_rebuild` rewrites it"
    );
}

/// A folder with a Flink's `lib/`: `FLINK_HOME`, or one from PyPI that stays in the target folder.
///
/// The class files are the same against any Flink from 1.15 to 2.3, so the version decides nothing.
fn flink_home() -> PathBuf {
    if let Some(home) = std::env::var_os("FLINK_HOME") {
        return home.into();
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = cache.join(format!("flink-{FLINK}"));
    if home.is_dir() {
        return home;
    }
    let folder = tempfile::tempdir_in(cache).unwrap();
    let package = format!("apache-flink-libraries=={FLINK}");
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", &package, "-d"])
        .arg(folder.path()));
    let unpacked = format!("apache_flink_libraries-{FLINK}");
    run(Command::new("tar")
        .arg("-xzf")
        .arg(folder.path().join(format!("{unpacked}.tar.gz")))
        .arg("-C")
        .arg(folder.path())
        .arg(format!("{unpacked}/deps/lib")));
    // Whole or not at all: an interrupted download leaves nothing that looks like a home.
    std::fs::rename(folder.path().join(unpacked).join("deps"), &home).unwrap();
    home
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
