//! One outside system each, with typed calls and no policy. Drivers do not import each other.

pub mod checkpoint_folder;
pub mod child;
pub mod flink;
pub mod folder;
pub mod http;
pub mod local;
pub mod maven;
pub mod payload;
