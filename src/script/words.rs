//! Rhai's own words in ours: names of types, signatures of calls, reserved words.

/// Words that Rhai 1.27 keeps for itself. They cannot name variables, functions, properties or bare map keys, not even after
/// `.` or `::`. From `RESERVED_LIST` in Rhai's `types/token.rs`, less the operators and what is in use.
const RESERVED: &[&str] = &[
    "async",
    "await",
    "call",
    "case",
    "curry",
    "debug",
    "default",
    "eval",
    "go",
    "goto",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "shared",
    "spawn",
    "static",
    "super",
    "sync",
    "this",
    "thread",
    "type_of",
    "use",
    "var",
    "void",
    "with",
    "yield",
    "Fn",
];

/// What to do about a reserved word, if the word is one.
pub(super) fn reserved_hint(word: &str) -> Option<String> {
    let hint = match word {
        "null" | "nil" | "void" => "there is no null in Rhai: the empty value is `()`".to_owned(),
        "var" => "variables are declared with `let`".to_owned(),
        "new" => "values are made by functions, without `new`".to_owned(),
        "match" | "case" => "use `switch value { 1 => ..., _ => ... }`".to_owned(),
        "async" | "await" | "spawn" | "thread" | "go" => {
            format!("`{word}` is reserved and does nothing: host functions wait by themselves")
        }
        _ if RESERVED.contains(&word) => {
            format!(
                "`{word}` is a reserved word: choose another name, or quote it as a key: `#{{ \"{word}\": ... }}`, `map[\"{word}\"]`"
            )
        }
        _ => return None,
    };
    Some(hint)
}

/// A type as the reference calls it.
pub(super) fn type_name(rhai: &str) -> String {
    let rhai = rhai.trim();
    let last = rhai.rsplit("::").next().unwrap_or(rhai);
    match last {
        "i64" | "int" | "INT" => "integer",
        "f64" | "FLOAT" => "float",
        "&str" | "ImmutableString" | "String" | "string" | "&str | ImmutableString | String" => "string",
        "Map" => "map",
        "Array" => "array",
        "Blob" => "blob",
        "Fn" | "FnPtr" => "function",
        "()" => "()",
        "Dynamic" | "?" | "_" => "any",
        "ScriptError" => "error",
        "timestamp" | "Instant" => "timestamp",
        other => other,
    }
    .to_owned()
}

/// "a string", "an integer", "`()`".
pub(super) fn one(rhai: &str) -> String {
    match type_name(rhai).as_str() {
        "()" => "`()`".to_owned(),
        "any" => "a value".to_owned(),
        name if name.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// Rhai's text with our names of types, lower case at the start, quotes as backticks.
pub(super) fn plain(text: &str) -> String {
    let text = text.replace("&str | ImmutableString | String", "string").replace('\'', "`");
    let mut words: Vec<String> = text
        .split(' ')
        .map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            match bare {
                "i64" | "f64" | "ImmutableString" | "FnPtr" | "Map" | "Array" => word.replace(bare, &type_name(bare)),
                _ => word.to_owned(),
            }
        })
        .collect();
    if let Some(first) = words.first_mut()
        && first.chars().nth(1).is_none_or(char::is_lowercase)
        && let Some(letter) = first.chars().next()
    {
        first.replace_range(..letter.len_utf8(), &letter.to_lowercase().to_string());
    }
    words.join(" ")
}

/// A call that found no function, taken from Rhai's text `ns::name (type, type)`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// With the namespace, if it was called with one.
    pub(super) name: String,
    /// The types of the arguments, the object of a method call first.
    pub(super) arguments: Vec<String>,
}

impl Call {
    pub(super) fn parse(text: &str) -> Self {
        let (name, arguments) = text.split_once(" (").unwrap_or((text, ""));
        let arguments = arguments.trim_end_matches(')');
        let arguments = match arguments {
            "" => Vec::new(),
            list => split(list).iter().map(|name| type_name(name)).collect(),
        };
        Self { name: name.trim().to_owned(), arguments }
    }

    pub(super) fn is_operator(&self) -> bool {
        self.name.chars().all(|c| !c.is_alphanumeric() && c != '_' && c != '$')
    }
}

/// A function as the engine knows it: `name(param: type, param: type) -> type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// With its namespace.
    pub(super) name: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Signature {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let end = closing(rest)?;
        let parameters = split(&rest[..end])
            .iter()
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| match parameter.split_once(": ") {
                Some((name, kind)) => (name.to_owned(), type_name(kind.trim_start_matches("&mut "))),
                None => (parameter.trim().to_owned(), "any".to_owned()),
            })
            .collect();
        let valid = |segment: &str| !segment.is_empty() && segment.chars().all(|c| c.is_alphanumeric() || c == '_');
        name.split("::").all(valid).then(|| Self { name: name.to_owned(), parameters })
    }

    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }

    /// The type of the first parameter: what a method is called on.
    pub(super) fn receiver(&self) -> Option<&str> {
        self.parameters.first().map(|(_, kind)| kind.as_str())
    }

    pub(super) fn show(&self) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, kind)| match kind.as_str() {
                "any" => name.clone(),
                kind => format!("{name}: {kind}"),
            })
            .collect();
        format!("{}({})", self.name, parameters.join(", "))
    }
}

/// The index of the bracket that closes what was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (index, letter) in text.char_indices() {
        match letter {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// Splits at the commas that stand in no bracket.
fn split(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (index, letter) in list.char_indices() {
        match letter {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(list[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_signatures_are_read() {
        let call = Call::parse("job::sqll (&str | ImmutableString | String, map, i64)");
        assert_eq!(call.name, "job::sqll");
        assert_eq!(call.arguments, ["string", "map", "integer"]);
        assert_eq!(Call::parse("nothing ()").arguments, Vec::<String>::new());
        assert!(Call::parse("+ (map, i64)").is_operator());
        let signature = Signature::parse("job::sql(name: string, options: map) -> JobSpec").unwrap();
        assert_eq!(signature.show(), "job::sql(name: string, options: map)");
        assert_eq!(signature.receiver(), Some("string"));
        let signature = Signature::parse("len(array: &mut Array) -> int").unwrap();
        assert_eq!(signature.show(), "len(array: array)");
        assert_eq!(Signature::parse("+(x: int, y: int) -> int"), None);
    }

    #[test]
    fn rhai_texts_lose_their_rust() {
        assert_eq!(plain("Data type incorrect: i64 (expecting Map)"), "data type incorrect: integer (expecting map)");
        assert_eq!(plain("'x' is not FnPtr"), "`x` is not function");
        assert_eq!(one("i64"), "an integer");
        assert_eq!(one("()"), "`()`");
    }
}
