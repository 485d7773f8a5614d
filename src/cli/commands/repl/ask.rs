//! Asks on the terminal before an effect acts.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::DefaultEditor;
use serde_json::Value;

use crate::api::convert::from_json;
use crate::api::host::Confirm;
use crate::api::spec::Spec;
use crate::base::secret::Secrets;
use crate::base::{Error, Result, code};
use crate::cli::terminal::Terminal;
use crate::script::show;

/// Asks, or refuses where nobody can be asked.
pub(super) struct Ask {
    terminal: Arc<Terminal>,
    secrets: Secrets,
    /// Whether everything may act.
    yes: bool,
    /// Parallel branches ask one after the other.
    asking: Mutex<()>,
}

impl Ask {
    pub(super) fn new(terminal: Arc<Terminal>, secrets: Secrets, yes: bool) -> Self {
        Self { terminal, secrets, yes, asking: Mutex::new(()) }
    }
}

impl Confirm for Ask {
    fn confirm(&self, function: &str, arguments: &[Value]) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Error::new(
                &code::EFFECT_REFUSED,
                format!("`{function}` acts, and nobody can be asked: standard input is no terminal"),
            )
            .hint("`tidegate repl --yes` lets effects act unasked; a script is run with `tidegate run`"));
        }
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let arguments: Vec<String> = arguments.iter().map(shown).collect();
        let call = self.secrets.mask(&format!("{function}({})", arguments.join(", ")));
        self.terminal.say(&format!("this acts: {call}"));
        let answer = DefaultEditor::new().and_then(|mut editor| editor.readline("go on? [y/N] "));
        match answer.as_deref().map(str::trim) {
            Ok("y" | "Y" | "yes") => Ok(()),
            _ => Err(Error::new(&code::EFFECT_REFUSED, format!("`{function}` was not wanted: nothing was done"))),
        }
    }
}

fn shown(argument: &Value) -> String {
    // A spec has no way back from JSON: it is known by its name.
    match Spec::name_in(argument) {
        Some(name) => format!("job spec `{name}`"),
        None => show::short(&from_json(argument)),
    }
}
