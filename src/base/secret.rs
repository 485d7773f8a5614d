//! Secrets: references that are resolved at the moment of use, and the mask that keeps them out of everything shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::{Error, Result, code, process};

/// What stands where a secret was.
pub const MASK: &str = "***";

/// A part of a text: plain, or the name of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Piece {
    /// Text that may be shown.
    Text(String),
    /// A secret, resolved at use.
    Secret {
        /// Its name.
        name: String,
        /// What it stands inside, and so how its value is escaped after it was resolved.
        #[serde(default, skip_serializing_if = "Within::is_nothing")]
        within: Within,
    },
}

/// What a secret stands inside: its value must not be able to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// Nothing: the value as it is.
    #[default]
    Nothing,
    /// A SQL string, `'...'`.
    SqlString,
    /// A SQL name in backticks.
    SqlBackticks,
    /// A SQL name in double quotes.
    SqlDoubleQuotes,
    /// A JSON string.
    JsonString,
}

impl Within {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// The value, so escaped that it cannot leave what it stands inside: SQL doubles the closing quote.
    pub fn escape(self, value: &str) -> String {
        match self {
            Self::Nothing => value.to_owned(),
            Self::SqlString => value.replace('\'', "''"),
            Self::SqlBackticks => value.replace('`', "``"),
            Self::SqlDoubleQuotes => value.replace('"', "\"\""),
            Self::JsonString => {
                let quoted = serde_json::Value::String(value.to_owned()).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
        }
    }
}

/// A text that may hold secrets. Prints as `***` where they stand; only [`Secrets::reveal`] gives the whole.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText {
    pieces: Vec<Piece>,
}

impl SecretText {
    /// A text without secrets.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())] }
    }

    /// The secret of this name.
    pub fn secret(name: impl Into<String>) -> Self {
        Self::secret_within(name, Within::Nothing)
    }

    /// The secret of this name, inside of something that its value must not end.
    pub fn secret_within(name: impl Into<String>, within: Within) -> Self {
        Self { pieces: vec![Piece::Secret { name: name.into(), within }] }
    }

    /// Both texts, one after the other.
    #[must_use]
    pub fn concat(mut self, other: Self) -> Self {
        for piece in other.pieces {
            match (self.pieces.last_mut(), piece) {
                (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
                (_, piece) => self.pieces.push(piece),
            }
        }
        self
    }

    /// The same inside of a JSON string: plain parts are escaped now, secrets when they are revealed.
    #[must_use]
    pub fn within_json(self) -> Self {
        let pieces = self.pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => Piece::Text(Within::JsonString.escape(&text)),
            Piece::Secret { name, .. } => Piece::Secret { name, within: Within::JsonString },
        });
        Self { pieces: pieces.collect() }
    }

    /// The parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            formatter.write_str(match piece {
                Piece::Text(text) => text,
                Piece::Secret { .. } => MASK,
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

/// Where a secret comes from. Without an entry, a secret is the environment variable of its own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// An environment variable of the tidegate process.
    Env(String),
    /// A file that only its owner can read (0600); one trailing newline is cut.
    File(PathBuf),
    /// A command and its arguments; one trailing newline of its output is cut.
    Command(Vec<String>),
}

/// Resolves secrets at use and remembers every value it gave out, so that [`Secrets::mask`] can hide it.
#[derive(Clone, Default)]
pub struct Secrets {
    sources: Arc<BTreeMap<String, Source>>,
    known: Arc<Mutex<Vec<String>>>,
}

impl Secrets {
    /// A resolver with these sources.
    pub fn new(sources: BTreeMap<String, Source>) -> Self {
        Self { sources: Arc::new(sources), known: Arc::default() }
    }

    /// The value of a secret, fetched now: a rotated password is seen at the next use.
    ///
    /// # Errors
    /// `secret.missing`, without any part of the value.
    pub fn resolve(&self, name: &str) -> Result<String> {
        let value = match self.sources.get(name) {
            None => from_environment(name, name)?,
            Some(Source::Env(variable)) => from_environment(name, variable)?,
            Some(Source::File(path)) => from_file(name, path)?,
            Some(Source::Command(command)) => from_command(name, command)?,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for form in forms(&value) {
            if !known.contains(&form) {
                known.push(form);
            }
        }
        // The longest first: a short form must not cut a longer one in two.
        known.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Ok(value)
    }

    /// The text with its secrets resolved.
    ///
    /// # Errors
    /// `secret.missing`.
    pub fn reveal(&self, text: &SecretText) -> Result<String> {
        let mut whole = String::new();
        for piece in text.pieces() {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Secret { name, within } => whole.push_str(&within.escape(&self.resolve(name)?)),
            }
        }
        Ok(whole)
    }

    /// The text with every value given out so far replaced, in its plain, base64, URL, JSON and SQL-escaped form.
    pub fn mask(&self, text: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut masked = text.to_owned();
        for form in known.iter() {
            if masked.contains(form.as_str()) {
                masked = masked.replace(form.as_str(), MASK);
            }
        }
        masked
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

fn missing(name: &str, why: String) -> Error {
    Error::new(&code::SECRET_MISSING, format!("secret `{name}` is missing: {why}"))
        .hint(format!("set the environment variable `{name}`, or name a source under `secrets:` in tidegate.yaml"))
}

fn from_environment(name: &str, variable: &str) -> Result<String> {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(missing(name, format!("the environment variable `{variable}` is not set"))),
    }
}

fn from_file(name: &str, path: &std::path::Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: std::io::Error| missing(name, format!("{}: {error}", path.display()));
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(missing(name, format!("others can read {} (mode {:o})", path.display(), mode & 0o777))
            .hint(format!("chmod 600 {}", path.display())));
    }
    Ok(cut_newline(std::fs::read_to_string(path).map_err(failed)?))
}

fn from_command(name: &str, command: &[String]) -> Result<String> {
    let output = process::capture(command, std::time::Duration::from_secs(30))
        .map_err(|error| missing(name, format!("its command failed: {error}")))?;
    Ok(cut_newline(output))
}

fn cut_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// The spellings in which a value comes back from Flink, from YARN and from URLs.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), url_encoded(value)];
    forms.extend([Within::SqlString, Within::SqlBackticks, Within::SqlDoubleQuotes].map(|within| within.escape(value)));
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    // Inside a longer base64 text a value starts at one of three offsets; the characters that it shares with its
    // neighbours are left out.
    for offset in 0..3 {
        let padded = [&b"\0\0"[..offset], value.as_bytes()].concat();
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
        let start = [0, 2, 3][offset];
        let end = if padded.len() % 3 == 0 { encoded.len() } else { encoded.len() - 1 };
        if end > start + 7 {
            forms.push(encoded[start..end].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    // An empty or one-letter secret would mask half of every message.
    forms.retain(|form| form.len() > 1);
    forms
}

fn url_encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: &str) -> Secrets {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, value).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let secrets = Secrets::new(BTreeMap::from([("S".to_owned(), Source::File(path))]));
        secrets.resolve("S").unwrap();
        secrets
    }

    #[test]
    fn every_form_is_masked() {
        let value = "p@ss'wörd/1";
        let secrets = secrets(value);
        let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        for shown in [
            format!("a {value} b"),
            "x p@ss''wörd/1".to_owned(),
            url_encoded(value),
            encode(value.to_owned()),
            encode(format!("user:{value}")),
            encode(format!("a{value}zz")),
            encode(format!("ab{value}")),
        ] {
            let masked = secrets.mask(&shown);
            assert!(masked.contains(MASK), "{shown} -> {masked}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let secrets = Secrets::new(BTreeMap::from([("S".to_owned(), Source::File(path))]));
        assert!(secrets.resolve("S").unwrap_err().to_string().contains("others can read"));
    }

    #[test]
    fn a_value_cannot_end_what_it_stands_inside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "a'b`c\"d").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let secrets = Secrets::new(BTreeMap::from([("S".to_owned(), Source::File(path))]));
        for (within, escaped) in [
            (Within::Nothing, "a'b`c\"d"),
            (Within::SqlString, "a''b`c\"d"),
            (Within::SqlBackticks, "a'b``c\"d"),
            (Within::SqlDoubleQuotes, "a'b`c\"\"d"),
            (Within::JsonString, "a'b`c\\\"d"),
        ] {
            assert_eq!(secrets.reveal(&SecretText::secret_within("S", within)).unwrap(), escaped);
            assert!(secrets.mask(escaped).contains(MASK), "{escaped}");
        }
    }

    #[test]
    fn a_secret_text_shows_stars() {
        let text = SecretText::plain("user:").concat(SecretText::secret("P")).concat(SecretText::plain("@"));
        assert_eq!(text.to_string(), "user:***@");
        assert_eq!(format!("{text:?}"), "\"user:***@\"");
    }
}
