//! How an error looks on a terminal. The only place that turns one into text for people.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use crate::base::Error;
use crate::base::error::Place;

/// Columns of a report; longer lines of scripts are cut round the place.
const WIDTH: usize = 120;

/// The most places that are shown: the innermost and the outermost half.
const PLACES: usize = 12;

/// An error with its places, causes and hint, without a line end at the end. Long details are not in it.
pub fn render(error: &Error, color: bool) -> String {
    if error.places().is_empty() {
        return without_places(error, color);
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut elements: Vec<Element<'_>> = Vec::new();
    let (first, last) = shown(error.places());
    for (index, place) in first.iter().enumerate() {
        elements.push(element(place, index == 0));
    }
    if !last.is_empty() {
        let left_out = error.places().len() - first.len() - last.len();
        elements.push(Level::NOTE.with_name("...").message(format!("{left_out} more calls")).into());
    }
    elements.extend(last.iter().map(|place| element(place, false)));
    for cause in error.causes() {
        elements.push(Level::NOTE.with_name("caused by").message(normalize_untrusted_str(cause)).into());
    }
    if let Some(hint) = error.hint_text() {
        elements.push(Level::HELP.with_name("hint").message(normalize_untrusted_str(hint)).into());
    }
    let group = Level::ERROR.primary_title(error.message()).id(error.code_name()).elements(elements);
    renderer.render(&[group])
}

fn without_places(error: &Error, color: bool) -> String {
    let (red, green, bold, reset) = match color {
        true => ("\x1b[1;91m", "\x1b[1;96m", "\x1b[1m", "\x1b[0m"),
        false => ("", "", "", ""),
    };
    let code = error.code_name();
    let mut text = format!("{red}error[{code}]{reset}{bold}: {}{reset}", normalize_untrusted_str(error.message()));
    for cause in error.causes() {
        text.push_str(&format!("\n{bold}caused by{reset}: {}", normalize_untrusted_str(cause)));
    }
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("\n{green}hint{reset}: {}", normalize_untrusted_str(hint)));
    }
    text
}

fn shown(places: &[Place]) -> (&[Place], &[Place]) {
    match places.len() > PLACES {
        true => (&places[..PLACES / 2], &places[places.len() - PLACES / 2..]),
        false => (places, &[]),
    }
}

fn element(place: &Place, first: bool) -> Element<'_> {
    let Some(excerpt) = &place.excerpt else {
        let origin = Origin::path(&place.file).line(place.line);
        return match place.column {
            0 => origin.into(),
            column => origin.char_column(column).into(),
        };
    };
    let kind = if first { AnnotationKind::Primary } else { AnnotationKind::Context };
    let label = (!place.label.is_empty()).then_some(place.label.as_str());
    Snippet::source(excerpt)
        .path(&place.file)
        .line_start(place.line)
        .annotation(kind.span(span(excerpt, place.column)).label(label))
        .into()
}

/// What to underline, in bytes: the word at the column with its namespace, or one character, or the whole line.
fn span(line: &str, column: usize) -> Range<usize> {
    let Some(column) = column.checked_sub(1) else {
        let start = line.len() - line.trim_start().len();
        return start..line.trim_end().len().max(start);
    };
    let Some((start, first)) = line.char_indices().nth(column) else { return line.len()..line.len() };
    let rest = &line[start..];
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut end = rest.find(|c: char| !part_of_word(c)).unwrap_or(rest.len());
    while end > 0
        && let Some(more) = rest[end..].strip_prefix("::")
        && more.starts_with(part_of_word)
    {
        end += 2 + more.find(|c: char| !part_of_word(c)).unwrap_or(more.len());
    }
    match first {
        '"' => start..start + rest[1..].find('"').map_or(1, |index| index + 2),
        _ if end == 0 => start..start + first.len_utf8(),
        _ => start..start + end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::code;

    fn place(line: usize, column: usize, excerpt: Option<&str>, label: &str) -> Place {
        Place {
            file: "scripts/deploy.rhai".to_owned(),
            line,
            column,
            excerpt: excerpt.map(str::to_owned),
            label: label.to_owned(),
        }
    }

    #[test]
    fn places_causes_and_a_hint() {
        let error = Error::new(&code::FLINK_UNREACHABLE, "no answer from `http://127.0.0.1:1`")
            .caused_by("connection refused\nby nobody")
            .hint("start it")
            .at(place(6, 5, Some("    u::boom(21)"), ""))
            .at(place(11, 1, Some("deploy();"), "in call to `deploy`"));
        insta::assert_snapshot!(render(&error, false), @r"
        error[flink.unreachable]: no answer from `http://127.0.0.1:1`
          --> scripts/deploy.rhai:6:5
           |
         6 |     u::boom(21)
           |     ^^^^^^^
           |
          ::: scripts/deploy.rhai:11:1
           |
        11 | deploy();
           | ------ in call to `deploy`
           |
           = caused by: connection refused
                        by nobody
           = hint: start it
        ");
    }

    #[test]
    fn no_place_no_excerpt_no_column() {
        let error = Error::new(&code::FLINK_UNREACHABLE, "no answer").caused_by("refused").hint("start it");
        insta::assert_snapshot!(render(&error, false), @r"
        error[flink.unreachable]: no answer
        caused by: refused
        hint: start it
        ");
        let error = error.at(place(3, 7, None, "")).at(place(9, 0, None, "")).at(place(2, 0, Some("  name: x"), ""));
        insta::assert_snapshot!(render(&error, false), @r"
        error[flink.unreachable]: no answer
         --> scripts/deploy.rhai:3:7
         ::: scripts/deploy.rhai:9
          |
         ::: scripts/deploy.rhai:2:3
          |
        2 |   name: x
          |   -------
          |
          = caused by: refused
          = hint: start it
        ");
    }

    #[test]
    fn long_lines_are_cut_and_many_calls_left_out() {
        let long = format!("{}boom(1){}", "let x = 1; ".repeat(60), " + 2".repeat(60));
        let mut error = Error::new(&code::SCRIPT_LIMIT, "too deep").at(place(1, 661, Some(&long), ""));
        for line in 2..40 {
            error = error.at(place(line, 1, Some("f()"), "in call to `f`"));
        }
        let text = render(&error, false);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 10), "{text}");
        assert!(text.contains("boom(1)") && text.contains("27 more calls"), "{text}");
        assert!(text.contains("deploy.rhai:1:661"), "{text}");
    }

    #[test]
    fn escape_sequences_of_others_do_not_reach_the_terminal() {
        let error = Error::new(&code::FLINK_REFUSED, "bad \x1b[2J").caused_by("\x1b[31mred").hint("\x07");
        let placed = error.clone().at(place(1, 1, Some("x\x1b[2J"), ""));
        for error in [error, placed] {
            assert!(!render(&error, false).contains(['\x1b', '\x07']), "{:?}", render(&error, false));
        }
    }

    #[test]
    fn spans_are_words_in_bytes() {
        assert_eq!(span("é = u::boom(1)", 5), 5..12);
        assert_eq!(span("a + b", 3), 2..3);
        assert_eq!(span("import \"a b\";", 8), 7..12);
        assert_eq!(span("ab", 9), 2..2);
        assert_eq!(span("  ab ", 0), 2..4);
    }
}
