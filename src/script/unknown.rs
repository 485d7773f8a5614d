//! Functions, properties, namespaces and variables that do not exist: what was called, and what was perhaps meant.

use rhai::Engine;

use super::resolver::Book;
use super::words::{self, Call, Signature};
use super::{banned, lints};
use crate::base::{Error, code, suggest};

/// A call that found no function, as a message. `exists` where the name is right and the arguments are not.
pub(super) fn unknown_call(call: &Call, exists: Option<&Signature>) -> String {
    let name = &call.name;
    if lints::is_anonymous(name) {
        return "the closure cannot be reached from here".to_owned();
    }
    let types: Vec<String> = call.arguments.iter().map(|kind| words::one(kind)).collect();
    if call.is_operator() {
        return match types.as_slice() {
            [one, other] => format!("`{name}` does not work on {one} and {other}"),
            _ => format!("`{name}` does not work on {}", types.join(", ")),
        };
    }
    match (exists, types.as_slice()) {
        (None, _) => format!("no function `{name}`"),
        (Some(_), []) => format!("`{name}` needs arguments"),
        (Some(_), [types @ .., last]) if !types.is_empty() => {
            format!("`{name}` does not take {} and {last}", types.join(", "))
        }
        (Some(_), types) => format!("`{name}` does not take {}", types.join(", ")),
    }
}

pub(super) fn function_unknown(engine: &Engine, book: &Book, call: &Call) -> Error {
    let signatures = signatures(engine, book);
    let plain = match call.name.contains("::") {
        // `lib::f` of an import has the importing file's alias in front: it is known here by `f` alone.
        true => call.name.rsplit("::").next().unwrap_or(&call.name),
        false => call.name.as_str(),
    };
    let same: Vec<&Signature> = signatures.iter().filter(|signature| signature.name == call.name).collect();
    // A method is registered with its namespace and called without.
    let methods: Vec<&Signature> = signatures
        .iter()
        .filter(|signature| {
            signature.receiver().is_some_and(|kind| Some(kind) == call.arguments.first().map(String::as_str))
        })
        .collect();
    let same = match same.is_empty() && !call.name.contains("::") {
        true => methods.iter().copied().filter(|signature| signature.last_name() == plain).collect(),
        false => same,
    };
    let mut error = Error::new(&code::FUNCTION_UNKNOWN, unknown_call(call, same.first().copied()));
    if call.is_operator() {
        return error;
    }
    if lints::is_anonymous(&call.name) {
        return error.hint(
            "it was made by a file that a function imports: import that file at the top, and pass what it needs",
        );
    }
    if !same.is_empty() {
        let shown: Vec<String> = same.iter().map(|signature| signature.show()).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        return error.hint(format!("there is {}", suggest::list(&shown[..shown.len().min(4)])));
    }
    let nearest = match call.name.rsplit_once("::") {
        Some((namespace, name)) => {
            let within: Vec<&str> = signatures
                .iter()
                .filter(|signature| signature.name.rsplit_once("::").is_some_and(|(other, _)| other == namespace))
                .map(Signature::last_name)
                .collect();
            let own = suggest::nearest(name, within.iter().copied()).map(|name| format!("{namespace}::{name}"));
            own.or_else(|| {
                suggest::nearest(&call.name, signatures.iter().map(|signature| signature.name.as_str()))
                    .map(str::to_owned)
            })
        }
        None => {
            let here = signatures.iter().map(|signature| signature.name.as_str()).filter(|name| !name.contains("::"));
            suggest::nearest(plain, methods.iter().map(|signature| signature.last_name()))
                .or_else(|| suggest::nearest(plain, here))
                .map(str::to_owned)
                // The right name without its namespace.
                .or_else(|| {
                    signatures.iter().find(|signature| signature.last_name() == plain).map(|found| found.name.clone())
                })
        }
    };
    if let Some(name) = nearest {
        error = error.hint(format!("did you mean `{name}`?"));
    }
    error
}

pub(super) fn property_unknown(engine: &Engine, name: &str, kind: &str) -> Error {
    let kind = words::type_name(kind);
    let error = Error::new(&code::SCRIPT_FAILED, format!("{} has no property `{name}`", words::one(&kind)));
    let known: Vec<String> = engine
        .gen_fn_signatures(false)
        .iter()
        .filter_map(|text| text.split_once("get$").map(|(_, rest)| rest.to_owned()))
        .filter_map(|text| Signature::parse(&text))
        .filter(|getter| getter.receiver() == Some(&kind))
        .map(|getter| getter.name)
        .collect();
    match known.is_empty() {
        true => error,
        false => error.hint(suggest::hint(name, known.iter().map(String::as_str))),
    }
}

/// Everything that can be called: host functions with their namespaces, Rhai's own, those of the loaded scripts.
pub(super) fn signatures(engine: &Engine, book: &Book) -> Vec<Signature> {
    let mut found: Vec<Signature> =
        engine.gen_fn_signatures(true).iter().filter_map(|text| Signature::parse(text)).collect();
    found.retain(|signature| !banned::is_banned(&signature.name));
    for unit in book.units() {
        for function in unit.ast.iter_functions().filter(|function| !lints::is_anonymous(function.name)) {
            let parameters = function.params.iter().map(|name| ((*name).to_owned(), "any".to_owned())).collect();
            found.push(Signature { name: function.name.to_owned(), parameters });
        }
    }
    // Rhai's own order differs from process to process.
    found.sort_by_key(Signature::show);
    found.dedup();
    found
}

pub(super) fn namespace_unknown(engine: &Engine, name: &str) -> Error {
    let mut known: Vec<String> = engine
        .gen_fn_signatures(false)
        .iter()
        .filter_map(|text| text.split('(').next()?.rsplit_once("::").map(|(namespace, _)| namespace.to_owned()))
        .collect();
    known.sort();
    known.dedup();
    let error = Error::new(&code::FUNCTION_UNKNOWN, format!("no namespace `{name}`"));
    match suggest::nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
        None => error.hint(format!("a file of your own is imported with `import \"path\" as {name};`")),
    }
}

pub(super) fn variable_unknown(name: &str) -> Error {
    Error::new(&code::SCRIPT_SYNTAX, format!("no variable `{name}`"))
        .hint("functions see their parameters only: pass it, or make it a `const` and read `global::NAME`")
}

/// What stands in single quotes.
pub(super) fn quoted(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}
