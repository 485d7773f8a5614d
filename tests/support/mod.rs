//! What several test binaries use; each uses a part of it.
#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used)]

pub mod fake_flink;
pub mod fake_maven;
pub mod port;
pub mod sandbox;
