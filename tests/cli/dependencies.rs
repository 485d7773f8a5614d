//! `dependencies:`, `tidegate.lock`, `tidegate deps` and `tidegate artifacts`: every message, with a Maven that says what real
//! ones say.

use std::process::Stdio;

use insta::assert_snapshot;
use tidegate::drivers::payload::stored_jar;

use super::Workspace;
use super::support::fake_flink::FakeFlink;
use super::support::fake_maven::{FakeMaven, without_log_number};

const PROJECT: &str = "Failed to execute goal on project dependencies: Could not resolve dependencies for project tidegate:dependencies:pom:1:";
const COLLECT: &str = "Failed to collect dependencies at com.acme:thing:jar:1.0: Failed to read artifact descriptor for \
                       com.acme:thing:jar:1.0: Could not transfer artifact com.acme:thing:pom:1.0 from/to nexus (https://ci:pw@nexus.example/maven):";

/// What writes the lock.
const DEPLOY: &str = "job.deploy(#{ upgrade: \"stateless\" });";

impl Workspace {
    /// Runs a command with this Maven.
    fn with(&self, maven: &FakeMaven, arguments: &[&str]) -> String {
        self.in_environment(&[("PATH", &maven.path())], arguments)
    }

    fn in_environment(&self, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        command.env_remove("MAVEN_HOME").env_remove("M2_HOME").env_remove("TIDEGATE_LOCKED");
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!err.contains("panicked at"), "{err}");
        let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
        let shown = arguments.join(" ");
        let text = format!("$ tidegate {shown}\nexit code: {code}\n-- stdout --\n{out}-- stderr --\n{err}");
        without_log_number(&self.masked(&text))
    }

    /// A script with a job of these dependencies, which it deploys where that is wanted.
    fn job(&self, dependencies: &str, deploy: &str) {
        self.write(
            "scripts/it.rhai",
            &format!(
                "let job = job::sql(\"orders\", #{{\n    sql: \"CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\\nCREATE TABLE t (i INT) \
                 WITH ('connector' = 'blackhole');\\nINSERT INTO t SELECT i FROM s\",\n    dependencies: [{dependencies}],\n}});\n{deploy}\n"
            ),
        );
    }

    fn lock(&self) -> String {
        std::fs::read_to_string(self.path().join("tidegate.lock")).unwrap()
    }
}

/// A jar whose one file has this text.
fn jar(text: &str) -> Vec<u8> {
    stored_jar(&[("a".to_owned(), text.as_bytes().to_vec())]).unwrap()
}

/// Answers with a thing in this version, what it needs, and what Flink has.
fn thing(maven: &FakeMaven, word: &str, version: &str) {
    let (thing, part, api) =
        (format!("com.acme:thing:jar:{version}"), "com.acme:part:jar:linux:2", "org.slf4j:slf4j-api:jar:1.7.36");
    let (own, other) = (jar(version), jar("part"));
    maven.answers(word, &[(&thing, None, &own), (part, Some(&thing), &other), (api, Some(part), b"x")]);
}

#[test]
fn what_is_written_wrongly() {
    let workspace = Workspace::idle();
    workspace.job("\"com.acme:thing\", #{ coordinates: \"com.acme:[1,2):1\", exclud: [\"a:b\"] }, 7", "");
    assert_snapshot!("dependencies_check", workspace.tidegate(&["check"]));
    let maven = FakeMaven::new();
    for (name, written) in [
        ("dependencies_two_versions", "\"com.acme:thing:1.0\", \"com.acme:thing:1.1\""),
        ("dependencies_range", "\"com.acme:thing:\" + \"[1.0,)\""),
        ("dependencies_zip", "\"com.acme:thing:zip:1.0\""),
        ("dependencies_exclusion", "#{ coordinates: \"com.acme:thing:1.0\", exclude: [\"guava\"] }"),
    ] {
        workspace.job(written, "");
        assert_snapshot!(name, workspace.with(&maven, &["run", "it"]));
    }
    assert!(maven.poms().is_empty(), "nothing was asked");
}

#[test]
fn what_maven_cannot_do() {
    let workspace = Workspace::idle();
    workspace.job("\"com.acme:thing:1.0\"", "");
    let nothing = tempfile::tempdir().unwrap();
    let path = nothing.path().to_string_lossy().into_owned();
    assert_snapshot!("dependencies_no_maven", workspace.in_environment(&[("PATH", &path)], &["run", "it"]));
    let cached = "during a previous attempt. This failure was cached in the local repository and resolution is not reattempted until the update \
                  interval of central has elapsed or updates are forced";
    for (name, all, anew) in [
        (
            "dependencies_unknown",
            format!("{PROJECT} com.acme:thing:jar:1.0 was not found in https://repo.maven.apache.org/maven2 {cached}"),
            format!(
                "{PROJECT} Could not find artifact com.acme:thing:jar:1.0 in central (https://repo.maven.apache.org/maven2)"
            ),
        ),
        (
            "dependencies_unreachable",
            format!(
                "{PROJECT} {COLLECT} transfer failed for https://nexus.example/maven/com/acme/thing.pom: Connect to nexus.example:443 failed: Connection refused"
            ),
            String::new(),
        ),
        (
            "dependencies_denied",
            format!(
                "{PROJECT} {COLLECT} authentication failed for https://nexus.example/maven/com/acme/thing.pom, status: 401 Unauthorized"
            ),
            String::new(),
        ),
        (
            "dependencies_damaged",
            format!("{PROJECT} {COLLECT} Checksum validation failed, expected 00aa but is ac35"),
            String::new(),
        ),
        (
            "dependencies_settings",
            "1 problem was encountered while building the effective settings".to_owned(),
            String::new(),
        ),
    ] {
        let maven = FakeMaven::new();
        maven.fails("all", &all);
        if !anew.is_empty() {
            maven.fails("anew", &anew);
        }
        assert_snapshot!(name, workspace.with(&maven, &["run", "it"]));
        assert_eq!(maven.poms().len(), if anew.is_empty() { 1 } else { 2 }, "{name}");
    }
    assert!(!workspace.path().join("tidegate.lock").exists());
    // What is kept of it names no password, and nobody else reads it.
    for log in std::fs::read_dir(workspace.path().join(".tidegate/maven")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let path = log.unwrap().path();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("pw@"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_wrapper_of_the_workspace_runs_only_where_it_may() {
    let workspace = Workspace::idle();
    workspace.job("\"com.acme:thing:1.0\"", "");
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    let program = maven.file("mvn").display().to_string();
    workspace.write("mvnw", &format!("#!/bin/sh\nPATH=/usr/bin:/bin\nexec {program} \"$@\"\n"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(workspace.path().join("mvnw"), mode).unwrap();
    let nothing = tempfile::tempdir().unwrap();
    let path = nothing.path().to_string_lossy().into_owned();
    let run = || workspace.in_environment(&[("PATH", &path)], &["run", "it"]);
    assert_snapshot!("dependencies_wrapper", run());
    assert!(maven.poms().is_empty(), "nothing of it was run");
    let file = std::fs::read_to_string(workspace.path().join("tidegate.yaml")).unwrap();
    workspace.write("tidegate.yaml", &format!("{file}allow_builds: [\".\"]\n"));
    let ended = run();
    assert!(ended.contains("exit code: 0") && maven.poms().len() == 1, "{ended}");
}

#[test]
fn a_lock_through_its_life() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let deploy = "let deployed = job.deploy();\nprint(deployed.action);";
    workspace.job("\"com.acme:thing:1.0\"", deploy);
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    assert_snapshot!("dependencies_plan", workspace.with(&maven, &["plan", "it"]));
    assert!(!workspace.path().join("tidegate.lock").exists(), "a plan writes nothing");
    assert_snapshot!("dependencies_locked_anew", workspace.with(&maven, &["run", "it", "--locked"]));
    assert_snapshot!("dependencies_run", workspace.with(&maven, &["run", "it"]));
    assert_snapshot!("dependencies_lock", workspace.masked(&workspace.lock()));

    // From here on nobody asks Maven for what is there.
    let broken = FakeMaven::new();
    assert_snapshot!("dependencies_again", workspace.with(&broken, &["run", "it", "--locked"]));
    assert!(broken.poms().is_empty());
    assert_snapshot!("dependencies_tree", workspace.with(&broken, &["deps", "orders", "--locked"]));
    assert_snapshot!("dependencies_tree_json", workspace.with(&broken, &["deps", "orders", "--json"]));

    workspace.job("\"com.acme:thing:1.1\"", deploy);
    thing(&maven, "all", "1.1");
    assert_snapshot!("dependencies_plan_upgrade", workspace.with(&maven, &["plan", "it"]));
    let locked = workspace.in_environment(&[("PATH", &maven.path()), ("TIDEGATE_LOCKED", "1")], &["plan", "it"]);
    assert_snapshot!("dependencies_locked", locked);
    workspace.job("\"com.acme:thing:1.1\"", "job.deploy(#{ upgrade: \"stateless\" });");
    workspace.with(&maven, &["run", "it"]);
    assert_snapshot!("dependencies_diff", workspace.with(&broken, &["diff", "orders", "1", "2"]));
    let history = workspace.with(&broken, &["history", "orders", "--json"]);
    assert!(history.contains("\"dependencies\"") && !history.contains("labels"), "{history}");
    assert_snapshot!("dependencies_sets", workspace.with(&broken, &["deps"]));
    assert_snapshot!("dependencies_prune", workspace.with(&broken, &["deps", "--prune"]));
    assert!(!workspace.lock().contains("thing:1.0") && workspace.lock().contains("thing:1.1"));
}

#[test]
fn a_script_tells_before_it_was_ever_run() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let sql = "sql: \"CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\\nCREATE TABLE t (i INT) WITH ('connector' = 'blackhole');\\nINSERT INTO t SELECT i FROM s\"";
    let script = |rest: &str| {
        format!(
            "fn options() {{ #{{ version: params::string(\"1.0\") }} }}\nlet version = params::get(\"version\");\n\
             job::sql(\"orders\", #{{ {sql}, dependencies: [`com.acme:thing:${{version}}`] }}).deploy();\n\
             job::sql(\"plain\", #{{ {sql} }}).deploy();\n{rest}"
        )
    };
    workspace.write("scripts/both.rhai", &script(""));
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    let deps = |arguments: &[&str]| workspace.with(&maven, &[&["deps"], arguments].concat());
    assert_snapshot!("deps_script", deps(&["scripts/both.rhai"]));
    assert_snapshot!("deps_script_json", deps(&["both.rhai", "--json"]));
    assert_snapshot!("deps_script_locked", deps(&["both.rhai", "--locked"]));
    thing(&maven, "all", "1.1");
    let other = deps(&["both.rhai", "-p", "version=1.1"]);
    assert!(other.contains("com.acme:thing:1.1  "), "{other}");
    let third = format!("print(job::get(\"orders\").logs());\njob::sql(\"third\", #{{ {sql} }}).deploy();\n");
    workspace.write("scripts/ends.rhai", &script(&third));
    assert_snapshot!("deps_script_ends", deps(&["ends.rhai", "-p", "version=1.1"]));
    workspace.write("scripts/throws.rhai", &script("throw \"no\";\n"));
    assert_snapshot!("deps_script_throws", deps(&["throws.rhai", "-p", "version=1.1"]));
    workspace.write("scripts/nothing.rhai", "print(1);\n");
    assert_snapshot!("deps_script_nothing", deps(&["nothing.rhai"]));
    assert_snapshot!("deps_script_unknown", deps(&["bot.rhai"]));
    assert_snapshot!("deps_script_as_job", deps(&["both"]));
    assert_snapshot!("deps_job_with_parameter", deps(&["both", "-p", "version=1.1"]));
    assert!(!workspace.path().join("tidegate.lock").exists(), "it writes nothing");
    assert!(workspace.with(&maven, &["runs", "--json"]).contains("[]"), "and is no run");
    assert!(flink.requests().iter().all(|request| request.method == "GET"), "nothing is sent");
}

#[test]
fn only_a_deploy_writes_the_lock() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    let has_lock = || workspace.path().join("tidegate.lock").exists();
    workspace.job("\"com.acme:thing:1.0\"", "job.validate();");
    for arguments in [&["check"][..], &["plan", "it"], &["run", "it"], &["deps", "it.rhai"]] {
        workspace.with(&maven, arguments);
        assert!(!has_lock(), "{arguments:?}");
    }
    // A session: the spec is pure, and the deploy asks first.
    let session = |yes: &[&str], input: &str| {
        use std::io::Write;
        let mut command = workspace.command(&[&["repl"], yes].concat());
        command.env("PATH", maven.path()).env_remove("TIDEGATE_LOCKED");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        process.wait_with_output().unwrap();
    };
    let spec =
        std::fs::read_to_string(workspace.path().join("scripts/it.rhai")).unwrap().replace("job.validate();", "");
    session(&[], &spec);
    assert!(!has_lock());
    session(&[], &format!("{spec}job.deploy();\n"));
    assert!(!has_lock(), "nobody was there to be asked, so it was not deployed");
    session(&["--yes"], &format!("{spec}job.deploy();\n"));
    assert!(workspace.lock().contains("com.acme:thing:1.0"));
    std::fs::remove_file(workspace.path().join("tidegate.lock")).unwrap();
    workspace.job("\"com.acme:thing:1.0\"", "job.deploy();");
    workspace.with(&maven, &["run", "it"]);
    assert!(has_lock(), "a job that is there already is locked, too");
}

#[test]
fn what_is_odd_about_dependencies_is_said() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let maven = FakeMaven::new();
    let (kafka, thing) = ("org.apache.flink:flink-connector-kafka:jar:3.2.0-1.19", "com.acme:thing:jar:1.0-SNAPSHOT");
    maven.answers("all", &[(kafka, None, &jar("kafka")), (thing, None, &jar("thing"))]);
    workspace.job(
        "\"org.apache.flink:flink-connector-kafka:3.2.0-1.19\", #{ coordinates: \"com.acme:thing:1.0-SNAPSHOT\", exclude: [\"com.acme:thin\"] }",
        DEPLOY,
    );
    let said = workspace.with(&maven, &["run", "it"]);
    assert!(
        said.contains("`org.apache.flink:flink-connector-kafka:3.2.0-1.19` is for Flink 1.19, and `shared` runs 1.20"),
        "{said}"
    );
    assert!(said.contains("`exclude: [\"com.acme:thin\"]` of `com.acme:thing:1.0-SNAPSHOT` keeps nothing out: no dependency brings it; did you mean `com.acme:thing`?"), "{said}");
    assert!(said.contains("com.acme:thing:1.0-SNAPSHOT is locked as the file of now"), "{said}");
    // One that keeps something out, and a connector that fits, are nothing to talk about.
    let kafka = "org.apache.flink:flink-connector-kafka:jar:3.4.0-1.20";
    maven.answers("all", &[(kafka, None, &jar("newer")), ("com.acme:part:jar:2", Some(kafka), &jar("part"))]);
    workspace.job(
        "#{ coordinates: \"org.apache.flink:flink-connector-kafka:3.4.0-1.20\", exclude: [\"com.acme:*\"] }",
        DEPLOY,
    );
    let said = workspace.with(&maven, &["run", "it"]);
    assert!(said.contains("exit code: 0") && !said.contains("warning"), "{said}");
}

#[test]
fn a_deploy_that_is_refused_leaves_the_lock() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    let script = |connector: &str, verb: &str| {
        workspace.job("\"com.acme:thing:1.0\"", verb);
        let text = std::fs::read_to_string(workspace.path().join("scripts/it.rhai")).unwrap();
        workspace.write("scripts/it.rhai", &text.replace("blackhole", connector));
    };
    for verb in ["job.deploy();", "job.execute();"] {
        script("kafka", verb);
        let refused = workspace.with(&maven, &["run", "it"]);
        assert!(refused.contains("error[connector.missing]") && !refused.contains("tidegate.lock"), "{refused}");
        assert!(!workspace.path().join("tidegate.lock").exists(), "{verb}");
    }
    script("blackhole", "job.deploy();");
    assert!(workspace.with(&maven, &["run", "it"]).contains("exit code: 0"));
    let lock = workspace.lock();
    // A job that runs is not brought to what is refused, and the lock stays as it is.
    thing(&maven, "all", "1.1");
    script("kafka", "job.deploy(#{ upgrade: \"stateless\" });");
    let text = std::fs::read_to_string(workspace.path().join("scripts/it.rhai")).unwrap();
    workspace.write("scripts/it.rhai", &text.replace("thing:1.0", "thing:1.1"));
    assert!(workspace.with(&maven, &["run", "it"]).contains("error[connector.missing]"));
    assert_eq!(workspace.lock(), lock);
}

#[test]
fn another_file_than_the_lock_has() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    workspace.job("\"com.acme:thing:1.0\"", DEPLOY);
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    workspace.with(&maven, &["run", "it"]);
    let lock = workspace.lock();
    // The same file in another set.
    workspace.job("\"com.acme:thing:1.0\", \"com.acme:other:1\"", DEPLOY);
    let changed = jar("changed");
    maven.answers("all", &[("com.acme:thing:jar:1.0", None, &changed), ("com.acme:other:jar:1", None, b"o")]);
    assert_snapshot!("dependencies_checksum", hidden(&workspace.with(&maven, &["run", "it"]), &maven));
    // A file that was lost, and comes back as another one.
    workspace.job("\"com.acme:thing:1.0\"", DEPLOY);
    std::fs::remove_dir_all(workspace.path().join(".tidegate/artifacts")).unwrap();
    maven.answers(
        "all",
        &[("com.acme:thing:jar:1.0", None, &changed), ("com.acme:part:jar:linux:2", None, &jar("part"))],
    );
    assert_snapshot!("dependencies_checksum_lost", hidden(&workspace.with(&maven, &["run", "it"]), &maven));
    assert!(maven.poms().last().unwrap().contains("<exclusion><groupId>*</groupId>"), "these files and no others");
    // And as the one that it was.
    thing(&maven, "all", "1.0");
    assert_snapshot!("dependencies_fetched", workspace.with(&maven, &["run", "it"]));
    assert_eq!(workspace.lock(), lock);
}

fn hidden(text: &str, maven: &FakeMaven) -> String {
    text.replace(&maven.file("").display().to_string(), "[repository]/")
}

/// The text without its first line that has this.
fn without_line(text: &str, has: &str) -> String {
    let at = text.lines().position(|line| line.contains(has)).unwrap();
    text.lines().enumerate().filter(|(index, _)| *index != at).map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn a_lock_that_cannot_be_read() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    workspace.job("\"com.acme:thing:1.0\"", DEPLOY);
    let maven = FakeMaven::new();
    thing(&maven, "all", "1.0");
    workspace.with(&maven, &["run", "it"]);
    let lock = workspace.lock();
    for (name, text) in [
        ("dependencies_lock_conflict", format!("<<<<<<< HEAD\n{lock}=======\n{lock}>>>>>>> other\n")),
        ("dependencies_lock_newer", lock.replace("lock: 2", "lock: 9")),
        ("dependencies_lock_edited", lock.replace("bytes: ", "bites: ")),
        ("dependencies_lock_lost", without_line(&lock, "{ jar: \"com.acme:part:jar:linux:2\"")),
    ] {
        workspace.write("tidegate.lock", &text);
        assert_snapshot!(name, workspace.with(&maven, &["run", "it"]));
        let locked = workspace.with(&maven, &["run", "it", "--locked"]);
        assert!(locked.contains("error[dependency.lock_invalid]"), "{locked}");
        assert_eq!(workspace.lock(), text, "it stays as it is");
    }
}

#[test]
fn what_flink_has_takes_along_what_only_it_brings() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    workspace.job("\"com.acme:thing:1.0\", \"org.apache.flink:flink-clients:1.20.0\"", DEPLOY);
    let maven = FakeMaven::new();
    let (thing, streaming) = ("com.acme:thing:jar:1.0", "org.apache.flink:flink-streaming-java:jar:1.20.0");
    let math = "org.apache.commons:commons-math3:jar:3.6.1";
    maven.answers("1", &[(thing, None, &jar("t")), (streaming, Some(thing), b"s"), (math, Some(streaming), b"m")]);
    maven.answers("2", &[(thing, None, &jar("t"))]);
    workspace.with(&maven, &["run", "it"]);
    let poms = maven.poms();
    assert!(!poms[0].contains("flink-clients") && !poms[0].contains("<exclusion>"), "{}", poms[0]);
    let excluded =
        "<exclusion><groupId>org.apache.flink</groupId><artifactId>flink-streaming-java</artifactId></exclusion>";
    assert!(poms[1].contains(excluded), "{}", poms[1]);
    assert_snapshot!("dependencies_left_out", workspace.masked(&workspace.lock()));
    // With nothing left to ask for, nobody is asked.
    workspace.job("\"org.apache.flink:flink-clients:1.20.0\"", DEPLOY);
    let broken = FakeMaven::new();
    let ended = workspace.with(&broken, &["run", "it"]);
    assert!(ended.contains("exit code: 0") && broken.poms().is_empty(), "{ended}");
}

#[test]
fn artifacts_are_listed_and_those_that_nobody_needs_deleted() {
    let workspace = Workspace::idle();
    let maven = FakeMaven::new();
    assert_snapshot!("artifacts_none", workspace.tidegate(&["artifacts"]));
    thing(&maven, "all", "1.0");
    // The lock of somebody who has deployed it: here nothing but the lock needs the files.
    let flink = FakeFlink::start();
    let other = Workspace::on(&flink.url());
    other.job("\"com.acme:thing:1.0\"", DEPLOY);
    other.with(&maven, &["run", "it"]);
    workspace.write("tidegate.lock", &other.lock());
    workspace.job("\"com.acme:thing:1.0\"", "");
    workspace.with(&maven, &["run", "it"]);
    let listed = workspace.tidegate(&["artifacts"]);
    assert!(listed.contains("com.acme:part:jar:linux:2") && listed.contains("tidegate.lock"), "{listed}");
    assert_snapshot!("artifacts_nothing", workspace.tidegate(&["artifacts", "prune", "--older-than", "0s"]));
    workspace.tidegate(&["deps", "--prune"]);
    // Used just now: it might be of a deploy that has not recorded anything yet.
    assert_snapshot!("artifacts_young", workspace.tidegate(&["artifacts", "prune"]));
    assert_snapshot!("artifacts_dry", workspace.tidegate(&["artifacts", "prune", "--older-than", "0s", "--dry-run"]));
    assert_snapshot!("artifacts_pruned", workspace.tidegate(&["artifacts", "prune", "--older-than", "0s"]));
    assert!(workspace.tidegate(&["artifacts"]).contains("no artifact"));
    assert_snapshot!("artifacts_duration", workspace.tidegate(&["artifacts", "prune", "--older-than", "soon"]));
}
