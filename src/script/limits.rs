//! What a script may use: operations, call depth, sizes. And the callback that stops it.

use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{Array, Dynamic, Engine, FnPtr, Map};

use crate::api::throw::{Fatal, Stop};
use crate::base::cancel::Cancel;
use crate::base::{Error, code, computing, duration, memory};
use crate::model::workspace_file;

/// Limits of one run. The defaults let no honest deploy script notice them.
///
/// Rhai measures strings, arrays and maps when they are built, pushed to or passed on, and the measuring is not free: with
/// limits on, every `push` measures the whole array (100 000 pushes take seconds). `m[key] = value` is *not* measured by
/// Rhai 1.27; there the limits of operations and of memory hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Script operations in one run, all its branches together.
    pub operations: u64,
    /// Bytes of memory of the whole process; a script that goes on allocating is ended instead of the machine.
    pub memory_bytes: u64,
    /// Milliseconds of processor time that a branch of a run may compute between two calls that look or act.
    pub compute_millis: u64,
    /// Bytes that one run prints and logs.
    pub printed_bytes: u64,
    /// Script functions that call each other.
    pub call_levels: usize,
    /// Nesting of expressions and blocks, in a function and outside.
    pub expression_depth: usize,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Items of one array, those of nested arrays included.
    pub array_items: usize,
    /// Entries of one map, those of nested maps included.
    pub map_entries: usize,
    /// Arrays in arrays (maps in maps) in a value that leaves the script's own thread.
    pub result_depth: usize,
    /// Bytes of the stack that the script runs on; only what is used is taken from memory. Rhai prints, copies, compares and
    /// drops nested values recursively, and an overflow ends the process. Measured, debug build: 64 MiB are too little to
    /// compare arrays nested 10 000 deep (6 KB a level) and to copy ones 100 000 deep; 256 MiB do for both.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 200_000_000,
            memory_bytes: 160 << 20,
            compute_millis: 1_000,
            printed_bytes: 16 << 20,
            call_levels: 64,
            expression_depth: 64,
            string_bytes: 16 << 20,
            array_items: 100_000,
            map_entries: 100_000,
            result_depth: 64,
            stack_bytes: 256 << 20,
        }
    }
}

impl Limits {
    /// The defaults, and over them what `tidegate.yaml` says.
    pub fn configured(given: &workspace_file::Limits) -> Self {
        let defaults = Self::default();
        Self {
            operations: given.operations.unwrap_or(defaults.operations),
            memory_bytes: given.memory_mb.map_or(defaults.memory_bytes, |megabytes| megabytes.saturating_mul(1 << 20)),
            compute_millis: given.seconds.map_or(defaults.compute_millis, |seconds| seconds.saturating_mul(1_000)),
            ..defaults
        }
    }

    pub(super) fn apply(&self, engine: &mut Engine) {
        // Rhai's own defaults differ between debug and release builds of the host: nothing may be left to them.
        engine.set_max_call_levels(self.call_levels);
        engine.set_max_expr_depths(self.expression_depth, self.expression_depth);
        engine.set_max_string_size(self.string_bytes);
        engine.set_max_array_size(self.array_items);
        engine.set_max_map_size(self.map_entries);
        // Counts per call chain only: closures that native functions call are not added up. `watch` counts them all.
        engine.set_max_operations(0);
    }
}

/// Every how many operations the clock is looked at: it costs about 0.3 µs.
const LOOK: u64 = 64;

/// Stops the script at its next operation when it was cancelled, used up what it may use, or met a fatal error.
pub(super) fn watch(engine: &mut Engine, limits: &Limits, cancel: Cancel, fatal: Fatal) {
    let (limit, most, millis) = (limits.operations, limits.memory_bytes, limits.compute_millis);
    let operations = AtomicU64::new(0);
    engine.on_progress(move |_| {
        if fatal.is_raised() {
            return Some(Dynamic::from(Stop::Fatal));
        }
        let stop = if cancel.is_cancelled() {
            Stop::Cancelled
        } else {
            let done = operations.fetch_add(1, Ordering::Relaxed);
            if done >= limit {
                Stop::Operations(limit)
            } else if memory::allocated() > most {
                Stop::Memory(most)
            } else if done % LOOK == LOOK - 1 && computing::used().as_millis() > u128::from(millis) {
                Stop::Computing(millis)
            } else {
                return None;
            }
        };
        // Rhai's `sort` and others swallow what ends their closures: what was said once holds for the run.
        told(stop).into_iter().for_each(|error| fatal.keep(error));
        Some(Dynamic::from(stop))
    });
}

/// What ended a script, where a limit or somebody did.
pub(super) fn told(stop: Stop) -> Option<Error> {
    Some(match stop {
        Stop::Cancelled => Error::new(&code::CANCELLED, "cancelled"),
        Stop::Operations(limit) => {
            Error::new(&code::SCRIPT_LIMIT, format!("the script ran {limit} operations and was not done"))
                .hint("a loop without end? to wait, use `wait_for` or `time::sleep(\"1s\")`; `limits: { operations: ... }` in tidegate.yaml allows more")
        }
        Stop::Memory(limit) => {
            Error::new(&code::SCRIPT_LIMIT, format!("the script uses more than {} MB of memory", limit >> 20))
                .hint("does a map or a text grow without end? `limits: { memory_mb: ... }` in tidegate.yaml allows more")
        }
        Stop::Computing(limit) => Error::new(
            &code::SCRIPT_LIMIT,
            format!("the script computed for {} without a call that looks or acts", duration::show(std::time::Duration::from_millis(limit))),
        )
        .hint("an endless loop? `limits: { seconds: ... }` in tidegate.yaml allows more"),
        Stop::Fatal | Stop::Waits => return None,
    })
}

/// Whether a value is nested more deeply than `limit`. Looks no deeper than that, so any value can be asked.
pub(super) fn is_deeper_than(limit: usize, value: &Dynamic) -> bool {
    // Shared cells can be reached along many ways: the number of values looked at is limited too.
    fn look(limit: usize, value: &Dynamic, left: &mut usize) -> bool {
        if !(value.is_array() || value.is_map() || value.is_fnptr()) {
            return false;
        }
        if limit == 0 || *left == 0 {
            return true;
        }
        *left -= 1;
        if let Some(items) = value.read_lock::<Array>() {
            items.iter().any(|item| look(limit - 1, item, left))
        } else if let Some(map) = value.read_lock::<Map>() {
            map.values().any(|item| look(limit - 1, item, left))
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            function.iter_curry().any(|item| look(limit - 1, item, left))
        } else {
            false
        }
    }
    look(limit, value, &mut 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_measured_through_arrays_and_maps() {
        let mut value = Dynamic::from(1_i64);
        for _ in 0..5 {
            value = Dynamic::from_array(vec![value]);
        }
        value = Dynamic::from_map(Map::from([("k".into(), value)]));
        assert!(is_deeper_than(5, &value));
        assert!(!is_deeper_than(6, &value));
        assert!(is_deeper_than(5, &value.into_shared()));
    }
}
