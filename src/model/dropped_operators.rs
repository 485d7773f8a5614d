//! Which operators' state Flink leaves behind where a job is started with `allowNonRestoredState`: only its log says it.
//!
//! Source: `CheckpointCoordinator.restoreSavepoint` and `Checkpoints.loadAndValidateCheckpoint`, Flink 1.17 to 2.3: "Starting job ID from
//! savepoint PATH (allowing non restored state)", then "Skipping savepoint state for operator ID." for each, then "Restoring job ID".

/// The ids of the operators that a job dropped, in the order of the JobManager's log. None where its log does not tell: it was
/// rolled since, or another job was restored between the lines.
pub fn dropped(log: &str, job: &str) -> Option<Vec<String>> {
    let begins = format!("Starting job {job} from ");
    let ends = format!("Restoring job {job} from ");
    let mut lines = log.lines().skip_while(|line| !line.contains(&begins));
    lines.next()?;
    let mut operators = Vec::new();
    for line in lines {
        if line.contains(&ends) {
            return Some(operators);
        }
        // The lines about operators do not say whose they are.
        if line.contains("Starting job ") {
            return None;
        }
        if let Some((_, id)) = line.split_once("Skipping savepoint state for operator ") {
            operators.push(id.trim_end().trim_end_matches('.').to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::dropped;

    const LOG: &str = "\
2026-11-26 07:06:56,152 INFO  o.a.f.r.checkpoint.CheckpointCoordinator    [] - Starting job aa from savepoint file:/s/1 (allowing non restored state)
2026-11-26 07:06:56,153 INFO  o.a.f.r.checkpoint.Checkpoints              [] - Skipping savepoint state for operator 03f8.
2026-11-26 07:06:56,153 INFO  o.a.f.r.checkpoint.Checkpoints              [] - Skipping savepoint state for operator f92e.
2026-11-26 07:06:56,155 INFO  o.a.f.r.checkpoint.CheckpointCoordinator    [] - Reset the checkpoint ID of job aa to 2.
2026-11-26 07:06:56,155 INFO  o.a.f.r.checkpoint.CheckpointCoordinator    [] - Restoring job aa from Savepoint 1 @ 0 for aa located at file:/s/1.
2026-11-26 07:06:57,153 INFO  o.a.f.r.checkpoint.Checkpoints              [] - Skipping savepoint state for operator 77.
";

    #[test]
    fn the_operators_of_a_job_are_those_between_its_lines() {
        assert_eq!(dropped(LOG, "aa"), Some(vec!["03f8".to_owned(), "f92e".to_owned()]));
        assert_eq!(dropped(LOG, "bb"), None);
        assert_eq!(dropped(&LOG.replace("Skipping", "x"), "aa"), Some(Vec::new()));
    }

    #[test]
    fn lines_that_may_be_another_jobs_are_not_taken() {
        let (first, rest) = LOG.split_once("2026-11-26 07:06:56,153").unwrap();
        let between = format!("{first}Starting job bb from savepoint x\n2026-11-26 07:06:56,153{rest}");
        assert_eq!(dropped(&between, "aa"), None);
        assert_eq!(dropped(first, "aa"), None);
    }
}
