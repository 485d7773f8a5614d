//! How a host function raises an error: as a value that scripts can catch, or as an end that they cannot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::base::cancel::Cancel;
use crate::base::error::Place;
use crate::base::{Error, Result, code};
use crate::ops::approval;
use crate::ops::effect::leaves_open;

/// What a host function gives: a value, or an exception.
pub type Thrown<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The value that `catch (e)` gets from a host function: `e.code`, `e.message`, `e.hint`, `e.data`, `e.causes`.
#[derive(Debug, Clone)]
pub struct ScriptError(pub Error);

/// The error as an exception at the place of the call. Keeps the places that the error already has.
pub fn raise(context: &NativeCallContext, error: Error) -> Box<EvalAltResult> {
    let position = context.call_position();
    // The place goes into the error as well: `throw e` in a catch block moves Rhai's own position.
    let error = match (context.call_source(), position.line()) {
        (Some(file), Some(line)) if error.places().is_empty() => error.at(Place {
            file: file.to_owned(),
            line,
            column: position.position().unwrap_or(0),
            excerpt: None,
            label: String::new(),
        }),
        _ => error,
    };
    raise_at(error, position)
}

pub(crate) fn raise_at(error: Error, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(ScriptError(error)), position).into()
}

/// Why a script was ended in a way that it cannot catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    Operations(u64),
    Memory(u64),
    Computing(u64),
    Fatal,
    /// The branch waits for somebody; other branches go on.
    Waits,
}

/// Holds the error that ends a run whatever the script does: a replay divergence, a run taken over by another process.
///
/// Clones share it. The first error stays; every branch of the run stops at its next operation.
#[derive(Debug, Clone, Default)]
pub struct Fatal {
    slot: Arc<Slot>,
    /// Ends the waits of other branches.
    stopped: Cancel,
}

#[derive(Debug, Default)]
struct Slot {
    raised: AtomicBool,
    error: Mutex<Option<Error>>,
    waiting: Mutex<Vec<Error>>,
}

impl Fatal {
    /// Keeps the error, and gives the exception to return from the host function: `try` does not catch it.
    pub fn stop(&self, position: Position, error: Error) -> Box<EvalAltResult> {
        self.slot.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.slot.raised.store(true, Ordering::Release);
        self.stopped.cancel();
        EvalAltResult::ErrorTerminated(Dynamic::from(Stop::Fatal), position).into()
    }

    /// Keeps what a branch waits for, and gives the exception that ends it: other branches go on.
    pub fn wait(&self, position: Position, error: Error) -> Box<EvalAltResult> {
        self.slot.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(error);
        waits(position)
    }

    /// Raised together with a fatal error, for waits that would go on for long.
    pub fn stopped(&self) -> &Cancel {
        &self.stopped
    }

    /// Keeps the error that ends the run, where something else ends the script.
    pub fn keep(&self, error: Error) {
        self.slot.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.slot.raised.store(true, Ordering::Release);
    }

    /// Whether an error is held.
    pub fn is_raised(&self) -> bool {
        self.slot.raised.load(Ordering::Acquire)
    }

    /// The error that ended the run, or what it waits for.
    pub fn error(&self) -> Option<Error> {
        let error = self.slot.error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting = || self.slot.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        error.or_else(|| approval::together(waiting()))
    }
}

/// The exception that ends a branch which waits for somebody.
pub(super) fn waits(position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(Stop::Waits), position).into()
}

/// Whether an exception can be caught. Rhai says so of every one that passed a function.
pub(super) fn is_catchable(error: &EvalAltResult) -> bool {
    error.unwrap_inner().is_catchable()
}

/// What a host function returns to Rhai.
///
/// An error that leaves an outcome open ends the script and cannot be caught; any other is raised where it was called.
pub fn into_rhai<T>(result: Result<T>, context: &NativeCallContext, fatal: &Fatal) -> Thrown<T> {
    result.map_err(|error| {
        if error.is(&code::RUN_WAITS) {
            fatal.wait(context.call_position(), error)
        } else if leaves_open(&error) || error.is(&code::INTERNAL) || error.is(&code::PLAN_ENDS) {
            fatal.stop(context.call_position(), error)
        } else {
            raise(context, error)
        }
    })
}
