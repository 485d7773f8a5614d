//! The drivers layer.
