//! Tools that a project brings along: the wrapper that Maven writes, and Gradle with its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Workspace;
use super::builds::{has_maven, maven_project};
use super::git_repository::Repository;

const PLUGIN: &str = "org.apache.maven.plugins:maven-wrapper-plugin:3.3.2:wrapper";
/// The Maven that it is told to bring: none that Debian has.
const MAVEN: &str = "3.9.9";

/// Fetches 10 MB for each type, and the plugins that this Maven prefers: not in every run of the tests.
#[test]
#[ignore = "fetches two Mavens: `cargo test --test git_projects wrappers -- --ignored`"]
fn the_wrapper_that_maven_writes_brings_its_own_maven() {
    if !has_maven("git_projects::wrappers::the_wrapper_that_maven_writes_brings_its_own_maven") {
        return;
    }
    for kind in ["only-script", "script", "bin"] {
        let root = tempfile::tempdir().unwrap();
        let jobs = maven_project(&root.path().join("repository"));
        let mut command = Command::new("mvn");
        // It takes the address of the distribution from the mirrors of Maven's settings.
        command.args(["-q", "-B", "-N", PLUGIN, &format!("-Dtype={kind}"), &format!("-Dmaven={MAVEN}")]);
        let output = command.current_dir(&jobs.folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        jobs.commit("wrapper", &[]);
        let mut workspace =
            Workspace::new(&format!("projects:\n  jobs: {{ url: {} }}\nallow_builds: [jobs]\n", jobs.folder.display()));
        let home = root.path().join("user-home");
        workspace.set("MAVEN_USER_HOME", &home.display().to_string());
        let build = "let b = git::project(\"jobs\").build(#{ command: \"./mvnw -B -V -DskipTests package\", modules: [\"jobs\"] });\n\
                     print(`${b.cached} ${b.artifact(\"jobs\").path} ${jar::open(b.artifact(\"jobs\")).classes(#{ implements: \"com.acme.StreamJob\" }).len()}`);";
        assert_eq!(workspace.run(build).ok(), "false jobs/target/jobs-1.0.jar 3", "{kind}");
        let log = workspace.tidegate(&["builds", "log", "1"]).ok();
        assert!(log.contains(&format!("Apache Maven {MAVEN} ")), "{kind}: {log}");
        assert!(home.join("wrapper/dists").is_dir(), "{kind}: it was fetched into the folder that was named");
        assert_eq!(workspace.run(build).ok(), "true jobs/target/jobs-1.0.jar 3", "{kind}");
        // Another Maven is another commit, and so another build.
        let properties = jobs.folder.join(".mvn/wrapper/maven-wrapper.properties");
        let text = std::fs::read_to_string(&properties).unwrap().replace(MAVEN, "0.0.0");
        jobs.commit("none", &[(".mvn/wrapper/maven-wrapper.properties", &text)]);
        let said = workspace.run(build).fails("build.failed");
        assert!(said.contains("0.0.0"), "{kind}: {said}");
    }
}

/// The folder of Debian's Gradle. Where it is not, says by name what does not run; on the build machine that is a failure.
fn gradle(test: &str) -> Option<PathBuf> {
    let folder = Path::new("/usr/share/gradle");
    if folder.join("bin/gradle").exists() {
        return Some(folder.to_owned());
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: gradle is missing (Debian: gradle)");
    eprintln!("NOT RUN: {test}: gradle is missing (Debian: gradle)");
    None
}

/// Gradle's distribution as its wrapper wants it: a zip with one folder.
fn distribution(gradle: &Path, file: &Path) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(file).unwrap());
    let mut folders = vec![gradle.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = format!("gradle/{}", path.strip_prefix(gradle).unwrap().display());
            if path.is_dir() {
                zip.add_directory(name, zip::write::SimpleFileOptions::default()).unwrap();
                folders.push(path);
                continue;
            }
            // Debian's has links to jars of other packages, which may not be installed.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
    }
    zip.finish().unwrap();
}

#[test]
fn a_gradle_project_is_built_by_gradle_and_by_its_wrapper() {
    let Some(gradle) = gradle("git_projects::wrappers::a_gradle_project_is_built_by_gradle_and_by_its_wrapper") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let module = "apply plugin: 'java'\nversion = '1.0'\n";
    let jobs = Repository::new(
        &root.path().join("jobs"),
        &[
            ("settings.gradle", "rootProject.name = 'acme'\ninclude 'core', 'apps:clicks'\n"),
            ("build.gradle", ""),
            ("core/build.gradle", module),
            ("core/src/main/java/com/acme/Core.java", "package com.acme;\npublic class Core { }\n"),
            ("apps/clicks/build.gradle", &format!("{module}dependencies {{ compile project(':core') }}\n")),
            (
                "apps/clicks/src/main/java/com/acme/Clicks.java",
                "package com.acme;\npublic class Clicks extends Core { public static void main(String[] arguments) { } }\n",
            ),
        ],
    );
    let mut workspace =
        Workspace::new(&format!("projects:\n  jobs: {{ url: {} }}\nallow_builds: [jobs]\n", jobs.folder.display()));
    let user_home = root.path().join("gradle");
    workspace.set("GRADLE_USER_HOME", &user_home.display().to_string());
    let build = |command: &str| {
        format!(
            "let b = git::project(\"jobs\").build(#{{ command: \"{command}\", modules: [\"apps/clicks\"] }});\n\
             let jar = jar::open(b.artifact(\"clicks-1.0.jar\"));\n\
             print(`${{b.id}} ${{b.cached}} ${{b.artifact(\"apps/clicks\").path}} ${{jar.has_main(\"com.acme.Clicks\")}} ${{b.artifacts.len()}}`);"
        )
    };
    let built = "apps/clicks/build/libs/clicks-1.0.jar true 1";
    assert_eq!(workspace.run(&build("gradle :apps:clicks:jar")).ok(), format!("1 false {built}"));
    assert_eq!(workspace.run(&build("gradle :apps:clicks:jar")).ok(), format!("1 true {built}"));
    // What the toolchain says of itself is part of the key: the commit is the same.
    workspace.set("GRADLE_OPTS", "-Dacme=1");
    assert_eq!(workspace.run(&build("gradle :apps:clicks:jar")).ok(), format!("2 false {built}"));

    // The wrapper that Gradle writes, with Gradle as what it fetches.
    let zip = root.path().join("gradle-bin.zip");
    distribution(&gradle, &zip);
    let url = format!("file://{}", zip.display());
    let written = Command::new("gradle")
        .args(["--no-daemon", "wrapper", "--gradle-distribution-url", &url])
        .env("GRADLE_USER_HOME", &user_home)
        .current_dir(&jobs.folder)
        .output()
        .unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    std::fs::write(jobs.folder.join(".gitignore"), ".gradle\nbuild\n").unwrap();
    jobs.commit("wrapper", &[]);
    assert_eq!(workspace.run(&build("./gradlew :apps:clicks:jar")).ok(), format!("3 false {built}"));
    assert!(workspace.tidegate(&["builds", "log", "3"]).ok().contains("Unzipping"), "it has fetched its own");
    assert_eq!(workspace.run(&build("./gradlew :apps:clicks:jar")).ok(), format!("3 true {built}"));

    // A mistake is told as the compiler tells it, and nothing that a build started is left.
    jobs.commit(
        "mistake",
        &[("core/src/main/java/com/acme/Core.java", "package com.acme;\npublic class Core { int }\n")],
    );
    let said = workspace.run(&build("./gradlew :apps:clicks:jar")).fails("build.failed");
    assert!(said.contains("Core.java:2: error: <identifier> expected"), "{said}");
    let ours = user_home.display().to_string();
    let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        std::fs::read(process.path().join("environ")).is_ok_and(|text| String::from_utf8_lossy(&text).contains(&ours))
    });
    assert_eq!(left.count(), 0);
}
