//! What a script may use: operations, call depth, sizes. And the callback that stops it.

use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{Array, Dynamic, Engine, FnPtr, Map};

use crate::api::throw::{Fatal, Stop};
use crate::base::cancel::Cancel;
use crate::base::process;
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
            memory_bytes: 1 << 30,
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

/// Every how many operations the memory is looked at: it costs about 2 µs.
const LOOK: u64 = 1024;

/// Stops the script at its next operation when it was cancelled, used up its operations or memory, or met a fatal error.
pub(super) fn watch(engine: &mut Engine, limits: &Limits, cancel: Cancel, fatal: Fatal) {
    let (limit, memory) = (limits.operations, limits.memory_bytes);
    let operations = AtomicU64::new(0);
    engine.on_progress(move |_| {
        let stop = if fatal.is_raised() {
            Stop::Fatal
        } else if cancel.is_cancelled() {
            Stop::Cancelled
        } else {
            let done = operations.fetch_add(1, Ordering::Relaxed);
            if done >= limit {
                Stop::Operations(limit)
            } else if done % LOOK == LOOK - 1 && process::memory_of_this().is_some_and(|used| used > memory) {
                Stop::Memory(memory)
            } else {
                return None;
            }
        };
        Some(Dynamic::from(stop))
    });
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
