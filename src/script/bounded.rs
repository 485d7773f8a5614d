//! Functions of Rhai that can make much of little in one call, where no limit is looked at until it is done: what they would
//! make is measured first.

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Module, NativeCallContext, Shared};

use crate::api::throw::{Thrown, raise};
use crate::base::{Error, code};

/// The longest JSON text that `parse_json` reads, in bytes.
const JSON: usize = 2 << 20;

/// The functions, in front of Rhai's own of the same names and types.
pub(super) fn module() -> Shared<Module> {
    let mut module = Module::new();
    let add = |name: &'static str| FuncRegistration::new(name).in_global_namespace();
    add("replace").set_into_module(&mut module, replace);
    add("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: char, with: char| {
            replace(context, text, find.to_string().into(), with.to_string().into())
        },
    );
    add("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: char, with: ImmutableString| {
            replace(context, text, find.to_string().into(), with)
        },
    );
    add("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: ImmutableString, with: char| {
            replace(context, text, find, with.to_string().into())
        },
    );
    add("split").set_into_module(&mut module, |context: NativeCallContext, text: &mut ImmutableString| {
        pieces(&context, text.split_whitespace().count())?;
        Ok::<Array, Box<rhai::EvalAltResult>>(text.split_whitespace().map(piece).collect())
    });
    add("split")
        .set_into_module(&mut module, |context: NativeCallContext, text: &mut ImmutableString, at: ImmutableString| {
            split(&context, text, &at)
        });
    add("split").set_into_module(&mut module, |context: NativeCallContext, text: &mut ImmutableString, at: char| {
        split(&context, text, &at.to_string())
    });
    add("parse_json").set_into_module(&mut module, |context: NativeCallContext, text: &str| {
        if text.len() > JSON {
            let message = format!("a JSON text of more than {} MiB cannot be read", JSON >> 20);
            return Err(raise(&context, Error::new(&code::SCRIPT_LIMIT, message)));
        }
        serde_json::from_str::<Dynamic>(text)
            .map_err(|error| raise(&context, Error::new(&code::SCRIPT_FAILED, format!("this is no JSON: {error}"))))
    });
    add("to_chars").set_into_module(&mut module, |context: NativeCallContext, text: &mut ImmutableString| {
        pieces(&context, text.chars().count())?;
        Ok::<Array, Box<rhai::EvalAltResult>>(text.chars().map(Dynamic::from).collect())
    });
    module.into()
}

fn replace(
    context: NativeCallContext,
    text: &mut ImmutableString,
    find: ImmutableString,
    with: ImmutableString,
) -> Thrown<()> {
    let limit = context.engine().max_string_size();
    let count = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find.as_str()).count() };
    let len = text.len().saturating_add(count.saturating_mul(with.len()));
    if len.saturating_sub(count.saturating_mul(find.len())) > limit {
        return Err(raise(&context, Error::new(&code::SCRIPT_LIMIT, format!("a string grew beyond {limit} bytes"))));
    }
    if count > 0 {
        *text = text.replace(find.as_str(), with.as_str()).into();
    }
    Ok(())
}

fn split(context: &NativeCallContext, text: &str, at: &str) -> Thrown<Array> {
    pieces(context, text.matches(at).count() + 1)?;
    Ok(text.split(at).map(piece).collect())
}

fn piece(text: &str) -> Dynamic {
    text.to_owned().into()
}

fn pieces(context: &NativeCallContext, count: usize) -> Thrown<()> {
    let limit = context.engine().max_array_size();
    if count <= limit {
        return Ok(());
    }
    Err(raise(
        context,
        Error::new(&code::SCRIPT_LIMIT, format!("an array of {count} items would be made; {limit} are the most")),
    ))
}
