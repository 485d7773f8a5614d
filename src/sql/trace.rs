//! Puts a mark before every piece of plain text of a template, after every end of a line in it, and before every
//! `{{ }}`: so each character that is rendered, through loops, includes and macros, is known by line and column.
//!
//! Which bytes are plain text is asked of minijinja's own tokenizer: strings in expressions, raw blocks, comments and the
//! `-` that eats white space are read once, by the one who renders them.

use minijinja::machinery::{Token, Tokenizer};
use minijinja::syntax::SyntaxConfig;

use super::mark::{self, Mark};
use super::position;

/// A place in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The number of the template.
    pub(super) source: usize,
    /// The line, from 1.
    pub(super) line: usize,
    /// The column in characters, from 1.
    pub(super) column: usize,
}

/// A template with marks in it.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    /// The text for minijinja.
    pub(super) text: String,
    /// Where marks were put, as bytes of the template as it was, in order.
    inserted: Vec<usize>,
}

impl Traced {
    /// The byte of the template as it was, for a byte of the marked one.
    pub(super) fn original(&self, offset: usize) -> usize {
        let mut before = 0;
        while self.inserted.get(before).is_some_and(|at| at + (before + 1) * mark::WIDTH <= offset) {
            before += 1;
        }
        offset - before * mark::WIDTH
    }
}

/// Marks a template; its spots are added to `spots`. A template that cannot be read stays unmarked from there on, and
/// minijinja will say why.
pub(super) fn trace(source: usize, name: &str, template: &str, spots: &mut Vec<Spot>) -> Traced {
    let mut inserted = Vec::new();
    let mut text = String::with_capacity(template.len() * 2);
    let mut copied = 0;
    // The line where the search for the next spot goes on: templates are read once, not once a mark.
    let (mut line, mut line_start, mut line_seen) = (1, 0, 0);
    for (at, of) in insertions(name, template) {
        if spots.len() >= mark::CAPACITY {
            break;
        }
        while let Some(newline) = template[line_seen..of].find('\n') {
            line += 1;
            line_seen += newline + 1;
            line_start = line_seen;
        }
        let column = template[line_start..of].chars().count() + 1;
        text.push_str(&template[copied..at]);
        text.push_str(&Mark::Place(spots.len()).text());
        spots.push(Spot { source, line, column });
        inserted.push(at);
        copied = at;
    }
    text.push_str(&template[copied..]);
    Traced { text, inserted }
}

/// Where marks go: the byte to put it at, and the byte it speaks of.
fn insertions(name: &str, template: &str) -> Vec<(usize, usize)> {
    let mut insertions = Vec::new();
    let mut tokenizer = Tokenizer::new(template, name, false, SyntaxConfig::default());
    let mut blocks = Captures::default();
    let mut end = 0;
    while let Ok(Some((token, span))) = tokenizer.next_token() {
        match &token {
            Token::TemplateData(data) => {
                let start = data.as_ptr() as usize - template.as_ptr() as usize;
                insertions.push((start, start));
                for (newline, _) in data.match_indices('\n') {
                    blocks.newline();
                    insertions.push((start + newline + 1, start + newline + 1));
                }
                end = start + data.len();
            }
            Token::VariableStart => {
                let start = span.start_offset as usize;
                // Before a `-` that eats white space a mark would be in its way: it goes before the white space.
                let eats = template[start..].starts_with("{{-");
                insertions.push((if eats { end } else { start }, start));
            }
            Token::VariableEnd | Token::BlockEnd => end = span.end_offset as usize,
            _ => {}
        }
        blocks.see(&token, &mut insertions);
    }
    insertions
}

/// The blocks whose text becomes a value (`set`, `macro`, `call`, `filter`). Such a text of one line gets no marks, so
/// that it can be compared and filtered; the place of its use stands for it.
#[derive(Default)]
struct Captures {
    /// How many insertions there were before each open block, and whether it has lines.
    open: Vec<(usize, bool)>,
    words: usize,
    parens: usize,
    set: Option<bool>,
}

impl Captures {
    fn newline(&mut self) {
        for (_, has_lines) in &mut self.open {
            *has_lines = true;
        }
    }

    fn see(&mut self, token: &Token<'_>, insertions: &mut Vec<(usize, usize)>) {
        match token {
            Token::BlockStart => {
                (self.words, self.parens, self.set) = (1, 0, None);
                return;
            }
            Token::Ident("macro" | "call" | "filter") if self.words == 1 => {
                self.open.push((insertions.len(), false));
            }
            Token::Ident("set") if self.words == 1 => self.set = Some(true),
            Token::Ident("endmacro" | "endcall" | "endfilter" | "endset") if self.words == 1 => {
                if let Some((before, false)) = self.open.pop() {
                    insertions.truncate(before);
                }
            }
            Token::ParenOpen => self.parens += 1,
            Token::ParenClose => self.parens = self.parens.saturating_sub(1),
            Token::Assign if self.parens == 0 => self.set = None,
            Token::BlockEnd if self.set.take().is_some() => self.open.push((insertions.len(), false)),
            _ => {}
        }
        self.words = 0;
    }
}

/// The line and column of a byte of the marked text, in the template as it was.
pub(super) fn position_of(traced: &Traced, template: &str, offset: usize) -> (usize, usize) {
    position::of(template, traced.original(offset))
}

/// The byte of a block tag that names another template: where it is included or imported.
pub(super) fn mention(name: &str, template: &str, other: &str) -> Option<usize> {
    let mut tokenizer = Tokenizer::new(template, name, false, SyntaxConfig::default());
    let mut tag = None;
    let mut word = "";
    while let Ok(Some((token, span))) = tokenizer.next_token() {
        match token {
            Token::BlockStart => (tag, word) = (Some(span.start_offset as usize), ""),
            Token::BlockEnd => tag = None,
            Token::Ident(ident) if word.is_empty() => word = ident,
            Token::Str(named)
                if named == other && tag.is_some() && matches!(word, "include" | "import" | "from" | "extends") =>
            {
                return tag;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_template_is_the_template_when_the_marks_are_cut() {
        for template in [
            "a {{ b }} c\n{{- d -}}\n e {% if x %}\n f{% endif %}\n",
            "{# a\n b #}{% raw %}{{ c }}\n{% endraw %}{{ '%}' }}",
            "{% set x %}one line{% endset %}{% set y = 1 %}\n{% macro m(a, b=1) -%}\n x\n{%- endmacro %}é{{ m(1) }}",
            "\n\n",
            "{{ unfinished",
        ] {
            let mut spots = Vec::new();
            let traced = trace(0, "t.sql", template, &mut spots);
            let cut: String = traced.text.chars().filter(|letter| !mark::is_reserved(*letter)).collect();
            assert_eq!(cut, template);
            for (offset, letter) in traced.text.char_indices().filter(|(_, letter)| !mark::is_reserved(*letter)) {
                assert_eq!(template[traced.original(offset)..].chars().next(), Some(letter), "{template:?} {offset}");
            }
        }
    }

    #[test]
    fn text_of_one_line_in_a_block_gets_no_marks() {
        let mut spots = Vec::new();
        let traced = trace(0, "t.sql", "{% set x %}a{{ b }}{% endset %}{% macro m() %}c{% endmacro %}", &mut spots);
        assert!(!mark::is_marked(&traced.text));
        trace(0, "t.sql", "{% set x %}a\n{{ b }}{% endset %}d", &mut spots);
        let lines: Vec<_> = spots.iter().map(|spot| (spot.line, spot.column)).collect();
        assert_eq!(lines, [(1, 12), (2, 1), (2, 1), (2, 20)]);
    }
}
