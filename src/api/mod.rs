//! The Rhai surface: a file is a namespace. A host function reads its arguments, calls one operation, and converts.

pub mod artifact;
pub mod assert;
pub mod build;
pub mod context;
pub mod convert;
mod copies;
pub mod declare;
pub mod dependency_options;
pub mod env;
pub mod files;
pub mod flink;
pub mod git;
pub mod global;
pub mod handle;
pub mod host;
pub mod http;
pub mod jar;
pub mod job;
pub mod job_options;
pub mod log;
mod marked;
pub mod opts;
pub mod params;
pub mod planner;
pub(crate) mod raised;
pub mod run;
mod run_approve;
mod run_defer;
mod run_parallel;
mod run_retry;
pub mod scope;
pub mod shell;
pub mod spec;
pub mod sql;
pub mod state;
pub mod table;
pub mod text;
pub mod throw;
pub mod time;
pub mod types;

use declare::Namespace;

/// Every namespace, in the order of the documents: the one list.
pub const NAMESPACES: &[&Namespace] = &[
    &job::NAMESPACE,
    &sql::NAMESPACE,
    &jar::NAMESPACE,
    &git::NAMESPACE,
    &build::NAMESPACE,
    &flink::NAMESPACE,
    &env::NAMESPACE,
    &params::NAMESPACE,
    &opts::NAMESPACE,
    &files::NAMESPACE,
    &state::NAMESPACE,
    &table::NAMESPACE,
    &text::NAMESPACE,
    &log::NAMESPACE,
    &time::NAMESPACE,
    &http::NAMESPACE,
    &shell::NAMESPACE,
    &run::NAMESPACE,
    &assert::NAMESPACE,
];
