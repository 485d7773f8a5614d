//! Whether an input is whole, or goes on in the next line.

/// What is open at a place of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Bracket(char),
    /// A text in backticks.
    Backtick,
    /// `${` in a text in backticks.
    Inserted,
}

/// Whether brackets, a text in backticks or a comment are still open, or the last line ends in an operator.
///
/// A bracket that closes what is not open makes the input whole: it is an error, and more lines would not mend it.
pub(super) fn is_unfinished(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied();
    let mut open: Vec<Open> = Vec::new();
    let mut index = 0;
    // The last letter that is neither space nor comment.
    let mut last = ' ';
    while let Some(letter) = at(index) {
        if open.last() == Some(&Open::Backtick) {
            match (letter, at(index + 1)) {
                ('\\', _) => index += 1,
                ('`', _) => {
                    open.pop();
                    last = '`';
                }
                ('$', Some('{')) => {
                    open.push(Open::Inserted);
                    index += 1;
                }
                _ => {}
            }
            index += 1;
            continue;
        }
        match (letter, at(index + 1)) {
            ('/', Some('/')) => {
                while at(index).is_some_and(|letter| letter != '\n') {
                    index += 1;
                }
                continue;
            }
            ('/', Some('*')) => match comment_end(&letters, index) {
                Some(end) => {
                    index = end;
                    continue;
                }
                None => return true,
            },
            ('"', _) => match quote_end(&letters, index) {
                Some(end) => {
                    index = end;
                    last = '"';
                    continue;
                }
                // Rhai ends such a text at the line's end: an error.
                None => return false,
            },
            ('\'', _) if at(index + 1) == Some('\\') || at(index + 2) == Some('\'') => {
                index += if at(index + 1) == Some('\\') { 3 } else { 2 };
            }
            ('`', _) => open.push(Open::Backtick),
            ('(' | '[' | '{', _) => open.push(Open::Bracket(letter)),
            (')' | ']' | '}', _) => match (open.pop(), letter) {
                (Some(Open::Bracket('(')), ')')
                | (Some(Open::Bracket('[')), ']')
                | (Some(Open::Bracket('{') | Open::Inserted), '}') => {}
                _ => return false,
            },
            _ => {}
        }
        if !letter.is_whitespace() {
            last = letter;
        }
        index += 1;
    }
    !open.is_empty() || "=+-*/%<>&|^,.".contains(last)
}

/// The index after the end of a comment, which may hold others.
fn comment_end(letters: &[char], start: usize) -> Option<usize> {
    let (mut depth, mut index) = (0_usize, start);
    while index < letters.len() {
        match (letters[index], letters.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 1;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 1;
            }
            _ => {}
        }
        index += 1;
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// The index after the end of a text in double quotes, on its line unless a `\` ends that.
fn quote_end(letters: &[char], start: usize) -> Option<usize> {
    let mut index = start + 1;
    while index < letters.len() {
        match letters[index] {
            '\\' => index += 1,
            '"' => return Some(index + 1),
            '\n' => return None,
            _ => {}
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_goes_on() {
        for text in [
            "f(1,",
            "#{ a: 1,",
            "if x {",
            "let a = [1,\n2",
            "`a",
            "`a ${ #{ b: 1",
            "`a ${b} \n",
            "/* a /* b */",
            "let x =",
            "a +",
            "a.",
            "f(\")\"",
            "f('('",
            "a, // b",
        ] {
            assert!(is_unfinished(text), "{text}");
        }
    }

    #[test]
    fn what_is_whole_or_wrong_ends() {
        for text in [
            "",
            "1",
            "f(1)",
            "let x = \"(\";",
            "\"a",
            ")",
            "f(]",
            "'('",
            "'\\''",
            "`a ${ #{ b: 1 } } c`",
            "`\\``",
            "/* a /* b */ c */",
            "1 // (",
            "let x = 1; // =",
            "fn f() { 1 }",
        ] {
            assert!(!is_unfinished(text), "{text}");
        }
    }
}
