//! Templates and SQL texts as statements. Templates come from the pinned inputs; places are paths of the workspace.

use std::collections::BTreeMap;

use super::inputs::Inputs;
use crate::base::secret::SecretText;
use crate::base::{Error, Result};
use crate::model::statement::Statement;
use crate::sql;

pub use crate::sql::template::Load;
pub use crate::sql::{Inspection, Rendered, Variable, ident, quote};

/// What a SQL text that stands in a script is called.
pub const INLINE: &str = "<sql>";

/// What is rendered.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A template below `templates/`, by its name there.
    Template(&'a str),
    /// A SQL text that stands in a script.
    Text(&'a str),
}

/// Renders a template or a SQL text with variables.
///
/// # Errors
/// `template.*`, `sql.invalid`.
pub fn render(inputs: &Inputs, source: Source<'_>, variables: &BTreeMap<String, Variable>) -> Result<Rendered> {
    render_from(&|name: &str| inputs.template(name), source, variables)
}

/// Renders a template or a SQL text with templates from anywhere.
///
/// # Errors
/// As [`render`].
pub fn render_from(load: Load<'_>, source: Source<'_>, variables: &BTreeMap<String, Variable>) -> Result<Rendered> {
    match source {
        Source::Template(name) => sql::render(&sql::Request { name, load, variables }),
        Source::Text(text) => sql::render_text(INLINE, text, load, variables),
    }
    .map_err(in_workspace)
}

/// Looks at a template or a SQL text without rendering it.
pub fn inspect(load: Load<'_>, name: &str, text: &str) -> Inspection {
    let mut inspection = sql::inspect(name, text, load);
    inspection.errors = inspection.errors.into_iter().map(in_workspace).collect();
    for need in &mut inspection.needs {
        need.place.file = template_path(&need.place.file);
    }
    inspection
}

/// The statements of a rendered job.
///
/// # Errors
/// `sql.invalid`.
pub fn statements(rendered: &Rendered) -> Result<Vec<Statement>> {
    let mut statements = sql::statements(rendered).map_err(in_workspace)?;
    for origin in statements.iter_mut().flat_map(|statement| &mut statement.origin) {
        origin.file = template_path(&origin.file);
        for other in origin.parts.iter_mut().filter_map(|part| part.other.as_mut()) {
            other.file = template_path(&other.file);
        }
    }
    Ok(statements)
}

/// The texts of the statements of a SQL text.
///
/// # Errors
/// `sql.invalid`.
pub fn split(text: &SecretText) -> Result<Vec<SecretText>> {
    Ok(sql::split(&Rendered::verbatim(INLINE, text))?.into_iter().map(|statement| statement.text).collect())
}

fn template_path(name: &str) -> String {
    if name == INLINE || name.is_empty() { name.to_owned() } else { format!("templates/{name}") }
}

fn in_workspace(error: Error) -> Error {
    error.map_files(&template_path)
}
