//! Dependencies with a real Maven and a real repository, and a Maven that has to be killed. `cargo test --test dependencies`

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says by name what could not run"
)]

#[path = "support/mod.rs"]
mod support;

use std::io::{Cursor, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::fake_flink::FakeFlink;
use support::fake_maven::FakeMaven;
use support::sandbox::Sandbox;
use tidegate::model::dependency_lock::DependencyLock;

const PATIENCE: Duration = Duration::from_secs(120);

/// Whether there is a Maven. Where not, says by name what does not run; on the build machine that is a failure.
fn has_maven(test: &str) -> bool {
    let found = Command::new("mvn").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: there is no `mvn`");
    eprintln!("NOT RUN: {test}: there is no `mvn`");
    false
}

/// A script that deploys a job with these dependencies.
fn script(name: &str, dependencies: &str, then: &str) -> String {
    format!(
        "let job = job::sql(\"{name}\", #{{ sql: \"CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\\n\
         CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\\nINSERT INTO b SELECT n FROM a\",\n\
         dependencies: [{dependencies}] }});\n{then}\n"
    )
}

const DEPLOY: &str = "print(job.deploy().action);";

const KAFKA_TO_MYSQL: &str = "\"org.apache.flink:flink-connector-kafka:3.4.0-1.20\", \
                              \"org.apache.flink:flink-connector-jdbc:3.3.0-1.20\", \"com.mysql:mysql-connector-j:8.4.0\"";

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).current_dir(sandbox.path()).stdin(Stdio::null()).env_remove("TIDEGATE_LOCKED");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that has to end well.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    said(&output)
}

/// Runs a command that has to fail with this error.
fn fails(command: &mut Command, code: &str) -> String {
    let output = command.output().unwrap();
    let text = said(&output);
    assert!(!output.status.success() && text.contains(&format!("error[{code}]")), "not {code}: {text}");
    text
}

/// The names of the jars inside the jar that was uploaded last.
fn libraries(flink: &FakeFlink) -> Vec<String> {
    let largest = flink.with(|cluster| cluster.jars.values().max_by_key(|jar| jar.len()).cloned().unwrap());
    let archive = zip::ZipArchive::new(Cursor::new(largest)).unwrap();
    archive
        .file_names()
        .filter_map(Result::ok)
        .filter(|name| name.starts_with("lib/"))
        .map(|name| name.into_owned())
        .collect()
}

#[test]
fn connectors_are_resolved_with_all_that_they_need_and_maven_is_asked_once() {
    if !has_maven("connectors_are_resolved_with_all_that_they_need_and_maven_is_asked_once") {
        return;
    }
    let flink = FakeFlink::start();
    let (first, second) = (script("orders", KAFKA_TO_MYSQL, DEPLOY), script("other", KAFKA_TO_MYSQL, DEPLOY));
    let waits = script("late", KAFKA_TO_MYSQL, "run::approve(\"now?\");\nprint(job.deploy().action);");
    let files = [
        ("scripts/first.rhai", first.as_str()),
        ("scripts/second.rhai", second.as_str()),
        ("scripts/waits.rhai", waits.as_str()),
    ];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    let text = done(&mut command(&sandbox, &["run", "first"]));
    assert!(text.contains("created") && text.contains("left out, since Flink has it: "), "{text}");
    let lock_path = sandbox.path().join("tidegate.lock");
    let lock = std::fs::read_to_string(&lock_path).unwrap();
    for brought in [
        "org.apache.kafka:kafka-clients:3.4.0",
        "com.google.protobuf:protobuf-java:3.25.1",
        "com.github.luben:zstd-jni:1.5.2-1",
    ] {
        assert!(lock.contains(&format!("\"{brought}\": {{ sha256: ")), "{lock}");
    }
    assert!(
        lock.contains("- { jar: \"org.slf4j:slf4j-api:1.7.36\", by: \"org.apache.kafka:kafka-clients:3.4.0\" }"),
        "{lock}"
    );
    let deps: Value = serde_json::from_str(&done(&mut command(&sandbox, &["deps", "orders", "--json"]))).unwrap();
    let count = deps["files"].as_array().unwrap().len();
    assert!(count >= 25 && libraries(&flink).len() == count, "{count}: {:?}", libraries(&flink));
    for file in deps["files"].as_array().unwrap() {
        let kept = sandbox.path().join(format!(".tidegate/artifacts/{}.jar", file["sha256"].as_str().unwrap()));
        assert_eq!(std::fs::metadata(&kept).unwrap().len(), file["bytes"].as_u64().unwrap());
    }
    let tree = done(&mut command(&sandbox, &["deps", "orders", "--locked"]));
    assert!(tree.contains("└─ org.apache.kafka:kafka-clients:3.4.0"), "{tree}");

    // A Maven that fails stands first on the PATH: nobody asks it, for the same job or for another with the same set.
    let broken = FakeMaven::new();
    let without = |arguments: &[&str]| {
        let mut command = command(&sandbox, arguments);
        command.env("PATH", broken.path());
        command
    };
    let uploads = flink.with(|cluster| cluster.jars.len());
    assert!(done(&mut without(&["run", "first", "--locked"])).contains("unchanged"));
    assert!(done(&mut without(&["run", "second"])).contains("created"));
    assert_eq!(flink.with(|cluster| cluster.jars.len()), uploads, "the cluster has that jar already");
    assert!(broken.poms().is_empty());
    assert_eq!(std::fs::read_to_string(&lock_path).unwrap(), lock);

    // A run that waits goes on with what it pinned, whatever becomes of the lock.
    let waiting = without(&["run", "waits"]).output().unwrap();
    assert_eq!(waiting.status.code(), Some(3), "{}", said(&waiting));
    std::fs::remove_file(&lock_path).unwrap();
    let run = sandbox.ask("SELECT max(id) FROM runs").remove(0);
    assert!(done(&mut without(&["approve", &format!("r{run}"), "--as", "me"])).contains("created"));
    assert!(broken.poms().is_empty());
    assert_eq!(std::fs::read_to_string(&lock_path).unwrap(), lock, "the lock has what was deployed");

    // What is lost is fetched again, and is what it was.
    std::fs::write(&lock_path, &lock).unwrap();
    let driver = deps["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["coordinates"] == "com.mysql:mysql-connector-j:8.4.0");
    let hash = driver.unwrap()["sha256"].as_str().unwrap();
    let kept = sandbox.path().join(format!(".tidegate/artifacts/{hash}.jar"));
    std::fs::remove_file(&kept).unwrap();
    fails(&mut without(&["run", "first"]), "dependency.failed");
    done(&mut command(&sandbox, &["run", "first", "--locked"]));
    assert!(kept.exists());
    // Somebody changed the lock, or the repository: it is not used.
    std::fs::remove_file(&kept).unwrap();
    std::fs::write(&lock_path, lock.replace(hash, &"0".repeat(64))).unwrap();
    fails(&mut command(&sandbox, &["run", "first"]), "dependency.lock_invalid");
    let of_other = DependencyLock::parse(&lock).unwrap();
    let mut set = of_other.sets()[0].clone();
    set.files.iter_mut().filter(|file| file.sha256 == hash).for_each(|file| file.sha256 = "0".repeat(64));
    std::fs::write(&lock_path, of_other.with(set).text()).unwrap();
    let text = fails(&mut command(&sandbox, &["run", "first"]), "dependency.checksum");
    assert!(
        text.contains("`com.mysql:mysql-connector-j:8.4.0`") && text.contains(hash) && text.contains(&"0".repeat(64)),
        "{text}"
    );
    std::fs::write(&lock_path, &lock).unwrap();
    done(&mut command(&sandbox, &["run", "first"]));

    // Revisions need all of it, whatever the lock says.
    std::fs::remove_file(&lock_path).unwrap();
    std::fs::write(sandbox.path().join(".tidegate/artifacts/stray.jar"), "x").unwrap();
    let gone = done(&mut command(&sandbox, &["artifacts", "prune", "--older-than", "0s", "--json"]));
    let gone: Value = serde_json::from_str(&gone).unwrap();
    assert_eq!(gone.as_array().unwrap().iter().map(|one| &one["sha256"]).collect::<Vec<_>>(), ["stray"]);
}

/// A repository on loopback that gives every request this answer.
struct Repository {
    address: String,
    asked: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    server: Option<std::thread::JoinHandle<()>>,
}

impl Repository {
    fn answering(answer: fn(&str) -> (&'static str, Vec<u8>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = stop.clone();
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let paths = asked.clone();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(std::sync::atomic::Ordering::Acquire) {
                    return;
                }
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                paths.lock().unwrap().push(path.to_owned());
                let (status, body) = answer(path);
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nWWW-Authenticate: Basic realm=\"r\"\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // Who has heard enough closes.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Self { address, asked, stop, server: Some(server) }
    }

    /// How often it was asked for a file of this name.
    fn asked_for(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.ends_with(name)).count()
    }
}

/// A home with settings for Maven that name the repository `house` at this address; all else lies in the user's own.
fn home_with(address: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".m2")).unwrap();
    let settings = format!(
        "<settings><localRepository>{}</localRepository><profiles><profile><id>p</id><repositories><repository><id>house</id>\
         <url>http://ci:confidential@{address}/maven</url></repository></repositories></profile></profiles>\
         <activeProfiles><activeProfile>p</activeProfile></activeProfiles></settings>",
        local_repository().display()
    );
    std::fs::write(home.path().join(".m2/settings.xml"), settings).unwrap();
    home
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Release);
        let _ = std::net::TcpStream::connect(&self.address);
        let _ = self.server.take().map(std::thread::JoinHandle::join);
    }
}

fn local_repository() -> PathBuf {
    PathBuf::from(std::env::var("HOME").unwrap()).join(".m2/repository")
}

/// Takes away what Maven notes in its local repository of artifacts that are nowhere.
struct Traces(&'static str);

impl Traces {
    fn remove(&self) {
        let _ = std::fs::remove_dir_all(local_repository().join("dev/tidegate").join(self.0));
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.remove();
    }
}

#[test]
fn what_repositories_refuse_is_told_plainly() {
    if !has_maven("what_repositories_refuse_is_told_plainly") {
        return;
    }
    let _traces = Traces("tests");
    let wrong_sum = |path: &str| {
        let body = if path.ends_with(".sha1") { "0".repeat(40) } else { "<project/>".to_owned() };
        ("200 OK", body.into_bytes())
    };
    let denies = Repository::answering(|_| ("401 Unauthorized", Vec::new()));
    let forbids = Repository::answering(|_| ("403 Forbidden", Vec::new()));
    let damages = Repository::answering(wrong_sum);
    let closed = support::port::Refusing::new();
    for (artifact, address, code, words) in [
        ("denied", &denies.address, "dependency.denied", "does not accept the credentials"),
        ("forbidden", &forbids.address, "dependency.denied", "does not let this user read"),
        ("damaged", &damages.address, "dependency.checksum", "differs from the checksum"),
        ("closed", &closed.address(), "dependency.unreachable", "did not give `dev.tidegate.tests:closed:1.0`"),
    ] {
        let home = home_with(address);
        let text = script("it", &format!("\"dev.tidegate.tests:{artifact}:1.0\""), DEPLOY);
        let sandbox = Sandbox::new("{ kind: session, url: \"http://127.0.0.1:9\" }", &[("scripts/it.rhai", &text)]);
        let mut command = command(&sandbox, &["run", "it"]);
        command.env("MAVEN_OPTS", format!("-Duser.home={}", home.path().display()));
        let text = fails(&mut command, code);
        assert!(
            text.contains("`house`") && text.contains(words) && text.contains("Maven's whole output: "),
            "{artifact}: {text}"
        );
        assert!(!text.contains("confidential"), "{text}");
        for log in std::fs::read_dir(sandbox.path().join(".tidegate/maven")).unwrap() {
            assert!(!std::fs::read_to_string(log.unwrap().path()).unwrap().contains("confidential"));
        }
        assert!(!sandbox.path().join("tidegate.lock").exists());
    }
}

#[test]
fn an_artifact_that_is_nowhere_is_asked_for_anew() {
    if !has_maven("an_artifact_that_is_nowhere_is_asked_for_anew") {
        return;
    }
    let traces = Traces("nowhere");
    // Those of a test that was killed.
    traces.remove();
    let house = Repository::answering(|_| ("404 Not Found", Vec::new()));
    let home = home_with(&house.address);
    let text = script("it", "\"dev.tidegate.nowhere:nothing:1.0\"", DEPLOY);
    let sandbox = Sandbox::new("{ kind: session, url: \"http://127.0.0.1:9\" }", &[("scripts/it.rhai", &text)]);
    let mut asked = 0;
    for _ in 0..2 {
        let mut command = command(&sandbox, &["run", "it"]);
        command.env("MAVEN_OPTS", format!("-Duser.home={}", home.path().display()));
        let text = fails(&mut command, "dependency.not_found");
        // Not "was not found during a previous attempt": the repository itself says so each time.
        assert!(
            text.contains("`dev.tidegate.nowhere:nothing:1.0` is not in `") && !text.contains("previous attempt"),
            "{text}"
        );
        let now = house.asked_for("nothing-1.0.jar");
        assert!(now > asked, "{:?}", house.asked.lock().unwrap());
        asked = now;
    }
}

#[test]
fn maven_ends_with_the_run_that_asked_it() {
    let text = script("it", "\"com.acme:thing:1.0\"", DEPLOY);
    let sandbox = Sandbox::new("{ kind: session, url: \"http://127.0.0.1:9\" }", &[("scripts/it.rhai", &text)]);
    let maven = FakeMaven::new();
    maven.hangs();
    let mut command = command(&sandbox, &["run", "it"]);
    command.env("PATH", maven.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let pids = loop {
        match std::fs::read_to_string(maven.file("pids")) {
            Ok(text) if text.ends_with('\n') => break text,
            _ => assert!(Instant::now() < deadline, "it was never started"),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let ended = child.wait().unwrap();
    assert!(ended.code().is_some() && ended.signal().is_none(), "{ended:?}");
    for pid in pids.split_whitespace() {
        while tidegate::base::process::start_time(pid.parse().unwrap()).is_some() {
            assert!(Instant::now() < deadline, "{pid} is still there");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    assert!(!sandbox.path().join("tidegate.lock").exists());
    // Its question is gone with it.
    let left: Vec<_> = std::fs::read_dir(sandbox.path().join(".tidegate/maven")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
