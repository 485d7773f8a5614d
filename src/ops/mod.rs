//! What tidegate does, a verb a file. The only layer that changes the world, and always through [`effect`].

pub mod cancel;
pub mod capability;
pub mod cluster;
pub mod decide;
pub mod deploy;
pub mod effect;
pub mod facts;
pub mod fetch;
pub mod files;
pub mod inputs;
pub mod install;
pub mod logs;
pub mod observe;
pub mod query;
pub mod refusal;
pub mod render;
pub mod services;
pub mod shell;
pub mod state_guard;
pub mod submit;
pub mod upload;
pub mod values;
pub mod wait;
