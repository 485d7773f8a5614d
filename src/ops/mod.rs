//! What tidegate does, a verb a file. The only layer that changes the world, and always through [`effect`].

pub mod effect;
