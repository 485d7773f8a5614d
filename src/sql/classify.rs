//! What a statement is, by its first words.
//!
//! Source: Flink's `parserImpls.ftl` (flink-sql-parser) for the statements that there are.

use super::lexer::{Token, TokenKind};
use super::mark;
use super::rendered::Rendered;
use super::split::invalid;
use crate::base::secret::{Piece, SecretText};
use crate::base::{Error, Result};
use crate::model::own_options;
use crate::model::statement::{Kind, Statement};

/// The tokens of one statement, comments left out.
pub(super) struct Words<'a> {
    rendered: &'a Rendered,
    tokens: &'a [Token],
}

impl<'a> Words<'a> {
    pub(super) fn new(rendered: &'a Rendered, tokens: &'a [Token]) -> Self {
        Self { rendered, tokens }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Leaves the first tokens out.
    pub(super) fn skip(&mut self, count: usize) {
        self.tokens = &self.tokens[count.min(self.tokens.len())..];
    }

    fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| &self.rendered.flat[token.range.clone()])
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// Whether a token is this keyword, in any case.
    pub(super) fn is(&self, index: usize, keyword: &str) -> bool {
        self.kind(index) == Some(TokenKind::Word) && self.text(index).eq_ignore_ascii_case(keyword)
    }

    /// The byte where a token begins.
    pub(super) fn at(&self, index: usize) -> Option<usize> {
        self.tokens.get(index).map(|token| token.range.start)
    }

    /// The byte where the statement begins.
    pub(super) fn start(&self) -> usize {
        self.at(0).unwrap_or(0)
    }

    fn end(&self) -> usize {
        self.tokens.last().map_or(0, |token| token.range.end)
    }

    /// A token that must be there: its byte, or that of the end.
    fn place(&self, index: usize) -> usize {
        self.at(index).unwrap_or_else(|| self.end())
    }

    /// The index behind these keywords, where all of them stand from `index` on.
    fn after(&self, index: usize, keywords: &[&str]) -> Option<usize> {
        keywords.iter().enumerate().all(|(n, word)| self.is(index + n, word)).then_some(index + keywords.len())
    }

    /// A name of several parts from `index` on, and the index behind it.
    fn name(&self, mut index: usize) -> Option<(String, usize)> {
        let mut parts = Vec::new();
        loop {
            let text = self.text(index);
            parts.push(match self.kind(index)? {
                TokenKind::Word => text.to_owned(),
                TokenKind::Backticks => text.get(1..text.len() - 1)?.replace("``", "`"),
                _ => return None,
            });
            if mark::is_marked(text) {
                return None;
            }
            index += 1;
            if self.kind(index) != Some(TokenKind::Symbol('.')) {
                return Some((parts.join("."), index));
            }
            index += 1;
        }
    }

    fn refuse(&self, index: usize, message: impl Into<String>) -> Error {
        invalid(self.rendered, self.place(index), message)
    }
}

/// The statement of some tokens, at least one.
pub(super) fn classify(words: &Words<'_>) -> Result<Statement> {
    let (kind, table) = kind(words)?;
    let range = words.start()..words.end();
    Ok(Statement { text: words.rendered.slice(range.clone()), kind, origin: words.rendered.origins(range), table })
}

fn kind(words: &Words<'_>) -> Result<(Kind, Option<String>)> {
    let first = words.text(0).to_uppercase();
    if words.kind(0) != Some(TokenKind::Word) {
        let shown = words.rendered.slice(words.tokens[0].range.clone());
        return Err(words.refuse(0, format!("a statement cannot begin with `{shown}`")));
    }
    match first.as_str() {
        "SET" => set(words).map(|kind| (kind, None)),
        "RESET" => reset(words).map(|kind| (kind, None)),
        "INSERT" => insert(words),
        "CREATE" | "REPLACE" => create(words),
        "DROP" | "ALTER" | "USE" | "LOAD" | "UNLOAD" => Ok((Kind::Definition, None)),
        "ADD" | "REMOVE" if words.is(1, "JAR") => Ok((Kind::Definition, None)),
        "EXECUTE" if words.is(1, "PLAN") => Ok((Kind::ExecutePlan, None)),
        "COMPILE" if words.after(1, &["AND", "EXECUTE", "PLAN"]).is_some() => Ok((Kind::ExecutePlan, None)),
        _ => Err(refused(words, &first)),
    }
}

/// What a job cannot be made of.
fn refused(words: &Words<'_>, first: &str) -> Error {
    let refuse = |message: &str| words.refuse(0, message);
    match first {
        "SELECT" | "WITH" | "VALUES" | "TABLE" | "FROM" => {
            refuse(&format!("a lone {first} is no job: its result goes nowhere"))
                .hint("write `INSERT INTO sink SELECT ...`")
        }
        "EXECUTE" if words.is(1, "STATEMENT") => refuse("`EXECUTE STATEMENT SET` without `BEGIN`")
            .hint("write `EXECUTE STATEMENT SET BEGIN INSERT ...; END;`"),
        "EXECUTE" => refuse("EXECUTE of something that is no INSERT and no PLAN"),
        "BEGIN" => refuse("`BEGIN` without `STATEMENT SET;`").hint("write `BEGIN STATEMENT SET; INSERT ...; END;`"),
        "END" => refuse("an `END` that ends nothing"),
        "EXPLAIN" | "SHOW" | "DESCRIBE" | "DESC" | "HELP" | "QUIT" | "EXIT" | "CLEAR" | "SOURCE" | "STOP" => {
            refuse(&format!("{first} is for the SQL client: a job cannot be made of it")).hint("take it out of the SQL")
        }
        "DELETE" | "UPDATE" | "TRUNCATE" | "CALL" | "ANALYZE" | "COMPILE" | "UPSERT" => {
            refuse(&format!("{first} is not supported in the SQL of a job"))
                .hint("a job is one INSERT or more, or one CREATE TABLE ... AS SELECT")
        }
        _ if words.rendered.slice(words.tokens[0].range.clone()).secrets().next().is_some() => {
            refuse("a statement cannot begin with a secret")
        }
        _ => {
            let word = words.text(0);
            let known = ["SET", "RESET", "INSERT", "CREATE", "DROP", "ALTER", "USE", "LOAD", "UNLOAD", "ADD", "REMOVE"];
            let error = refuse(&format!("`{word}` begins no statement that tidegate knows"));
            match crate::base::suggest::nearest(word, known) {
                Some(near) => error.hint(format!("did you mean `{near}`? else a `;` before it may be one too many")),
                None => error.hint("a `;` before it may be one too many"),
            }
        }
    }
}

fn insert(words: &Words<'_>) -> Result<(Kind, Option<String>)> {
    if !words.is(1, "INTO") && !words.is(1, "OVERWRITE") {
        return Err(words.refuse(1, "INSERT without INTO or OVERWRITE"));
    }
    Ok((Kind::Insert, words.name(2).map(|(name, _)| name)))
}

fn create(words: &Words<'_>) -> Result<(Kind, Option<String>)> {
    let mut at = if words.is(0, "REPLACE") { 1 } else { words.after(1, &["OR", "REPLACE"]).unwrap_or(1) };
    if words.is(at, "TEMPORARY") {
        at += 1;
    }
    if words.after(at, &["MATERIALIZED", "TABLE"]).is_some() {
        return Err(words.refuse(0, "a materialized table is made by Flink's SQL gateway, not by a job"));
    }
    let Some(behind) = words.after(at, &["TABLE"]) else { return Ok((Kind::Definition, None)) };
    let Some((name, behind)) = words.name(words.after(behind, &["IF", "NOT", "EXISTS"]).unwrap_or(behind)) else {
        return Ok((Kind::Definition, None));
    };
    let kind = if selects(words, behind) { Kind::CreateTableAs } else { Kind::Definition };
    Ok((kind, Some(name)))
}

/// Whether a table is created from a query: `AS` outside of parentheses, followed by what begins one. A computed column
/// is `x AS (...)` inside of them.
fn selects(words: &Words<'_>, behind: usize) -> bool {
    let mut depth = 0_usize;
    for index in behind..words.tokens.len() {
        match words.kind(index) {
            Some(TokenKind::Symbol('(')) => depth += 1,
            Some(TokenKind::Symbol(')')) => depth = depth.saturating_sub(1),
            Some(TokenKind::Word) if depth == 0 && words.is(index, "AS") => return true,
            _ => {}
        }
    }
    false
}

fn set(words: &Words<'_>) -> Result<Kind> {
    if words.tokens.len() < 2 {
        return Err(words.refuse(0, "SET without an option").hint("write `SET 'option' = 'value'`"));
    }
    let equals = (1..words.tokens.len()).find(|index| words.kind(*index) == Some(TokenKind::Symbol('=')));
    let Some(equals) = equals.filter(|equals| *equals > 1) else {
        return Err(words.refuse(1, "SET without `=`").hint("write `SET 'option' = 'value'`"));
    };
    let key = key(words, 1, equals)?;
    if equals + 1 >= words.tokens.len() {
        return Err(words.refuse(equals, format!("SET of `{key}` without a value")).hint("an empty value is `''`"));
    }
    let value = value(words, equals + 1)?;
    if key == "table.sql-dialect" && !value.to_string().eq_ignore_ascii_case("default") {
        return Err(words
            .refuse(0, "only Flink's default SQL dialect is supported")
            .hint("other dialects read quotes in strings differently, and a value of a template could end one"));
    }
    if let Some(refusal) = own_options::refused_in_sql(&key, &value.to_string()) {
        return Err(words.refuse(0, format!("`{key}` {}", refusal.why)).hint(refusal.hint));
    }
    Ok(Kind::Set { key, value })
}

fn reset(words: &Words<'_>) -> Result<Kind> {
    let key = if words.tokens.len() > 1 { Some(key(words, 1, words.tokens.len())?) } else { None };
    Ok(Kind::Reset { key })
}

/// An option's name: quoted, or as it stands.
fn key(words: &Words<'_>, from: usize, to: usize) -> Result<String> {
    let range = words.place(from)..words.tokens[to - 1].range.end;
    let text = match (words.kind(from), to - from) {
        (Some(TokenKind::Text), 1) => unquoted(words.rendered.slice(range)),
        _ => words.rendered.slice(range),
    };
    let key = text.to_string();
    if text.secrets().next().is_some() {
        return Err(words.refuse(from, "the name of an option cannot be a secret"));
    }
    if key.is_empty() || key.contains(|letter: char| letter.is_whitespace() || "'\"`".contains(letter)) {
        return Err(words
            .refuse(from, format!("`{key}` is no name of an option"))
            .hint("write `SET 'option' = 'value'`"));
    }
    Ok(key)
}

/// An option's value: quoted, or all that stands there.
fn value(words: &Words<'_>, from: usize) -> Result<SecretText> {
    let range = words.place(from)..words.end();
    if words.kind(from) == Some(TokenKind::Text) {
        if from + 1 < words.tokens.len() {
            return Err(words
                .refuse(from + 1, "something stands behind the value of SET")
                .hint("a quote inside of a value is doubled; a `;` may be missing"));
        }
        return Ok(unquoted(words.rendered.slice(range)));
    }
    // `//` begins a comment in Flink's SQL: `SET a = file:///tmp` would silently be `file:`.
    let rest = words.rendered.flat[words.end()..].split(['\n', ';']).next().unwrap_or_default();
    if words.rendered.flat[range.clone()].contains("//") || rest.trim_start().starts_with("//") {
        return Err(words
            .refuse(from, "the value of SET holds `//`, which begins a comment")
            .hint("put the value in quotes"));
    }
    Ok(words.rendered.slice(range))
}

/// A string without its quotes; secrets stand alone then.
fn unquoted(text: SecretText) -> SecretText {
    let pieces = text.pieces();
    let last = pieces.len().saturating_sub(1);
    let mut whole = SecretText::default();
    for (index, piece) in pieces.iter().enumerate() {
        let piece = match piece {
            Piece::Secret { name, .. } => SecretText::secret(name),
            Piece::Text(text) => {
                let text = if index == 0 { text.strip_prefix('\'').unwrap_or(text) } else { text };
                let text = if index == last { text.strip_suffix('\'').unwrap_or(text) } else { text };
                if text.is_empty() && pieces.len() > 1 {
                    continue;
                }
                SecretText::plain(text.replace("''", "'"))
            }
        };
        whole = whole.concat(piece);
    }
    whole
}
