//! A branch of a run: its path in the journal, its counter, and what it leaves for its end. Travels as Rhai's tag.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, NativeCallContext};

use super::host::Host;
use super::run_defer::Deferred;
use super::throw::{Thrown, waits};
use crate::model::run;

/// A branch of a run.
#[derive(Clone)]
pub struct Context {
    /// The host.
    pub host: Arc<Host>,
    /// The path: empty at top level, `"3/"` inside the scope of step 3, `"3.0/"` inside its first branch.
    pub path: Arc<str>,
    sequence: Arc<AtomicI64>,
    /// What the script comes to after this path has ended: a path, and the least number there.
    after: Arc<[(Arc<str>, i64)]>,
    waits: Arc<Waits>,
    deferred: Arc<Mutex<Vec<Deferred>>>,
}

/// Whether this branch, or one inside it, waits for somebody. It must do nothing more, even where Rhai lost the exception.
#[derive(Default)]
struct Waits {
    raised: AtomicBool,
    outer: Option<Arc<Waits>>,
}

impl Context {
    /// The top level of a run.
    pub fn top(host: Arc<Host>) -> Self {
        Self {
            host,
            path: "".into(),
            sequence: Arc::default(),
            after: [].into(),
            waits: Arc::default(),
            deferred: Arc::default(),
        }
    }

    /// The top level of the next input of a session, with a host of its own: steps are counted on.
    pub fn next_input(&self, host: Arc<Host>) -> Self {
        Self { sequence: self.sequence.clone(), ..Self::top(host) }
    }

    /// The inside of step `number` of this path.
    pub fn inside(&self, number: i64) -> Self {
        self.below(run::inside(&self.path, number), vec![(self.path.clone(), number + 1)])
    }

    /// Branch `branch` of step `number` of this path.
    pub fn branch(&self, number: i64, branch: usize) -> Self {
        self.below(run::branch(&self.path, number, branch), vec![(self.path.clone(), number + 1)])
    }

    /// Try `index` of step `number` of this path: after it come the wait for the next try, and the tries after that.
    pub fn attempt(&self, number: i64, index: usize) -> Self {
        let wait = i64::try_from(index).unwrap_or(i64::MAX);
        let after = vec![(self.path.clone(), number + 1), (run::inside(&self.path, number).into(), wait)];
        self.below(run::branch(&self.path, number, index), after)
    }

    /// What step `number` of this path left for the path's end; after it come those of the steps `earlier`.
    pub fn deferred(&self, number: i64, earlier: &[i64]) -> Self {
        let after = earlier.iter().map(|number| (run::inside(&self.path, *number).into(), 0)).collect();
        self.below(run::inside(&self.path, number), after)
    }

    fn below(&self, path: String, mut after: Vec<(Arc<str>, i64)>) -> Self {
        after.extend(self.after.iter().cloned());
        Self {
            host: self.host.clone(),
            path: path.into(),
            sequence: Arc::default(),
            after: after.into(),
            waits: Arc::new(Waits { raised: AtomicBool::new(false), outer: Some(self.waits.clone()) }),
            deferred: Arc::default(),
        }
    }

    /// The number of the next step on this path.
    pub fn next(&self) -> i64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether what is printed here was printed by an earlier process: it came to a step that lies after this moment of
    /// the script. What other branches did says nothing, so it never depends on timing.
    pub fn is_replaying(&self) -> bool {
        // A plan only thinks of what it would say.
        self.host.planner.is_some()
            || self.host.journal.as_ref().is_some_and(|journal| {
                journal.has_from(&self.path, self.sequence.load(Ordering::Relaxed))
                    || self.after.iter().any(|(path, number)| journal.has_from(path, *number))
            })
    }

    /// Marks this branch, and those that it lies in, as waiting for somebody.
    pub fn wait(&self) {
        let mut next = Some(&self.waits);
        while let Some(waits) = next {
            waits.raised.store(true, Ordering::Release);
            next = waits.outer.as_ref();
        }
    }

    /// Whether this branch, or one inside it, waits for somebody.
    pub fn waits(&self) -> bool {
        self.waits.raised.load(Ordering::Acquire)
    }

    /// Refuses to act in a branch that waits: its exception was caught where Rhai cannot tell it from another.
    ///
    /// # Errors
    /// The exception once more.
    pub(super) fn check_goes_on(&self, context: &NativeCallContext<'_>) -> Thrown<()> {
        if self.waits() { Err(waits(context.call_position())) } else { Ok(()) }
    }

    pub(super) fn defer(&self, deferred: Deferred) {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(deferred);
    }

    pub(super) fn take_deferred(&self) -> Vec<Deferred> {
        std::mem::take(&mut self.deferred.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The context that Rhai carries; none while a file is imported.
    pub fn of(context: &NativeCallContext<'_>) -> Option<Self> {
        context.tag()?.read_lock::<Self>().map(|context| context.clone())
    }

    /// This context as Rhai's tag.
    pub fn into_tag(self) -> Dynamic {
        Dynamic::from(self)
    }

    /// Makes this the branch of the calling thread until the answer is dropped.
    pub(super) fn enter(&self) -> Entered {
        Entered { before: CURRENT.replace(Some(self.clone())) }
    }

    /// The branch that the calling thread works on, inside of scopes: Rhai's `print` has no context.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// While it lives, a thread works on a branch.
pub(super) struct Entered {
    before: Option<Context>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}
