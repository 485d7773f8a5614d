//! tidegate deploys and operates Flink jobs with scripts.
//!
//! The layers, each may use only those on its right (`tests/architecture.rs` holds the table):
//!
//! ```text
//! cli ──► daemon, web ──► workspace ──► script ──► api ──► ops ──► drivers │ sql │ store ──► model ──► base
//! ```

pub mod api;
pub mod base;
pub mod cli;
pub mod drivers;
pub mod model;
pub mod ops;
pub mod script;
pub mod sql;
pub mod store;
pub mod workspace;
