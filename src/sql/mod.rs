//! Templates to SQL, SQL to statements, and every rendered line back to the template line it came from. Pure: templates
//! are loaded by a function of the caller, secrets stay names.
//!
//! ```text
//! template ─► trace (place marks) ─► minijinja ─► text with marks ─► resolve (by lexical context) ─► Rendered
//!                                                                                                   └─► split ─► Statement
//! ```

mod builtin;
mod classify;
mod datum;
mod filters;
mod inspect;
mod lexer;
pub mod literal;
mod mark;
mod position;
pub mod rendered;
mod resolve;
pub mod split;
mod table_options;
pub mod template;
mod template_error;
mod trace;

pub use crate::model::statement::{Kind, Origin, OtherLine, Part, Statement, find_by_table};
pub use inspect::{Inspection, Need, inspect};
pub use literal::{ident, ident_path, quote};
pub use rendered::Rendered;
pub use split::{split, statements};
pub use table_options::asked;
pub use template::{Request, Variable, render, render_text};

#[cfg(test)]
mod tests;
