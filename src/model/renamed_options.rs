//! Options that Flink has renamed: a cluster that sets the new name shadows the old one of a job without a word.

/// The old name, and the one since Flink 1.20.
///
/// Source: FLIP-406 and `CheckpointingOptions` of Flink 1.20.
const RENAMED: [(&str, &str); 5] = [
    ("state.checkpoints.dir", "execution.checkpointing.dir"),
    ("state.savepoints.dir", "execution.checkpointing.savepoint-dir"),
    ("state.checkpoint-storage", "execution.checkpointing.storage"),
    ("state.checkpoints.num-retained", "execution.checkpointing.num-retained"),
    ("state.backend.incremental", "execution.checkpointing.incremental"),
];

/// The name that an option has in a Flink that knows the new names (since 1.20), or in one that does not.
pub fn name(key: &str, knows_new: bool) -> &str {
    let renamed = match knows_new {
        true => RENAMED.iter().find(|(old, _)| *old == key).map(|(_, new)| *new),
        false => RENAMED.iter().find(|(_, new)| *new == key).map(|(old, _)| *old),
    };
    renamed.unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flink_gets_the_name_that_it_goes_by() {
        assert_eq!(name("state.savepoints.dir", true), "execution.checkpointing.savepoint-dir");
        assert_eq!(name("state.savepoints.dir", false), "state.savepoints.dir");
        assert_eq!(name("execution.checkpointing.dir", false), "state.checkpoints.dir");
        assert_eq!(name("parallelism.default", true), "parallelism.default");
    }
}
