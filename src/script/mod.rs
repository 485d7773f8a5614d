//! Runs Rhai scripts: one engine a run, imports that stay inside `scripts/`, limits, and errors that name file, line and column.
//!
//! This layer knows no configuration and no cluster.

mod banned;
mod bounded;
pub mod catalog;
mod catching;
pub mod check;
mod closures;
pub mod complete;
mod diagnostics;
mod engine;
mod folder;
pub mod library;
mod limits;
mod lints;
pub mod planning;
pub mod reference;
pub mod repl;
mod resolver;
pub mod runner;
pub mod show;
mod source;
pub mod stdlib;
mod syntax;
mod unknown;
mod words;

pub use crate::base::panics::catch;
pub use diagnostics::excerpt;
pub use engine::{Function, Import, Interpreter, Print, Setup, functions, imports};
pub use folder::Folder;
pub use limits::Limits;
pub use resolver::{MAX_SCRIPT_BYTES, ROOT, STD, Sources, resolve, unit_name};
