//! What is run: a script of the workspace, or a text that is no file.

use super::runner::file_name;
use crate::ops::inputs::Inputs;
use crate::ops::render::INLINE;
use crate::ops::services::Services;

/// The name of a script that came from standard input.
pub const STDIN: &str = "<stdin>";

/// A script that somebody wants to run.
#[derive(Debug, Clone)]
pub struct Script {
    name: String,
    /// Its text, where it is no file of the workspace.
    text: Option<String>,
}

impl Script {
    /// A file below `scripts/`, as a user names it.
    pub fn named(name: &str) -> Self {
        Self { name: file_name(name), text: None }
    }

    /// A text that came from standard input.
    pub fn from_stdin(text: String) -> Self {
        Self { name: STDIN.to_owned(), text: Some(text) }
    }

    /// A session, whose lines are not known when it begins.
    pub(super) fn session(name: &str) -> Self {
        Self { name: name.to_owned(), text: None }
    }

    /// The text of a command that acts through a run, so that it is journaled and can be resumed.
    pub fn of_command(command: &str, text: &str) -> Self {
        Self { name: format!("<{command}>"), text: Some(text.to_owned()) }
    }

    /// Whether a file that an error names is the text of a command.
    pub fn is_command(file: &str) -> bool {
        let name = file.strip_prefix('<').and_then(|name| name.strip_suffix('>'));
        name.is_some() && ![STDIN, super::repl::NAME, INLINE].contains(&file)
    }

    /// Its path below `scripts/`, or what it is called where it is no file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text, where it is no file of the workspace.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) fn inputs(&self, services: &Services, run: Option<i64>) -> Inputs {
        let inputs = Inputs::new(services.store.clone(), services.folder.clone(), run);
        match &self.text {
            Some(text) => inputs.with_script(&self.name, text.clone()),
            None => inputs,
        }
    }
}
