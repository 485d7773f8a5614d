//! Values between Rhai and JSON. Strict: what a journal cannot hold is refused by its path.

use rhai::{Dynamic, Map};
use serde_json::{Number, Value};

use super::artifact::Artifact;
use super::build::Build;
use super::git::Project;
use super::handle::Job;
use super::jar::Jar;
use super::marked::{self, MARK};
use super::spec::Spec;
use crate::base::secret::{Piece, SecretText};
use crate::base::{Error, Result, code};

/// Marks a secret in the journal.
const SECRET: &str = "secret/1";

/// A Rhai value as JSON. `path` names the value in errors.
///
/// # Errors
/// `argument.invalid` for a closure, a NaN, or a type that is not tidegate's.
pub fn to_json(value: &Dynamic, path: &str) -> Result<Value> {
    if value.is_shared() {
        return to_json(&value.clone().flatten(), path);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(Value::Bool(value));
    }
    if let Ok(value) = value.as_int() {
        return Ok(Value::Number(value.into()));
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{path}: {number} cannot be recorded")));
    }
    if let Ok(value) = value.as_char() {
        return Ok(Value::String(value.to_string()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        let items = items.iter().enumerate().map(|(index, item)| to_json(item, &format!("{path}[{index}]")));
        return items.collect::<Result<_>>().map(Value::Array);
    }
    if let Ok(map) = value.as_map_ref() {
        let entries = map.iter().map(|(key, item)| Ok((key.to_string(), to_json(item, &format!("{path}.{key}"))?)));
        return entries.collect::<Result<_>>().map(Value::Object);
    }
    if let Some(secret) = value.read_lock::<SecretText>() {
        return Ok(secret_to_json(&secret));
    }
    if let Some(job) = value.read_lock::<Job>() {
        return Ok(job.to_json());
    }
    if let Some(spec) = value.read_lock::<Spec>() {
        return Ok(spec.to_json());
    }
    if let Some(artifact) = value.read_lock::<Artifact>() {
        return Ok(artifact.to_json());
    }
    if let Some(jar) = value.read_lock::<Jar>() {
        return Ok(jar.to_json());
    }
    if let Some(project) = value.read_lock::<Project>() {
        return Ok(project.to_json());
    }
    if let Some(build) = value.read_lock::<Build>() {
        return Ok(build.to_json());
    }
    let kind = type_name(value);
    let error = Error::new(&code::ARGUMENT_INVALID, format!("{path}: {kind} cannot be passed here"));
    Err(if value.is_fnptr() {
        error.hint("a closure has no value that a journal could hold: pass its result")
    } else {
        error
    })
}

/// JSON as a Rhai value; marked objects become handles again.
pub fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(from_json).collect()),
        Value::Object(map) => {
            if let Some(job) = Job::from_json(value) {
                return Dynamic::from(job);
            }
            if let Some(secret) = secret_from_json(value) {
                return Dynamic::from(secret);
            }
            if let Some(artifact) = Artifact::from_json(value) {
                return Dynamic::from(artifact);
            }
            if let Some(jar) = Jar::from_json(value) {
                return Dynamic::from(jar);
            }
            if let Some(project) = Project::from_json(value) {
                return Dynamic::from(project);
            }
            if let Some(build) = Build::from_json(value) {
                return Dynamic::from(build);
            }
            let map: Map = map.iter().map(|(key, value)| (key.as_str().into(), from_json(value))).collect();
            Dynamic::from_map(map)
        }
    }
}

fn secret_to_json(secret: &SecretText) -> Value {
    serde_json::json!({ MARK: SECRET, "pieces": secret })
}

/// The secret text in a marked object.
pub fn secret_from_json(value: &Value) -> Option<SecretText> {
    marked::is(value, SECRET).then_some(())?;
    serde_json::from_value(value.get("pieces")?.clone()).ok()
}

/// A text that may hold secrets: a string, a number, a boolean, or a marked secret.
pub fn secret_text(value: &Value) -> Option<SecretText> {
    match value {
        Value::String(text) => Some(SecretText::plain(text.clone())),
        Value::Number(number) => Some(SecretText::plain(number.to_string())),
        Value::Bool(value) => Some(SecretText::plain(value.to_string())),
        value => secret_from_json(value),
    }
}

/// Whether a text holds a secret.
pub fn has_secret(text: &SecretText) -> bool {
    text.pieces().iter().any(|piece| !matches!(piece, Piece::Text(_)))
}

/// The type of a value, in the words of the documents.
pub fn type_name(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "()"
    } else if value.is_bool() {
        "a boolean"
    } else if value.is_int() {
        "an integer"
    } else if value.is_float() {
        "a float"
    } else if value.is_string() {
        "a string"
    } else if value.is_char() {
        "a character"
    } else if value.is_array() {
        "an array"
    } else if value.is_map() {
        "a map"
    } else if value.is_fnptr() {
        "a closure"
    } else if value.is::<SecretText>() {
        "a secret"
    } else if value.is::<Job>() {
        "a job"
    } else if value.is::<Spec>() {
        "a job spec"
    } else if value.is::<Artifact>() {
        "an artifact"
    } else if value.is::<Jar>() {
        "a jar"
    } else if value.is::<Project>() {
        "a project"
    } else if value.is::<Build>() {
        "a build"
    } else {
        "a value of another type"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_go_there_and_back() {
        let value = json!({"a": [1, 2.5, "x", true, null], "b": {"c": "d"}});
        assert_eq!(to_json(&from_json(&value), "x").unwrap(), value);
    }

    #[test]
    fn closures_are_refused_by_their_path() {
        let engine = rhai::Engine::new();
        let value: Dynamic = engine.eval("#{ a: [|| 1] }").unwrap();
        let error = to_json(&value, "options").unwrap_err();
        assert_eq!(error.to_string(), "options.a[0]: a closure cannot be passed here");
    }

    #[test]
    fn secrets_go_as_placeholders() {
        let secret = SecretText::plain("user:").concat(SecretText::secret("P"));
        let json = to_json(&Dynamic::from(secret.clone()), "x").unwrap();
        assert_eq!(secret_from_json(&json), Some(secret));
    }
}
