//! What can stand at the cursor: namespaces and their functions, methods, variables, keywords, and names in quotes.

use rhai::{Dynamic, Map};

use super::catalog::chapters;
use super::engine::{Function, Interpreter};
use super::reference;
use crate::base::Result;

const KEYWORDS: &[&str] = &[
    "break", "catch", "const", "continue", "do", "else", "false", "fn", "for", "global", "if", "import", "in", "let",
    "loop", "return", "switch", "throw", "true", "try", "until", "while",
];

/// The commands of the shell.
pub const COMMANDS: &[&str] = &[":help", ":docs", ":vars", ":quit"];

/// A word that can be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// `job::sql`, or the bare name of a method.
    name: String,
    /// The type it is a method or property of; empty for none.
    on: String,
    /// With its parameters.
    shown: String,
    /// Whether it is called: completed with a bracket.
    is_called: bool,
}

/// Everything that can be completed at a moment.
#[derive(Debug, Clone, Default)]
pub struct Words {
    words: Vec<Word>,
    variables: Vec<(String, String)>,
    /// The templates, below `templates/`.
    pub templates: Vec<String>,
    /// The scripts that can be imported.
    pub scripts: Vec<String>,
}

/// What may be put in place of the text from `start` to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// What a list shows.
    pub shown: String,
}

impl Words {
    /// The script API, and what Rhai has itself.
    ///
    /// # Errors
    /// What parsing the library gives.
    pub fn of(interpreter: &Interpreter) -> Result<Self> {
        let mut words = Vec::new();
        for entry in chapters()?.iter().filter(|chapter| !chapter.is_library).flat_map(|chapter| &chapter.entries) {
            words.push(Word {
                name: if entry.on.is_some() { entry.short.clone() } else { entry.name.clone() },
                on: entry.on.unwrap_or_default().to_owned(),
                shown: entry.signature(),
                is_called: !entry.is_property,
            });
        }
        for signature in interpreter.standard_functions() {
            let on = match signature.receiver() {
                Some(kind @ ("string" | "array" | "map" | "float")) => kind,
                Some("integer") => "int",
                _ => continue,
            };
            if signature.name.starts_with(|c: char| c.is_ascii_lowercase()) {
                let (on, shown) = (on.to_owned(), signature.show());
                words.push(Word { name: signature.name, on, shown, is_called: true });
            }
        }
        for (name, shown) in [("print", "print(value)"), ("type_of", "type_of(value)")] {
            words.push(Word { name: name.to_owned(), on: String::new(), shown: shown.to_owned(), is_called: true });
        }
        Ok(Self { words, ..Self::default() })
    }

    /// Adds a variable, and the keys of one that is a map.
    pub fn variable(&mut self, name: &str, kind: &str, value: &Dynamic) {
        self.variables.retain(|(other, _)| other != name);
        let own = format!("variable {name}");
        self.words.retain(|word| word.on != own);
        self.variables.push((name.to_owned(), kind.to_owned()));
        for key in value.read_lock::<Map>().iter().flat_map(|map| map.keys()) {
            let word = Word { name: key.to_string(), on: own.clone(), shown: key.to_string(), is_called: false };
            self.words.push(word);
        }
    }

    /// Adds a function of the session, or with `alias::` in front one of an import.
    pub fn function(&mut self, prefix: &str, function: &Function) {
        let name = format!("{prefix}{}", function.name);
        let shown = format!("{name}({})", function.parameters.join(", "));
        self.words.push(Word { name, on: String::new(), shown, is_called: true });
    }

    /// What can stand at the end of `line`, and from which byte on it replaces the line.
    pub fn complete(&self, line: &str) -> (usize, Vec<Completion>) {
        if line.starts_with(':') {
            return command(line);
        }
        if let Some(start) = open_quote(line) {
            return (start, self.names_in_quotes(&line[..start], &line[start..]));
        }
        let start = line
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
            .map_or(0, |index| index + line[index..].chars().next().map_or(1, char::len_utf8));
        let word = &line[start..];
        let found = match line[..start].strip_suffix('.').filter(|before| !before.ends_with('.')) {
            Some(before) => self.methods(before, word),
            None => self.top(word),
        };
        (start, unique(found))
    }

    fn methods(&self, before: &str, word: &str) -> Vec<Completion> {
        let object = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let kind = match before.ends_with(['"', '`']) {
            true => Some("string"),
            false => self.variables.iter().find(|(name, _)| name == object).map(|(_, kind)| kind.as_str()),
        };
        let own = format!("variable {object}");
        let fits = |word: &&Word| match kind {
            Some(kind) => word.on == kind || word.on == own,
            // What an expression gives is not known before it runs.
            None => !word.on.is_empty() && !word.on.starts_with("variable "),
        };
        self.words.iter().filter(fits).filter(|other| other.name.starts_with(word)).map(Word::completion).collect()
    }

    fn top(&self, word: &str) -> Vec<Completion> {
        let mut found: Vec<Completion> = Vec::new();
        if !word.contains("::") {
            let plain = |text: &str, shown: String| Completion { text: text.to_owned(), shown };
            let variables = self.variables.iter().filter(|(name, _)| name.starts_with(word));
            found.extend(variables.map(|(name, kind)| plain(name, format!("{name}: {kind}"))));
            let mut namespaces: Vec<&str> =
                self.words.iter().filter_map(|other| other.name.split_once("::")).map(|(name, _)| name).collect();
            namespaces.sort_unstable();
            namespaces.dedup();
            let namespaces = namespaces.into_iter().filter(|name| name.starts_with(word));
            found.extend(namespaces.map(|name| plain(&format!("{name}::"), format!("{name}::"))));
            let keywords = KEYWORDS.iter().filter(|keyword| !word.is_empty() && keyword.starts_with(word));
            found.extend(keywords.map(|keyword| plain(keyword, (*keyword).to_owned())));
        }
        let functions = self.words.iter().filter(|other| {
            other.on.is_empty() && other.name.starts_with(word) && other.name.contains("::") == word.contains("::")
        });
        found.extend(functions.map(Word::completion));
        found
    }

    fn names_in_quotes(&self, before: &str, typed: &str) -> Vec<Completion> {
        let before = before.trim_end_matches('"').trim_end();
        let names = if before.ends_with("import") {
            &self.scripts
        } else if before.ends_with("template:") || before.ends_with("render(") {
            &self.templates
        } else {
            return Vec::new();
        };
        let fits = names.iter().filter(|name| name.starts_with(typed));
        fits.map(|name| Completion { text: name.clone(), shown: name.clone() }).collect()
    }
}

impl Word {
    fn completion(&self) -> Completion {
        let bracket = if self.is_called { "(" } else { "" };
        Completion { text: format!("{}{bracket}", self.name), shown: self.shown.clone() }
    }
}

fn command(line: &str) -> (usize, Vec<Completion>) {
    if let Some(typed) = line.strip_prefix(":docs ") {
        let names = reference::names().unwrap_or_default().into_iter().filter(|name| name.starts_with(typed));
        return (line.len() - typed.len(), names.map(|name| Completion { text: name.clone(), shown: name }).collect());
    }
    let fits = COMMANDS.iter().filter(|name| name.starts_with(line));
    let completions = fits.map(|name| Completion { text: (*name).to_owned(), shown: (*name).to_owned() });
    (0, completions.collect())
}

/// Where the text in quotes begins that the line ends in.
fn open_quote(line: &str) -> Option<usize> {
    let mut open = None;
    let mut escaped = false;
    for (index, letter) in line.char_indices() {
        match (letter, open) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            ('"', None) => open = Some(index + 1),
            ('"', Some(_)) => open = None,
            _ => {}
        }
    }
    open
}

/// Functions of several arities are one entry, the first.
fn unique(found: Vec<Completion>) -> Vec<Completion> {
    let mut kept: Vec<Completion> = Vec::new();
    for completion in found {
        if !kept.iter().any(|other| other.text == completion.text) {
            kept.push(completion);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let word = |name: &str, on: &str| Word {
            name: name.to_owned(),
            on: on.to_owned(),
            shown: format!("{name}(..)"),
            is_called: true,
        };
        let mut words = Words {
            words: vec![word("job::sql", ""), word("job::get", ""), word("deploy", "spec"), word("trim", "string")],
            templates: vec!["orders.sql".to_owned()],
            scripts: vec!["lib/util".to_owned()],
            ..Words::default()
        };
        words.variable("spec", "spec", &Dynamic::UNIT);
        words.variable("options", "map", &Dynamic::from_map(Map::from([("rows".into(), Dynamic::from(1_i64))])));
        words
    }

    #[test]
    fn each_place_has_its_words() {
        for (line, start, expected) in [
            ("jo", 0, vec!["job::"]),
            ("let x = job::", 8, vec!["job::sql(", "job::get("]),
            ("f(job::s", 2, vec!["job::sql("]),
            ("sp", 0, vec!["spec"]),
            ("spec.", 5, vec!["deploy("]),
            ("options.r", 8, vec!["rows"]),
            ("\"x\".", 4, vec!["trim("]),
            ("unknown.", 8, vec!["deploy(", "trim("]),
            ("whi", 0, vec!["while"]),
            ("job::sql(\"a\", #{ template: \"or", 28, vec!["orders.sql"]),
            ("import \"", 8, vec!["lib/util"]),
            ("print(\"", 7, vec![]),
            (":h", 0, vec![":help"]),
            (":docs sql::re", 6, vec!["sql::render"]),
        ] {
            let (from, found) = words().complete(line);
            let texts: Vec<&str> = found.iter().map(|completion| completion.text.as_str()).collect();
            assert_eq!((from, texts), (start, expected), "{line}");
        }
    }
}
