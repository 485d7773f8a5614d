//! Builds: by a real `mvn`, and by commands that fail, hang, and say too much.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Workspace;
use super::git_repository::Repository;
use super::support::fake_flink::FakeFlink;

fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        for entry in std::fs::read_dir(one).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The Maven project of the tests, in a repository.
pub(crate) fn maven_project(folder: &Path) -> Repository {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/maven-project");
    let files = files(&source);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Repository::new(folder, &files)
}

/// Whether there is Maven here. Where not, says by name what does not run; on the build machine that is a failure.
pub(crate) fn has_maven(test: &str) -> bool {
    let why = match Command::new("mvn").arg("-version").output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: mvn (Debian: maven): {why}");
    eprintln!("NOT RUN: {test}: mvn (Debian: maven): {why}");
    false
}

/// A project `jobs` with a shell script in place of a build tool.
fn shell_project(root: &Path, script: &str, more: &str) -> (Repository, Workspace) {
    let jobs = Repository::new(&root.join("jobs"), &[("build.sh", script)]);
    let url = jobs.folder.display().to_string();
    (jobs, Workspace::new(&format!("projects:\n  jobs: {{ url: {url} }}\nallow_builds: [jobs]\n{more}")))
}

fn build(options: &str) -> String {
    format!(
        "let b = git::project(\"jobs\").build(#{{ command: \"sh build.sh\", {options} }});\nprint(`${{b.id}} ${{b.cached}}`);"
    )
}

#[test]
fn a_maven_project_is_built_once_and_its_commit_goes_with_the_revision() {
    if !has_maven("git_projects::builds::a_maven_project_is_built_once_and_its_commit_goes_with_the_revision") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let jobs = maven_project(&root.path().join("repository"));
    let flink = FakeFlink::start();
    let workspace = Workspace::on(
        &flink.url(),
        &format!("projects:\n  jobs: {{ url: {}, branch: main }}\n", jobs.folder.display()),
    );
    let script = r#"
        let built = git::project("jobs").build(#{ command: "mvn -q -B -DskipTests package", modules: ["jobs"], timeout: "9m" });
        print(`${built.id} ${built.cached}`);
        let jar = built.artifact("jobs");
        job::jar("clicks", #{ jar: jar, main_class: "com.acme.StartJobApp", args: ["com.acme.jobs.UserBehavior", "--users", 7] }).deploy();
    "#;
    let said = workspace.run(script).fails("capability.denied");
    assert!(said.contains("allow_builds: [jobs]"), "{said}");
    assert!(!workspace.path(".tidegate/builds").exists());
    let yaml = std::fs::read_to_string(workspace.path("tidegate.yaml")).unwrap();
    workspace.write("tidegate.yaml", &format!("{yaml}allow_builds: [jobs]\n"));

    // A plan does not build.
    let planned = workspace.tidegate(&["plan", "it"]);
    assert_eq!(planned.code, Some(4), "{planned:?}");
    let first = jobs.head();
    assert!(planned.out.contains(&format!("builds `jobs` at {}", &first[..10])), "{planned:?}");
    assert!(planned.out.contains("`id` of a build that is not there yet"), "{planned:?}");
    assert_eq!(workspace.run(script).ok(), "1 false");
    let begun = Instant::now();
    assert_eq!(workspace.run(script).ok(), "1 true");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // What the jar holds is what a launcher can start.
    let classes = "let built = build::get(1);\nprint(jar::open(built.artifact()).classes(#{ implements: \"com.acme.StreamJob\" }));";
    let jobs_of_it = ["Heartbeat", "OrderAmounts", "UserBehavior"].map(|name| format!("\"com.acme.jobs.{name}\""));
    assert_eq!(workspace.run(classes).ok(), format!("[{}]", jobs_of_it.join(", ")));

    // Only a comment changes: the same bytes, another commit. The running job is left alone.
    let second = jobs.commit("second", &[("README.md", "changed\n")]);
    assert_eq!(workspace.run(script).ok(), "2 false");
    let planned = workspace.tidegate(&["plan", "it"]);
    assert_eq!((planned.code, flink.executions().len()), (Some(0), 1), "{planned:?}");
    let difference = workspace.tidegate(&["diff", "clicks", "1", "2"]).ok();
    assert_eq!(difference, format!("built from: jobs@{first} -> jobs@{second}"));
    let history = workspace.tidegate(&["history", "clicks", "--json"]).ok();
    assert!(history.contains(&format!("jobs@{second}")), "{history}");

    // A build of before is deployed again; one whose artifacts were pruned is made again.
    let again = "let built = build::get(1);\nprint(built.artifact().origin);\nprint(build::list(\"jobs\").len());";
    assert_eq!(workspace.run(again).ok(), format!("jobs@{first}\n2"));
    std::fs::remove_dir_all(workspace.path(".tidegate/artifacts")).unwrap();
    workspace.run(again).fails("build.artifacts_gone");
    assert_eq!(workspace.run(script).ok(), "3 false");

    // What does not compile is told without Maven's boilerplate.
    jobs.commit(
        "broken",
        &[("jobs/src/main/java/com/acme/jobs/Broken.java", "package com.acme.jobs; class Broken { Nothing n; }\n")],
    );
    let said = workspace.run(script).fails("build.failed");
    assert!(said.contains("caused by: jobs/src/main/java/com/acme/jobs/Broken.java:[1,"), "{said}");
    assert!(said.contains("ended with code 1") && said.contains("tidegate builds log 4"), "{said}");
    assert!(!said.contains("[Help 1]") && !said.contains("re-run Maven"), "{said}");
    let listed = workspace.tidegate(&["builds", "jobs"]).ok();
    assert!(listed.contains("failed") && listed.contains("build.failed"), "{listed}");
    assert!(workspace.tidegate(&["builds", "log", "4"]).ok().contains("[ERROR]"));
}

#[test]
fn builds_beyond_the_newest_are_pruned_by_name_and_marked() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) =
        shell_project(root.path(), "printf '\\033[1mbold\\033[0m\\n'; mkdir target; cat n > target/a.jar\n", "");
    let mut commits = Vec::new();
    for number in 1..=7 {
        jobs.commit("next", &[("n", &format!("jar {number}\n"))]);
        commits.push(jobs.head());
        assert_eq!(workspace.run(&build("")).ok(), format!("{number} false"));
    }
    assert_eq!(workspace.tidegate(&["builds", "log", "1"]).ok(), "bold");
    let printed = workspace.run("print(build::get(1).artifacts);\nprint(build::get(1));").ok();
    let built = format!("build 1 of `jobs` at {}...", &commits[0][..10]);
    assert_eq!(printed, format!("[artifact `target/a.jar` of 6 bytes]\n{built}"));
    let prune =
        |more: &[&str]| workspace.tidegate(&[&["artifacts", "prune", "--older-than", "0s"], more].concat()).ok();
    let told = prune(&["--dry-run"]);
    assert_eq!(prune(&[]), told);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "five are kept: {told}");
    for (build, commit) in [(1, &commits[0]), (2, &commits[1])] {
        let name = format!("  6 B  target/a.jar, build {build} of jobs, commit {}", &commit[..10]);
        assert!(lines.iter().any(|line| line.len() == 64 + name.len() && line.ends_with(&name)), "{told}");
    }
    let listed = workspace.tidegate(&["builds"]).ok();
    let outcomes: Vec<bool> = listed.lines().skip(2).map(|line| line.contains("pruned: target/a.jar")).collect();
    assert_eq!(outcomes, [false, false, false, false, false, true, true], "{listed}");
    let json: serde_json::Value = serde_json::from_str(&workspace.tidegate(&["builds", "--json"]).ok()).unwrap();
    assert_eq!((&json[4]["artifacts_kept"], &json[5]["artifacts_kept"]), (&true.into(), &false.into()));
}

#[test]
fn a_plan_says_what_a_build_is_missing_and_an_apply_which_commit_was_pushed() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) =
        shell_project(root.path(), "test ! -e broken || exit 3\nmkdir target; cat n > target/a.jar\n", "");
    let script = format!("{}\nstate::set(\"jar\", b.artifact().sha256);", build(""));
    jobs.commit("first", &[("n", "1\n")]);
    let planned = |more: &[&str]| {
        workspace.write("scripts/it.rhai", &script);
        workspace.tidegate(&[&["plan", "it"], more].concat())
    };
    let unbuilt = planned(&[]);
    assert!(unbuilt.out.contains("it is not built yet: a run of a script that ends here builds"), "{unbuilt:?}");
    assert!(!unbuilt.out.contains("of the same commit failed"), "{unbuilt:?}");
    assert_eq!(workspace.run(&build("")).ok(), "1 false");
    let first = jobs.head();
    let written = planned(&["-o", "plan.json"]);
    assert!(written.err.contains("written to plan.json"), "{written:?}");
    let second = jobs.commit("second", &[("n", "2\n"), ("broken", "")]);
    let applied = workspace.tidegate(&["apply", "plan.json"]);
    let moved =
        format!("`jobs` (its own branch) is at {} now, and the plan was made for {}", &second[..10], &first[..10]);
    let said = &applied.err;
    assert!(applied.code == Some(1) && said.contains("error[plan.changed]"), "{applied:?}");
    assert!(said.contains(&moved) && said.contains("of a build that is not there yet"), "{said}");
    assert!(!said.contains("cannot be applied"), "{said}");
    workspace.run(&build("")).fails("build.failed");
    let planned = planned(&[]);
    assert!(planned.out.contains("build 2 of the same commit failed: "), "{planned:?}");
}

#[test]
fn a_damaged_copy_is_said_to_be_one_with_the_build_that_made_it() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) =
        shell_project(root.path(), "mkdir -p core/target; cat core.jar > core/target/core-1.0.jar\n", "");
    let jar = tidegate::drivers::payload::stored_jar(&[("a".to_owned(), b"b".to_vec())]).unwrap();
    std::fs::write(jobs.folder.join("core.jar"), &jar).unwrap();
    jobs.commit("jar", &[]);
    let script = format!("{}\nprint(jar::open(b.artifact()).bytes);", build("modules: [\"core\"]"));
    assert_eq!(workspace.run(&script).ok(), format!("1 false\n{}", jar.len()));
    let store = workspace.path(".tidegate/artifacts");
    let kept = std::fs::read_dir(store)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "jar"))
        .unwrap();
    let mut swapped = jar.clone();
    swapped[40] ^= 1;
    for bytes in [&jar[..jar.len() / 2], &swapped[..], b"<html>"] {
        std::fs::write(&kept, bytes).unwrap();
        let open = workspace.run(&script).fails("file.invalid");
        let deploy = "job::jar(\"clicks\", #{ jar: b.artifact(), main_class: \"a.B\" });";
        let made = format!("build 1 of `jobs` made it, at commit {}", &jobs.head()[..10]);
        assert!(
            open.contains("the kept copy of `core/target/core-1.0.jar` is damaged") && open.contains(&made),
            "{open}"
        );
        assert!(open.contains("delete that file") && !open.contains("unfinished download"), "{open}");
        if bytes.len() != jar.len() {
            let said = workspace.run(&format!("{}\n{deploy}", build("modules: [\"core\"]"))).fails("file.invalid");
            assert!(said.contains("is damaged") && said.contains(&made), "{said}");
        }
    }
    std::fs::remove_file(&kept).unwrap();
    assert_eq!(workspace.run(&script).ok(), format!("2 false\n{}", jar.len()));
}

#[test]
fn what_decides_is_part_of_the_key_and_secrets_are_not_shown() {
    let root = tempfile::tempdir().unwrap();
    let script = "echo the token is $TOKEN\necho $TOKEN > token.jar\necho $MODE > out.jar\n";
    let (jobs, mut workspace) = shell_project(root.path(), script, "");
    workspace.set("TOKEN", "hunter2-token");
    let of = |mode: &str| {
        build(&format!("artifacts: [\"out.jar\"], environment: #{{ TOKEN: env::secret(\"TOKEN\"), MODE: \"{mode}\" }}"))
    };
    assert_eq!(workspace.run(&of("a")).ok(), "1 false");
    assert_eq!(workspace.run(&of("a")).ok(), "1 true");
    assert_eq!(workspace.run(&of("b")).ok(), "2 false");
    workspace.set("TOKEN", "hunter2-rotated");
    assert_eq!(workspace.run(&of("a")).ok(), "1 true", "a rotated secret builds nothing anew");
    jobs.commit("next", &[("n", "1")]);
    assert_eq!(workspace.run(&of("a")).ok(), "3 false");
    assert_eq!(workspace.tidegate(&["builds", "log", "3"]).ok(), "the token is ***");
    assert!(!workspace.keeps("hunter2"));
}

#[test]
fn a_wrapper_of_the_project_gets_the_modules() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) = shell_project(root.path(), "true\n", "");
    for (name, out) in [("mvnw", "a/target"), ("gradlew", "a/build/libs")] {
        let path = jobs.folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho $0 \"$@\"\nmkdir -p {out}; echo jar > {out}/a.jar\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    jobs.commit("wrappers", &[]);
    for (id, command, said, path) in [
        ("1", "./mvnw -q 'a b'", "mvnw -pl a -am -q a b", "a/target/a.jar"),
        ("2", "./gradlew jar", "gradlew --no-daemon jar", "a/build/libs/a.jar"),
    ] {
        let script = format!(
            "let b = git::project(\"jobs\").build(#{{ command: \"{command}\", modules: [\"a\"], clean: false }});\nprint(b.artifact(\"a\").path);"
        );
        assert_eq!(workspace.run(&script).ok(), path);
        let log = workspace.tidegate(&["builds", "log", id]).ok();
        assert!(log.ends_with(said), "{log}");
        assert!(workspace.path(&format!(".tidegate/builds/{id}/work/{path}")).exists(), "`clean: false` keeps it");
    }
}

/// A tool that notes each call shows that a build which is there starts nothing, and that another tool builds anew.
#[test]
fn what_is_built_starts_no_tool() {
    let root = tempfile::tempdir().unwrap();
    let (_jobs, workspace) = shell_project(root.path(), "true\n", "");
    let tool = |version: &str| {
        let text = format!(
            "#!/bin/sh\necho \"$@\" >> {}\ncase $1 in -version) echo tool {version};; *) mkdir -p target; echo jar > target/a.jar;; esac\n",
            workspace.path("calls").display()
        );
        // Written beside and renamed: the file that runs is never half of one.
        workspace.write("bin/new", &text);
        std::fs::set_permissions(workspace.path("bin/new"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        std::fs::rename(workspace.path("bin/new"), workspace.path("bin/mvn")).unwrap();
    };
    tool("1");
    let calls =
        || std::fs::read_to_string(workspace.path("calls")).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let path = format!("{}:{}", workspace.path("bin").display(), std::env::var("PATH").unwrap());
    let script = "let b = git::project(\"jobs\").build(#{ command: \"mvn package\" });\nprint(`${b.id} ${b.cached}`);";
    workspace.write("scripts/it.rhai", script);
    let run = || {
        let output = workspace.command(&["run", "it"]).env("PATH", &path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!((run(), calls()), ("1 false\n".to_owned(), vec!["-version".to_owned(), "package".to_owned()]));
    assert_eq!((run(), calls().len()), ("1 true\n".to_owned(), 2));
    tool("10");
    assert_eq!((run(), calls().len()), ("2 false\n".to_owned(), 4));
}

#[test]
fn artifacts_are_chosen_or_the_choice_is_told() {
    let root = tempfile::tempdir().unwrap();
    let script = "mkdir -p a/target b/target; for f in a/target/a b/target/b b/target/b-sources b/target/original-b; do echo $f > $f.jar; done\n";
    let (_jobs, workspace) = shell_project(root.path(), script, "");
    let of = |options: &str, rest: &str| {
        format!("let b = git::project(\"jobs\").build(#{{ command: \"sh build.sh\", {options} }});\n{rest}")
    };
    let all = workspace.run(&of("", "for a in b.artifacts { print(a.path); }\nprint(b.artifact(\"a\").path);")).ok();
    assert_eq!(all, "a/target/a.jar\nb/target/b.jar\na/target/a.jar");
    let said = workspace.run(&of("", "b.artifact();")).fails("build.no_artifact");
    assert!(said.contains("several artifacts: `a/target/a.jar` and `b/target/b.jar`"), "{said}");
    let said = workspace.run(&of("", "b.artifact(\"c\");")).fails("build.no_artifact");
    assert!(said.contains("has no artifact `c`") && said.contains("there is `a/target/a.jar`"), "{said}");
    let one = workspace.run(&of("modules: [\"b\"]", "print(b.artifact().path);")).ok();
    assert_eq!(one, "b/target/b.jar");
    let said = workspace.run(&of("artifacts: [\"dist/*.jar\"]", "")).fails("build.no_artifact");
    assert!(said.contains("left no file like `dist/*.jar`"), "{said}");
    assert!(
        said.contains("it has these jars, and none of them is meant: `a/target/a.jar`, `b/target/b-sources.jar`"),
        "{said}"
    );
    assert_eq!(workspace.run(&of("artifacts: []", "print(b.artifacts.len());")).ok(), "0");
    workspace.run(&of("artifacts: [\"../*.jar\"]", "")).fails("file.outside");
    workspace.run(&of("modules: [\"../x\"]", "")).fails("argument.invalid");
}

#[test]
fn a_build_that_fails_hangs_is_not_there_or_needs_a_shell() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) = shell_project(root.path(), "echo it is broken >&2\nexit 7\n", "");
    let said = workspace.run(&build("")).fails("build.failed");
    assert!(said.contains("ended with code 7") && said.contains("caused by: it is broken"), "{said}");
    let caught = "try { git::project(\"jobs\").build(#{ command: \"sh build.sh\" }); } catch (e) { print(`${e.code} ${e.data.code} ${e.data.end}`); }";
    assert_eq!(workspace.run(caught).ok(), "build.failed 7 [\"it is broken\"]");
    jobs.commit("hangs", &[("build.sh", "echo waiting\nsetsid sleep 1000 &\nsleep 1000\n")]);
    let begun = Instant::now();
    let said = workspace.run(&build("timeout: \"2s\"")).fails("build.timeout");
    assert!(said.contains("did not end within 2.0s and was killed") && said.contains("caused by: waiting"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(60));
    let of = |command: &str| format!("git::project(\"jobs\").build(#{{ command: \"{command}\" }});");
    let said = workspace.run(&of("./gradlew jar")).fails("build.not_started");
    assert!(said.contains("is not in the project"), "{said}");
    workspace.run(&of("./build.sh")).fails("build.not_started");
    workspace.run(&of("no-such-tool jar")).fails("build.not_started");
    let said = workspace.run(&of("sh a && sh b")).fails("argument.invalid");
    assert!(said.contains("no shell reads it"), "{said}");
    let url = jobs.folder.join(".git").display().to_string();
    let said = workspace
        .run(&format!("git::project(\"{url}\").build(#{{ command: \"sh build.sh\" }});"))
        .fails("capability.denied");
    assert!(said.contains(&format!("allow_builds: [jobs, \"{url}\"]")), "{said}");
    workspace.run("build::get(99);").fails("build.not_found");
    let ended = workspace.tidegate(&["builds", "log", "99"]);
    assert!(ended.err.contains("error[build.not_found]"), "{ended:?}");
}

#[test]
fn files_of_git_lfs_are_said_to_be_pointers() {
    let root = tempfile::tempdir().unwrap();
    let (jobs, workspace) = shell_project(root.path(), "cat lib/a.jar\nexit 1\n", "");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    jobs.commit("pointers", &[("lib/a.jar", pointer), ("lib/.gitattributes", "*.jar filter=lfs -text\n")]);
    let said = workspace.run(&build("")).fails("build.failed");
    let note = "1 file not fetched from Git LFS, only pointers are there: `lib/a.jar`";
    assert!(said.contains(&format!("caused by: {note}")), "{said}");
    let log = workspace.tidegate(&["builds", "log", "1"]).ok();
    assert!(log.starts_with(&format!("[tidegate: {note}]\n")), "{log}");
    jobs.commit("works", &[("build.sh", "true\n")]);
    let said = workspace.run(&build("artifacts: [\"lib/*.jar\"]")).fails("build.no_artifact");
    assert!(said.contains("`lib/a.jar` is no result") && said.contains("git lfs pull"), "{said}");
}

#[test]
fn a_gigabyte_of_output_neither_blocks_nor_fills_the_disk() {
    let root = tempfile::tempdir().unwrap();
    let script = "echo first line\nhead -c 1073741824 /dev/zero | tr '\\0' 'x' | fold -w 200\necho\necho last line\necho jar > out.jar\n";
    let (_jobs, workspace) = shell_project(root.path(), script, "");
    assert_eq!(workspace.run(&build("artifacts: [\"out.jar\"]")).ok(), "1 false");
    let log = std::fs::metadata(workspace.path(".tidegate/builds/1/log")).unwrap();
    assert!(log.len() < 10 << 20, "{}", log.len());
    let text = workspace.tidegate(&["builds", "log", "1"]).ok();
    assert!(text.starts_with("first line") && text.ends_with("last line") && text.contains("bytes are left out here"));
}

/// A Java that is not there: Maven's own line about it is kept, and what to do said.
#[test]
fn a_java_home_that_is_not_there_is_named() {
    if !has_maven("a_java_home_that_is_not_there_is_named") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (_jobs, mut workspace) = shell_project(root.path(), "exit 0\n", "");
    workspace.set("JAVA_HOME", "/nonexistent");
    let said =
        workspace.run("git::project(\"jobs\").build(#{ command: \"mvn -q package\" });").fails("build.not_started");
    assert!(said.contains("JAVA_HOME environment variable is not defined correctly"), "{said}");
    assert!(said.contains("hint: JAVA_HOME is `/nonexistent`: set it to the folder of a JDK"), "{said}");
    workspace.write("templates/x.sql", "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\nCREATE TABLE k (i INT) WITH ('connector' = 'blackhole');\nINSERT INTO k SELECT i FROM s;\n");
    let said = workspace
        .run("job::sql(\"x\", #{ template: \"x.sql\", dependencies: [\"com.google.code.gson:gson:2.10.1\"] });")
        .fails("dependency.failed");
    assert!(said.contains("JAVA_HOME environment variable is not defined correctly"), "{said}");
    assert!(said.contains("hint: JAVA_HOME is `/nonexistent`"), "{said}");
}
