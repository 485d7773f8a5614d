//! Replaces each mark in a rendered text by its value, written as the place where it stands asks for: bare as a literal,
//! inside quotes as escaped text, in a comment as text that cannot end it.

use super::datum::{ALREADY_SQL, Datum};
use super::filters::unfit_name;
use super::lexer::{Context, Lexer, is_word};
use super::mark::{self, Board, Mark};
use super::rendered::{Rendered, Step};
use super::template::Sources;
use crate::base::secret::{MASK, Piece, SecretText, Within};
use crate::base::{Error, Result, code};

/// Resolves the marks of a text.
///
/// # Errors
/// `template.invalid` for a value that has no meaning where it stands, at its place in the template.
pub(super) fn resolve(marked: &str, board: &Board, sources: Sources) -> Result<Rendered> {
    let (text, steps) = unmark(marked, board, &sources);
    let mut writer = Writer {
        rendered: Rendered { flat: String::new(), secrets: Vec::new(), steps: Vec::new(), sources: sources.all },
        value: false,
    };
    let mut lexer = Lexer::default();
    let mut steps = steps.into_iter().peekable();
    let mut at = 0;
    while at < text.len() {
        while let Some(step) = steps.next_if(|step| step.at <= at) {
            writer.step(step);
        }
        let rest = &text[at..];
        if let Some(Mark::Datum(number)) = Mark::read(rest) {
            let after = rest[mark::WIDTH..].chars().next();
            let datum = board.get(number).unwrap_or(Datum::Null);
            writer.value(&datum, lexer.context, after).map_err(|message| writer.refused(message))?;
            at += mark::WIDTH;
            lexer = Lexer::behind_value(lexer.context);
            continue;
        }
        if rest.starts_with(mark::is_reserved) {
            return Err(writer.refused(Refusal::from(ALREADY_SQL)));
        }
        let length = lexer.step(rest);
        writer.text(&rest[..length]);
        at += length;
    }
    Ok(writer.rendered)
}

/// Takes the marks of places out, and writes raw values: both are part of the text that the lexer reads.
fn unmark(marked: &str, board: &Board, sources: &Sources) -> (String, Vec<Step>) {
    let mut text = String::with_capacity(marked.len());
    let mut steps: Vec<Step> = Vec::new();
    let mut rest = marked;
    while let Some(at) = rest.find(mark::is_reserved) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let read = Mark::read(rest);
        let taken = if read.is_some() { mark::WIDTH } else { 4 };
        match read {
            Some(Mark::Place(number)) => {
                if let Some(spot) = sources.spots.get(number) {
                    let (source, line, column) = (spot.source, spot.line, spot.column);
                    steps.push(Step { at: text.len(), source, line, column, value: false });
                }
            }
            Some(Mark::Datum(number)) => {
                if let Some(Datum::Raw(raw)) = board.get(number) {
                    if let Some(last) = steps.last().copied() {
                        steps.push(Step { at: text.len(), value: true, ..last });
                    }
                    text.push_str(&raw);
                } else {
                    text.push_str(&rest[..taken]);
                }
            }
            None => text.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    text.push_str(rest);
    (text, steps)
}

/// Why a value cannot stand where it does, and what to do.
struct Refusal {
    message: String,
    hint: Option<&'static str>,
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self { message: message.to_owned(), hint: None }
    }
}

struct Writer {
    rendered: Rendered,
    /// The last thing written was a value that ends with a quote.
    value: bool,
}

impl Writer {
    fn refused(&self, refusal: Refusal) -> Error {
        let error =
            Error::new(&code::TEMPLATE_INVALID, refusal.message).at(self.rendered.place(self.rendered.flat.len()));
        match refusal.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn step(&mut self, step: Step) {
        self.rendered.steps.push(Step { at: self.rendered.flat.len(), ..step });
    }

    /// Text of the template.
    fn text(&mut self, text: &str) {
        let last = self.rendered.flat.chars().next_back();
        // `'a'` written by a value and a quote of the template would read as one string.
        if std::mem::take(&mut self.value) && last.is_some_and(|last| text.starts_with(last)) {
            self.rendered.flat.push(' ');
        }
        self.push(text);
    }

    /// Text as it is; a line that begins inside of a value has the value's place.
    fn push(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            self.rendered.flat.push_str(line);
            if line.ends_with('\n')
                && let Some(last) = self.rendered.steps.last().copied()
            {
                self.step(Step { value: true, ..last });
            }
        }
    }

    fn secret(&mut self, name: &str, within: Within) -> Result<(), Refusal> {
        let letter = mark::secret(self.rendered.secrets.len()).ok_or("too many secrets in one text")?;
        self.rendered.flat.push(letter);
        self.rendered.secrets.push(Piece::Secret { name: name.to_owned(), within });
        Ok(())
    }

    fn value(&mut self, datum: &Datum, context: Context, after: Option<char>) -> Result<(), Refusal> {
        if let Some(last) = self.rendered.steps.last().copied() {
            let offset = self.rendered.flat.len();
            let column = self.rendered.place(offset).column;
            self.step(Step { column, value: true, ..last });
        }
        match context {
            Context::Code => self.bare(datum, after),
            Context::Text => self.within(datum, Within::SqlString),
            Context::DoubleQuotes => self.within(datum, Within::SqlDoubleQuotes),
            Context::Backticks => self.name(datum),
            Context::LineComment => {
                let text = shown(datum).replace(|letter: char| letter.is_control(), " ");
                self.push(&text);
                Ok(())
            }
            Context::BlockComment => {
                // Neither alone nor with what stands beside it may a value make the end of the comment, or a hint.
                if self.rendered.flat.ends_with('*') {
                    self.push(" ");
                }
                self.push(&shown(datum).replace('*', "* "));
                Ok(())
            }
            Context::EscapeText => Err(Refusal {
                message: "a value inside of `E'...'`".to_owned(),
                hint: Some("older Flinks do not read backslashes in such a string, newer ones do; use a plain string"),
            }),
        }
    }

    /// A literal, or a name.
    fn bare(&mut self, datum: &Datum, after: Option<char>) -> Result<(), Refusal> {
        let before = self.rendered.flat.chars().next_back();
        let natural = matches!(datum, Datum::Number(number) if !number.contains(['-', '.']));
        let touches = |letter: Option<char>| letter.is_some_and(|letter| is_word(letter) || letter == '&');
        let dotted = |letter: Option<char>| letter == Some('.');
        let ident = matches!(datum, Datum::Ident(_));
        if !natural && (touches(before) || touches(after) || (!ident && (dotted(before) || dotted(after)))) {
            return Err(Refusal {
                message: "a value inside of a name".to_owned(),
                hint: Some("write the name as `` `t_{{ x }}` ``, or `{{ x | raw }}`; or put a space between"),
            });
        }
        let start = self.rendered.flat.len();
        self.literal(datum)?;
        let written = self.rendered.flat[start..].chars().next();
        // `-` and `-1` would be a comment, `'a'` and `'b'` one string.
        if before.is_some() && before == written && matches!(written, Some('-' | '\'' | '`')) {
            self.rendered.flat.insert(start, ' ');
        }
        self.value = self.rendered.flat.ends_with(['\'', '`']);
        Ok(())
    }

    fn literal(&mut self, datum: &Datum) -> Result<(), Refusal> {
        match datum {
            Datum::Null => self.push("NULL"),
            Datum::Bool(true) => self.push("TRUE"),
            Datum::Bool(false) => self.push("FALSE"),
            Datum::Number(number) => self.push(number),
            Datum::Text(text) => self.enclosed('\'', text, Within::SqlString)?,
            Datum::Literal(inner) => self.literal(inner)?,
            Datum::List(items) if items.is_empty() => {
                return Err(Refusal {
                    message: "an empty list has no SQL literal".to_owned(),
                    hint: Some("`IN ()` is no SQL: leave the condition out with `{% if list %}`"),
                });
            }
            Datum::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    match item {
                        Datum::List(_) => return Err(Refusal::from("a list in a list has no SQL literal")),
                        Datum::Raw(_) => {
                            return Err(Refusal {
                                message: "raw SQL in a list".to_owned(),
                                hint: Some("say what stands between: `{{ list | join(\", \") }}`"),
                            });
                        }
                        _ => {}
                    }
                    if index > 0 {
                        self.push(", ");
                    }
                    self.literal(item)?;
                }
            }
            Datum::Ident(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.push(".");
                    }
                    self.enclosed('`', part, Within::SqlBackticks)?;
                }
            }
            Datum::Raw(raw) => self.push(raw),
        }
        Ok(())
    }

    fn enclosed(&mut self, quote: char, text: &SecretText, within: Within) -> Result<(), Refusal> {
        self.rendered.flat.push(quote);
        self.escaped(text, within)?;
        self.rendered.flat.push(quote);
        Ok(())
    }

    fn escaped(&mut self, text: &SecretText, within: Within) -> Result<(), Refusal> {
        for piece in text.pieces() {
            match piece {
                Piece::Text(text) => self.push(&within.escape(text)),
                Piece::Secret { name, .. } => self.secret(name, within)?,
            }
        }
        Ok(())
    }

    /// Text inside quotes.
    fn within(&mut self, datum: &Datum, within: Within) -> Result<(), Refusal> {
        match datum {
            Datum::Text(text) => self.escaped(text, within),
            Datum::Bool(_) | Datum::Number(_) => {
                self.push(&shown(datum));
                Ok(())
            }
            Datum::Null => Err(Refusal {
                message: "null inside of quotes".to_owned(),
                hint: Some("write the value without quotes: `{{ x }}` becomes NULL or a quoted text"),
            }),
            Datum::List(_) => Err(Refusal {
                message: "a list inside of quotes".to_owned(),
                hint: Some("make one text of it: `{{ list | join(\",\") }}`"),
            }),
            Datum::Ident(_) | Datum::Literal(_) | Datum::Raw(_) if datum.is_secret() => {
                Err(Refusal::from("a secret as `| ident` or `| literal` inside of quotes"))
            }
            Datum::Ident(_) | Datum::Literal(_) | Datum::Raw(_) => {
                self.push(&within.escape(&shown(datum)));
                Ok(())
            }
        }
    }

    /// Text inside backticks.
    fn name(&mut self, datum: &Datum) -> Result<(), Refusal> {
        match datum {
            Datum::Text(text) => match unfit_name(&format!("x{text}")) {
                Some(why) => Err(Refusal::from(why)),
                None => self.escaped(text, Within::SqlBackticks),
            },
            Datum::Bool(_) | Datum::Number(_) => {
                self.push(&shown(datum));
                Ok(())
            }
            _ => Err(Refusal {
                message: "inside of backticks only a text or a number can stand".to_owned(),
                hint: Some("without the backticks: `{{ name | ident }}`"),
            }),
        }
    }
}

/// A datum as it reads, secrets as stars.
fn shown(datum: &Datum) -> String {
    let list = |items: &[String]| items.join(", ");
    match datum {
        Datum::Null => "null".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Number(number) => number.clone(),
        Datum::Text(text) => text.to_string(),
        Datum::List(items) => list(&items.iter().map(shown).collect::<Vec<_>>()),
        Datum::Ident(parts) => super::literal::ident_path(&parts.iter().map(SecretText::to_string).collect::<Vec<_>>()),
        Datum::Literal(inner) => match inner.as_ref() {
            Datum::Null => "NULL".to_owned(),
            Datum::Bool(value) => value.to_string().to_uppercase(),
            Datum::Text(text) if text.secrets().next().is_some() => MASK.to_owned(),
            Datum::Text(text) => format!("'{}'", Within::SqlString.escape(&text.to_string())),
            Datum::List(items) => {
                list(&items.iter().map(|item| shown(&Datum::Literal(Box::new(item.clone())))).collect::<Vec<_>>())
            }
            inner => shown(inner),
        },
        Datum::Raw(raw) => raw.clone(),
    }
}
