//! Every host function is declared whole: class, summary, example, known codes, and a name that Rhai can parse; every function
//! of the library is documented; and every example runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/drivers/jar/class_writer.rs"]
#[allow(dead_code, reason = "other tests write more of a class")]
mod class_writer;
#[path = "support/git_repository.rs"]
mod git_repository;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use support::fake_flink::FakeFlink;
use tidegate::api::NAMESPACES;
use tidegate::api::declare::{Planning, full_name};
use tidegate::api::types::{Field, Type};
use tidegate::base::code;
use tidegate::drivers::payload::stored_jar;
use tidegate::script::catalog::chapters;
use tidegate::script::library;

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
            if function.class.is_effect() && matches!(function.planning, Planning::Looks | Planning::Stale) {
                panic!("{name} is an effect, and a plan would have it");
            }
            assert!(
                !function.class.is_effect() || !function.errors.is_empty(),
                "{name} changes the world and names none of its errors"
            );
            for own in function.errors {
                assert_eq!(code::find(own.name).map(|code| code.name), Some(own.name), "{name}");
            }
        }
    }
    assert!(engine.compile("x::new()").is_err(), "reserved words are no longer found out this way");
}

/// Walks the option maps of a type, inner ones included.
fn each_field(kind: Type, place: &str, visit: &mut dyn FnMut(&str, &Field)) {
    match kind {
        Type::ListOf(inner) | Type::MapOf(inner) => each_field(*inner, place, visit),
        kind => {
            for field in kind.fields() {
                let place = format!("{place}.{}", field.name);
                visit(&place, field);
                each_field(field.kind, &place, visit);
            }
        }
    }
}

#[test]
fn every_option_says_what_it_is_for() {
    let mut count = 0;
    for namespace in NAMESPACES {
        // A page shows an option map under the key that receives it, once.
        let mut maps: BTreeMap<&str, Vec<&Field>> = BTreeMap::new();
        for function in namespace.functions {
            for parameter in function.parameters {
                let place = format!("{}: {}", full_name(namespace.name, function), parameter.name);
                let mut keys = BTreeSet::new();
                each_field(parameter.kind, &place, &mut |place, field| {
                    count += 1;
                    assert!(!field.summary.is_empty(), "{place} has no summary");
                    assert!(!field.summary.ends_with('.'), "{place}: the summary ends in a full stop");
                    assert!(keys.insert(place.to_owned()), "{place} is declared twice");
                });
            }
        }
        for chapter in chapters().unwrap().iter().filter(|chapter| chapter.name == namespace.name) {
            for map in chapter.entries.iter().flat_map(|entry| entry.nested()) {
                let known = maps.entry(map.key).or_insert_with(|| map.fields.clone());
                assert_eq!(*known, map.fields, "{}: two option maps are called `{}`", namespace.name, map.key);
            }
        }
    }
    assert!(count > 30, "only {count} options were found");
}

#[test]
fn every_function_of_the_library_is_documented() {
    for file in library::files().unwrap() {
        assert!(file.about.text.ends_with('.'), "{} has no `//!` sentence", file.name);
        assert!(!file.functions.is_empty(), "{} has no public function", file.name);
        for function in file.functions {
            let name = format!("{}::{}", file.name, function.name);
            let comment = function.comment;
            assert!(comment.text.ends_with('.'), "{name}: the doc comment begins with no sentence");
            assert!(!comment.examples.is_empty(), "{name} has no ```rhai example");
            let told: Vec<&String> = comment.parameters.iter().map(|told| &told.name).collect();
            let parameters: Vec<&String> = function.parameters.iter().collect();
            assert_eq!(told, parameters, "{name}: the list of parameters: `- `name` (type): what it is for`");
        }
    }
}

fn workspace(flink: &FakeFlink) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let file = format!(
        "name: shop\nclusters:\n  here: {{ kind: session, url: \"{0}\" }}\nenvironments:\n  local: {{ cluster: here, vars: {{ topic: orders, api: \"{0}\" }} }}\nallow: {{ shell: true, http: [\"{1}\"] }}\nprojects: {{ jobs: {{ url: \"{2}\" }} }}\nallow_builds: [jobs]\n",
        flink.url(),
        flink.url().trim_start_matches("http://"),
        folder.path().join("git/jobs").display()
    );
    // A project whose build gives a jar.
    write("git/jobs/count.jar", &jar("com.example.CountJob"));
    let build = "mkdir -p target && cp count.jar target/\n";
    git_repository::Repository::new(&folder.path().join("git/jobs"), &[("build.sh", build), ("README.md", "jobs\n")]);
    write("tidegate.yaml", file.as_bytes());
    write("data/days.csv", b"city,days\nSeattle,1461\n");
    for template in ["hello.sql", "report.sql", "orders.sql"] {
        write(&format!("templates/{template}"), TABLES.as_bytes());
    }
    write("jars/count.jar", &jar("com.example.CountJob"));
    write(
        "scripts/prepare.rhai",
        b"job::sql(\"orders\", #{ template: \"orders.sql\" }).deploy().wait_for(\"RUNNING\", \"1m\");",
    );
    folder
}

/// A jar with one class that has a `main`.
fn jar(class: &str) -> Vec<u8> {
    stored_jar(&[class_writer::ClassWriter::new(class).main().entry()]).unwrap()
}

fn run(folder: &Path, script: &str) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env("DATABASE_PASSWORD", "pass-word-1");
    command.current_dir(folder).args(["run", script]).output().unwrap()
}

#[test]
fn every_example_runs() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in chapters().unwrap().into_iter().flat_map(|chapter| chapter.entries) {
        for example in &entry.examples {
            count += 1;
            let flink = FakeFlink::start();
            for log in ["/taskmanagers/tm-1/log", "/taskmanagers/tm-1/stdout"] {
                flink.with(|cluster| cluster.logs.insert(log.to_owned(), b"started\n".to_vec()));
            }
            let folder = workspace(&flink);
            if example.contains("\"orders\"") {
                let output = run(folder.path(), "prepare");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            std::fs::write(folder.path().join("scripts/example.rhai"), example).unwrap();
            let mut output = run(folder.path(), "example");
            if output.status.code() == Some(3) && entry.name == "run::approve" {
                let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
                output = command.current_dir(folder.path()).args(["approve", "r1", "--as", "ada"]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), "approved by ada\n");
            }
            if !output.status.success() {
                wrong.push(format!("{}:\n{}", entry.name, String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} examples were found");
}

/// The names of jobs after their classes, and two classes that would be one job.
#[test]
fn each_class_of_a_module_has_a_job_of_its_own() {
    let script = r#"
        import "std/launcher" as launcher;
        let names = #{
            "com.example.UserBehavior": "user-behavior", "UserBehavior": "user-behavior", "a.Outer$Orders": "orders",
            "a.Orders$": "orders", "a.HTTPServerV2": "http-server-v2", "a.My_Job": "my-job", "a.SQL": "sql", "a.IOrders": "i-orders",
            "a.V2Orders": "v2-orders", "a.orders_v2": "orders-v2", "a._Job_": "job", "a.JobA": "job-a", "a.ÄndereÖl": "ändere-öl",
        };
        for class in names.keys() { assert::equal(launcher::job_name(class), names[class]); }
        assert::equal(launcher::job_names(["a.One", "a.Two", "a.One"]), #{ "a.One": "one", "a.Two": "two" });
        let refused = |classes| { try { launcher::job_names(classes); } catch (e) { return e; } () };
        for second in ["com.b.Orders", "com.a.Outer$Orders", "com.a.Orders$"] {
            let error = refused.call(["com.a.Clicks", "com.a.Orders", second]);
            assert::equal(error.code, "launcher.job_name");
            assert::equal(error.message, "`com.a.Orders` and `" + second + "` would both be the job `orders`");
        }
        assert::that(refused.call(["com.a.Orders", "com.b.Orders"]).hint.contains("`b-orders`"));
        try { launcher::job_name("a.$"); assert::that(false); } catch (e) { assert::equal(e.code, "launcher.class"); }
    "#;
    let flink = FakeFlink::start();
    let folder = workspace(&flink);
    std::fs::write(folder.path().join("scripts/it.rhai"), script).unwrap();
    let output = run(folder.path(), "it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What `std/launcher` makes of the same options in each style.
#[test]
fn a_launcher_gets_its_arguments_in_every_style() {
    let script = r#"
        import "std/launcher" as launcher;
        fn refused(work) { try { work.call(); } catch (e) { return e.code; } "not refused" }
        let options = #{ rate: 10, names: ["a", "b"], dry: true };
        let args = |style| launcher::reflective("M", "C", options, #{ style: style }).args;
        assert::equal(launcher::reflective("M", "C", options, #{}).main_class, "M");
        assert::equal(args.call("--key value"), ["C", "--dry", true, "--names", "a", "--names", "b", "--rate", 10]);
        assert::equal(args.call("--key=value"), ["C", "--dry=true", "--names=a", "--names=b", "--rate=10"]);
        assert::equal(args.call("key=value"), ["C", "dry=true", "names=a", "names=b", "rate=10"]);
        assert::equal(args.call("json"), ["C", `{"dry":true,"names":["a","b"],"rate":10}`]);
        assert::equal(args.call("base64"), ["C", text::base64(`{"dry":true,"names":["a","b"],"rate":10}`)]);
        assert::equal(launcher::reflective("M", "C", [1, "x"], #{ style: "positional" }).args, ["C", 1, "x"]);
        assert::equal(launcher::reflective("M", "C", [["z", 1], ["a", 2]], #{ style: "key=value" }).args, ["C", "z=1", "a=2"]);
        assert::equal(launcher::reflective("M", "C", #{ a: 1 }, #{ class_key: "class" }).args, ["--class", "C", "--a", 1]);
        assert::equal(launcher::reflective("M", "C", #{ a: 1 }, #{ style: "json", class_key: "class" }).args, [`{"class":"C","a":1}`]);
        assert::equal(launcher::reflective("M", "C", #{ a: 1 }, #{ style: |class, arguments| [class, arguments.a] }).args, ["C", 1]);
        let secret = env::secret("DATABASE_PASSWORD");
        assert::equal(launcher::reflective("M", "C", #{ p: secret }, #{ style: "--key=value" }).args[1], "--p=" + secret);
        assert::equal(refused(|| launcher::reflective("M", "C", #{ p: secret }, #{ style: "json" })), "launcher.secret");
        assert::equal(refused(|| launcher::reflective("M", "C", #{ a: #{} }, #{})), "launcher.value");
        assert::equal(refused(|| launcher::reflective("M", "C", #{ a: 1 }, #{ style: "--key:value" })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", 5, #{})), "launcher.arguments");
        assert::equal(refused(|| launcher::reflective("", "C", #{}, #{})), "launcher.class");
        assert::equal(refused(|| launcher::reflective("M", (), #{}, #{})), "launcher.class");
        assert::equal(refused(|| launcher::reflective("M", "C", #{}, #{ syle: "json" })), "launcher.option");
        assert::equal(refused(|| launcher::reflective("M", "C", #{}, "json")), "launcher.option");
        assert::equal(refused(|| launcher::reflective("M", "C", #{}, #{ style: "--key:value" })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", #{}, #{ style: 5 })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", #{}, #{ style: |class, arguments| class })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", [], #{ style: "positional", class_key: "class" })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", [], #{ style: |class, arguments| [], class_key: "class" })), "launcher.style");
        assert::equal(refused(|| launcher::reflective("M", "C", [], #{ class_key: 5 })), "launcher.key");
        for pairs in [[1, 2], ["ab"], [["a"]], [["a", 1, 2]], [["a", 1], "b"]] {
            for style in ["--key value", "--key=value", "key=value", "json", "base64"] {
                assert::equal(refused(|| launcher::reflective("M", "C", pairs, #{ style: style })), "launcher.arguments");
            }
        }
        assert::equal(refused(|| launcher::reflective("M", "C", [[1, 2]], #{})), "launcher.key");
        assert::equal(refused(|| launcher::reflective("M", "C", #{ "--rate": 2 }, #{})), "launcher.key");
        assert::equal(refused(|| launcher::reflective("M", "C", #{ class: 1 }, #{ class_key: "class" })), "launcher.key");
        assert::equal(refused(|| launcher::reflective("M", "C", [["a", 1], ["a", 2]], #{ style: "json" })), "launcher.key");
        assert::equal(refused(|| launcher::reflective("M", "C", #{ a: 1 }, #{ style: "positional" })), "launcher.arguments");
        for value in [(), #{ b: 1 }, [[1]], || 1] {
            assert::equal(refused(|| launcher::reflective("M", "C", #{ a: value }, #{})), "launcher.value");
            assert::equal(refused(|| launcher::reflective("M", "C", [value], #{ style: "positional" })), "launcher.value");
        }
        assert::equal(refused(|| launcher::reflective("M", "C", #{ a: || 1 }, #{ style: "json" })), "launcher.value");
        assert::equal(launcher::reflective("M", "C", [["z", 1], ["a", ()]], #{ style: "json", class_key: "class" }).args, [`{"class":"C","z":1,"a":null}`]);
        assert::equal(launcher::reflective("M", "C", [["a", 1], ["a", 2]], #{}).args, ["C", "--a", 1, "--a", 2]);
        assert::equal(launcher::reflective("M", "C", #{}, #{ style: "json" }).args, ["C", "{}"]);
    "#;
    let flink = FakeFlink::start();
    let folder = workspace(&flink);
    std::fs::write(folder.path().join("scripts/it.rhai"), script).unwrap();
    let output = run(folder.path(), "it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
