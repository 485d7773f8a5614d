//! The composition root: finds `tidegate.yaml`, reads it, and builds what the operations work with. The only place that
//! builds drivers and the store.

pub mod definitions;
pub mod file;
pub mod init;
pub mod inspect;
pub mod locate;
pub mod open;
mod projects;

pub use open::Workspace;
