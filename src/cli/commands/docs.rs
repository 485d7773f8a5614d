//! `tidegate docs`.

use std::path::Path;

use super::Session;
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::script::reference;
use crate::workspace::{definitions, locate};

pub(super) fn docs(session: &Session<'_>, name: Option<&str>, json: bool) -> Result<Outcome> {
    if json {
        let value = reference::json(name)?;
        session.terminal.json(&value.ok_or_else(|| unknown(name.unwrap_or_default()))?);
        return Ok(Outcome::Done);
    }
    let text = match name {
        None => reference::summary()?,
        Some(name) => reference::of(name)?.ok_or_else(|| unknown(name))?,
    };
    session.terminal.data(&text);
    Ok(Outcome::Done)
}

/// Writes the definition files for editors.
pub(super) fn definitions(session: &Session<'_>, folder: Option<&Path>) -> Result<Outcome> {
    let written = match folder {
        Some(folder) => definitions::write(folder)?,
        None => {
            let here = std::env::current_dir().map_err(|error| {
                Error::new(&code::WORKSPACE_NOT_FOUND, "the current folder cannot be read").caused_by(error)
            })?;
            definitions::write_below(&locate::locate(session.folder, &here)?)?
        }
    };
    for path in written {
        session.terminal.say(&format!("wrote {}", path.display()));
    }
    Ok(Outcome::Done)
}

fn unknown(name: &str) -> Error {
    let hint = match reference::nearest(name) {
        Ok(Some(near)) => format!("did you mean `{near}`?"),
        Ok(None) => "`tidegate docs` lists what there is".to_owned(),
        Err(error) => return error,
    };
    Error::new(&code::USAGE, format!("the script API has no `{name}`")).hint(hint)
}
