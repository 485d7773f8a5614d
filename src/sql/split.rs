//! Splits a rendered text into the statements of a job.

use std::ops::Range;

use super::classify::{Words, classify};
use super::lexer::{Context, Token, TokenKind, Unclosed, tokens};
use super::rendered::Rendered;
use crate::base::{Error, Result, code};
use crate::model::statement::{Kind, Statement};

/// The statements of a text.
///
/// # Errors
/// `sql.invalid` at the place in the template: something that is never closed, or a statement that a job cannot be
/// made of.
pub fn split(rendered: &Rendered) -> Result<Vec<Statement>> {
    let tokens = tokens(&rendered.flat).map_err(|unclosed| report_unclosed(rendered, unclosed))?;
    let significant: Vec<Token> = tokens.into_iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let mut statements = Vec::new();
    let mut set: Option<usize> = None;
    for range in ranges(rendered, &significant)? {
        let mut words = Words::new(rendered, &significant[range]);
        if set.is_some() && words.is(0, "END") {
            if let Some(extra) = words.at(1) {
                return Err(invalid(rendered, extra, "a `;` is missing behind `END`"));
            }
            set = None;
            continue;
        }
        if set.is_none() {
            if let Some(length) = opens_set(&words) {
                set = words.at(0);
                words.skip(length);
            } else if words.is(0, "EXECUTE") && words.is(1, "INSERT") {
                words.skip(1);
            }
        }
        if words.is_empty() {
            continue;
        }
        let statement = classify(&words)?;
        if set.is_some() && statement.kind != Kind::Insert {
            return Err(invalid(rendered, words.start(), "a statement set holds only INSERT statements"));
        }
        statements.push(statement);
    }
    match set {
        Some(at) => Err(invalid(rendered, at, "the statement set has no `END`").hint("close it with `END;`")),
        None => Ok(statements),
    }
}

/// The statements of a text that is to be one job.
///
/// # Errors
/// As [`split`], and `sql.invalid` where no job, or more than one, would come of it.
pub fn statements(rendered: &Rendered) -> Result<Vec<Statement>> {
    let statements = split(rendered)?;
    let jobs: Vec<&Statement> = statements.iter().filter(|statement| statement.kind.is_job()).collect();
    let Some(last) = jobs.last() else {
        return Err(Error::new(&code::SQL_INVALID, "the SQL makes no job: it has no INSERT")
            .at(rendered.place(0))
            .hint("a job is one INSERT or more, or one CREATE TABLE ... AS SELECT"));
    };
    if jobs.len() > 1 && jobs.iter().any(|statement| statement.kind != Kind::Insert) {
        return Err(Error::new(&code::SQL_INVALID, "the SQL makes more than one job")
            .at(last.place(1, 1))
            .hint("all INSERTs are one job; CREATE TABLE ... AS SELECT and EXECUTE PLAN are each a job of their own"));
    }
    Ok(statements)
}

/// How many words open a statement set here.
fn opens_set(words: &Words<'_>) -> Option<usize> {
    let starts = |with: &[&str]| with.iter().enumerate().all(|(index, word)| words.is(index, word));
    if starts(&["EXECUTE", "STATEMENT", "SET", "BEGIN"]) {
        Some(4)
    } else if starts(&["BEGIN", "STATEMENT", "SET"]) && words.at(3).is_none() {
        Some(3)
    } else {
        None
    }
}

/// The tokens of each statement: from `;` to `;`.
fn ranges(rendered: &Rendered, tokens: &[Token]) -> Result<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut hint: Option<usize> = None;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::HintStart => hint = Some(token.range.start),
            TokenKind::HintEnd => hint = None,
            TokenKind::Symbol(';') => {
                if let Some(at) = hint {
                    return Err(unclosed_hint(rendered, at));
                }
                ranges.push(start..index);
                start = index + 1;
            }
            _ => {}
        }
    }
    match hint {
        Some(at) => Err(unclosed_hint(rendered, at)),
        None => {
            ranges.push(start..tokens.len());
            Ok(ranges)
        }
    }
}

fn unclosed_hint(rendered: &Rendered, at: usize) -> Error {
    invalid(rendered, at, "the hint is never closed").hint("close it with `*/`")
}

fn report_unclosed(rendered: &Rendered, unclosed: Unclosed) -> Error {
    let (what, hint) = match unclosed.context {
        Context::EscapeText => (
            "an escape string `E'...'`",
            "older Flinks do not read backslashes in it, newer ones do; use a plain string",
        ),
        Context::Backticks => ("the name in backticks does not end in its line", "close it with a backtick"),
        Context::DoubleQuotes => ("the double quote is never closed", "Flink's SQL has 'texts' and `names`"),
        Context::BlockComment => ("the comment is never closed", "close it with `*/`"),
        _ => ("the string is never closed", "close it with `'`; a quote inside of it is doubled"),
    };
    invalid(rendered, unclosed.at, what).hint(hint)
}

/// An error at a byte of the rendered text.
pub(super) fn invalid(rendered: &Rendered, at: usize, message: impl Into<String>) -> Error {
    Error::new(&code::SQL_INVALID, message).at(rendered.place(at))
}
