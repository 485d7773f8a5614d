//! The drivers layer.

pub mod payload;
