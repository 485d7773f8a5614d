//! Rhai's errors as ours: a code, our words, and a place for every call that led to the error, the innermost first.

use rhai::{Dynamic, Engine, EvalAltResult, LexError, Map, ParseErrorType, Position};
use serde_json::Value;

use super::resolver::{Book, place};
use super::words::{self, Call, Signature};
use super::{banned, lints};
use crate::api::throw::{Fatal, ScriptError, Stop};
use crate::base::error::Place;
use crate::base::{Error, code, suggest};

/// A line of a text, from 1, without its end.
pub fn excerpt(text: &str, line: usize) -> Option<String> {
    text.lines().nth(line.checked_sub(1)?).map(str::to_owned)
}

/// The error with places; `script` is the file in which it surfaced.
pub(super) fn explain(engine: &Engine, book: &Book, fatal: &Fatal, error: &EvalAltResult, script: &str) -> Error {
    let place_in = |file: &str, position: Position, label: &str| {
        place(file, book.unit(file).as_ref().map(|unit| unit.text.as_str()), position, label)
    };
    let mut frames = Vec::new();
    let mut file = script.to_owned();
    let mut error = error;
    loop {
        let (label, next, inner, position) = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) if lints::is_anonymous(name) => {
                // For a closure that another file runs, Rhai gives that other file.
                let home = book.home(name).unwrap_or_else(|| source.clone());
                ("in call to a closure".to_owned(), home, inner, position)
            }
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                (format!("in call to `{name}`"), source.clone(), inner, position)
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                ("imported here".to_owned(), name.clone(), inner, position)
            }
            _ => break,
        };
        if !position.is_none() {
            let frame = place_in(&file, *position, &label);
            // A closure that a native function calls has that call's place, which the frame before already shows.
            let shown = frames.last().is_some_and(|last: &Place| {
                (&last.file, last.line, last.column) == (&frame.file, frame.line, frame.column)
            });
            if !shown {
                frames.push(frame);
            }
        }
        if !next.is_empty() {
            file = next;
        }
        error = inner;
    }
    let position = error.position();
    let text = leaf(engine, book, fatal, error);

    let mut places: Vec<Place> = text.places().to_vec();
    for place in &mut places {
        // The host function took the file from Rhai, which errs for closures: the frames know better.
        if Some(place.line) == position.line() && Some(place.column) == position.position() && place.excerpt.is_none() {
            place.file.clone_from(&file);
        }
        if place.excerpt.is_none() {
            place.excerpt = book.unit(&place.file).and_then(|unit| excerpt(&unit.text, place.line));
        }
    }
    if !position.is_none() {
        let label = match book.unit(&file).as_ref().and_then(|unit| word_at(&unit.text, position)) {
            _ if places.is_empty() => "",
            Some("throw") => "thrown again here",
            _ => "raised here",
        };
        let own = place_in(&file, position, label);
        if !places.iter().any(|place| (&place.file, place.line, place.column) == (&own.file, own.line, own.column)) {
            places.push(own);
        }
    }
    places.extend(frames.into_iter().rev());
    with_places(&text, places)
}

/// The same error with other places.
fn with_places(error: &Error, places: Vec<Place>) -> Error {
    let mut copy = Error::new(error.code(), error.message());
    for cause in error.causes() {
        copy = copy.caused_by(cause);
    }
    if let Some(hint) = error.hint_text() {
        copy = copy.hint(hint);
    }
    if let Some(detail) = error.detail_text() {
        copy = copy.detail(detail);
    }
    for (name, value) in error.data() {
        copy = copy.with(name, value.clone());
    }
    places.into_iter().fold(copy, Error::at)
}

/// The innermost error, without the calls round it.
fn leaf(engine: &Engine, book: &Book, fatal: &Fatal, error: &EvalAltResult) -> Error {
    let failed = |message: String| Error::new(&code::SCRIPT_FAILED, message);
    let limit = |message: String| Error::new(&code::SCRIPT_LIMIT, message);
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorTerminated(token, _) => terminated(fatal, token),
        EvalAltResult::ErrorParsing(error, position) => syntax(engine, error, *position, ""),
        EvalAltResult::ErrorFunctionNotFound(call, _) => function_unknown(engine, book, &Call::parse(call)),
        EvalAltResult::ErrorModuleNotFound(name, _) => namespace_unknown(engine, name),
        EvalAltResult::ErrorVariableNotFound(name, _) => variable_unknown(name),
        EvalAltResult::ErrorPropertyNotFound(name, _) => failed(format!("the map has no `{name}`"))
            .hint(format!("`map.get(\"{name}\")` gives `()` where there is none")),
        EvalAltResult::ErrorDotExpr(text, _) => match quoted(text).as_slice() {
            [name, kind] => property_unknown(engine, name, kind),
            _ => failed(words::plain(text)),
        },
        EvalAltResult::ErrorIndexingType(text, _) => {
            failed(format!("{} cannot be indexed", words::one(text.split(" [").next().unwrap_or(text))))
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => failed(match (wanted.as_str(), got.as_str()) {
            (wanted, "") => format!("{} was expected here", words::one(wanted)),
            ("", got) => format!("{} does not fit here", words::one(got)),
            (wanted, got) => format!("{} was expected here, not {}", words::one(wanted), words::one(got)),
        }),
        EvalAltResult::ErrorFor(_) => {
            failed("`for` cannot go over this value".to_owned()).hint("arrays, ranges, texts; of a map, `map.keys()`")
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => failed(format!("`{name}` is a constant")),
        EvalAltResult::ErrorUnboundThis(_) => {
            failed("`this` is bound only in a function called as a method".to_owned())
        }
        EvalAltResult::ErrorDataRace(_, _) => failed("a value is read and changed at the same time".to_owned())
            .hint("closures share the variables that they capture: copy first, `let mine = shared;`"),
        EvalAltResult::ErrorStackOverflow(_) => {
            limit(format!("more than {} functions call each other", engine.max_call_levels()))
                .hint("a recursion without end? use a loop")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => limit(too_large(engine, what)),
        EvalAltResult::ErrorTooManyOperations(_) => limit("the script runs too many operations".to_owned()),
        EvalAltResult::ErrorTooManyVariables(_) => limit("the script has too many variables".to_owned()),
        EvalAltResult::ErrorTooManyModules(_) => limit("the script imports too many files".to_owned()),
        other => {
            // Rhai appends the place to its text; the places say it.
            let text = other.to_string();
            let text = text.rsplit_once(" (line ").map_or(text.as_str(), |(text, _)| text);
            failed(words::plain(text))
        }
    }
}

fn too_large(engine: &Engine, what: &str) -> String {
    let what = what.to_lowercase();
    if what.contains("string") {
        format!("a string grew beyond {} bytes", engine.max_string_size())
    } else if what.contains("array") || what.contains("blob") {
        format!("an array grew beyond {} items, those of nested arrays included", engine.max_array_size())
    } else {
        format!("a map grew beyond {} entries, those of nested maps included", engine.max_map_size())
    }
}

fn terminated(fatal: &Fatal, token: &Dynamic) -> Error {
    match token.read_lock::<Stop>().map(|stop| *stop) {
        Some(Stop::Cancelled) => Error::new(&code::CANCELLED, "cancelled"),
        Some(Stop::Operations(limit)) => {
            Error::new(&code::SCRIPT_LIMIT, format!("the script ran {limit} operations and was not done"))
                .hint("a loop without end? to wait, use `wait_for` or `time::sleep(\"1s\")`; `limits: { operations: ... }` in tidegate.yaml allows more")
        }
        Some(Stop::Memory(limit)) => {
            Error::new(&code::SCRIPT_LIMIT, format!("the script uses more than {} MB of memory", limit >> 20))
                .hint("does a map or a text grow without end? `limits: { memory_mb: ... }` in tidegate.yaml allows more")
        }
        Some(Stop::Fatal) | None => {
            fatal.error().unwrap_or_else(|| Error::new(&code::INTERNAL, "the script was ended and nobody said why"))
        }
    }
}

/// What `throw` had, or a host function raised.
fn thrown(value: &Dynamic) -> Error {
    if let Some(error) = value.read_lock::<ScriptError>() {
        return error.0.clone();
    }
    let failed = |message: String| Error::new(&code::SCRIPT_FAILED, message);
    if value.is_unit() {
        return failed("the script raised an error without a text".to_owned());
    }
    let Some(map) = value.read_lock::<Map>() else {
        return match value.as_immutable_string_ref() {
            Ok(text) if text.is_empty() => failed("the script raised an error without a text".to_owned()),
            Ok(text) => failed(text.to_string()),
            Err(_) => failed(shown(value)),
        };
    };
    let text = |name: &str| map.get(name).filter(|value| !value.is_unit()).map(shown);
    let message = text("message").unwrap_or_else(|| shown(value));
    let known = text("code").and_then(|name| code::find(&name));
    let mut error = Error::new(known.unwrap_or(&code::SCRIPT_FAILED), message);
    if let Some(hint) = text("hint") {
        error = error.hint(hint);
    }
    if let Some(causes) = map.get("causes").and_then(|causes| causes.read_lock::<rhai::Array>()) {
        for cause in causes.iter().take(20) {
            error = error.caused_by(shown(cause));
        }
    }
    for (name, value) in map.iter().filter(|(name, _)| !matches!(name.as_str(), "message" | "hint" | "causes")) {
        // The code of an error of ours is the error's own; one that the script made up is data.
        if name != "code" || known.is_none() {
            error = error.with(name, json(value, 8));
        }
    }
    error
}

/// A value as text, short enough for a message.
fn shown(value: &Dynamic) -> String {
    const LONGEST: usize = 400;
    let text = match super::limits::is_deeper_than(8, value) {
        true => format!("{} that is nested deeply", words::one(value.type_name())),
        false => value.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn json(value: &Dynamic, depth: usize) -> Value {
    if depth == 0 {
        return Value::String("...".to_owned());
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.iter().map(|item| json(item, depth - 1)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map
            .iter()
            .map(|(name, item)| (name.to_string(), json(item, depth - 1)))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    if value.is_unit() {
        return Value::Null;
    }
    value
        .as_int()
        .map(Value::from)
        .or_else(|_| value.as_float().map(Value::from))
        .or_else(|_| value.as_bool().map(Value::from))
        .unwrap_or_else(|_| Value::String(value.to_string()))
}

/// A call that found no function, as a message. `exists` where the name is right and the arguments are not.
pub(super) fn unknown_call(call: &Call, exists: Option<&Signature>) -> String {
    let name = &call.name;
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

fn function_unknown(engine: &Engine, book: &Book, call: &Call) -> Error {
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

fn property_unknown(engine: &Engine, name: &str, kind: &str) -> Error {
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
fn signatures(engine: &Engine, book: &Book) -> Vec<Signature> {
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

fn namespace_unknown(engine: &Engine, name: &str) -> Error {
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

fn variable_unknown(name: &str) -> Error {
    Error::new(&code::SCRIPT_SYNTAX, format!("no variable `{name}`"))
        .hint("functions see their parameters only: pass it, or make it a `const` and read `global::NAME`")
}

/// A script that does not parse.
pub(super) fn syntax_error(
    engine: &Engine,
    file: &str,
    text: &str,
    error: &ParseErrorType,
    position: Position,
) -> Error {
    // An end that came too early is at the end, wherever Rhai noticed.
    let position = match position.is_none() {
        true => Position::new(
            u16::try_from(text.lines().count().max(1)).unwrap_or(u16::MAX),
            u16::try_from(text.lines().last().map_or(0, |line| line.chars().count()).max(1)).unwrap_or(u16::MAX),
        ),
        false => position,
    };
    syntax(engine, error, position, text).at(place(file, Some(text), position, ""))
}

fn syntax(engine: &Engine, error: &ParseErrorType, position: Position, text: &str) -> Error {
    let fails = |message: String| Error::new(&code::SCRIPT_SYNTAX, message);
    let word = word_at(text, position);
    match error {
        ParseErrorType::Reserved(name) | ParseErrorType::BadInput(LexError::ImproperSymbol(name, _))
            if let Some((name, hint)) = banned::SYMBOLS.iter().find(|(symbol, _)| symbol == name) =>
        {
            banned::error(name, hint)
        }
        ParseErrorType::ModuleUndefined(name) => namespace_unknown(engine, name),
        ParseErrorType::VariableUndefined(name) => variable_unknown(name),
        ParseErrorType::Reserved(name) => {
            let error = fails(format!("`{name}` cannot be used here"));
            match words::reserved_hint(name) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        ParseErrorType::ExprTooDeep => Error::new(
            &code::SCRIPT_LIMIT,
            format!("an expression is nested more than {} levels deep", engine.max_expr_depth()),
        )
        .hint("split it up with `let`; a long `else if` chain becomes a `switch`"),
        ParseErrorType::LiteralTooLarge(what, limit) => {
            Error::new(&code::SCRIPT_LIMIT, format!("{} exceeds {limit}", words::plain(what)))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) => {
            let error = fails(format!("`{symbol}` is no operator of Rhai"));
            match symbol.as_str() {
                "===" | "!==" => error.hint("use `==` and `!=`"),
                _ => error,
            }
        }
        ParseErrorType::UnknownOperator(symbol) => {
            let error = fails(format!("`{symbol}` is no operator of Rhai"));
            match symbol.as_str() {
                "++" | "--" => error.hint("use `x += 1` and `x -= 1`"),
                _ => error,
            }
        }
        other => {
            let error = fails(words::plain(&other.to_string()));
            match (other, word) {
                (_, Some("try")) => {
                    error.hint("`try` is a statement and gives no value: `return` from it in a function")
                }
                (ParseErrorType::MissingToken(token, _), _) if token == ";" && starts_line(text, position) => {
                    error.hint("the statement before has no `;` at its end")
                }
                (ParseErrorType::MismatchedType(wanted, _), _) if wanted.contains("iterable") => {
                    error.hint("arrays, ranges, texts; of a map, `map.keys()`")
                }
                (_, Some(word)) if explains(other) => match words::reserved_hint(word) {
                    Some(hint) => error.hint(hint),
                    None => error,
                },
                _ => error,
            }
        }
    }
}

/// Whether nothing but space stands before the place on its line.
fn starts_line(text: &str, position: Position) -> bool {
    let before = position.position().unwrap_or(1).saturating_sub(1);
    let line = position.line().and_then(|line| excerpt(text, line)).unwrap_or_default();
    line.chars().take(before).all(char::is_whitespace)
}

/// Whether a reserved word at the place can be the reason.
fn explains(error: &ParseErrorType) -> bool {
    matches!(
        error,
        ParseErrorType::PropertyExpected
            | ParseErrorType::VariableExpected
            | ParseErrorType::FnMissingName
            | ParseErrorType::MissingToken(..)
            | ParseErrorType::MissingSymbol(..)
            | ParseErrorType::ExprExpected(..)
            | ParseErrorType::BadInput(..)
    )
}

fn word_at(text: &str, position: Position) -> Option<&str> {
    let line = text.lines().nth(position.line()?.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.position()?.checked_sub(1)?)?.0;
    let rest = &line[start..];
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|word| !word.is_empty())
}

/// What stands in single quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}
