//! A job that counts, on a real Flink: after upgrades in each mode, rollbacks, restarts, deaths of tidegate at random moments and
//! the death of the JobManager, its sink holds each number from 1 on exactly once. It never began again, nothing ran twice.
//!
//! `VERSIONS="1.17 1.20 2.3" KILLS=100 cargo test --test counting -- --nocapture` takes more versions and kills more often. On
//! 1.20 the job's state is in RocksDB, with incremental checkpoints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "counts and times are told")]
#![allow(dead_code, reason = "the support is shared with tests that use more of it")]

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

#[path = "support/workspace.rs"]
mod workspace;

use workspace::{Cluster, Workspace, kill, until, wait};

const SQL: &str = "\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '{{ rate }}',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '400000');
CREATE TABLE seen (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '{{ folder }}', 'format' = 'csv');
CREATE TABLE sums (k BIGINT, c BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'blackhole');
INSERT INTO seen SELECT n FROM numbers;
INSERT INTO sums SELECT MOD(n, 100), COUNT(*) FROM numbers GROUP BY MOD(n, 100);
";

fn script(rate: u32, options: &str, rocks: bool) -> String {
    let backend = if rocks {
        "options: #{ \"state.backend.type\": \"rocksdb\", \"execution.checkpointing.incremental\": true, \"state.backend.incremental\": true },"
    } else {
        ""
    };
    format!(
        "let spec = job::sql(\"counting\", #{{ template: \"counting.sql\", vars: #{{ rate: {rate}, folder: env::var(\"seen\") }}, parallelism: 1,\n\
         {backend} checkpointing: #{{ interval: \"500ms\" }} }});\n\
         let job = spec.deploy({options});\njob.wait_for(\"RUNNING\", \"2m\");\nprint(`attempt ${{job.attempt}} from ${{job.restored_from}}`);\n"
    )
}

/// The numbers that are committed: whole files only.
fn seen(folder: &Path) -> Vec<u64> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        numbers.extend(text.lines().map(|line| line.parse::<u64>().unwrap()));
    }
    numbers.sort_unstable();
    numbers
}

/// The most savepoints that are kept where all may go: the newest of three revisions, the newest of all, and what the job was started from.
const NEEDED: usize = 5;

struct Counting {
    cluster: Cluster,
    folder: std::path::PathBuf,
}

impl Counting {
    fn on(version: &str) -> Self {
        let workspace = Workspace::on("counting", &format!("{{ kind: local, flink: \"{version}\", slots: 2 }}"));
        let folder = workspace.path("seen");
        let yaml = std::fs::read_to_string(workspace.path("tidegate.yaml")).unwrap();
        let variables = format!("vars: {{ seen: \"file://{}\",", folder.display());
        workspace.write("tidegate.yaml", &yaml.replace("vars: {", &variables));
        workspace.write("templates/counting.sql", SQL);
        let rocks = version == "1.20";
        for (name, rate, options) in [
            ("slow", 300, ""),
            ("fast", 400, ""),
            ("slow_last", 300, "#{ upgrade: \"last_state\" }"),
            ("fast_last", 400, "#{ upgrade: \"last_state\" }"),
            ("stable", 350, "#{ stable: #{ checkpoints: 2, within: \"1m\" } }"),
        ] {
            workspace.script(name, &script(rate, options, rocks));
        }
        Self { cluster: Cluster::up(workspace), folder }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let begun = Instant::now();
        let ended = self.cluster.workspace.tidegate(arguments).ok();
        assert!(!ended.out.contains("from ()") || arguments == ["run", "slow"], "{ended}");
        eprintln!("  {}: {:.1} s", arguments.join(" "), begun.elapsed().as_secs_f64());
        self.one_lives(&arguments.join(" "));
        ended.to_string()
    }

    /// The savepoints that tidegate holds to be whole.
    fn savepoints(&self) -> Vec<String> {
        let listed = self.cluster.workspace.json(&["savepoints", "counting"]);
        let rows = listed.as_array().unwrap().iter();
        let ours = rows.filter(|row| row["kind"] != "checkpoint" && row["status"] == "completed");
        ours.map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    }

    /// Prunes all that may go, and lets the job go on from its newest checkpoint; how many savepoints went. What went is gone, and what
    /// stays is there.
    fn prune(&self, after: &str) -> usize {
        let before = self.savepoints();
        let pruned =
            self.cluster.workspace.tidegate(&["savepoints", "prune", "--keep", "0", "--older-than", "0s"]).ok();
        let kept = self.savepoints();
        let gone: Vec<&String> = before.iter().filter(|path| !kept.contains(path)).collect();
        let is_there = |path: &str| Path::new(path.strip_prefix("file:").unwrap()).join("_metadata").exists();
        assert!(gone.iter().all(|path| !is_there(path)), "after {after}: {gone:?} are not gone");
        assert!(kept.iter().all(|path| is_there(path)), "after {after}: {kept:?} are not there");
        assert_eq!(pruned.err.matches("deleted").count(), gone.len(), "{pruned}");
        assert!(kept.len() <= NEEDED && (!gone.is_empty() || before.len() <= NEEDED), "after {after}: {kept:?}");
        // The checkpoint shares its files with those before it, back to what the job was once started from.
        self.counts_on();
        let restarted = self.run(&["restart", "counting", "--upgrade", "last_state"]);
        assert!(restarted.contains("/chk-"), "after {after} and a prune: {restarted}");
        self.counts_on();
        self.is_whole(&format!("{after} and a prune"));
        gone.len()
    }

    fn live(&self) -> usize {
        let ended = ["FAILED", "CANCELED", "FINISHED"];
        let jobs = self.cluster.listed("counting");
        jobs.iter().filter(|job| !ended.contains(&job["state"].as_str().unwrap())).count()
    }

    /// Exactly one execution lives.
    fn one_lives(&self, after: &str) {
        assert_eq!(self.live(), 1, "after {after}: {:?}", self.cluster.listed("counting"));
    }

    /// Waits until it has counted on.
    fn counts_on(&self) -> usize {
        let before = seen(&self.folder).len();
        until("more numbers", || Some(seen(&self.folder).len()).filter(|count| *count > before))
    }

    /// Every number from 1 on, each once.
    fn is_whole(&self, after: &str) {
        let numbers = seen(&self.folder);
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        let wrong = numbers.iter().zip(&expected).position(|(found, wanted)| found != wanted);
        assert!(wrong.is_none(), "after {after}: not each number once, from place {wrong:?} of {}", numbers.len());
        assert!(!numbers.is_empty());
    }

    /// Kills tidegate while it does something, and lets a successor go on with it.
    fn killed(&self, arguments: &[&str], after: Duration, resumes: bool) -> bool {
        let workspace = &self.cluster.workspace;
        let child = workspace.start(arguments);
        // The moment itself is the case: nothing is awaited.
        std::thread::park_timeout(after);
        kill(child.id(), Signal::KILL);
        let ended = wait(child);
        let runs = workspace.json(&["runs", "--limit", "1"]);
        let newest = &runs[0];
        let open = newest["status"] == "running";
        let id = newest["id"].as_str().map_or_else(|| format!("r{}", newest["id"]), str::to_owned);
        let run = if id.starts_with('r') { id } else { format!("r{id}") };
        if resumes && open {
            let resumed = workspace.tidegate(&["resume", &run]);
            let explained = resumed.err.contains("died before it began: nothing was done");
            assert!(resumed.code == Some(0) || explained, "{arguments:?} after {after:?}: {resumed}");
        }
        // Once more, as somebody would: it is idempotent, or one more restart.
        let again = workspace.tidegate(arguments);
        assert_eq!(again.code, Some(0), "{arguments:?} after {after:?}: {again}");
        if ["stop", "cancel", "remove"].contains(&arguments[0]) {
            assert_eq!(self.live(), 0, "{arguments:?} killed after {after:?}: {again}");
            workspace.tidegate(&["run", "slow"]).ok();
        }
        self.one_lives(&format!("{arguments:?} killed after {after:?}"));
        ended.code.is_none()
    }
}

fn on(version: &str, kills: u64) {
    let begun = Instant::now();
    let mut counting = Counting::on(version);
    counting.run(&["run", "slow"]);
    counting.counts_on();
    for step in [
        &["run", "fast"][..],
        &["run", "slow_last"],
        &["rollback", "counting"],
        &["restart", "counting"],
        &["restart", "counting", "--upgrade", "last_state"],
        &["run", "stable"],
        &["savepoint", "counting"],
    ] {
        counting.run(step);
        counting.counts_on();
        counting.is_whole(&step.join(" "));
    }
    // Five savepoints are there: of three revisions the newest stays.
    let (mut prunes, mut pruned) = (1, counting.prune("the upgrades"));
    assert!(pruned > 0, "nothing was pruned");
    let mut killed = 0_u32;
    for index in 0..kills {
        let actions: [&[&str]; 9] = [
            &["run", "fast"],
            &["run", "slow_last"],
            &["restart", "counting"],
            &["run", "fast_last"],
            &["run", "slow"],
            &["stop", "counting"],
            &["rollback", "counting"],
            &["remove", "counting"],
            &["cancel", "counting"],
        ];
        let moment = Duration::from_millis(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 2_500);
        let action = actions[usize::try_from(index).unwrap() % actions.len()];
        killed += u32::from(counting.killed(action, moment, index % 2 == 0));
        if index % 3 == 2 {
            prunes += 1;
            pruned += counting.prune(&format!("kill {index}"));
        }
    }
    counting.counts_on();
    counting.is_whole("kills");
    // The JobManager dies with all that it knows; the newest checkpoint lies in the workspace.
    kill(counting.cluster.pid("jobmanager"), Signal::KILL);
    counting.cluster.workspace.tidegate(&["cluster", "up"]).ok();
    // Its port may be another one: somebody else can have taken the old one meanwhile.
    let status = counting.cluster.workspace.json(&["cluster", "status"]);
    counting.cluster.url = status[0]["url"].as_str().unwrap().to_owned();
    counting.run(&["run", "fast"]);
    counting.counts_on();
    counting.is_whole("the death of the JobManager");
    counting.run(&["savepoint", "counting"]);
    prunes += 1;
    pruned += counting.prune("the death of the JobManager");
    let drift = counting.cluster.workspace.tidegate(&["drift"]).ok();
    assert!(drift.err.contains("no difference"), "{drift}");
    counting.cluster.workspace.tidegate(&["stop", "counting"]).ok();
    counting.is_whole("the stop");
    eprintln!(
        "Flink {version}: {} numbers, each once; {killed} of {kills} kills hit; {pruned} savepoints went in {prunes} prunes, and after each it \
         went on from a checkpoint; {:.0} s",
        seen(&counting.folder).len(),
        begun.elapsed().as_secs_f64()
    );
}

#[test]
fn each_number_is_counted_once_whatever_happens() {
    let versions = std::env::var("VERSIONS").unwrap_or_else(|_| "1.20".to_owned());
    let kills = std::env::var("KILLS").map_or(4, |kills| kills.parse().unwrap());
    for version in versions.split_whitespace() {
        on(version, kills);
    }
}
