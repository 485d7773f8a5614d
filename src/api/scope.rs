//! Scopes: closures whose effects are journaled one by one, inside a path of their own.

use std::sync::Arc;

#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
use rhai::NativeCallContextStore;
use rhai::{Dynamic, Engine, FnPtr, NativeCallContext, Position};
use serde_json::Value;

use super::context::Context;
use super::convert::to_json;
use super::copies::{Copies, copy};
use super::declare::Call;
use super::host::Host;
use super::raised::message;
use super::run_defer;
use super::throw::{Thrown, is_catchable, raise, waits};
use crate::base::{Error, Result, code, counted};
use crate::model::attempt::StepKey;
use crate::model::class::Class;
use crate::ops::effect::{Acting, Call as EffectCall};

/// Records that a scope was entered, then lets `body` run its closures. On replay the scope is entered again.
///
/// # Errors
/// What the journal gives.
pub fn perform(call: &mut Call<'_>, body: impl FnOnce(&mut Call<'_>, &Acting)) -> Result<()> {
    let sequence = call.scope.next();
    let arguments = (0..call.arguments.len()).map(|index| argument(call, index)).collect::<Result<Vec<_>>>()?;
    let mut begun = None;
    let path = call.scope.path.clone();
    note(call, &path, sequence, (call.name, call.function.class), &arguments.into(), |step| {
        begun = Some((step.recovering, step.begun_at));
        Ok(Value::Null)
    })?;
    // Answered from the record where nothing was begun.
    let (recovering, begun_at) = begun.unwrap_or((true, 0));
    let key = StepKey {
        run: call.host.journal.as_ref().map_or(0, |journal| journal.run().id),
        path: call.scope.path.to_string(),
        sequence,
    };
    body(call, &Acting { key, recovering, begun_at });
    Ok(())
}

/// An argument as the journal has it: closures are known by their places, and several of them by their number.
fn argument(call: &Call<'_>, index: usize) -> Result<Value> {
    let value = &call.arguments[index];
    let is_closure = |value: &Dynamic| value.is_fnptr() || value.read_lock::<FnPtr>().is_some();
    if is_closure(value) {
        return Ok(Value::Null);
    }
    match value.as_array_ref() {
        Ok(items) if items.iter().any(is_closure) => {
            let items = items.iter().enumerate().map(|(at, item)| match is_closure(item) {
                true => Ok(Value::Null),
                false => to_json(item, &format!("{}: item {at}", call.name)),
            });
            items.collect()
        }
        _ => call.json(index),
    }
}

/// Calls closures in contexts of their own, on this thread or on others.
#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
pub(super) struct Caller<'a> {
    /// The function that runs them, for messages.
    pub name: &'a str,
    pub host: &'a Arc<Host>,
    pub engine: &'a Engine,
    pub state: NativeCallContextStore,
}

#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
impl<'a> Caller<'a> {
    pub(super) fn of(call: &'a Call<'_>) -> Self {
        Self { name: call.name, host: call.host, engine: call.context.engine(), state: call.context.store_data() }
    }

    /// An error of the function itself, at the place of its call.
    pub(super) fn raise(&self, error: Error) -> Box<rhai::EvalAltResult> {
        raise(&self.state.create_context(self.engine), error)
    }

    /// Calls a closure in the context `inner`, and ends what it opened there. It gets copies of what it captured; a write
    /// to a captured variable is an error, since it would be lost.
    ///
    /// # Errors
    /// What the closure raises; `argument.invalid` for a write to a captured variable.
    pub(super) fn call(&self, inner: &Context, closure: &FnPtr, arguments: Vec<Dynamic>) -> Thrown<Dynamic> {
        let copies = Copies::of(closure);
        let result = self.call_as_it_is(inner, copies.closure(), arguments);
        let result = result.and_then(|value| match copies.changed(&self.parameters(closure).unwrap_or_default()) {
            None => Ok(copy(&value)),
            Some(variable) => Err(self.raise(self.lost_write(&variable))),
        });
        finish(self.engine, inner, result)
    }

    /// Calls a closure in the context `inner` with the variables themselves that it captured.
    ///
    /// # Errors
    /// What the closure raises.
    pub(super) fn call_as_it_is(&self, inner: &Context, closure: &FnPtr, arguments: Vec<Dynamic>) -> Thrown<Dynamic> {
        let mut state = self.state.clone();
        state.global.tag = inner.clone().into_tag();
        // Inside a closure Rhai takes the file that runs it for the file it stands in.
        if let Some(home) = self.host.closures.get().and_then(|closures| closures.home(closure.fn_name())) {
            state.global.source = Some(home.into());
        }
        let context: NativeCallContext<'_> = state.create_context(self.engine);
        let _entered = inner.enter();
        closure.call_raw(&context, None, arguments)
    }

    fn parameters(&self, closure: &FnPtr) -> Option<Vec<String>> {
        self.host.closures.get().and_then(|closures| closures.parameters(closure.fn_name()))
    }

    fn lost_write(&self, variable: &str) -> Error {
        let variable = if variable.is_empty() { "a variable from outside".to_owned() } else { format!("`{variable}`") };
        Error::new(
            &code::ARGUMENT_INVALID,
            format!("{}: the closure changes {variable}; it works on a copy, so the change would be lost", self.name),
        )
        .hint("return the value from the closure instead")
    }

    /// Refuses a closure with another number of parameters than it gets arguments; `gets` says which.
    ///
    /// # Errors
    /// `argument.invalid`.
    pub(super) fn check_parameters(&self, closure: &FnPtr, allowed: &[usize], gets: &str) -> Result<usize> {
        let Some(known) = self.parameters(closure) else { return Ok(allowed[0]) };
        let count = known.len().saturating_sub(closure.curry().len());
        if allowed.contains(&count) {
            return Ok(count);
        }
        let have = counted(count, "parameter");
        Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: the closure has {have}, and gets {gets}", self.name)))
    }
}

/// Ends a scope, or the script: what it deferred runs, and nothing that is recorded may be left out.
///
/// # Errors
/// What the scope ended with; what a deferred closure raises; `run.diverged`, which ends the run.
pub fn finish(engine: &Engine, inner: &Context, result: Thrown<Dynamic>) -> Thrown<Dynamic> {
    let deferred = inner.take_deferred();
    if inner.waits() {
        return Err(waits(Position::NONE));
    }
    if inner.host.planner.is_some() && result.as_ref().map_or_else(|error| is_catchable(error), |_| true) {
        return run_defer::run(engine, inner, deferred, result);
    }
    let Some(journal) = inner.host.journal.as_ref().filter(|_| !inner.host.fatal.is_raised()) else { return result };
    if result.as_ref().is_err_and(|error| !is_catchable(error)) {
        return result;
    }
    let ended = match inner.path.strip_suffix('/') {
        None => "the script ends".to_owned(),
        Some(path) => format!("what belongs to step {path} ends"),
    };
    // What is left out is found before something deferred acts.
    let complete = |checked: Result<()>| {
        checked.map_err(|error| {
            let error = match &result {
                Err(raised) => error.caused_by(format!("an error ends it now: {}", message(raised))),
                Ok(_) => error,
            };
            inner.host.fatal.stop(Position::NONE, error)
        })
    };
    complete(journal.check_on(&inner.path, &ended))?;
    if deferred.is_empty() {
        complete(journal.check_below(&inner.path, &ended))?;
        return result;
    }
    let result = run_defer::run(engine, inner, deferred, result);
    if inner.waits() || inner.host.fatal.is_raised() || result.as_ref().is_err_and(|error| !is_catchable(error)) {
        return result;
    }
    journal.check_below(&inner.path, &ended).map_err(|error| inner.host.fatal.stop(Position::NONE, error))?;
    result
}

/// Records a step at the place of this call: that a scope was entered, or a wait or a failure inside of it.
///
/// # Errors
/// What the journal and `act` give.
pub(super) fn note(
    call: &Call<'_>,
    path: &str,
    sequence: i64,
    (function, class): (&str, Class),
    arguments: &Value,
    act: impl FnOnce(&Acting) -> Result<Value>,
) -> Result<Value> {
    if call.host.planner.is_some() {
        let key = StepKey { run: 0, path: path.to_owned(), sequence };
        return act(&Acting { key, recovering: false, begun_at: 0 });
    }
    let position = call.context.call_position();
    let file = call.host.called_in(call.context, call.function.name);
    let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(0));
    let effect = EffectCall { function, class, arguments, file: &file, line, column };
    call.host.journal()?.perform(path, sequence, &effect, act)
}
