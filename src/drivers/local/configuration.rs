//! The configuration of a local cluster: Flink's settings, the JVM flags that belong to them, and the logging.
//!
//! Flink's start scripts compute the parts of a TaskManager's memory; started as plain `java` it needs every part
//! written down, and the JVM's limits to agree with them.

use std::collections::BTreeMap;
use std::path::Path;

use super::cluster::{Cluster, settle};
use super::install;
use crate::base::{Error, Result, code};

/// What is configured.
pub(super) struct Wanted<'a> {
    /// The folder of the cluster, absolute.
    pub(super) directory: &'a Path,
    /// Task slots of a TaskManager.
    pub(super) slots: u32,
    /// What the user sets.
    pub(super) options: &'a BTreeMap<String, String>,
    /// The port of the REST endpoint.
    pub(super) rest_port: u16,
    /// The port on which the TaskManagers reach the JobManager.
    pub(super) rpc_port: u16,
}

/// What the cluster is started with.
#[derive(Debug)]
pub(super) struct Settings {
    /// Flink's settings.
    pub(super) entries: BTreeMap<String, String>,
    /// The memory flags of the JobManager's JVM.
    pub(super) job_manager_flags: Vec<String>,
    /// The memory flags of a TaskManager's JVM.
    pub(super) task_manager_flags: Vec<String>,
}

/// Ours alone: with another value tidegate would lose the cluster.
const OURS: &[&str] = &[
    "jobmanager.rpc.address",
    "jobmanager.rpc.port",
    "rest.address",
    "rest.port",
    "rest.bind-port",
    "taskmanager.numberOfTaskSlots",
    "taskmanager.resource-id",
    "io.tmp.dirs",
    "web.upload.dir",
];

/// Sums that Flink's scripts divide; here the parts are set.
const SUMS: &[&str] = &[
    "jobmanager.memory.process.size",
    "jobmanager.memory.flink.size",
    "jobmanager.heap.size",
    "taskmanager.memory.process.size",
    "taskmanager.memory.flink.size",
    "taskmanager.heap.size",
];

const MIB: u64 = 1 << 20;

/// The settings of a cluster: ours, and the user's over them.
///
/// # Errors
/// `cluster.unsupported` for an option that cannot be set here, `cluster.start_failed` for a folder that Flink cannot use.
pub(super) fn settings(wanted: &Wanted<'_>) -> Result<Settings> {
    refuse(wanted.options)?;
    let directory = usable(wanted.directory)?;
    let slots = u64::from(wanted.slots);
    let host = "127.0.0.1";
    let url = |folder: &str| format!("file://{directory}/{folder}");
    let size = |mib: u64| format!("{mib}m");
    let mut entries: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        entries.insert(name.to_owned(), value);
    };
    for name in ["jobmanager.rpc.address", "jobmanager.bind-host", "rest.address", "rest.bind-address"] {
        set(name, host.to_owned());
    }
    for name in ["taskmanager.host", "taskmanager.bind-host"] {
        set(name, host.to_owned());
    }
    set("jobmanager.rpc.port", wanted.rpc_port.to_string());
    set("rest.port", wanted.rest_port.to_string());
    set("rest.bind-port", wanted.rest_port.to_string());
    // Before 1.17 this cannot be said with a submission, and a cancelled job would lose its checkpoints.
    set("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION".to_owned());
    set("taskmanager.numberOfTaskSlots", wanted.slots.to_string());
    set("parallelism.default", "1".to_owned());
    // A `System.exit` in a job's main method would end the JobManager, and every job with it.
    set("cluster.intercept-user-system-exit", "THROW".to_owned());

    // A TaskManager that comes up before the JobManager asks again after 10 s otherwise (milliseconds; the versions
    // before 2.0 want a plain number).
    set("cluster.registration.error-delay", "500".to_owned());

    set("jobmanager.memory.heap.size", size(384));
    set("jobmanager.memory.off-heap.size", size(128));
    set("jobmanager.memory.jvm-metaspace.size", size(256));
    set("taskmanager.cpu.cores", wanted.slots.to_string());
    set("taskmanager.memory.framework.heap.size", size(128));
    set("taskmanager.memory.task.heap.size", size((64 * slots).max(256)));
    // The reading of batch shuffles takes 64 MiB of it at once; with less a batch job waits for ever.
    set("taskmanager.memory.framework.off-heap.size", size(128));
    set("taskmanager.memory.task.off-heap.size", size(0));
    // 8 MB, 256 buffers, a slot: a shuffle between all of them needs two a pair.
    set("taskmanager.memory.network.min", size((8 * slots).max(32)));
    set("taskmanager.memory.network.max", size((8 * slots).max(32)));
    // With 2 MB a slot a window aggregation fails: "The minBucketMemorySize is not valid!".
    set("taskmanager.memory.managed.size", size((32 * slots).max(64)));
    set("taskmanager.memory.jvm-metaspace.size", size(192));
    set("taskmanager.memory.jvm-overhead.min", size(64));
    set("taskmanager.memory.jvm-overhead.max", size(64));

    set("io.tmp.dirs", format!("{directory}/tmp"));
    set("web.upload.dir", format!("{directory}/upload"));
    // The first name of each pair is that of Flink 1.19 and later.
    set("execution.checkpointing.dir", url("checkpoints"));
    set("state.checkpoints.dir", url("checkpoints"));
    set("execution.checkpointing.savepoint-dir", url("savepoints"));
    set("state.savepoints.dir", url("savepoints"));
    entries.extend(wanted.options.iter().map(|(name, value)| (name.clone(), value.clone())));

    let bytes = |name: &str| -> Result<u64> {
        let text = entries.get(name).map(String::as_str).unwrap_or_default();
        memory(text).ok_or_else(|| {
            Error::new(&code::CLUSTER_UNSUPPORTED, format!("`{name}: {text}` is not a size"))
                .hint("sizes are like `256m` or `1g`")
        })
    };
    let job_heap = bytes("jobmanager.memory.heap.size")? / MIB;
    let job_metaspace = bytes("jobmanager.memory.jvm-metaspace.size")? / MIB;
    let heap = (bytes("taskmanager.memory.framework.heap.size")? + bytes("taskmanager.memory.task.heap.size")?) / MIB;
    let direct = (bytes("taskmanager.memory.framework.off-heap.size")?
        + bytes("taskmanager.memory.task.off-heap.size")?
        + bytes("taskmanager.memory.network.max")?)
        / MIB;
    let metaspace = bytes("taskmanager.memory.jvm-metaspace.size")? / MIB;
    // One garbage collection thread and the quick compiler alone: a laptop's cluster starts sooner and stays smaller.
    let common = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(str::to_owned);
    let mut job_manager_flags = common.to_vec();
    job_manager_flags.extend([format!("-Xmx{job_heap}m"), format!("-XX:MaxMetaspaceSize={job_metaspace}m")]);
    let mut task_manager_flags = common.to_vec();
    task_manager_flags.extend([
        "-Xss512k".to_owned(),
        format!("-Xmx{heap}m"),
        format!("-XX:MaxDirectMemorySize={direct}m"),
        format!("-XX:MaxMetaspaceSize={metaspace}m"),
    ]);
    Ok(Settings { entries, job_manager_flags, task_manager_flags })
}

impl Cluster {
    /// Flink's settings that it would be started with, but for its ports.
    ///
    /// # Errors
    /// `cluster.unsupported` for an option that cannot be set, `cluster.start_failed` for a folder that Flink cannot use.
    pub fn settings(&self) -> Result<BTreeMap<String, String>> {
        let directory = settle(&self.directory);
        let ports = ["jobmanager.rpc.port", "rest.port", "rest.bind-port"];
        let wanted =
            Wanted { directory: &directory, slots: self.slots, options: &self.options, rest_port: 0, rpc_port: 0 };
        let mut entries = settings(&wanted)?.entries;
        entries.retain(|name, _| !ports.contains(&name.as_str()));
        Ok(entries)
    }
}

/// The name of Flink's configuration file: 1.19 brought a new one, and 2.0 reads no other.
pub(super) fn file_name(version: &str) -> &'static str {
    if install::at_least(version, (1, 19)) { "config.yaml" } else { "flink-conf.yaml" }
}

/// The text of Flink's configuration file.
pub(super) fn text(version: &str, entries: &BTreeMap<String, String>) -> String {
    let new = file_name(version) == "config.yaml";
    let mut text = String::from(
        "# Written by tidegate at each start of the cluster: set `options:` of the cluster in tidegate.yaml.\n",
    );
    for (name, value) in entries {
        // The old file is no YAML: a line is split at the first `: `, and quotes would be part of the value.
        let value = if new { serde_json::Value::from(value.as_str()).to_string() } else { value.clone() };
        text.push_str(&format!("{name}: {value}\n"));
    }
    text
}

/// The logging of both processes: a file that Flink's REST serves, at most 6 × 20 MB.
pub(super) const LOG4J: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.main.ref = Main
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.akka.name = akka
logger.akka.level = WARN
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
appender.main.name = Main
appender.main.type = RollingFile
appender.main.append = true
appender.main.fileName = ${sys:log.file}
appender.main.filePattern = ${sys:log.file}.%i
appender.main.layout.type = PatternLayout
appender.main.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
appender.main.policies.type = Policies
appender.main.policies.size.type = SizeBasedTriggeringPolicy
appender.main.policies.size.size = 20MB
appender.main.strategy.type = DefaultRolloverStrategy
appender.main.strategy.max = 5
";

fn refuse(options: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in options {
        let refused = |why: &str| {
            Error::new(&code::CLUSTER_UNSUPPORTED, format!("`{name}` cannot be set for a local cluster: {why}"))
        };
        if OURS.contains(&name.as_str()) {
            return Err(refused("tidegate sets it itself").hint("remove it from the cluster's `options:`"));
        }
        if SUMS.contains(&name.as_str()) {
            let part = if name.starts_with("job") {
                "jobmanager.memory.heap.size"
            } else {
                "taskmanager.memory.task.heap.size"
            };
            return Err(refused("the parts of the memory are set one by one").hint(format!("set `{part}`")));
        }
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || "#:\"'".contains(c)) {
            return Err(refused("no setting of Flink has such a name"));
        }
        // The old file cuts a value at `#`, and knows no way to write a line break.
        if value.contains(['\n', '\r', '#']) {
            return Err(refused("its value holds a line break or a `#`"));
        }
    }
    Ok(())
}

/// The folder as Flink's settings can hold it: lists of folders are split at `,` and `:`, comments begin with `#`.
fn usable(directory: &Path) -> Result<&str> {
    directory.to_str().filter(|text| !text.contains([':', ',', ';', '#', '\n', '"', '%', '\''])).ok_or_else(|| {
        Error::new(&code::CLUSTER_START, format!("Flink cannot keep its files in {}", directory.display()))
            .caused_by("the path holds one of `: , ; # % \" '`, a line break, or is not UTF-8")
            .hint("move the workspace, or set `state_dir:` to a plain path")
    })
}

/// A size as Flink writes it, in bytes: a number and a unit, bytes without one.
///
/// Source: `org.apache.flink.configuration.MemorySize`.
fn memory(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => MIB,
        "g" | "gb" | "gibibytes" => 1 << 30,
        "t" | "tb" | "tebibytes" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(options: &BTreeMap<String, String>) -> Result<Settings> {
        settings(&Wanted { directory: Path::new("/w/c d"), slots: 4, options, rest_port: 81, rpc_port: 82 })
    }

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_jvm_agrees_with_the_parts_of_the_memory() {
        let settings = wanted(&options(&[("taskmanager.memory.task.heap.size", "1 gb")])).unwrap();
        assert!(settings.task_manager_flags.contains(&"-Xmx1152m".to_owned()), "{settings:?}");
        assert!(settings.task_manager_flags.contains(&"-XX:MaxDirectMemorySize=160m".to_owned()), "{settings:?}");
        assert_eq!(
            settings.entries["taskmanager.memory.network.min"],
            settings.entries["taskmanager.memory.network.max"]
        );
    }

    #[test]
    fn options_of_the_user_win_except_ours() {
        let settings = wanted(&options(&[("parallelism.default", "3")])).unwrap();
        assert_eq!(settings.entries["parallelism.default"], "3");
        assert_eq!(settings.entries["state.checkpoints.dir"], "file:///w/c d/checkpoints");
        for (name, value) in [
            ("rest.port", "1"),
            ("taskmanager.memory.process.size", "2g"),
            ("a: b", "1"),
            ("a", "x\ny: z"),
            ("taskmanager.memory.task.heap.size", "much"),
        ] {
            assert!(wanted(&options(&[(name, value)])).unwrap_err().is(&code::CLUSTER_UNSUPPORTED), "{name}");
        }
    }

    #[test]
    fn the_file_is_the_one_that_the_version_reads() {
        let entries = options(&[("a.b", "x \"y\": z")]);
        assert_eq!(file_name("1.18.1"), "flink-conf.yaml");
        assert!(text("1.18.1", &entries).ends_with("\na.b: x \"y\": z\n"));
        for version in ["1.19.3", "2.3.0"] {
            assert_eq!(file_name(version), "config.yaml");
            let written = text(version, &entries);
            let read: BTreeMap<String, String> = serde_yaml::from_str(&written).unwrap();
            assert_eq!(read, entries);
        }
    }

    #[test]
    fn a_folder_that_flink_would_split_is_refused() {
        assert!(usable(Path::new("/a b/ü")).is_ok());
        assert!(usable(Path::new("/a:b")).unwrap_err().is(&code::CLUSTER_START));
    }

    #[test]
    fn sizes_are_read_as_flink_reads_them() {
        assert_eq!(memory("64m"), Some(64 * MIB));
        assert_eq!(memory("1 GB"), Some(1024 * MIB));
        assert_eq!(memory("10"), Some(10));
        assert_eq!(memory("m"), None);
        assert_eq!(memory("1.5g"), None);
    }
}
