//! Jars, read without a JVM: their entries, manifest, services, classes, and what of them counts on a class path.
//!
//! What is read comes from anywhere: sizes and ratios are bounded, what is cut off or no jar is an error with the jar's
//! name, and a class file that is newer than this program is one about which less is known.

mod archive;
mod class_file;
mod classes;
mod entry_class;
mod facts;
mod facts_file;
mod manifest;
mod portions;
mod services;
mod source;

pub use archive::{Archive, is_library, not_there, open, open_bytes, open_reader, unreadable};
pub use classes::{class, classes};
pub use entry_class::{entry_class, java_needed};
pub use facts::{class_of_hash, facts};
pub use facts_file::{all_kept, kept, read_kept};
pub use manifest::{MANIFEST, Manifest, main_class_of, manifest};
pub use services::services;

#[cfg(test)]
pub(crate) mod class_writer;
#[cfg(test)]
mod tests;
