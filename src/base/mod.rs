//! What every layer needs alike: errors and their codes, the clock, secrets, durations, hashes, cancellation.
//! This layer knows nothing of Flink, scripts or files of a workspace.

pub mod boundary;
pub mod cancel;
pub mod clock;
pub mod code;
pub mod computing;
pub mod duration;
pub mod error;
pub mod hash;
pub mod memory;
pub mod panics;
pub mod process;
pub mod secret;
pub mod suggest;
pub mod wording;

pub use error::{Error, Result};
pub use wording::counted;
