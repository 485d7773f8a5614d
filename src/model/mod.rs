//! Pure data and pure functions: nothing here reads a clock, a file or a network.

pub mod diagnosis;
pub mod trace;
