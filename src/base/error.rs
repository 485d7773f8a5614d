//! The one error type: a stable code, a message, its causes, one hint, and the place it points at.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::code::{self, Code};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a text that somebody wrote: a script, a template, `tidegate.yaml`.
///
/// `line` and `column` count from 1; `column` counts characters, 0 where only the line is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file as the user knows it: relative to the workspace where it lies inside.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1; 0 where unknown.
    pub column: usize,
    /// The text of the line, for the excerpt.
    pub excerpt: Option<String>,
    /// What happened here, shown beside the caret: empty for the place of the error itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// An error as users see it. Printed in one place only, `cli::report`.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    code: &'static Code,
    /// The code that a script made up; [`Inner::code`] is then `script.failed`.
    own_code: Option<String>,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    /// The innermost place first, then the calls that led to it.
    places: Vec<Place>,
    data: Map<String, Value>,
    /// A long text (a whole Java trace) that only `--verbose` shows.
    detail: Option<String>,
}

impl Error {
    /// An error with a code and a message: lower case, no full stop, backticks round what the user wrote.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                code,
                own_code: None,
                message: message.into(),
                causes: Vec::new(),
                hint: None,
                places: Vec::new(),
                data: Map::new(),
                detail: None,
            }),
        }
    }

    /// Adds a `caused by:` line, the outermost cause first.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.inner.causes.push(cause.to_string());
        self
    }

    /// Adds the whole chain of a foreign error as causes, each once.
    #[must_use]
    pub fn caused_by_chain(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.inner.causes.last() != Some(&text) {
                self.inner.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Sets what to do about it: one line.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// The same error with these places in place of its own.
    #[must_use]
    pub fn with_places(mut self, places: Vec<Place>) -> Self {
        self.inner.places = places;
        self
    }

    /// Adds a place; the first one added is where the error is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.inner.places.push(place);
        self
    }

    /// Attaches a value that scripts read as `e.data.NAME`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.inner.data.insert(name.to_owned(), value.into());
        self
    }

    /// Attaches a long text that is shown with `--verbose` only.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.inner.code
    }

    /// The code as it is shown: that of a script that made one up, else the stable one.
    pub fn code_name(&self) -> &str {
        self.inner.own_code.as_deref().unwrap_or(self.inner.code.name)
    }

    /// The same error under a code that a script made up.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.inner.own_code = Some(name.into());
        self
    }

    /// Whether the error has this code.
    pub fn is(&self, code: &Code) -> bool {
        self.inner.code.name == code.name
    }

    /// The message without code, causes and hint.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The `caused by:` lines.
    pub fn causes(&self) -> &[String] {
        &self.inner.causes
    }

    /// The hint, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// The places, the error's own first.
    pub fn places(&self) -> &[Place] {
        &self.inner.places
    }

    /// What scripts read as `e.data`.
    pub fn data(&self) -> &Map<String, Value> {
        &self.inner.data
    }

    /// The long text of `--verbose`.
    pub fn detail_text(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// Rewrites every text of the error, to mask what must not be shown.
    #[must_use]
    pub fn map_texts(mut self, rewrite: &dyn Fn(&str) -> String) -> Self {
        let inner = &mut self.inner;
        inner.message = rewrite(&inner.message);
        for cause in &mut inner.causes {
            *cause = rewrite(cause);
        }
        inner.hint = inner.hint.as_deref().map(rewrite);
        inner.detail = inner.detail.as_deref().map(rewrite);
        for place in &mut inner.places {
            place.excerpt = place.excerpt.as_deref().map(rewrite);
        }
        for value in inner.data.values_mut() {
            rewrite_value(value, rewrite);
        }
        self
    }

    /// Rewrites what tidegate says itself: the message, the causes and the hint.
    #[must_use]
    pub fn map_words(mut self, rewrite: &dyn Fn(&str) -> String) -> Self {
        let inner = &mut self.inner;
        inner.message = rewrite(&inner.message);
        for cause in &mut inner.causes {
            *cause = rewrite(cause);
        }
        inner.hint = inner.hint.as_deref().map(rewrite);
        self
    }

    /// Renames the files of its places.
    #[must_use]
    pub fn map_files(mut self, rename: &dyn Fn(&str) -> String) -> Self {
        for place in &mut self.inner.places {
            place.file = rename(&place.file);
        }
        self
    }

    /// The error as the journal and `--json` hold it.
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::json!({
            "code": self.code_name(),
            "message": self.inner.message,
            "causes": self.inner.causes,
            "hint": self.inner.hint,
            "places": self.inner.places,
            "data": self.inner.data,
        });
        if self.inner.own_code.is_some() {
            value["stands_for"] = self.inner.code.name.into();
        }
        value
    }

    /// The error that [`Error::to_json`] wrote. An unknown code (a newer tidegate wrote it) becomes `internal`.
    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("code").unwrap_or_default();
        let own = text("stands_for").as_deref().and_then(code::find);
        let known = own.or_else(|| code::find(&name)).unwrap_or(&code::INTERNAL);
        let mut error = Self::new(known, text("message").unwrap_or_default());
        error.inner.own_code = own.map(|_| name);
        error.inner.causes = value
            .get("causes")
            .and_then(Value::as_array)
            .map(|causes| causes.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        error.inner.hint = text("hint");
        error.inner.places =
            value.get("places").and_then(|places| serde_json::from_value(places.clone()).ok()).unwrap_or_default();
        error.inner.data = value.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        error
    }
}

fn rewrite_value(value: &mut Value, rewrite: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = rewrite(text),
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite_value(item, rewrite)),
        Value::Object(map) => map.values_mut().for_each(|item| rewrite_value(item, rewrite)),
        _ => {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.code_name(), self.inner.message)?;
        for cause in &self.inner.causes {
            write!(formatter, "; caused by: {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_journal() {
        let error = Error::new(&code::FLINK_UNREACHABLE, "no answer")
            .caused_by("connection refused")
            .hint("start it")
            .with("url", "http://127.0.0.1:1");
        let back = Error::from_json(&error.to_json());
        assert!(back.is(&code::FLINK_UNREACHABLE));
        assert_eq!(back.to_json(), error.to_json());
        let own = Error::new(&code::SCRIPT_FAILED, "data is old").called("orders.stale");
        let back = Error::from_json(&own.to_json());
        assert_eq!((back.code_name(), back.code().name), ("orders.stale", "script.failed"));
    }
}
