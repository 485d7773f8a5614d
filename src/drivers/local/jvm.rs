//! The processes of local clusters: starting them so that they outlive us, finding them again, ending them.
//!
//! Every process carries a mark on its command line. So it is found even where tidegate was killed between starting it
//! and writing its number down, or where the file with the numbers was deleted.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, getuid, kill_process, pidfd_open, pidfd_send_signal};

use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, hash, process};

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// A live process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jvm {
    /// `jobmanager`, or `taskmanager-N` for the N-th.
    pub(super) name: String,
    /// The name under which a TaskManager is known to its JobManager.
    pub(super) resource: Option<String>,
    pub(super) pid: u32,
    pub(super) start_time: u64,
}

impl Jvm {
    pub(super) fn is_alive(&self) -> bool {
        process::start_time(self.pid) == Some(self.start_time)
    }

    pub(super) fn is_job_manager(&self) -> bool {
        self.name == JOB_MANAGER
    }
}

/// The name of a JobManager.
pub(super) const JOB_MANAGER: &str = "jobmanager";

/// What a process is started with.
pub(super) struct Launch<'a> {
    pub(super) java: &'a Path,
    /// `jobmanager`, `taskmanager-1`.
    pub(super) name: String,
    pub(super) resource: Option<String>,
    /// The cluster's folder, absolute.
    pub(super) directory: &'a Path,
    pub(super) flink_home: &'a Path,
    pub(super) classpath: &'a str,
    pub(super) flags: Vec<String>,
}

/// The mark of a cluster: that of its folder's path. A copied workspace is another cluster; one that was deleted and
/// made again finds the processes of the old one.
pub(super) fn mark(directory: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    format!("-Dtidegate.cluster={}", &hash::sha256(directory.as_os_str().as_bytes())[..24])
}

/// Where a process logs: a folder of its own, since Flink's REST lists and serves the whole folder.
pub(super) fn log_file(directory: &Path, name: &str) -> PathBuf {
    directory.join("log").join(name).join(format!("{name}.log"))
}

/// Where what a process prints goes.
pub(super) fn out_file(directory: &Path, name: &str) -> PathBuf {
    log_file(directory, name).with_extension("out")
}

/// Starts a process in a process group of its own, so that Ctrl-C in our terminal does not reach it.
pub(super) fn start(launch: &Launch<'_>) -> Result<Jvm> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::new(&code::CLUSTER_START, format!("{} cannot be started", launch.name))
            .caused_by(format!("{}: {error}", path.display()))
    };
    let log = log_file(launch.directory, &launch.name);
    let folder = log.parent().unwrap_or(launch.directory);
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let out = out_file(launch.directory, &launch.name);
    let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&out);
    let stdout = open().map_err(|error| failed(&out, error))?;
    let stderr = open().map_err(|error| failed(&out, error))?;
    let conf = launch.directory.join("conf");
    let define = |name: &str, prefix: &str, path: &Path| {
        let mut word = OsString::from(format!("-D{name}={prefix}"));
        word.push(path);
        word
    };
    let main = match launch.resource {
        None => "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
        Some(_) => "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
    };
    let mut command = tokio::process::Command::new(launch.java);
    command
        .arg(mark(launch.directory))
        .arg(format!("-Dtidegate.process={}", launch.name))
        .args(&launch.flags)
        .arg(define("log.file", "", &log))
        .arg(define("log4j.configurationFile", "file:", &conf.join("log4j.properties")))
        .arg(define("java.io.tmpdir", "", &launch.directory.join("tmp")))
        .args(["-cp", launch.classpath, main, "--configDir"])
        .arg(&conf)
        .env("FLINK_CONF_DIR", &conf)
        .env("FLINK_LIB_DIR", launch.flink_home.join("lib"))
        .env("FLINK_PLUGINS_DIR", launch.flink_home.join("plugins"))
        .current_dir(launch.directory)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(resource) = &launch.resource {
        command.arg("-D").arg(format!("{RESOURCE}{resource}"));
    }
    // Dropped without being awaited: the runtime collects it should it end before us.
    let child = command.spawn().map_err(|error| failed(launch.java, error))?;
    let pid = child.id().unwrap_or_default();
    let start_time = process::start_time(pid).ok_or_else(|| {
        Error::new(&code::CLUSTER_START, format!("{} ended at once", launch.name)).caused_by(last_line(&out))
    })?;
    Ok(Jvm { name: launch.name.clone(), resource: launch.resource.clone(), pid, start_time })
}

const RESOURCE: &str = "taskmanager.resource-id=";

fn last_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().lines().last().unwrap_or("it said nothing").to_owned()
}

/// The live processes with this mark, of our user, in our file system.
///
/// Source: `proc(5)`, `/proc/PID/cmdline`.
pub(super) fn find(mark: &str) -> Vec<Jvm> {
    let user = getuid().as_raw();
    let mounts = std::fs::read_link("/proc/self/ns/mnt").ok();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(start_time) = process::start_time(pid) else { continue };
        let Ok(words) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let words: Vec<String> =
            words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if words.get(1).map(String::as_str) != Some(mark)
            || !entry.metadata().is_ok_and(|metadata| metadata.uid() == user)
        {
            continue;
        }
        // The same path in a container is another folder.
        let theirs = std::fs::read_link(entry.path().join("ns/mnt")).ok();
        if theirs.is_some() && theirs != mounts {
            continue;
        }
        let word = |prefix: &str| words.iter().find_map(|word| word.strip_prefix(prefix)).map(str::to_owned);
        let Some(name) = word("-Dtidegate.process=") else { continue };
        found.push(Jvm { name, resource: word(RESOURCE), pid, start_time });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Ends processes: SIGTERM, and SIGKILL for those that live 10 s later. Returns the numbers of the latter.
///
/// # Errors
/// `cluster.stop_failed` where one cannot be ended, `cancelled`.
pub(super) async fn stop(processes: &[Jvm], cancel: &Cancel) -> Result<Vec<u32>> {
    for process in processes {
        signal(process, Signal::TERM)?;
    }
    if wait_for_end(processes, GRACE, cancel).await? {
        return Ok(Vec::new());
    }
    let stubborn: Vec<Jvm> = processes.iter().filter(|process| process.is_alive()).cloned().collect();
    for process in &stubborn {
        signal(process, Signal::KILL)?;
    }
    if wait_for_end(&stubborn, GRACE, cancel).await? {
        return Ok(stubborn.iter().map(|process| process.pid).collect());
    }
    let left: Vec<String> = stubborn
        .iter()
        .filter(|process| process.is_alive())
        .map(|process| format!("{} (pid {})", process.name, process.pid))
        .collect();
    Err(Error::new(&code::CLUSTER_STOP, format!("{} did not end, not even after SIGKILL", left.join(" and "))))
}

async fn wait_for_end(processes: &[Jvm], patience: Duration, cancel: &Cancel) -> Result<bool> {
    let deadline = Instant::now() + patience;
    while processes.iter().any(Jvm::is_alive) {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        cancel
            .select(async {
                tokio::time::sleep(POLL).await;
                Ok(())
            })
            .await?;
    }
    Ok(true)
}

/// Sends a signal to exactly this process. One that has ended is no error.
fn signal(process: &Jvm, signal: Signal) -> Result<()> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    // The descriptor stays with the process that had the number when it was opened: looked at after that, its identity
    // cannot change before the signal arrives.
    let descriptor = pidfd_open(pid, PidfdFlags::empty());
    if !process.is_alive() {
        return Ok(());
    }
    let sent = match descriptor {
        Ok(descriptor) => pidfd_send_signal(descriptor, signal),
        // Before Linux 5.3, or in a sandbox.
        Err(_) => kill_process(pid, signal),
    };
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => {
            Err(Error::new(&code::CLUSTER_STOP, format!("{} (pid {}) cannot be ended", process.name, process.pid))
                .caused_by(error))
        }
    }
}

/// The memory of a live process that is in RAM, in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
