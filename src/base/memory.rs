//! How much memory this process has allocated: counted by its allocator, so that it can be asked at every step of a script.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes that are allocated now.
pub fn allocated() -> u64 {
    ALLOCATOR.allocated() as u64
}
