//! The option `dependencies` of a job.

use serde_json::Value;

use super::job_options::{Common, read};
use super::types::{Type, options};
use crate::base::{Error, Result};
use crate::model::dependency::Dependency;

options! {
    /// `dependencies: [#{ ... }]`.
    pub struct DependencyOptions {
        /// `group:artifact:version`, or `group:artifact:ext[:classifier]:version`
        coordinates: String => Type::Coordinates,
        /// what it must not bring: `group:artifact`, either of them `*` for all
        #[serde(default)]
        exclude: Vec<String>,
    }
}

impl Common {
    /// What Maven has to fetch.
    ///
    /// # Errors
    /// As [`dependency`].
    pub fn dependencies(&self, function: &str) -> Result<Vec<Dependency>> {
        self.dependencies.iter().enumerate().map(|(index, value)| dependency(function, index, value)).collect()
    }
}

/// Reads one of `dependencies`.
///
/// # Errors
/// `argument.invalid`, `dependency.invalid`.
fn dependency(function: &str, index: usize, value: &Value) -> Result<Dependency> {
    let place = format!("{function}: option `dependencies[{index}]`");
    let options = match value {
        Value::String(coordinates) => DependencyOptions { coordinates: coordinates.clone(), exclude: Vec::new() },
        value => read::<DependencyOptions>(&place, value.clone())?,
    };
    let there = |error: Error| {
        Error::new(error.code(), format!("{place}: {}", error.message())).hint(error.hint_text().unwrap_or_default())
    };
    let coordinates = options.coordinates.parse().map_err(there)?;
    let exclude = options.exclude.iter().map(|text| text.parse()).collect::<Result<_>>().map_err(there)?;
    Ok(Dependency { coordinates, exclude })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dependency_is_a_text_or_a_map() {
        let read = |value: Value| dependency("job::sql", 2, &value);
        assert_eq!(read(json!("a:b:1")).unwrap().shown(), "a:b:1");
        let map = json!({"coordinates": "a:b:jar:x:1", "exclude": ["c:*", "d:e"]});
        assert_eq!(read(map).unwrap().shown(), "a:b:jar:x:1 without c:*, d:e");
        for (value, message, hint) in [
            (json!("a:b"), "job::sql: option `dependencies[2]`: `a:b`: the version is missing", "write group:artifact"),
            (
                json!({"coordinates": "a:b:1", "exclud": []}),
                "job::sql: option `dependencies[2]`: there is no option `exclud`",
                "did you mean `exclude`?",
            ),
            (json!({"exclude": []}), "job::sql: option `dependencies[2]`: the option `coordinates` is missing", ""),
        ] {
            let error = read(value).unwrap_err();
            assert_eq!(error.message(), message);
            assert!(error.hint_text().unwrap_or_default().starts_with(hint), "{error:?}");
        }
        assert!(read(json!(7)).is_err());
    }
}
