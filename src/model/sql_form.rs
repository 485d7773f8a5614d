//! The form of a SQL statement that counts: without comments, and with one space where white space stood. A reformatted
//! file is no change.

use crate::base::secret::{Piece, SecretText};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// A string or a quoted name, up to this character; doubled it is a part of it, which reads as two of them.
    Quoted(char),
    LineComment,
    BlockComment,
}

/// A statement in the form that counts. Hints, `/*+ ... */`, are no comments.
pub fn normalised(text: &SecretText) -> SecretText {
    let mut whole = SecretText::default();
    let mut within = Within::Code;
    let mut gap = false;
    let mut is_first = true;
    for piece in text.pieces() {
        match piece {
            Piece::Secret { name, within: inside } => {
                if gap && !is_first {
                    whole = whole.concat(SecretText::plain(" "));
                }
                gap = false;
                is_first = false;
                whole = whole.concat(SecretText::secret_within(name, *inside));
            }
            Piece::Text(text) => {
                let mut kept = String::new();
                let mut characters = text.chars().peekable();
                while let Some(character) = characters.next() {
                    let next = characters.peek().copied();
                    match within {
                        Within::LineComment => {
                            if character == '\n' {
                                within = Within::Code;
                            }
                            continue;
                        }
                        Within::BlockComment => {
                            if character == '*' && next == Some('/') {
                                characters.next();
                                within = Within::Code;
                            }
                            continue;
                        }
                        Within::Quoted(end) => {
                            if character == end {
                                within = Within::Code;
                            }
                        }
                        Within::Code => match (character, next) {
                            ('-', Some('-')) => {
                                within = Within::LineComment;
                                gap = true;
                                continue;
                            }
                            ('/', Some('*')) if !is_hint(&characters) => {
                                characters.next();
                                within = Within::BlockComment;
                                gap = true;
                                continue;
                            }
                            ('\'' | '"' | '`', _) => within = Within::Quoted(character),
                            _ if character.is_whitespace() => {
                                gap = true;
                                continue;
                            }
                            _ => {}
                        },
                    }
                    if gap && !is_first {
                        kept.push(' ');
                    }
                    gap = false;
                    is_first = false;
                    kept.push(character);
                }
                whole = whole.concat(SecretText::plain(kept));
            }
        }
    }
    whole
}

/// Whether what follows a slash is `*+`.
fn is_hint(rest: &std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut rest = rest.clone();
    rest.next() == Some('*') && rest.next() == Some('+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_do_not_count_and_strings_do() {
        let form = |text: &str| normalised(&SecretText::plain(text)).to_string();
        assert_eq!(form("SELECT  a,\n\tb -- why\nFROM t /* x\n y */ WHERE c"), "SELECT a, b FROM t WHERE c");
        assert_eq!(form("-- first\n SELECT 1\n"), "SELECT 1");
        assert_eq!(form("SELECT 'a  -- b', `x  y`, 'it''s  /* no */'"), "SELECT 'a  -- b', `x  y`, 'it''s  /* no */'");
        assert_eq!(form("SELECT /*+ OPTIONS('a'='b  c') */ 1"), "SELECT /*+ OPTIONS('a'='b  c') */ 1");
        assert_ne!(form("SELECT 'a b'"), form("SELECT 'a  b'"));
    }

    #[test]
    fn a_secret_stays_where_it_stands_and_a_string_goes_on_after_it() {
        let text =
            SecretText::plain("WITH  ('p' = 'x  ").concat(SecretText::secret("P")).concat(SecretText::plain("  y'  )"));
        let expected =
            SecretText::plain("WITH ('p' = 'x  ").concat(SecretText::secret("P")).concat(SecretText::plain("  y' )"));
        assert_eq!(normalised(&text), expected);
    }
}
