//! Every host function is declared whole: class, summary, example, known codes, and a name that Rhai can parse.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use support::fake_flink::FakeFlink;
use tidegate::api::NAMESPACES;
use tidegate::api::declare::full_name;
use tidegate::base::code;

const TABLES: &str = "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\n\
                      CREATE TABLE t (i INT) WITH ('connector' = 'blackhole');\nINSERT INTO t SELECT i FROM s;\n";

#[test]
fn every_function_is_declared_whole() {
    let engine = rhai::Engine::new();
    let mut names = BTreeSet::new();
    for namespace in NAMESPACES {
        assert!(namespace.summary.ends_with('.'), "{}: the summary is no sentence", namespace.name);
        for function in namespace.functions {
            let name = full_name(namespace.name, function);
            assert!(names.insert(name.clone()), "{name} is declared twice");
            assert!(function.summary.ends_with('.'), "{name}: the summary is no sentence");
            assert!(function.property || !function.example.is_empty(), "{name} has no example");
            // tidegate's engine gives `var` back to scripts: the example of `env::var` runs below.
            for word in [namespace.name, function.name].into_iter().filter(|word| *word != "var") {
                let call = if function.property { format!("x.{word}") } else { format!("x::{word}()") };
                assert!(engine.compile(&call).is_ok(), "{name}: `{word}` is a word that Rhai keeps for itself");
            }
            for own in function.errors {
                assert_eq!(code::find(own.name).map(|code| code.name), Some(own.name), "{name}");
            }
        }
    }
    assert!(engine.compile("x::new()").is_err(), "reserved words are no longer found out this way");
}

fn workspace(flink: &FakeFlink) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let file = format!(
        "name: shop\nclusters:\n  here: {{ kind: session, url: \"{0}\" }}\nenvironments:\n  local: {{ cluster: here, vars: {{ topic: orders, api: \"{0}\" }} }}\nallow: {{ shell: true, http: [\"{1}\"] }}\n",
        flink.url(),
        flink.url().trim_start_matches("http://")
    );
    write("tidegate.yaml", file.as_bytes());
    write("data/days.csv", b"city,days\nSeattle,1461\n");
    for template in ["hello.sql", "report.sql", "orders.sql"] {
        write(&format!("templates/{template}"), TABLES.as_bytes());
    }
    write("jars/count.jar", &jar("com/example/CountJob.class"));
    write(
        "scripts/prepare.rhai",
        b"job::sql(\"orders\", #{ template: \"orders.sql\" }).deploy().wait_for(\"RUNNING\", \"1m\");",
    );
    folder
}

/// A jar with one class, whose bytes nobody looks at.
fn jar(class: &str) -> Vec<u8> {
    let mut jar = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    jar.start_file(class, zip::write::SimpleFileOptions::default()).unwrap();
    jar.write_all(&[0xca, 0xfe, 0xba, 0xbe]).unwrap();
    jar.finish().unwrap().into_inner()
}

fn run(folder: &Path, script: &str) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env("DATABASE_PASSWORD", "pass-word-1");
    command.current_dir(folder).args(["run", script]).output().unwrap()
}

#[test]
fn every_example_runs() {
    let mut wrong = Vec::new();
    for namespace in NAMESPACES {
        for function in namespace.functions.iter().filter(|function| !function.example.is_empty()) {
            let name = full_name(namespace.name, function);
            let flink = FakeFlink::start();
            for log in ["/taskmanagers/tm-1/log", "/taskmanagers/tm-1/stdout"] {
                flink.with(|cluster| cluster.logs.insert(log.to_owned(), b"started\n".to_vec()));
            }
            let folder = workspace(&flink);
            if function.example.contains("\"orders\"") {
                let output = run(folder.path(), "prepare");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            std::fs::write(folder.path().join("scripts/example.rhai"), function.example).unwrap();
            let output = run(folder.path(), "example");
            if !output.status.success() {
                wrong.push(format!("{name}:\n{}", String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
