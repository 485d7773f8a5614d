//! Numbers and texts in messages.

/// A number and what it counts: "1 script", "2 scripts".
pub fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ if what.ends_with('s') => format!("{number} {what}es"),
        _ => format!("{number} {what}s"),
    }
}

/// A text without the sequences that colour a terminal.
///
/// Source: ECMA-48, CSI: ESC `[`, parameters, a final byte from `@` to `~`.
pub fn without_colors(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.find(|c: char| ('@'..='~').contains(&c)).map_or("", |end| &part[end + 1..]));
    }
    plain
}

/// The first `longest` characters.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// A text as one word of a POSIX shell, quoted where it needs that.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn things_are_counted() {
        let counted = |number| (super::counted(number, "process"), super::counted(number, "file"));
        assert_eq!(counted(1), ("1 process".to_owned(), "1 file".to_owned()));
        assert_eq!(counted(2), ("2 processes".to_owned(), "2 files".to_owned()));
    }

    #[test]
    fn words_of_a_shell_are_quoted_where_they_need_it() {
        for (text, word) in
            [("orders-2.x", "orders-2.x"), ("", "''"), ("a b", "'a b'"), ("$x'y", "'$x'\\''y'"), ("é", "'é'")]
        {
            assert_eq!(super::shell_word(text), word);
        }
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(super::without_colors("a\u{1b}[1;31mERROR\u{1b}[m b\u{1b}["), "aERROR b");
    }
}
