//! `run::parallel`: branches on threads of their own, whose steps have the same numbers whatever the timing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rhai::{Array, Dynamic, FnPtr};
use serde_json::json;

use super::convert::type_name;
use super::copies::copy;
use super::declare::Call;
use super::job_options;
use super::raised::{message, with_cause};
use super::scope::{Caller, note};
use super::throw::{Thrown, into_rhai, is_catchable, raise, waits};
use super::types::options;
use crate::base::{Error, Result, code, panics};
use crate::model::class::Class;
use crate::model::run::{branch, inside};
use crate::ops::effect::{Acting, leaves_open};

/// How many branches run at once where the script does not say.
const AT_ONCE: usize = 4;

/// The most that may run at once: each has a thread.
const MOST: usize = 256;

options! {
    /// The options of `run::parallel` and `run::parallel_map`.
    pub(super) struct ParallelOptions {
        /// how many run at once; 4 if not given
        max: Option<usize>,
    }
}

/// A closure and what it gets.
type Work = (FnPtr, Vec<Dynamic>);

pub(super) fn parallel(call: &mut Call<'_>, acting: &Acting) -> Thrown<Dynamic> {
    let items = call.arguments[0].clone().into_array().unwrap_or_default();
    let mut work: Vec<Work> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let kind = type_name(&item);
        let Some(closure) = item.flatten().try_cast::<FnPtr>() else {
            let message = format!("{}: `work[{index}]` must be a closure, and is {kind}", call.name);
            let hint = "run::parallel([|| first(), || second()]), or run::parallel_map(items, |item| ...)";
            return Err(raise(call.context, Error::new(&code::ARGUMENT_INVALID, message).hint(hint)));
        };
        let checked = Caller::of(call).check_parameters(&closure, &[0], "no argument");
        checked.map_err(|error| raise(call.context, error))?;
        work.push((closure, Vec::new()));
    }
    perform(call, acting, &work, 1)
}

pub(super) fn parallel_map(call: &mut Call<'_>, acting: &Acting) -> Thrown<Dynamic> {
    let items = call.arguments[0].clone().into_array().unwrap_or_default();
    let Some(closure) = call.arguments[1].clone().try_cast::<FnPtr>() else { return Ok(Dynamic::UNIT) };
    let checked = Caller::of(call).check_parameters(&closure, &[1], "one argument: the item");
    checked.map_err(|error| raise(call.context, error))?;
    let work: Vec<Work> = items.iter().map(|item| (closure.clone(), vec![copy(item)])).collect();
    perform(call, acting, &work, 2)
}

fn at_once(call: &Call<'_>, index: usize) -> Result<usize> {
    let options: ParallelOptions = job_options::read(call.name, call.json(index)?)?;
    let max = options.max.unwrap_or(AT_ONCE);
    if (1..=MOST).contains(&max) {
        return Ok(max);
    }
    Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: option `max` must be from 1 to {MOST}", call.name)))
}

fn perform(call: &Call<'_>, acting: &Acting, work: &[Work], options: usize) -> Thrown<Dynamic> {
    let fatal = &call.host.fatal;
    let at_once = into_rhai(at_once(call, options), call.context, fatal)?;
    // A plan is the same each time: its branches come one after the other.
    let at_once = if call.host.planner.is_some() { 1 } else { at_once };
    let journal = call.host.journal.as_ref();
    let sequence = acting.key.sequence;
    let path = &*call.scope.path;
    let failures = inside(path, sequence);
    let branches = Branches {
        call,
        caller: Caller::of(call),
        work,
        sequence,
        // An earlier process may have come to a failure: then nothing is started that was not started then.
        failed: AtomicBool::new(journal.is_some_and(|journal| journal.has_below(&failures))),
        failures: &failures,
        next: AtomicUsize::new(0),
        results: Mutex::new(work.iter().map(|_| None).collect()),
    };
    branches.run(at_once.min(work.len()))?;
    let results = branches.results.into_inner().unwrap_or_else(PoisonError::into_inner);

    // What cannot be caught goes first, except that somebody is waited for: the other branches have done their part.
    let mut first = None;
    let mut others = 0_usize;
    let mut values = Array::with_capacity(work.len());
    for (index, result) in results.into_iter().enumerate() {
        match result {
            None => {}
            Some(Ok(value)) => values.push(value),
            Some(Err(error)) if is_catchable(&error) => {
                others += usize::from(first.is_some());
                first = first.or(Some((index, error)));
            }
            Some(Err(_)) if call.scope.waits() && !fatal.is_raised() && !call.host.cancel.is_cancelled() => {}
            Some(Err(error)) => return Err(error),
        }
    }
    if fatal.is_raised() || call.host.cancel.is_cancelled() {
        let error = Error::new(&code::CANCELLED, "cancelled");
        return Err(fatal.stop(call.context.call_position(), error));
    }
    if call.scope.waits() {
        return Err(waits(call.context.call_position()));
    }
    let end = format!("`{}` ends", call.name);
    for (journal, below) in
        journal.into_iter().flat_map(|journal| [(journal, format!("{path}{sequence}.")), (journal, failures.clone())])
    {
        into_rhai(journal.check_below(&below, &end), call.context, fatal)?;
    }
    match first {
        None => Ok(Dynamic::from_array(values)),
        Some((index, error)) => {
            let error = with_cause(error, &format!("in branch {index} of {}", work.len()));
            Err(match others {
                0 => error,
                1 => with_cause(error, "one more branch failed"),
                others => with_cause(error, &format!("{others} more branches failed")),
            })
        }
    }
}

struct Branches<'a> {
    call: &'a Call<'a>,
    caller: Caller<'a>,
    work: &'a [Work],
    sequence: i64,
    failed: AtomicBool,
    /// Where it is recorded that a branch failed.
    failures: &'a str,
    next: AtomicUsize,
    results: Mutex<Vec<Option<Thrown<Dynamic>>>>,
}

impl Branches<'_> {
    fn run(&self, threads: usize) -> Thrown<()> {
        let number = crate::model::run::number(&self.call.scope.path, self.sequence);
        thread::scope(|scope| {
            for started in 0..threads {
                let thread = thread::Builder::new()
                    .name(format!("step {number}"))
                    .stack_size(self.call.host.stack_bytes)
                    .spawn_scoped(scope, || self.work_off());
                match thread {
                    Ok(_) => {}
                    // Fewer do as well.
                    Err(_) if started > 0 => break,
                    Err(error) => {
                        let message = format!("{}: the system gives no thread for a branch", self.call.name);
                        let error = Error::new(&code::SCRIPT_LIMIT, message).caused_by(error);
                        return Err(raise(self.call.context, error));
                    }
                }
            }
            Ok(())
        })
    }

    fn work_off(&self) {
        let host = self.call.host;
        while !host.fatal.is_raised() && !host.cancel.is_cancelled() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((closure, arguments)) = self.work.get(index) else { return };
            if self.failed.load(Ordering::Acquire) && !self.was_begun(index) {
                continue;
            }
            let inner = self.call.scope.branch(self.sequence, index);
            let result = panics::catch(|| self.caller.call(&inner, closure, arguments.clone()));
            let result = result.unwrap_or_else(|panic| Err(host.fatal.stop(self.call.context.call_position(), panic)));
            if let Err(error) = &result
                && is_catchable(error)
            {
                self.record_failure(index, &message(error));
                self.failed.store(true, Ordering::Release);
            }
            self.results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
        }
    }

    /// Whether an earlier process started this branch, and it came to a step or failed.
    fn was_begun(&self, index: usize) -> bool {
        let Some(journal) = &self.call.host.journal else { return false };
        journal.has_below(&branch(&self.call.scope.path, self.sequence, index))
            || journal.has_at(self.failures, number_of(index))
    }

    /// Records that a branch failed before another one could be started, so that a resumed run starts no more than this
    /// one did.
    fn record_failure(&self, index: usize, message: &str) {
        let (function, class) = (format!("{} branch", self.call.name), Class::Scope);
        let error = || Err(Error::new(&code::SCRIPT_FAILED, message));
        let recorded =
            note(self.call, self.failures, number_of(index), (&function, class), &json!([index]), |_| error());
        if let Err(error) = recorded
            && leaves_open(&error)
        {
            // The branch's own error is answered all the same; the run ends with this one.
            drop(self.call.host.fatal.stop(self.call.context.call_position(), error));
        }
    }
}

fn number_of(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
