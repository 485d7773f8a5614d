//! `tidegate docs`.

use super::Session;
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::script::reference;

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

fn unknown(name: &str) -> Error {
    let hint = match reference::nearest(name) {
        Ok(Some(near)) => format!("did you mean `{near}`?"),
        Ok(None) => "`tidegate docs` lists what there is".to_owned(),
        Err(error) => return error,
    };
    Error::new(&code::USAGE, format!("the script API has no `{name}`")).hint(hint)
}
