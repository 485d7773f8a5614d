//! What an exception of a script holds: the value that `catch` gets, its code and its message.

use rhai::{Dynamic, EvalAltResult, Map};

use super::throw::ScriptError;
use crate::base::{Error, code};

/// Whether a map that a script threw lacks something that every error has.
pub(crate) fn lacks(map: &Map) -> bool {
    let has = |name: &str| map.contains_key(name);
    has("code") && has("message") && !(has("hint") && has("data") && has("causes"))
}

/// Gives a map what it lacks of an error, empty.
pub(crate) fn complete(map: &mut Map) {
    for (name, value) in [("hint", Dynamic::UNIT), ("data", Map::new().into()), ("causes", rhai::Array::new().into())] {
        map.entry(name.into()).or_insert(value);
    }
}

/// What `catch (e)` gets for the exception.
pub(super) fn caught(error: &EvalAltResult) -> Dynamic {
    let error = error.unwrap_inner();
    if let EvalAltResult::ErrorRuntime(value, _) = error {
        let mut value = value.clone();
        if let Some(mut map) = value.write_lock::<Map>().filter(|map| lacks(map)) {
            complete(&mut map);
        }
        return value;
    }
    // As Rhai itself makes it.
    let name = format!("{error:?}");
    let mut map = Map::new();
    map.insert("error".into(), name.split('(').next().unwrap_or_default().into());
    map.insert("message".into(), message(error).into());
    if let EvalAltResult::ErrorFunctionNotFound(function, _) = error {
        map.insert("function".into(), function.into());
    }
    Dynamic::from_map(map)
}

/// The stable code of the exception, or the one that a script made up.
pub(super) fn code_of(error: &EvalAltResult) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorFunctionNotFound(..) => code::FUNCTION_UNKNOWN.name.to_owned(),
        EvalAltResult::ErrorRuntime(value, _) => {
            if let Some(error) = value.read_lock::<ScriptError>() {
                return error.0.code_name().to_owned();
            }
            let own = value.read_lock::<Map>().and_then(|map| map.get("code").map(Dynamic::to_string));
            own.unwrap_or_else(|| code::SCRIPT_FAILED.name.to_owned())
        }
        _ => code::SCRIPT_FAILED.name.to_owned(),
    }
}

/// The message of the exception, without its place.
pub(super) fn message(error: &EvalAltResult) -> String {
    let error = error.unwrap_inner();
    if let EvalAltResult::ErrorRuntime(value, _) = error {
        if let Some(error) = value.read_lock::<ScriptError>() {
            return error.0.message().to_owned();
        }
        let own = value.read_lock::<Map>().and_then(|map| map.get("message").map(Dynamic::to_string));
        return own.unwrap_or_else(|| value.to_string());
    }
    let text = error.to_string();
    text.rsplit_once(" (line ").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// The exception with one more cause. Rhai's own have no place for one and stay as they are.
pub(super) fn with_cause(mut error: Box<EvalAltResult>, cause: &str) -> Box<EvalAltResult> {
    add_cause(&mut error, cause);
    error
}

fn add_cause(error: &mut EvalAltResult, cause: &str) {
    let value = match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            return add_cause(inner, cause);
        }
        EvalAltResult::ErrorRuntime(value, _) => value,
        _ => return,
    };
    let ours = value.read_lock::<ScriptError>().map(|error| error.0.clone());
    if let Some(error) = ours {
        *value = Dynamic::from(ScriptError(error.caused_by(cause)));
    } else if value.is_string() {
        *value = Dynamic::from(ScriptError(Error::new(&code::SCRIPT_FAILED, value.to_string()).caused_by(cause)));
    } else if let Some(mut map) = value.write_lock::<Map>() {
        let causes = map.entry("causes".into()).or_insert_with(|| rhai::Array::new().into());
        if let Some(mut causes) = causes.write_lock::<rhai::Array>() {
            causes.push(cause.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(script: &str) -> Box<EvalAltResult> {
        rhai::Engine::new().eval::<Dynamic>(script).unwrap_err()
    }

    #[test]
    fn exceptions_of_every_kind_have_a_code_and_a_message() {
        for (script, code, text) in [
            ("fn f() { throw \"no\"; } f()", "script.failed", "no"),
            ("throw #{ code: \"my.own\", message: \"bad\" }", "my.own", "bad"),
            ("let a = [1]; a[3]", "script.failed", "Array index 3 out of bounds: only 1 element in array"),
        ] {
            let error = raised(script);
            assert_eq!((code_of(&error).as_str(), message(&error).as_str()), (code, text), "{script}");
        }
        assert_eq!(code_of(&raised("nope(1)")), "function.unknown");
    }

    #[test]
    fn a_cause_is_added_where_there_is_a_place_for_it() {
        let error = with_cause(raised("fn f() { throw \"no\"; } f()"), "tried twice");
        let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() else { panic!("{error:?}") };
        assert_eq!(value.read_lock::<ScriptError>().unwrap().0.causes(), ["tried twice"]);
        let error = with_cause(raised("throw #{ code: \"my.own\", message: \"bad\" }"), "tried twice");
        let causes = caught(&error).read_lock::<Map>().unwrap()["causes"].to_string();
        assert_eq!(causes, "[\"tried twice\"]");
    }

    #[test]
    fn a_thrown_map_is_handed_on_with_all_that_an_error_has() {
        let value = caught(&raised("throw #{ code: \"my.own\", message: \"bad\", hint: \"do\" }"));
        let map = value.read_lock::<Map>().unwrap();
        assert!(map["causes"].is_array() && map["data"].is_map() && map["hint"].to_string() == "do", "{map:?}");
        assert_eq!(caught(&raised("throw #{ a: 1 }")).to_string(), "#{\"a\": 1}");
    }

    #[test]
    fn an_error_of_rhai_is_caught_as_rhai_makes_it() {
        let value = caught(&raised("let a = [1]; a[3]"));
        let map = value.read_lock::<Map>().unwrap();
        assert_eq!(map["error"].to_string(), "ErrorArrayBounds");
    }
}
