//! `tidegate check`: a table of mistakes, each found with its place and what was meant, and good scripts that give no alarm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod good;

use std::collections::BTreeMap;
use std::path::Path;

use tidegate::api::host::Environment;
use tidegate::drivers::folder::Folder;
use tidegate::ops::texts::Texts;
use tidegate::script::check::{Knowledge, Report, check};

/// A workspace with some templates, a jar and a library.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("templates/hello.sql", "CREATE TABLE t (i INT) WITH ('connector' = 'blackhole');\nINSERT INTO t SELECT 1;\n"),
        (
            "templates/orders.sql",
            "CREATE TABLE t (i INT) WITH ('connector' = '{{ connector }}');\nINSERT INTO t SELECT 1;\n",
        ),
        ("templates/report.sql", "INSERT INTO t SELECT 1;\n"),
        ("templates/lone.sql", "SELECT 1;\n"),
        ("templates/blank.sql", "\n"),
        ("templates/old.sql", "INSERT INTO t\nSELECT '${day}' FROM s;\n"),
        ("templates/open.sql", "INSERT INTO t SELECT 'a;\n"),
        ("templates/broken.sql", "INSERT INTO t SELECT {{ x\n"),
        ("templates/outer.sql", "{% include 'orders.sql' %}\n"),
        ("templates/lost.sql", "{% include 'nowhere.sql' %}\n"),
        ("jars/count.jar", "PK"),
        ("data/days.csv", "city,days\n"),
        ("tidegate.yaml", ""),
        ("scripts/lib/util.rhai", "fn twice(x) { x * 2 }\nprivate fn hidden() { 1 }\n"),
        ("scripts/lib/broken.rhai", "let x = ;\n"),
        ("scripts/lib/circle.rhai", "import \"lib/circle\" as me;\n"),
        ("scripts/lib/wrong.rhai", "fn f() { job::jor(1) }\n"),
    ] {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn environment(name: &str, vars: &[(&str, &str)]) -> Environment {
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Environment { name: name.to_owned(), cluster: "here".to_owned(), vars, options: BTreeMap::new() }
}

fn checked(folder: &Path, scripts: &[&str]) -> Report {
    let knowledge = Knowledge {
        projects: vec!["jobs".to_owned()],
        environments: vec![
            environment(
                "local",
                &[("api", "http://127.0.0.1:9"), ("topic", "orders"), ("day", "1"), ("only_local", "x")],
            ),
            environment("prod", &[("api", "http://127.0.0.1:9"), ("topic", "orders"), ("day", "1")]),
        ],
        others: vec![environment("staging", &[("only_staging", "x")])],
        clusters: vec!["here".to_owned(), "there".to_owned()],
        secrets: vec!["DATABASE_PASSWORD".to_owned()],
    };
    let scripts: Vec<String> = scripts.iter().map(|name| (*name).to_owned()).collect();
    check(&Texts::new(Folder::new(folder).unwrap()), &knowledge, &scripts).unwrap()
}
