//! `run::defer`: closures for the end of the script, or of the scope that they were deferred in.

#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
use rhai::NativeCallContextStore;
use rhai::{Dynamic, Engine, FnPtr};

use super::context::Context;
use super::declare::Call;
use super::raised::{caught, message, with_cause};
use super::scope::{Caller, finish};
use super::throw::{Thrown, is_catchable};
use crate::ops::effect::Acting;

/// A closure that waits for the end.
#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
pub(super) struct Deferred {
    name: String,
    closure: FnPtr,
    /// Whether it wants to know the error.
    wants_error: bool,
    /// The step that deferred it.
    sequence: i64,
    state: NativeCallContextStore,
}

#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
pub(super) fn defer(call: &mut Call<'_>, acting: &Acting) -> Thrown<Dynamic> {
    let Some(closure) = call.arguments[0].clone().try_cast::<FnPtr>() else { return Ok(Dynamic::UNIT) };
    let caller = Caller::of(call);
    let wants_error = caller
        .check_parameters(&closure, &[0, 1], "at most one argument: the error, or ()")
        .map_err(|error| caller.raise(error))?
        == 1;
    let state = call.context.store_data();
    let sequence = acting.key.sequence;
    call.scope.defer(Deferred { name: call.name.to_owned(), closure, wants_error, sequence, state });
    Ok(Dynamic::UNIT)
}

/// Runs what was deferred, the latest first, each in the path of its step. An error of one does not hide the first error.
pub(super) fn run(
    engine: &Engine,
    ended: &Context,
    deferred: Vec<Deferred>,
    mut result: Thrown<Dynamic>,
) -> Thrown<Dynamic> {
    let numbers: Vec<i64> = deferred.iter().map(|deferred| deferred.sequence).collect();
    for (index, deferred) in deferred.into_iter().enumerate().rev() {
        let inner = ended.deferred(deferred.sequence, &numbers[..index]);
        let error = result.as_ref().err().map_or(Dynamic::UNIT, |error| caught(error));
        let arguments = if deferred.wants_error { vec![error] } else { Vec::new() };
        let caller = Caller { name: &deferred.name, host: &ended.host, engine, state: deferred.state };
        let answer = caller.call_as_it_is(&inner, &deferred.closure, arguments);
        match (finish(engine, &inner, answer), result) {
            (Ok(_), before) => result = before,
            (Err(error), _) if !is_catchable(&error) => return Err(error),
            (Err(error), Ok(_)) => result = Err(error),
            (Err(error), Err(first)) => {
                let text = ended.host.services.secrets.mask(&message(&error));
                if !inner.is_replaying() {
                    ended.host.output.log("warn", &format!("a deferred closure failed as well: {text}"));
                }
                result = Err(with_cause(first, &format!("a deferred closure failed as well: {text}")));
            }
        }
    }
    result
}
