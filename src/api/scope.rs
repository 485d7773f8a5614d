//! Scopes: closures whose effects are journaled one by one, inside a path of their own.

use rhai::{Dynamic, FnPtr};

use super::declare::{Call, journaled};
use super::throw::{Thrown, raise};
use crate::base::{Error, Result, code};
use crate::ops::effect::Acting;

/// Records that a scope was entered, then lets `body` run its closures. On replay the scope is entered again.
///
/// # Errors
/// What the journal gives.
pub fn perform(call: &mut Call<'_>, body: impl FnOnce(&mut Call<'_>, &Acting)) -> Result<()> {
    let mut acting = None;
    let before = call.scope.clone();
    let recorded = journaled(call, &mut |_, step| {
        acting = Some(Acting { key: step.key.clone(), recovering: step.recovering });
        Ok(serde_json::Value::Null)
    });
    recorded?;
    let acting = match acting {
        Some(acting) => acting,
        // Answered from the record: the step is the one that was counted last.
        None => Acting {
            key: crate::model::attempt::StepKey {
                run: call.host.journal()?.run().id,
                path: before.path.to_string(),
                sequence: before.last(),
            },
            recovering: true,
        },
    };
    body(call, &acting);
    Ok(())
}

/// Calls a closure inside the scope of step `acting`. It gets copies of what it captured; a write to a captured
/// variable is an error, since it would be lost on one path and kept on another.
///
/// # Errors
/// What the closure raises; `argument.invalid` for a write to a captured variable.
#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
pub fn call_closure(call: &Call<'_>, acting: &Acting, closure: &FnPtr) -> Thrown<Dynamic> {
    let mut state = call.context.store_data();
    state.global.tag = call.scope.inside(acting.key.sequence).into_tag();
    let context = state.create_context(call.context.engine());
    let before: Vec<Dynamic> = closure.curry().iter().map(deep_copy).collect();
    let cells: Vec<Dynamic> = closure
        .curry()
        .iter()
        .map(|captured| if captured.is_shared() { deep_copy(captured).into_shared() } else { deep_copy(captured) })
        .collect();
    let mut inner = closure.clone();
    inner.set_curry(cells.clone());
    let answer = inner.call_raw(&context, None, [])?;
    let changed = before
        .iter()
        .zip(&cells)
        .any(|(before, after)| format!("{before:?}") != format!("{:?}", after.clone().flatten()));
    if changed {
        let error = Error::new(
            &code::ARGUMENT_INVALID,
            format!(
                "{}: the closure changes a variable from outside; it works on a copy, so the change would be lost",
                call.name
            ),
        )
        .hint("return the value from the closure instead");
        return Err(raise(call.context, error));
    }
    Ok(answer)
}

fn deep_copy(value: &Dynamic) -> Dynamic {
    let flat = value.clone().flatten();
    if let Ok(items) = flat.as_array_ref() {
        return Dynamic::from_array(items.iter().map(deep_copy).collect());
    }
    if let Ok(map) = flat.as_map_ref() {
        return Dynamic::from_map(map.iter().map(|(key, value)| (key.clone(), deep_copy(value))).collect());
    }
    flat
}
