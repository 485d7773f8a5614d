//! A real Flink 1.20 on this machine: installed into the user's cache once, started, broken, repaired and stopped.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidegate::base::cancel::Cancel;
use tidegate::base::{code, process};
use tidegate::drivers::local::cluster::{Cluster, State, Up};
use tidegate::drivers::local::{Progress, Surroundings, install, java};

/// Collects what progress says.
#[derive(Default)]
struct Said(Mutex<Vec<Progress>>);

impl Said {
    fn hear(&self) -> impl Fn(&Progress) + Send + Sync + '_ {
        |progress| self.0.lock().unwrap().push(progress.clone())
    }

    fn words(&self) -> String {
        let said = self.0.lock().unwrap();
        let words = said.iter().filter_map(|each| match each {
            Progress::Word(word) => Some(word.as_str()),
            Progress::Bytes { .. } => None,
        });
        words.collect::<Vec<_>>().join("\n")
    }

    fn saw_bytes(&self) -> bool {
        self.0.lock().unwrap().iter().any(|each| matches!(each, Progress::Bytes { done, .. } if *done > 0))
    }
}

fn silent(_: &Progress) {}

/// What finds the real Java and Flink, whatever `FLINK_HOME` says.
fn real() -> Surroundings {
    Surroundings { flink_home: None, ..Surroundings::of_process().unwrap() }
}

fn cluster(slots: u32) -> Cluster {
    Cluster {
        name: "laptop".to_owned(),
        directory: PathBuf::new(),
        version: "1.20".to_owned(),
        slots,
        task_managers: 1,
        options: BTreeMap::new(),
    }
}

/// A cluster in a folder of its own; both end with the test, whatever becomes of it.
struct Own {
    cluster: Cluster,
    _folder: TempDir,
}

impl Own {
    fn new(slots: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join(".tidegate/clusters/laptop");
        Self { cluster: Cluster { directory, ..cluster(slots) }, _folder: folder }
    }

    async fn up(&self) -> Up {
        self.cluster.up(&real(), &Cancel::default(), &silent).await.unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let cluster = self.cluster.clone();
        let stopping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(cluster.down(&Cancel::default(), &silent)).unwrap();
        });
        stopping.join().unwrap();
    }
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lives(pid: u32) -> bool {
    process::start_time(pid).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_starts_is_reused_is_repaired_and_ends() {
    let own = Own::new(3);
    let cluster = &own.cluster;
    assert_eq!(cluster.status().await.unwrap().state, State::Down);
    assert_eq!(cluster.url(), None);

    let first = own.up().await;
    assert!(!first.reused && first.slots == 3, "{first:?}");
    assert!(first.version.starts_with("1.20."), "{first:?}");
    assert_eq!(cluster.url().as_ref(), Some(&first.url));
    let status = cluster.status().await.unwrap();
    assert_eq!((status.state, status.slots_total, status.slots_free), (State::Up, Some(3), Some(3)), "{status:?}");
    assert!(
        status.members.iter().all(|member| member.alive && member.memory_bytes.unwrap() > 50_000_000),
        "{status:?}"
    );

    let again = own.up().await;
    assert_eq!(again, Up { reused: true, ..first.clone() });

    // Neither Ctrl-C in the terminal nor the network reaches it.
    let group = rustix::process::getpgid(Pid::from_raw(i32::try_from(first.job_manager_pid).unwrap())).unwrap();
    assert_ne!(group, rustix::process::getpgrp());
    assert_eq!(listeners_elsewhere(&first), Vec::<String>::new());

    // Each process has a folder of logs, which Flink's REST serves.
    let logs = reqwest::get(format!("{}/jobmanager/logs", first.url)).await.unwrap().text().await.unwrap();
    assert!(logs.contains("jobmanager.log") && !logs.contains("taskmanager"), "{logs}");

    kill(first.task_manager_pids[0], Signal::KILL);
    until("the TaskManager is gone", || !lives(first.task_manager_pids[0])).await;
    let status = cluster.status().await.unwrap();
    assert_eq!(status.state, State::Degraded, "{status:?}");
    assert!(status.problems.iter().any(|problem| problem.contains("taskmanager-1")), "{status:?}");
    let repaired = own.up().await;
    assert_eq!((repaired.job_manager_pid, repaired.slots), (first.job_manager_pid, 3), "{repaired:?}");
    assert!(!repaired.reused && repaired.task_manager_pids != first.task_manager_pids, "{repaired:?}");

    // A checkpoint outlives the processes.
    let kept = cluster.directory.join("checkpoints/kept");
    std::fs::write(&kept, "x").unwrap();
    kill(repaired.job_manager_pid, Signal::KILL);
    until("the JobManager is gone", || !lives(repaired.job_manager_pid)).await;
    let status = cluster.status().await.unwrap();
    assert_eq!((status.state, &status.url), (State::Degraded, &None), "{status:?}");
    assert!(status.problems.iter().any(|problem| problem.contains("jobmanager")), "{status:?}");
    assert_eq!(cluster.url(), None);
    let new = own.up().await;
    assert!(new.job_manager_pid != first.job_manager_pid && new.slots == 3, "{new:?}");
    assert_eq!(new.url, first.url, "a cluster keeps its address");
    assert!(!lives(repaired.task_manager_pids[0]) && kept.exists());

    let down = cluster.down(&Cancel::default(), &silent).await.unwrap();
    assert_eq!(down.stopped.len(), 2, "{down:?}");
    assert!(down.stopped.iter().all(|pid| !lives(*pid)));
    assert_eq!(cluster.status().await.unwrap().state, State::Down);
    assert!(cluster.down(&Cancel::default(), &silent).await.unwrap().stopped.is_empty());
}

/// What the cluster listens on besides loopback.
///
/// Source: `proc(5)`, `/proc/net/tcp`.
fn listeners_elsewhere(up: &Up) -> Vec<String> {
    let sockets: Vec<String> = std::iter::once(&up.job_manager_pid)
        .chain(&up.task_manager_pids)
        .flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap())
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let listening = tables.iter().flat_map(|table| table.lines()).filter(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| sockets.iter().any(|socket| socket == inode))
    });
    let listening: Vec<&str> = listening.collect();
    assert!(listening.len() >= 4, "the JobManager alone listens on three ports: {listening:?}");
    let loopback = [" 0100007F:", " 0000000000000000FFFF00000100007F:", " 00000000000000000000000001000000:"];
    listening
        .iter()
        .filter(|line| !loopback.iter().any(|each| line.contains(each)))
        .map(|line| (*line).to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_found_again_where_the_record_was_lost() {
    let own = Own::new(1);
    let first = own.up().await;
    // As after a `kill -9` between the start and the record, or after somebody's `rm -r .tidegate`.
    std::fs::remove_file(own.cluster.directory.join("cluster.json")).unwrap();
    let second = own.up().await;
    assert!(!lives(first.job_manager_pid) && !lives(first.task_manager_pids[0]));
    std::fs::remove_dir_all(&own.cluster.directory).unwrap();
    let down = own.cluster.down(&Cancel::default(), &silent).await.unwrap();
    assert_eq!(down.stopped.len(), 2);
    assert!(!lives(second.job_manager_pid) && !lives(second.task_manager_pids[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let mut own = Own::new(1);
    own.cluster.options.insert("security.ssl.rest.enabled".to_owned(), "true".to_owned());
    let error = own.cluster.up(&real(), &Cancel::default(), &silent).await.unwrap_err();
    assert!(error.is(&code::CLUSTER_START), "{error:?}");
    assert!(error.to_string().contains("log/jobmanager/jobmanager.log"), "{error:?}");
    assert!(error.causes()[0].contains("security.ssl"), "{error:?}");
    assert_eq!(own.cluster.status().await.unwrap().members, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_else_took_first_is_given_up() {
    for setting in ["rest.port", "jobmanager.rpc.port"] {
        let own = Own::new(1);
        let said = Said::default();
        let taken = Mutex::new(None);
        let hear = |progress: &Progress| {
            let mut taken = taken.lock().unwrap();
            if matches!(progress, Progress::Word(word) if word.starts_with("starting Flink")) && taken.is_none() {
                let text = std::fs::read_to_string(own.cluster.directory.join("conf/config.yaml")).unwrap();
                let line = text.lines().find_map(|line| line.strip_prefix(&format!("{setting}: "))).unwrap();
                let port: u16 = line.trim_matches('"').parse().unwrap();
                *taken = Some(std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
            }
            said.hear()(progress);
        };
        let up = own.cluster.up(&real(), &Cancel::default(), &hear).await.unwrap();
        assert!(said.words().contains("trying other ports"), "{setting}: {}", said.words());
        assert_eq!(up.slots, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_start_leaves_nothing() {
    let own = Own::new(1);
    let cancel = Cancel::default();
    let starting = |progress: &Progress| {
        if matches!(progress, Progress::Word(word) if word.starts_with("starting Flink")) {
            cancel.cancel();
        }
    };
    let error = own.cluster.up(&real(), &cancel, &starting).await.unwrap_err();
    assert!(error.is(&code::CANCELLED), "{error:?}");
    assert_eq!(own.cluster.status().await.unwrap().members, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_one_cluster_start_it_once() {
    let own = Own::new(1);
    let (one, other) = tokio::join!(own.up(), own.up());
    assert_eq!(one.job_manager_pid, other.job_manager_pid);
    assert!(one.reused != other.reused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_job_manager_is_said_to_be_stopped() {
    let own = Own::new(1);
    let up = own.up().await;
    kill(up.job_manager_pid, Signal::STOP);
    until("it is stopped", || process::is_stopped(up.job_manager_pid)).await;
    let error = own.cluster.up(&real(), &Cancel::default(), &silent).await.unwrap_err();
    assert!(error.is(&code::CLUSTER_START) && error.to_string().contains("is stopped"), "{error:?}");
    assert!(lives(up.job_manager_pid), "its jobs are not lost for that");
    kill(up.job_manager_pid, Signal::CONT);
    assert!(own.up().await.reused);
}

/// Not a test: the process that `a_start_that_was_killed_is_taken_over` kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test"]
async fn starts_the_cluster_that_it_is_told() {
    let Some(directory) = std::env::var_os("TIDEGATE_TEST_CLUSTER") else { return };
    let cluster = Cluster { directory: directory.into(), ..cluster(2) };
    cluster.up(&real(), &Cancel::default(), &silent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_killed_is_taken_over() {
    let own = Own::new(2);
    let mut starter = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "starts_the_cluster_that_it_is_told"])
        .env("TIDEGATE_TEST_CLUSTER", &own.cluster.directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        let status = own.cluster.status().await.unwrap();
        if !status.members.is_empty() {
            break status;
        }
        assert!(Instant::now() < deadline, "never started: {status:?}");
    };
    starter.kill().unwrap();
    starter.wait().unwrap();
    assert_eq!(status.state, State::Starting, "{status:?}");
    let up = own.up().await;
    assert_eq!(up.slots, 2);
    let members: Vec<u32> = own.cluster.status().await.unwrap().members.iter().map(|member| member.pid).collect();
    assert_eq!(members, [up.job_manager_pid, up.task_manager_pids[0]]);
    assert!(members.contains(&status.members[0].pid), "what was started is used: {status:?}");
}

/// A folder with a `python3` whose pip sees nothing but a small Flink.
struct Fake {
    folder: TempDir,
}

const EXACT: &str = "1.20.2";

/// Writes a source archive with small jars: `sys.argv` is the file and the names in it.
const PACK: &str = "
import io, sys, tarfile, zipfile
jar = io.BytesIO()
with zipfile.ZipFile(jar, 'w') as file:
    file.writestr('x', 'y' * 100)
out = tarfile.open(sys.argv[1], 'w:gz')
for name in sys.argv[2:]:
    data = jar.getvalue() if name.endswith('.jar') else b'text'
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    out.addfile(entry, io.BytesIO(data))
out.close()
";

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::create_dir(&index).unwrap();
        let python = find_program("python3");
        let fake = Self { folder };
        fake.program(
            "python3",
            &format!("PIP_NO_INDEX=1 PIP_FIND_LINKS='{}' exec '{}' \"$@\"", index.display(), python.display()),
        );
        let name = |inner: &str| format!("apache-flink-libraries-{EXACT}/{inner}");
        let jars = ["flink-dist-1.20.2", "flink-table-x", "log4j-core", "log4j-api", "log4j-slf4j-impl"];
        let status = std::process::Command::new(python)
            .args(["-c", PACK])
            .arg(index.join(format!("apache-flink-libraries-{EXACT}.tar.gz")))
            .args(jars.map(|jar| name(&format!("deps/lib/{jar}.jar"))))
            .args([
                name("deps/lib/../../../escaped"),
                name("deps/opt/x.jar"),
                name("deps/plugins/p/p.jar"),
                name("setup.py"),
            ])
            .status()
            .unwrap();
        assert!(status.success());
        fake
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.folder.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            cache: self.folder.path().join("cache"),
            java_home: None,
            flink_home: None,
            path: vec![self.folder.path().join("bin")],
        }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("cache/flink").join(EXACT)
    }

    /// What lies in the cache besides locks.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("cache/flink")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with(".lock"));
        names
    }
}

fn find_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flink_is_installed_once_and_found_after_that() {
    let fake = Fake::new();
    let home = install::find_or_install(EXACT, &fake.surroundings(), &Cancel::default(), &silent).await.unwrap();
    assert_eq!((home.origin, home.path.clone()), (install::Origin::Downloaded, fake.home()));
    assert!(home.path.join("plugins/p/p.jar").exists() && !home.path.join("opt").exists());
    assert!(home.classpath().unwrap().ends_with("flink-dist-1.20.2.jar"));
    assert_eq!(fake.left(), [EXACT], "nothing was unpacked outside");
    fake.program("python3", "exit 9");
    for wanted in [EXACT, "1.20"] {
        let found = install::find_or_install(wanted, &fake.surroundings(), &Cancel::default(), &silent).await.unwrap();
        assert_eq!((found.origin, found.version.as_str()), (install::Origin::Installed, EXACT), "{wanted}");
    }
    let listed = install::list(&fake.surroundings().cache).unwrap();
    assert!(listed.len() == 1 && listed[0].version == EXACT && listed[0].bytes > 500, "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_install_is_not_taken_for_whole() {
    let fake = Fake::new();
    // As somebody's hand, or a crash of the machine, may leave it.
    std::fs::create_dir_all(fake.home().join("lib")).unwrap();
    std::fs::write(fake.home().join("lib/flink-dist-1.20.2.jar"), "half").unwrap();
    std::fs::create_dir(fake.home().with_file_name(".1.20.2.part-1-1")).unwrap();
    assert!(install::list(&fake.surroundings().cache).unwrap().is_empty());
    let ask =
        async || install::find_or_install(EXACT, &fake.surroundings(), &Cancel::default(), &silent).await.unwrap();
    assert_eq!(ask().await.origin, install::Origin::Downloaded);
    assert_eq!(fake.left(), [EXACT], "what the killed install left is swept");
    std::fs::write(fake.home().join("lib/log4j-core.jar"), "shorter").unwrap();
    assert_eq!(ask().await.origin, install::Origin::Downloaded);
    assert_eq!(ask().await.origin, install::Origin::Installed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_install_leaves_nothing_and_ends_its_child() {
    let fake = Fake::new();
    let pid = fake.folder.path().join("pid");
    fake.program("python3", &format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 300", pid.display()));
    let cancel = Cancel::default();
    let surroundings = fake.surroundings();
    let installing = install::find_or_install(EXACT, &surroundings, &cancel, &silent);
    let interrupt = async {
        until("the download runs", || pid.exists()).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(installing, interrupt);
    assert!(result.unwrap_err().is(&code::CANCELLED));
    let child: u32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    until("the child has ended", || !lives(child)).await;
    assert_eq!(fake.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_installs_at_once_one_waits_for_the_other() {
    let fake = Fake::new();
    let (cancel, surroundings) = (Cancel::default(), fake.surroundings());
    let ask = || install::find_or_install(EXACT, &surroundings, &cancel, &silent);
    let (one, other) = tokio::join!(ask(), ask());
    let origins = [one.unwrap().origin, other.unwrap().origin];
    assert!(
        origins.contains(&install::Origin::Downloaded) && origins.contains(&install::Origin::Installed),
        "{origins:?}"
    );
    assert_eq!(fake.left(), [EXACT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_install_says_why_and_what_to_do() {
    let fake = Fake::new();
    let ask = async |surroundings: &Surroundings, version: &str| {
        install::find_or_install(version, surroundings, &Cancel::default(), &silent).await.unwrap_err()
    };
    let error = ask(&fake.surroundings(), "1.19.1").await;
    assert!(error.is(&code::FLINK_INSTALL) && error.causes()[0].contains("has no"), "{error:?}");
    assert!(error.hint_text().unwrap().contains("FLINK_HOME"), "{error:?}");

    let nowhere = Surroundings { path: vec![], ..fake.surroundings() };
    let error = ask(&nowhere, EXACT).await;
    assert!(error.causes()[0].contains("no `python3`"), "{error:?}");

    fake.program("python3", "echo '{\"error\": \"no_pip\", \"message\": \"it has no pip\"}'; exit 1");
    let error = ask(&fake.surroundings(), EXACT).await;
    assert!(error.causes()[0].contains("no pip") && error.hint_text().unwrap().contains("apt install"), "{error:?}");

    fake.program("python3", "echo broken >&2; exit 3");
    let error = ask(&fake.surroundings(), EXACT).await;
    assert!(error.causes()[0].contains("broken"), "{error:?}");

    // An index for which nobody answers.
    let python = find_program("python3");
    fake.program(
        "python3",
        &format!(
            "PIP_FIND_LINKS= PIP_RETRIES=0 PIP_INDEX_URL=http://127.0.0.1:9/simple exec '{}' \"$@\"",
            python.display()
        ),
    );
    let error = ask(&fake.surroundings(), EXACT).await;
    assert!(error.causes()[0].contains("127.0.0.1") && error.hint_text().unwrap().contains("pip config"), "{error:?}");
    assert_eq!(fake.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_flink_home_is_passed_over_with_a_word() {
    let fake = Fake::new();
    let home = fake.folder.path().join("own");
    std::fs::create_dir_all(home.join("lib")).unwrap();
    std::fs::write(home.join("lib/flink-dist-1.17.2.jar"), "").unwrap();
    let surroundings = Surroundings { flink_home: Some(home.clone()), ..fake.surroundings() };
    let said = Said::default();
    let found = install::find_or_install(EXACT, &surroundings, &Cancel::default(), &said.hear()).await.unwrap();
    assert_eq!(found.path, fake.home());
    assert!(said.words().contains("passing over Flink 1.17.2 of FLINK_HOME"), "{}", said.words());
    let found = install::find_or_install("1.17", &surroundings, &Cancel::default(), &silent).await.unwrap();
    assert_eq!((found.origin, found.path, found.version.as_str()), (install::Origin::Found, home, "1.17.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_java_home_is_passed_over_with_a_word() {
    let fake = Fake::new();
    let old = fake.folder.path().join("old");
    std::fs::create_dir_all(old.join("bin")).unwrap();
    fake.program("java8", "echo '    java.specification.version = 1.8' >&2");
    std::fs::rename(fake.folder.path().join("bin/java8"), old.join("bin/java")).unwrap();
    let said = Said::default();
    let surroundings = Surroundings { java_home: Some(old), ..real() };
    let found = java::find(&surroundings, &Cancel::default(), &said.hear()).await.unwrap();
    assert!([11, 17, 21].contains(&found.version_major), "{found:?}");
    assert_ne!(found.origin, java::Origin::JavaHome);
    assert!(
        said.words().contains("passing over Java 8 at") && said.words().contains("(JAVA_HOME)"),
        "{}",
        said.words()
    );

    let said = Said::default();
    let surroundings = Surroundings { java_home: Some(Path::new("/nowhere").to_owned()), ..surroundings };
    java::find(&surroundings, &Cancel::default(), &said.hear()).await.unwrap();
    assert!(said.words().contains("passing over /nowhere/bin/java"), "{}", said.words());

    // None at all, and none to be had: pip sees only the small Flink.
    let error = java::find(&fake.surroundings(), &Cancel::default(), &silent).await.unwrap_err();
    assert!(error.is(&code::JAVA_NOT_FOUND) && error.hint_text().is_some(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_flink_is_installed_with_its_bytes_counted() {
    let said = Said::default();
    let home = install::find_or_install("1.20", &real(), &Cancel::default(), &said.hear()).await.unwrap();
    // Another test, or an earlier run, may have been first.
    assert_eq!(home.origin == install::Origin::Downloaded, said.saw_bytes());
    assert!(home.classpath().unwrap().contains("flink-table-planner"));
}

/// By hand, with `cargo test --test local_flink -- --ignored --nocapture`: downloads what is missing of them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "downloads 200 MB for each version"]
async fn old_and_new_versions_start_with_and_without_a_java() {
    let bare = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(find_program("python3"), bare.path().join("python3")).unwrap();
    let without = Surroundings { java_home: None, path: vec![bare.path().to_owned()], ..real() };
    for version in ["1.13", "1.15", "1.17", "1.18", "1.20", "2.0", "2.3"] {
        for surroundings in [&real(), &without] {
            let mut own = Own::new(2);
            own.cluster.version = version.to_owned();
            let java = java::find(surroundings, &Cancel::default(), &silent).await.unwrap();
            install::find_or_install(version, surroundings, &Cancel::default(), &silent).await.unwrap();
            let begun = Instant::now();
            let up = own.cluster.up(surroundings, &Cancel::default(), &silent).await.unwrap();
            let started = begun.elapsed();
            assert!(
                up.slots == 2
                    && install::list(&surroundings.cache).unwrap().iter().any(|each| each.version == up.version)
            );
            let status = own.cluster.status().await.unwrap();
            assert_eq!(status.state, State::Up, "{status:?}");
            let memory: Vec<u64> =
                status.members.iter().filter_map(|each| each.memory_bytes).map(|bytes| bytes >> 20).collect();
            let begun = Instant::now();
            own.cluster.down(&Cancel::default(), &silent).await.unwrap();
            let (java, down) = (java.version_major, begun.elapsed());
            eprintln!("Flink {} on Java {java}: up {started:.1?}, {memory:?} MB, down {down:.1?}", up.version);
        }
    }
}
