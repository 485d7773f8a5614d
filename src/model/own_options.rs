//! The options of Flink that a job may not set: tidegate sets them with each submission, and what it says of a job rests on them.

/// Why an option is not a job's, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, as the end of a sentence that begins with the option.
    pub why: &'static str,
    /// What to do instead.
    pub hint: &'static str,
}

/// Why an option that is set to a value is not a job's; none where it is.
///
/// Source: `SavepointConfigOptions`, `StateRecoveryOptions`, `CheckpointingOptions` and `PipelineOptionsInternal` of Flink 1.17 to 2.3.
pub fn refused(key: &str, value: &str) -> Option<Refusal> {
    let refusal = |why, hint| Some(Refusal { why, hint });
    match key {
        "execution.state-recovery.ignore-unclaimed-state" | "execution.savepoint.ignore-unclaimed-state"
            if !is(value, "false") =>
        {
            refusal(
                "drops state that has no place in the new program without a word, at each start",
                "`deploy(#{ allow_non_restored_state: true })` allows it once, and says what was dropped",
            )
        }
        "execution.state-recovery.claim-mode" | "execution.savepoint-restore-mode" if !is(value, "NO_CLAIM") => {
            refusal(
                "would have Flink delete the savepoint that a rollback may need",
                "leave it out: tidegate starts with NO_CLAIM, and `tidegate savepoints prune` deletes what nobody needs",
            )
        }
        "execution.checkpointing.externalized-checkpoint-retention" if !is(value, "RETAIN_ON_CANCELLATION") => refusal(
            "would have Flink delete the newest checkpoint when the job is cancelled",
            "leave it out: tidegate keeps it, and a restart goes on from there",
        ),
        "execution.checkpointing.externalized-checkpoint-retention" => None,
        _ if key.starts_with("$internal.") => {
            refusal("is Flink's own: the id under which tidegate finds the job again is one of them", "leave it out")
        }
        _ => None,
    }
}

/// As [`refused`], of an option that the SQL itself sets: there it wins over what tidegate submits the job with.
pub fn refused_in_sql(key: &str, value: &str) -> Option<Refusal> {
    match key {
        "execution.state-recovery.path" | "execution.savepoint.path" => Some(Refusal {
            why: "would start the job from this state each time, however old it is",
            hint: "leave it out: a deploy starts from the newest state. For the first start only, give it in `options:` of the job, \
                   where it gives way to newer state",
        }),
        _ => refused(key, value),
    }
}

fn is(value: &str, word: &str) -> bool {
    value.trim().eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_make_untrue_what_is_said_of_a_job_is_refused() {
        for (key, value) in [
            ("execution.state-recovery.ignore-unclaimed-state", "true"),
            ("execution.savepoint-restore-mode", "CLAIM"),
            ("execution.state-recovery.claim-mode", "legacy"),
            ("execution.checkpointing.externalized-checkpoint-retention", "DELETE_ON_CANCELLATION"),
            ("$internal.pipeline.job-id", "0123456789abcdef0123456789abcdef"),
        ] {
            assert!(refused(key, value).is_some() && refused_in_sql(key, value).is_some(), "{key}");
        }
        for (key, value) in [
            ("execution.state-recovery.claim-mode", "no_claim"),
            ("execution.savepoint.ignore-unclaimed-state", "false"),
            ("execution.checkpointing.externalized-checkpoint-retention", "retain_on_cancellation"),
            ("parallelism.default", "2"),
        ] {
            assert_eq!(refused_in_sql(key, value), None, "{key}");
        }
        let path = ("execution.savepoint.path", "file:/x");
        assert!(refused(path.0, path.1).is_none() && refused_in_sql(path.0, path.1).is_some());
    }
}
