//! The committed jars are what their sources compile to, byte for byte.
//!
//! `UPDATE=1 cargo test --test committed_jars` rewrites them after a change of a source.

#![allow(clippy::unwrap_used)] // clippy allows it in the tests themselves, not in what they call

use std::path::{Path, PathBuf};

#[path = "support/java.rs"]
mod java;

#[test]
fn the_runner_is_its_source() {
    let jar = "runner/tidegate-sql-runner.jar";
    is_its_source("the_runner_is_its_source", "runner/src", tidegate::drivers::payload::RUNNER_CLASS, jar);
}

#[test]
fn the_launcher_of_the_example_is_its_source() {
    let jar = "jars/launcher.jar";
    is_its_source("the_launcher_of_the_example_is_its_source", "jars/launcher", "com.example.Launcher", jar);
}

fn is_its_source(test: &str, sources: &str, main_class: &str, jar: &str) {
    if !java::can_compile(test) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join(jar);
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("built.jar");
    let classpath = format!("{}/lib/*", flink_home().display());
    java::compile_jar(&root.join(sources), &classpath, &built, main_class).unwrap();
    let built = std::fs::read(built).unwrap();
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::write(&committed, &built).unwrap();
    }
    // Each is a part of the program.
    assert!(built.len() <= 10_000, "{jar} grew to {} bytes", built.len());
    // Not `assert_eq`: nobody reads ten thousand numbers.
    assert!(
        built == std::fs::read(&committed).unwrap(),
        "{jar} is not what {sources} compiles to: `UPDATE=1 cargo test --test committed_jars` rewrites it"
    );
}

/// A folder with a Flink's `lib/`: the one in the user's cache that clusters are started with.
///
/// The class files are the same against any Flink from 1.15 to 2.3, so the version decides nothing.
fn flink_home() -> PathBuf {
    let surroundings = tidegate::drivers::local::Surroundings::of_process().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cancel = tidegate::base::cancel::Cancel::default();
    let home = tidegate::drivers::local::install::find_or_install("1.20", &surroundings, &cancel, &|_| {});
    runtime.block_on(home).unwrap().path
}
