//! A rendered text, and where every character of it comes from.

use std::ops::Range;

use super::mark;
use crate::base::error::Place;
use crate::base::secret::{Piece, SecretText};
use crate::model::statement::{Origin, OtherLine, Part};

/// A text that was rendered or given, with the places of its templates.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The text; each secret is one character, see [`mark::secret`].
    pub(super) flat: String,
    pub(super) secrets: Vec<Piece>,
    /// Sorted by `at`.
    pub(super) steps: Vec<Step>,
    pub(super) sources: Vec<Source>,
}

/// A template as it was loaded.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
    /// Where its lines begin: every rendered line asks for one.
    starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(name: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { name: name.to_owned(), text, starts }
    }

    /// The text of a line, counted from 1, without its end.
    pub(super) fn line(&self, number: usize) -> Option<&str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        self.text.get(start..end).map(|line| line.trim_end_matches('\r'))
    }

    /// A place in it, with its line as the excerpt.
    pub(super) fn place(&self, line: usize, column: usize) -> Place {
        let excerpt = self.line(line).map(str::to_owned);
        Place { file: self.name.clone(), line, column, excerpt, label: String::new() }
    }
}

/// From a byte on, the text comes from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: usize,
    pub(super) source: usize,
    pub(super) line: usize,
    pub(super) column: usize,
    /// All of it comes from this one column: a value.
    pub(super) value: bool,
}

impl Rendered {
    /// A text that is no template: its lines are their own origin.
    pub fn verbatim(name: &str, text: &SecretText) -> Self {
        let mut rendered = Self { flat: String::new(), secrets: Vec::new(), steps: Vec::new(), sources: Vec::new() };
        for piece in text.pieces() {
            match piece {
                // A character of the plane would read as a secret.
                Piece::Text(text) => rendered.flat.push_str(&text.replace(mark::is_reserved, "\u{FFFD}")),
                Piece::Secret { .. } => match mark::secret(rendered.secrets.len()) {
                    Some(letter) => {
                        rendered.flat.push(letter);
                        rendered.secrets.push(piece.clone());
                    }
                    None => rendered.flat.push('\u{FFFD}'),
                },
            }
        }
        let starts = std::iter::once(0).chain(rendered.flat.match_indices('\n').map(|(newline, _)| newline + 1));
        rendered.steps = starts
            .enumerate()
            .map(|(index, at)| Step { at, source: 0, line: index + 1, column: 1, value: false })
            .collect();
        rendered.sources = vec![Source::new(name, text.to_string())];
        rendered
    }

    /// The whole text.
    pub fn text(&self) -> SecretText {
        self.slice(0..self.flat.len())
    }

    /// The origin of every line.
    pub fn lines(&self) -> Vec<Origin> {
        self.origins(0..self.flat.len())
    }

    /// A part of the text with its secrets.
    pub(super) fn slice(&self, range: Range<usize>) -> SecretText {
        let mut whole = SecretText::default();
        let mut rest = &self.flat[range];
        while let Some(at) = rest.find(mark::is_reserved) {
            let letter = rest[at..].chars().next().unwrap_or_default();
            whole = whole.concat(SecretText::plain(&rest[..at]));
            if let Some(Piece::Secret { name, within }) = mark::secret_number(letter).and_then(|n| self.secrets.get(n))
            {
                whole = whole.concat(SecretText::secret_within(name, *within));
            }
            rest = &rest[at + letter.len_utf8()..];
        }
        if rest.is_empty() { whole } else { whole.concat(SecretText::plain(rest)) }
    }

    /// The place of a byte.
    pub(super) fn place(&self, offset: usize) -> Place {
        let last = self.steps.partition_point(|step| step.at <= offset).checked_sub(1);
        let Some(step) = last.and_then(|last| self.steps.get(last)) else {
            let file = self.sources.first().map(|source| source.name.clone()).unwrap_or_default();
            return Place { file, line: 1, column: 0, excerpt: None, label: String::new() };
        };
        let source = &self.sources[step.source];
        source.place(step.line, self.column(step, offset))
    }

    fn column(&self, step: &Step, offset: usize) -> usize {
        if step.value || offset <= step.at { step.column } else { step.column + self.width(step.at..offset) }
    }

    fn width(&self, range: Range<usize>) -> usize {
        self.flat.get(range).map_or(0, |text| text.chars().count())
    }

    /// The origins of the lines that a range covers, columns counted from the start of the range.
    pub(super) fn origins(&self, range: Range<usize>) -> Vec<Origin> {
        let mut origins = Vec::new();
        let mut start = range.start;
        for line in self.flat[range].split('\n') {
            origins.push(self.origin(start..start + line.len()));
            start += line.len() + 1;
        }
        origins
    }

    fn origin(&self, line: Range<usize>) -> Origin {
        let text = &self.flat[line.clone()];
        let visible = line.start + (text.len() - text.trim_start().len());
        let visible = if visible >= line.end { line.start } else { visible };
        let main = self.place(visible);
        let first = self.steps.partition_point(|step| step.at <= line.start).saturating_sub(1);
        let mut parts: Vec<Part> = Vec::new();
        for step in
            self.steps[first.min(self.steps.len())..].iter().take_while(|step| step.at < line.end.max(line.start + 1))
        {
            let begin = step.at.max(line.start);
            let from = self.width(line.start..begin) + 1;
            let source = &self.sources[step.source];
            let same = source.name == main.file && step.line == main.line;
            let part = Part {
                from,
                column: self.column(step, begin),
                value: step.value,
                other: (!same).then(|| OtherLine {
                    file: source.name.clone(),
                    line: step.line,
                    text: source.line(step.line).unwrap_or_default().to_owned(),
                }),
            };
            match parts.last_mut() {
                Some(last) if last.from == from => *last = part,
                Some(last)
                    if !last.value
                        && !part.value
                        && last.other == part.other
                        && last.column + (from - last.from) == part.column => {}
                _ => parts.push(part),
            }
        }
        Origin { file: main.file, line: main.line, text: main.excerpt.unwrap_or_default(), parts }
    }
}
