//! Texts that do not parse: Rhai's words in ours, and a hint for what newcomers write.

use rhai::{Engine, LexError, ParseErrorType, Position};

use super::diagnostics::excerpt;
use super::resolver::place;
use super::unknown::{namespace_unknown, variable_unknown};
use super::{banned, words};
use crate::base::{Error, code};

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

pub(super) fn syntax(engine: &Engine, error: &ParseErrorType, position: Position, text: &str) -> Error {
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

/// The word that begins at the place.
pub(super) fn word_at(text: &str, position: Position) -> Option<&str> {
    let line = text.lines().nth(position.line()?.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.position()?.checked_sub(1)?)?.0;
    let rest = &line[start..];
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|word| !word.is_empty())
}
