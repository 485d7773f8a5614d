//! Folds Flink's multi-line messages into one line, without what repeats options: those can hold passwords.

/// Lists in a message, and how each is shown. An empty label drops the list.
const LISTS: [(&str, &str); 6] = [
    ("Available factory identifiers are:", "available: "),
    ("Missing required options are:", "missing: "),
    ("Unsupported options:", "unsupported: "),
    ("Supported options:", ""),
    ("Was expecting one of:", "expected one of: "),
    ("Was expecting:", "expected: "),
];

/// How many items of a list are shown.
const SHOWN: usize = 12;

/// A message on one line.
pub(super) fn one_line(message: &str) -> String {
    let mut line = String::new();
    let mut rest = message.lines();
    let mut notes: Vec<String> = Vec::new();
    while let Some(next) = rest.next() {
        let next = next.trim();
        // The values that follow are the user's own, passwords included, and can have several lines.
        if next.starts_with("Table options are") {
            break;
        }
        if let Some((heading, label)) = LISTS.iter().find(|(heading, _)| next.starts_with(heading)) {
            let items = list_after(message, heading);
            if !label.is_empty() && !items.is_empty() {
                notes.push(format!("{label}{}", items_shown(&items)));
            }
            skip_list(&mut rest);
            continue;
        }
        if !next.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(next);
        }
    }
    let mut line = without_values(&line);
    if !notes.is_empty() {
        line.truncate(line.trim_end_matches(['.', ' ']).len());
        line = format!("{line} ({})", notes.join("; "));
    }
    line
}

/// Drops the lines up to the next heading. Looks ahead on a copy, so that the heading itself stays.
fn skip_list(rest: &mut std::str::Lines<'_>) {
    loop {
        let mut ahead = rest.clone();
        match ahead.next() {
            Some(line) if !is_heading(line.trim()) => *rest = ahead,
            _ => return,
        }
    }
}

fn is_heading(line: &str) -> bool {
    line.starts_with("Table options are") || LISTS.iter().any(|(heading, _)| line.starts_with(heading))
}

fn items_shown(items: &[String]) -> String {
    let mut shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    if items.len() > SHOWN {
        shown.push("...");
    }
    shown.join(", ")
}

/// The items of the list that follows a heading.
pub(super) fn list_after(message: &str, heading: &str) -> Vec<String> {
    message
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with(heading))
        .skip(1)
        .take_while(|line| !is_heading(line))
        .filter(|line| !line.is_empty())
        .map(|line| line.trim_end_matches("...").trim().trim_matches('"').to_owned())
        .collect()
}

/// A line without the prefixes that wrappers put before their cause's message, and without its full stop.
pub(super) fn plain(line: &str) -> String {
    const PREFIXES: [&str; 4] = [
        "The main method caused an error: ",
        "SQL validation failed. ",
        "SQL parse failed. ",
        "Exception on server side: ",
    ];
    let mut line = line.trim();
    loop {
        let before = line;
        for prefix in PREFIXES {
            line = line.strip_prefix(prefix).unwrap_or(line);
        }
        if let Some((_, message)) = crate::model::trace::class_prefix(line).filter(|(_, message)| !message.is_empty()) {
            line = message;
        }
        // `From line 1, column 23 to line 1, column 25: ` is kept as the position.
        if line.starts_with("From line ") || line.starts_with("At line ") {
            line = line.split_once(": ").map_or(line, |(_, message)| message);
        }
        if line == before {
            break;
        }
    }
    for advice in [" If you want to allow to skip this", " The scheme is not directly supported by Flink"] {
        line = line.split_once(advice).map_or(line, |(said, _)| said);
    }
    // The class that a factory implements tells a user nothing.
    if let Some((said, rest)) = line.split_once(" that implements '") {
        let notes = rest.find(" (").map_or("", |start| &rest[start..]);
        return lower_first(&format!("{said}{notes}"));
    }
    if line.ends_with('.') && !line.ends_with("..") {
        line = &line[..line.len() - 1];
    }
    line.to_owned()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// A line without values that can be secret: those of options whose name says so, and the whole table that Flink
/// prints when it cannot execute a DDL statement.
fn without_values(line: &str) -> String {
    if line.starts_with("Could not execute ")
        && let Some((said, _)) = line.split_once(": (")
    {
        return said.to_owned();
    }
    const WORDS: [&str; 9] =
        ["password", "secret", "token", "credential", "apikey", "api-key", "account.key", "auth-params", "jaas"];
    if let Some((before, rest)) = line.split_once("parse value '")
        && let Some((_, key)) = rest.rsplit_once("' for key '")
        && WORDS.iter().any(|word| key.to_lowercase().contains(word))
    {
        return format!("{before}parse value '***' for key '{key}");
    }
    line.to_owned()
}
