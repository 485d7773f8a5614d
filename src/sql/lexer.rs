//! Where a SQL text is code, string, name or comment, as Calcite reads it with Flink's settings (`Lex.JAVA`).
//!
//! Source: Calcite `core/src/main/codegen/templates/Parser.jj`. `//` starts a comment like `--`; comments do not nest;
//! `/*+` begins a hint, whose inside is code; a double quote never closes anything in valid Flink SQL and is read as a
//! quote, so that a `;` after a stray one is not taken for an end.

use std::ops::Range;

/// What a character stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Plain SQL, also inside a hint.
    Code,
    /// `'...'`.
    Text,
    /// `E'...'`: newer Flinks read backslashes in it, older ones do not.
    EscapeText,
    /// `` `...` ``.
    Backticks,
    /// `"..."`.
    DoubleQuotes,
    /// From `--` or `//` to the end of the line.
    LineComment,
    /// `/* ... */`.
    BlockComment,
}

/// Follows a text from its start, one step at a time.
#[derive(Debug, Clone)]
pub(super) struct Lexer {
    /// What the next character stands in.
    pub(super) context: Context,
    /// The letters of the word directly before, for `E'`.
    word: String,
}

impl Default for Lexer {
    fn default() -> Self {
        Self { context: Context::Code, word: String::new() }
    }
}

impl Lexer {
    /// A lexer in this context, behind a value: the value is no part of a word.
    pub(super) fn behind_value(context: Context) -> Self {
        Self { context, word: String::new() }
    }

    /// Takes one step over the start of `rest`, which must not be empty, and says how many bytes it took.
    pub(super) fn step(&mut self, rest: &str) -> usize {
        let starts = |with: &str| rest.starts_with(with);
        let (context, length) = match self.context {
            Context::Code => {
                if starts("--") || starts("//") {
                    (Context::LineComment, 2)
                } else if starts("/*+") {
                    (Context::Code, 3)
                } else if starts("/*") {
                    (Context::BlockComment, 2)
                } else if starts("'") {
                    (if self.escapes() { Context::EscapeText } else { Context::Text }, 1)
                } else if starts("`") {
                    (Context::Backticks, 1)
                } else if starts("\"") {
                    (Context::DoubleQuotes, 1)
                } else {
                    (Context::Code, first(rest))
                }
            }
            Context::Text | Context::EscapeText => self.within(rest, "''"),
            Context::Backticks => self.within(rest, "``"),
            Context::DoubleQuotes => self.within(rest, "\"\""),
            Context::LineComment if starts("\n") || starts("\r") => (Context::Code, 1),
            Context::BlockComment if starts("*/") => (Context::Code, 2),
            comment => (comment, first(rest)),
        };
        match rest.chars().next() {
            Some(letter) if self.context == Context::Code && is_word(letter) => self.word.push(letter),
            _ => self.word.clear(),
        }
        self.context = context;
        length
    }

    /// A step inside quotes: doubled they go on, single they end.
    fn within(&self, rest: &str, doubled: &str) -> (Context, usize) {
        if rest.starts_with(doubled) {
            (self.context, 2)
        } else if rest.starts_with(&doubled[1..]) {
            (Context::Code, 1)
        } else {
            (self.context, first(rest))
        }
    }

    /// Whether the word before a quote makes it an `E'...'`; in `1E'...'` the `1` is a token of its own.
    fn escapes(&self) -> bool {
        self.word.trim_start_matches(|letter: char| letter.is_ascii_digit()).eq_ignore_ascii_case("e")
    }
}

fn first(rest: &str) -> usize {
    rest.chars().next().map_or(0, char::len_utf8)
}

/// Whether a character can be part of an unquoted name or a number.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word or a number.
    Word,
    /// `'...'`.
    Text,
    /// `` `...` ``.
    Backticks,
    /// `"..."`.
    DoubleQuotes,
    /// `/*+`.
    HintStart,
    /// `*/` outside of a comment.
    HintEnd,
    /// One other character.
    Symbol(char),
    /// A comment.
    Comment,
}

/// A token and the bytes it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// Its bytes.
    pub(super) range: Range<usize>,
}

/// Something that was opened and never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// What it stands in.
    pub(super) context: Context,
    /// The byte where it was opened.
    pub(super) at: usize,
}

/// The tokens of a text, comments included, white space not.
///
/// # Errors
/// Where a string, a quoted name or a comment has no end; a name in backticks ends on its own line, and the end of an
/// `E'...'` is never sure.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unclosed> {
    let mut lexer = Lexer::default();
    let mut tokens: Vec<Token> = Vec::new();
    let mut opened = 0;
    let mut at = 0;
    while at < text.len() {
        let before = lexer.context;
        let rest = &text[at..];
        let end = at + lexer.step(rest);
        let after = lexer.context;
        if before == Context::Backticks && rest.starts_with(['\n', '\r']) {
            return Err(Unclosed { context: before, at: opened });
        }
        if before == Context::Code && after != Context::Code {
            opened = at;
            if after == Context::EscapeText {
                // Where it ends depends on the version of Flink.
                return Err(Unclosed { context: after, at });
            }
        } else if before != Context::Code && after == Context::Code {
            tokens.push(Token { kind: closed(before), range: opened..end });
        } else if before == Context::Code {
            code(&mut tokens, text, at..end);
        }
        at = end;
    }
    match lexer.context {
        Context::Code => {}
        Context::LineComment => tokens.push(Token { kind: TokenKind::Comment, range: opened..at }),
        context => return Err(Unclosed { context, at: opened }),
    }
    Ok(tokens)
}

fn closed(context: Context) -> TokenKind {
    match context {
        Context::Text | Context::EscapeText => TokenKind::Text,
        Context::Backticks => TokenKind::Backticks,
        Context::DoubleQuotes => TokenKind::DoubleQuotes,
        Context::Code | Context::LineComment | Context::BlockComment => TokenKind::Comment,
    }
}

fn code(tokens: &mut Vec<Token>, text: &str, range: Range<usize>) {
    let Some(letter) = text[range.clone()].chars().next() else { return };
    if letter.is_whitespace() {
        return;
    }
    if range.len() == 3 && text[range.clone()].starts_with("/*+") {
        tokens.push(Token { kind: TokenKind::HintStart, range });
        return;
    }
    match tokens.last_mut() {
        Some(last) if last.kind == TokenKind::Word && last.range.end == range.start && is_word(letter) => {
            last.range.end = range.end;
        }
        Some(last) if letter == '/' && last.kind == TokenKind::Symbol('*') && last.range.end == range.start => {
            *last = Token { kind: TokenKind::HintEnd, range: last.range.start..range.end };
        }
        _ if is_word(letter) => tokens.push(Token { kind: TokenKind::Word, range }),
        _ => tokens.push(Token { kind: TokenKind::Symbol(letter), range }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(TokenKind, &str)> {
        tokens(text).unwrap().into_iter().map(|token| (token.kind, &text[token.range])).collect()
    }

    #[test]
    fn every_kind_of_token() {
        assert_eq!(
            seen("a1 'it''s;' `b``;` \"c;\" -- d;\n/* e; ' */ /*+ f('g*/') */ h // ;\n;"),
            [
                (TokenKind::Word, "a1"),
                (TokenKind::Text, "'it''s;'"),
                (TokenKind::Backticks, "`b``;`"),
                (TokenKind::DoubleQuotes, "\"c;\""),
                (TokenKind::Comment, "-- d;\n"),
                (TokenKind::Comment, "/* e; ' */"),
                (TokenKind::HintStart, "/*+"),
                (TokenKind::Word, "f"),
                (TokenKind::Symbol('('), "("),
                (TokenKind::Text, "'g*/'"),
                (TokenKind::Symbol(')'), ")"),
                (TokenKind::HintEnd, "*/"),
                (TokenKind::Word, "h"),
                (TokenKind::Comment, "// ;\n"),
                (TokenKind::Symbol(';'), ";"),
            ]
        );
    }

    #[test]
    fn a_backslash_escapes_nothing_and_comments_do_not_nest() {
        assert_eq!(seen("'a\\';"), [(TokenKind::Text, "'a\\'"), (TokenKind::Symbol(';'), ";")]);
        assert_eq!(seen("/* /* */ b"), [(TokenKind::Comment, "/* /* */"), (TokenKind::Word, "b")]);
        assert_eq!(seen("/**/ b"), [(TokenKind::Comment, "/**/"), (TokenKind::Word, "b")]);
    }

    #[test]
    fn an_escape_string_is_told_apart() {
        for text in ["e'a'", "1E'a'"] {
            assert_eq!(tokens(text).unwrap_err().context, Context::EscapeText, "{text}");
        }
        assert_eq!(seen("he'a'")[1].0, TokenKind::Text);
        assert_eq!(seen("e 'a'")[1].0, TokenKind::Text);
    }

    #[test]
    fn what_is_never_closed_is_found_where_it_opens() {
        for (text, context, at) in [
            ("ab 'c''", Context::Text, 3),
            ("a /* b", Context::BlockComment, 2),
            ("a /*/", Context::BlockComment, 2),
            ("`a\nb`", Context::Backticks, 0),
            ("\"a", Context::DoubleQuotes, 0),
        ] {
            assert_eq!(tokens(text), Err(Unclosed { context, at }), "{text}");
        }
        assert!(tokens("a -- b").is_ok());
    }
}
