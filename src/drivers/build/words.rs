//! The words of a command, split as a shell splits them. No shell runs: nothing is expanded, piped or redirected.

use crate::base::{Error, Result, code};

/// What a shell would act on, as a word of its own.
const OPERATORS: [&str; 12] = ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "(", ")"];

/// The words of a command: blanks part them, quotes and backslashes keep them together.
///
/// # Errors
/// `argument.invalid` where a quote is not closed, nothing is there, or only a shell could run it.
pub fn words(command: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Error::new(&code::ARGUMENT_INVALID, format!("the command `{command}` {why}"));
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut letters = command.chars();
    let operator = |word: &str| {
        invalid(&format!("has `{word}`, and no shell reads it")).hint(
            "put it into a script of the project and name that, or write `sh -c '...'`; quotes make a plain word of it",
        )
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\0' => return Err(invalid("has a NUL in it")),
            '\'' | '"' => {
                is_quoted = true;
                let text = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        None => return Err(invalid(&format!("has a {letter} that is not closed"))),
                        Some(next) if next == letter => break,
                        Some('\\') if letter == '"' => match letters.next() {
                            Some(next @ ('"' | '\\' | '$' | '`')) => text.push(next),
                            Some(next) => text.extend(['\\', next]),
                            None => return Err(invalid("has a \" that is not closed")),
                        },
                        Some(next) => text.push(next),
                    }
                }
            }
            '\\' => {
                is_quoted = true;
                let next = letters.next().ok_or_else(|| invalid("ends with a backslash"))?;
                word.get_or_insert_default().push(next);
            }
            blank if blank.is_whitespace() => {
                if let Some(done) = word.take() {
                    if !is_quoted && OPERATORS.contains(&done.as_str()) {
                        return Err(operator(&done));
                    }
                    words.push(done);
                }
                is_quoted = false;
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(done) = word {
        if !is_quoted && OPERATORS.contains(&done.as_str()) {
            return Err(operator(&done));
        }
        words.push(done);
    }
    match words.first() {
        None => Err(invalid("names no program")),
        Some(first) if first.is_empty() => Err(invalid("names no program")),
        Some(first) if first.contains('=') => Err(invalid(&format!("begins with `{first}`, which is no program"))
            .hint("variables go into `environment: #{ NAME: \"value\" }`")),
        Some(_) => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (command, expected) in [
            ("mvn -q -DskipTests package", vec!["mvn", "-q", "-DskipTests", "package"]),
            ("  ./mvnw\t'-Dname=a b'  \"-Dx=\\\"y\\\"\" ", vec!["./mvnw", "-Dname=a b", "-Dx=\"y\""]),
            ("sh -c 'a && b | c'", vec!["sh", "-c", "a && b | c"]),
            ("a b\\ c ''", vec!["a", "b c", ""]),
            ("echo '&&' $HOME", vec!["echo", "&&", "$HOME"]),
        ] {
            assert_eq!(words(command).unwrap(), expected, "{command}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        for command in ["", "  ", "mvn 'x", "mvn \"x", "mvn \\", "a && b", "a | b", "a > b", "a ;", "X=1 mvn", "''"] {
            assert!(words(command).unwrap_err().is(&code::ARGUMENT_INVALID), "{command}");
        }
    }
}
