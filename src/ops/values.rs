//! What scripts keep from run to run: JSON by key, in the workspace's state.

use serde_json::Value;

use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::run::Run;

/// Bytes of a key.
const LONGEST_KEY: usize = 200;

/// Bytes of a value.
const LONGEST_VALUE: usize = 1 << 20;

/// The value of a key.
///
/// # Errors
/// `argument.invalid` for what cannot be a key, `state.*`.
pub fn get(services: &Services, key: &str) -> Result<Option<Value>> {
    check_key(key)?;
    let Some(text) = services.store.value(key)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::new(&code::STATE_CORRUPT, format!("the value of `{key}` cannot be read")).caused_by(error)
    })
}

/// Sets the value of a key.
///
/// # Errors
/// `argument.invalid` for what cannot be a key and for a value that is too long, `state.full`, `run.superseded`,
/// `state.*`.
pub fn set(services: &Services, run: &Run, key: &str, value: &Value) -> Result<()> {
    check_key(key)?;
    let text = value.to_string();
    if text.len() > LONGEST_VALUE {
        return Err(Error::new(
            &code::ARGUMENT_INVALID,
            format!("the value of `{key}` has {} bytes; {LONGEST_VALUE} is the most", text.len()),
        )
        .hint("keep what is needed of it, or a key for each part"));
    }
    services.store.set_value(run, key, &text)
}

/// Removes a key.
///
/// # Errors
/// `argument.invalid` for what cannot be a key, `run.superseded`, `state.*`.
pub fn remove(services: &Services, run: &Run, key: &str) -> Result<()> {
    check_key(key)?;
    services.store.remove_value(run, key)
}

/// The keys that begin with a prefix.
///
/// # Errors
/// `state.*`.
pub fn keys(services: &Services, prefix: &str) -> Result<Vec<String>> {
    services.store.value_keys(prefix)
}

fn check_key(key: &str) -> Result<()> {
    let why = if key.is_empty() {
        "a key cannot be empty".to_owned()
    } else if key.len() > LONGEST_KEY {
        format!("a key has at most {LONGEST_KEY} bytes, and this one has {}", key.len())
    } else if key.chars().any(char::is_control) {
        "a key cannot hold control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(&code::ARGUMENT_INVALID, why))
}
