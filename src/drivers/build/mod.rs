//! Builds: running the command of a project to its end, whatever it prints and whatever it leaves behind.

mod log;
mod marked;
mod run;
mod toolchain;
mod tree;
mod words;

pub use log::{Follow, LogEnd};
pub use marked::{VARIABLE, kill_marked};
pub use run::{Failure, Launch, run};
pub use toolchain::{find_program, toolchain};
pub use words::words;
