//! What the doc comments of the library `std/...` say: `//!` of a file, and `///` of each function that scripts may call.
//!
//! A doc comment is prose, a list of the parameters (`` - `spec` (spec): what is deployed ``) and ```` ```rhai ```` blocks.

use std::sync::Arc;

use rhai::{Dynamic, Position};

use super::runner::modules;
use super::{Interpreter, Limits, Setup, Sources, functions, stdlib};
use crate::api::throw::Fatal;
use crate::base::Result;
use crate::base::cancel::Cancel;

/// A file of the library.
pub struct LibraryFile {
    /// How scripts import it: `std/jobs`.
    pub name: String,
    /// What `//!` says.
    pub about: Comment,
    /// Its public functions, in the order of the text.
    pub functions: Vec<LibraryFunction>,
}

/// A public function of the library.
pub struct LibraryFunction {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<String>,
    /// What `///` says.
    pub comment: Comment,
}

/// A doc comment in its parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comment {
    /// The prose, a line a paragraph, an empty line between two.
    pub text: String,
    /// The parameters that it tells of.
    pub parameters: Vec<Told>,
    /// The ```` ```rhai ```` blocks.
    pub examples: Vec<String>,
}

/// A parameter as a doc comment tells of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Its type; empty where the comment does not say.
    pub kind: String,
    /// What it is for.
    pub meaning: String,
}

/// The files of the library.
///
/// # Errors
/// What parsing them gives.
pub fn files() -> Result<Vec<LibraryFile>> {
    stdlib::names().filter_map(|name| Some((name, stdlib::text(name)?))).map(|(name, text)| read(name, text)).collect()
}

/// Reads a file of the library; `name` is relative to it and ends in `.rhai`.
///
/// # Errors
/// What parsing it gives.
pub fn read(name: &str, text: &str) -> Result<LibraryFile> {
    let name = format!("std/{}", name.trim_end_matches(".rhai"));
    let ast = interpreter().compile(&name, text)?;
    let functions = functions(&ast, text)
        .into_iter()
        .filter(|function| !function.private)
        .map(|function| LibraryFunction {
            name: function.name,
            parameters: function.parameters,
            comment: Comment::parse(&function.documentation),
        })
        .collect();
    let about = ast.doc().lines().map(|line| line.trim_start_matches("//!").trim()).collect::<Vec<_>>().join("\n");
    Ok(LibraryFile { name, about: Comment::parse(&about), functions })
}

impl Comment {
    /// Takes a doc comment, without its slashes, apart.
    pub fn parse(comment: &str) -> Self {
        let mut parsed = Self::default();
        let mut paragraphs: Vec<String> = Vec::new();
        let mut lines = comment.lines();
        let (mut in_list, mut in_paragraph) = (false, false);
        while let Some(line) = lines.next() {
            let words = line.trim();
            if let Some(language) = words.strip_prefix("```") {
                let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
                if language == "rhai" {
                    parsed.examples.push(block.join("\n"));
                } else {
                    paragraphs.push(format!("```{language}\n{}\n```", block.join("\n")));
                }
                (in_list, in_paragraph) = (false, false);
            } else if let Some(told) = parameter(words) {
                parsed.parameters.push(told);
                (in_list, in_paragraph) = (true, false);
            } else if words.is_empty() {
                (in_list, in_paragraph) = (false, false);
            } else if let (true, Some(told)) = (in_list, parsed.parameters.last_mut()) {
                told.meaning = format!("{} {words}", told.meaning);
            } else if let (true, Some(paragraph)) = (in_paragraph, paragraphs.last_mut()) {
                paragraph.push(' ');
                paragraph.push_str(words);
            } else {
                paragraphs.push(words.to_owned());
                in_paragraph = true;
            }
        }
        parsed.text = paragraphs.join("\n\n");
        parsed
    }
}

/// `` - `spec` (spec): what is deployed ``
fn parameter(line: &str) -> Option<Told> {
    let (name, rest) = line.strip_prefix("- `").or_else(|| line.strip_prefix("* `"))?.split_once('`')?;
    let (kind, meaning) = rest.split_once(':')?;
    let kind = kind.trim().trim_start_matches('(').trim_end_matches(')');
    Some(Told { name: name.to_owned(), kind: kind.to_owned(), meaning: meaning.trim().to_owned() })
}

/// The library imports nothing but itself.
struct Library;

impl Sources for Library {
    fn load(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn std(&self, name: &str) -> Option<&'static str> {
        stdlib::text(name)
    }
}

/// An interpreter for scripts that import nothing but the library: to parse them, not to run them.
pub fn interpreter() -> Interpreter {
    let (modules, global) = modules();
    Interpreter::new(Setup {
        modules,
        global,
        sources: Arc::new(Library),
        cancel: Cancel::default(),
        fatal: Fatal::default(),
        limits: Limits::default(),
        print: Box::new(|_: &str, _: Option<&str>, _: Position| {}),
        tag: Dynamic::UNIT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! Greets.\n//! And more.\n\n/// Greets somebody.\n/// Gives the text.\n///\n/// - `name` (string): who,\n///   and nobody else\n/// - `times`: how often\n///\n/// ```rhai\n/// if true {\n///     print(1);\n/// }\n/// ```\nfn greet(name, times) { inner() }\n\n/// Nobody's business.\nprivate fn inner() { 1 }\n";

    #[test]
    fn a_file_is_read_from_its_comments() {
        let file = read("deep/greet.rhai", FILE).unwrap();
        assert_eq!((file.name.as_str(), file.about.text.as_str()), ("std/deep/greet", "Greets. And more."));
        let [greet] = file.functions.as_slice() else { panic!("private functions are shown") };
        assert_eq!(greet.parameters, ["name", "times"]);
        assert_eq!(greet.comment.text, "Greets somebody. Gives the text.");
        let told = |name: &str, kind: &str, meaning: &str| Told {
            name: name.to_owned(),
            kind: kind.to_owned(),
            meaning: meaning.to_owned(),
        };
        assert_eq!(
            greet.comment.parameters,
            [told("name", "string", "who, and nobody else"), told("times", "", "how often")]
        );
        assert_eq!(greet.comment.examples, ["if true {\n    print(1);\n}"]);
    }

    #[test]
    fn a_file_that_does_not_parse_is_an_error() {
        assert!(read("broken.rhai", "fn (").is_err());
    }
}
