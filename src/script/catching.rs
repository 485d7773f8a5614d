//! What `catch (e)` sees: `e.code` and `e.message` for errors of host functions, of Rhai, and texts thrown by scripts.
//!
//! Host errors and texts get getters. Rhai's own errors arrive as maps, which have none, so the missing entries are
//! added when the variable is read. [`super::lints`] asks for `code` and `message` of a map that a script throws; the rest is added, empty,
//! where a variable that a `catch` names is read.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use rhai::{AST, ASTNode, Dynamic, Engine, EvalContext, Expr, ImmutableString, Map, Stmt};
use serde_json::Value;

use super::unknown;
use super::words;
use crate::api::raised;
use crate::api::throw::{ScriptError, Thrown};
use crate::base::code;

/// The names that the scripts of a run give to what they catch.
#[derive(Clone, Default)]
pub(super) struct CatchNames(Arc<RwLock<BTreeSet<String>>>);

impl CatchNames {
    /// Takes those of a script.
    pub(super) fn learn(&self, ast: &AST) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) = path.last()
                && let Expr::Variable(variable, ..) = &parts.expr
            {
                names.insert(variable.1.to_string());
            }
            true
        });
    }

    fn has(&self, name: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// Registers the error type, its getters, and the reading of what is no such error; `names` may come to know names later.
pub(super) fn register(engine: &mut Engine, names: CatchNames) {
    engine.register_type_with_name::<ScriptError>("error");
    engine.register_get("code", |error: &mut ScriptError| error.0.code_name().to_owned());
    engine.register_get("message", |error: &mut ScriptError| error.0.message().to_owned());
    engine.register_get("hint", |error: &mut ScriptError| {
        error.0.hint_text().map_or(Dynamic::UNIT, |hint| hint.to_owned().into())
    });
    engine.register_get("data", |error: &mut ScriptError| from_json(&Value::Object(error.0.data().clone())));
    engine.register_get("causes", |error: &mut ScriptError| {
        Dynamic::from_iter(error.0.causes().iter().map(|cause| Dynamic::from(cause.clone())))
    });
    engine.register_fn("to_string", |error: &mut ScriptError| error.0.message().to_owned());
    engine.register_fn("to_debug", |error: &mut ScriptError| format!("{:?}", error.0));

    engine.register_get("code", |_: &mut ImmutableString| code::SCRIPT_FAILED.name);
    engine.register_get("message", |text: &mut ImmutableString| text.clone());
    engine.register_get("hint", |_: &mut ImmutableString| Dynamic::UNIT);
    engine.register_get("data", |_: &mut ImmutableString| Map::new());
    engine.register_get("causes", |_: &mut ImmutableString| rhai::Array::new());

    // Not deprecated, says Rhai, but volatile: the version is pinned, and the conformance tests hold what is used.
    #[allow(deprecated)]
    engine.on_var(move |name, _, context| read(&names, name, context));
}

fn read(names: &CatchNames, name: &str, mut context: EvalContext) -> Thrown<Option<Dynamic>> {
    let Some(value) = context.scope().get(name) else { return Ok(None) };
    if !value.is_map() {
        return Ok(None);
    }
    if value.read_lock::<Map>().is_some_and(|map| raised::lacks(&map)) {
        // In its place: a script may add to what it caught, and throw it again.
        if names.has(name)
            && let Some(value) = context.scope_mut().get_mut(name)
            && let Some(mut map) = value.write_lock::<Map>()
        {
            raised::complete(&mut map);
        }
        return Ok(None);
    }
    Ok(value.read_lock::<Map>().filter(|map| is_rhai_error(map)).map(|map| completed(&map)).map(Dynamic::from_map))
}

/// Whether the map is what Rhai hands to `catch` for an error of its own.
pub(super) fn is_rhai_error(map: &Map) -> bool {
    map.contains_key("message")
        && !map.contains_key("code")
        && map.get("error").is_some_and(|error| {
            error.as_immutable_string_ref().is_ok_and(|name| name.starts_with("Error") && !name.contains(' '))
        })
}

fn completed(map: &Map) -> Map {
    let text = |name: &str| map.get(name).map(Dynamic::to_string).unwrap_or_default();
    let (code, message) = match text("error").as_str() {
        "ErrorFunctionNotFound" => {
            (&code::FUNCTION_UNKNOWN, unknown::unknown_call(&words::Call::parse(&text("function")), None))
        }
        _ => (&code::SCRIPT_FAILED, words::plain(&text("message"))),
    };
    let mut map = map.clone();
    map.insert("code".into(), code.name.into());
    map.insert("message".into(), message.into());
    raised::complete(&mut map);
    map
}

fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap_or(f64::NAN).into(), Dynamic::from)
        }
        Value::String(text) => text.clone().into(),
        Value::Array(items) => Dynamic::from_iter(items.iter().map(from_json)),
        Value::Object(map) => {
            Dynamic::from_map(map.iter().map(|(name, value)| (name.as_str().into(), from_json(value))).collect())
        }
    }
}
