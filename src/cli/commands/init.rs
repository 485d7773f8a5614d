//! `tidegate init`.

use std::path::Path;

use super::Session;
use crate::base::Result;
use crate::cli::Outcome;
use crate::workspace;

pub(super) fn init(session: &Session<'_>, folder: &Path, example: Option<&str>) -> Result<Outcome> {
    let written = workspace::init::init(folder, example)?;
    for file in written {
        session.terminal.say(&format!("wrote {}", folder.join(file).display()));
    }
    let enter = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    session.terminal.say(&match example {
        None => format!("next: {enter}tidegate quickstart"),
        Some(example) => format!("next: write your addresses into tidegate.yaml, then {enter}tidegate plan {example}"),
    });
    Ok(Outcome::Done)
}
