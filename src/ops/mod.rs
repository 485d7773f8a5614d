//! What tidegate does, a verb a file. The only layer that changes the world, and always through [`effect`].

pub mod approval;
pub mod cancel;
pub mod cluster;
pub mod decide;
pub mod deploy;
mod divergence;
pub mod effect;
pub mod facts;
pub mod files;
pub mod inputs;
pub mod install;
pub mod logs;
pub mod observe;
pub mod plan;
pub mod refusal;
pub mod render;
pub mod services;
mod standing;
pub mod state_guard;
pub mod submit;
pub mod upload;
pub mod validate;
pub mod wait;
