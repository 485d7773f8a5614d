//! `tidegate init`.

use std::path::Path;

use super::Session;
use crate::base::Result;
use crate::cli::Outcome;
use crate::workspace;

pub(super) fn init(session: &Session<'_>, folder: &Path) -> Result<Outcome> {
    let written = workspace::init::init(folder)?;
    for file in written {
        session.terminal.say(&format!("wrote {}", folder.join(file).display()));
    }
    let enter = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    session.terminal.say(&format!("next: {enter}tidegate quickstart"));
    Ok(Outcome::Done)
}
