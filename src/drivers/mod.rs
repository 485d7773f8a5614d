//! One outside system each, with typed calls and no policy. Drivers do not import each other, beside the reading of jars and HTTP.

pub mod build;
pub mod checkpoint_folder;
pub mod child;
pub mod flink;
pub mod folder;
pub mod git;
pub mod http;
pub mod jar;
pub mod local;
pub mod maven;
pub mod payload;
