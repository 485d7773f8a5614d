//! Rhai's errors as ours: a code, our words, and a place for every call that led to the error, the innermost first.

use rhai::{Dynamic, Engine, EvalAltResult, Map, Position};
use serde_json::Value;

use super::resolver::{Book, STD, place};
use super::syntax::{syntax, word_at};
use super::unknown::{function_unknown, namespace_unknown, property_unknown, quoted, variable_unknown};
use super::words::{self, Call};
use super::{limits, lints};
use crate::api::throw::{Fatal, ScriptError, Stop};
use crate::base::error::Place;
use crate::base::{Error, code};

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
    // What the library found is seldom wrong there: the line that called it comes first.
    let of_library = places.iter().take_while(|place| place.file.starts_with(STD)).count();
    if of_library < places.len() {
        places.rotate_left(of_library);
    }
    text.with_places(places)
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
    let stop = token.read_lock::<Stop>().map(|stop| *stop);
    stop.and_then(limits::told)
        .or_else(|| fatal.error())
        .unwrap_or_else(|| Error::new(&code::INTERNAL, "the script was ended and nobody said why"))
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
    let name = text("code").unwrap_or_default();
    let known = code::find(&name);
    let mut error = Error::new(known.unwrap_or(&code::SCRIPT_FAILED), message);
    let is_own = known.is_none() && is_code(&name);
    if is_own {
        error = error.called(name);
    }
    if let Some(hint) = text("hint") {
        error = error.hint(hint);
    }
    if let Some(causes) = map.get("causes").and_then(|causes| causes.read_lock::<rhai::Array>()) {
        for cause in causes.iter().take(20) {
            error = error.caused_by(shown(cause));
        }
    }
    // Who catches a map finds a place for data in it, and may throw it again.
    let is_empty =
        |name: &str, value: &Dynamic| name == "data" && value.read_lock::<Map>().is_some_and(|map| map.is_empty());
    let data = map.iter().filter(|(name, value)| !is_empty(name, value));
    for (name, value) in data.filter(|(name, _)| !matches!(name.as_str(), "message" | "hint" | "causes")) {
        // What stands where codes do is the error's own; what is no code is data.
        if name != "code" || known.is_none() && !is_own {
            error = error.with(name, json(value, 8));
        }
    }
    error
}

/// Whether a text has the form of a code, `area.what`.
fn is_code(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    text.len() <= 80 && text.contains('.') && text.split('.').all(is_word)
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
