//! What the journal costs: an effect with its two commits, a read, and the replay of what was recorded.
//! `cargo bench --bench journal`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod support;

use std::io::Write;
use std::time::Instant;

use serde_json::{Value, json};
use support::{Figures, figure, line};
use tidegate::base::secret::Secrets;
use tidegate::model::class::Class;
use tidegate::model::run::Run;
use tidegate::ops::effect::{Call, Journal};
use tidegate::store::Store;

const EFFECTS: i64 = 1_000;
const READS: i64 = 10_000;
const REPLAYS: usize = 5;

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let synced = synced_writes(directory.path());
    line("a 4 KiB append and fdatasync, the disk alone", &synced, "ms", "");
    let store = Store::open(directory.path()).unwrap();
    let effect = record(&store, Class::Set, EFFECTS).1;
    line("a journaled effect: intent and result, synchronous=FULL", &effect, "ms", "1 ms");
    println!("{:<58} {:>9.3}", "  against two synced writes", effect.median() / (2.0 * synced.median()));
    line("a journaled read", &record(&store, Class::Read, READS).1, "ms", "");
    for steps in [10_000, 100_000] {
        let run = record(&store, Class::Read, steps).0;
        replay(&store, run, steps);
    }
}

/// What the disk itself needs for a commit.
fn synced_writes(directory: &std::path::Path) -> Figures {
    let mut file = std::fs::File::create(directory.join("synced")).unwrap();
    let times = (0..300).map(|_| {
        let start = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.collect()
}

fn journal(store: &Store, run: Run) -> Journal {
    let lock = store.try_lock(&format!("run-{}", run.id)).unwrap();
    Journal::open(store.clone(), run, Secrets::default(), lock).unwrap()
}

fn arguments(sequence: i64) -> Value {
    json!([format!("orders-{sequence}"), { "state": "RUNNING", "within": "2m", "parallelism": 4 }])
}

fn perform(journal: &Journal, class: Class, sequence: i64, arguments: &Value) -> Value {
    let call = Call { function: "job.state", class, arguments, file: "scripts/bench.rhai", line: 12, column: 5 };
    let act = |_: &_| Ok(json!({ "name": "orders", "state": "RUNNING", "attempt": 3, "at": 1_700_000_000_000_i64 }));
    journal.perform("", sequence, &call, act).unwrap()
}

/// Records steps as a run in its first process does.
fn record(store: &Store, class: Class, steps: i64) -> (i64, Figures) {
    let journal = journal(store, store.begin_run("bench.rhai", "local", "{}").unwrap());
    let times = (0..steps).map(|sequence| {
        let arguments = arguments(sequence);
        let start = Instant::now();
        perform(&journal, class, sequence, &arguments);
        start.elapsed().as_secs_f64() * 1e3
    });
    let times = times.collect();
    (journal.run().id, times)
}

/// Takes the run over and answers every step from the record, several times.
fn replay(store: &Store, run: i64, steps: i64) {
    let (mut opened, mut whole, mut rate) = (Figures::default(), Figures::default(), Figures::default());
    let arguments: Vec<Value> = (0..steps).map(arguments).collect();
    for _ in 0..REPLAYS {
        let run = store.take_over_run(run).unwrap();
        let start = Instant::now();
        let journal = journal(store, run);
        opened.add_time(start.elapsed());
        for (sequence, arguments) in (0..).zip(&arguments) {
            perform(&journal, Class::Read, sequence, arguments);
        }
        let elapsed = start.elapsed();
        journal.check_finished().unwrap();
        whole.add_time(elapsed);
        rate.add(steps as f64 / elapsed.as_secs_f64());
    }
    line(&format!("replay of {steps} steps: reading the record"), &opened, "ms", "");
    line(&format!("replay of {steps} steps: all of it"), &whole, "ms", "");
    figure("  steps a second, median", rate.median(), "/s", "200000 /s");
    figure("  steps a second, best", rate.maximum(), "/s", "");
}
