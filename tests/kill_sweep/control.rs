//! The negative control: the same kill with a tool that has no memory of its intents.
//!
//! Such a tool looks at the cluster before it submits, and draws an id for what it submits: that is what remains when
//! the rows of attempts and steps are deleted after the kill, and the salt, from which ids are made, is drawn anew. It
//! still looks: what is already listed it would find and refuse to start a twin. The first submission lands after that
//! look, as it does behind a slow proxy or a `main()` that takes its time, and that is what only a recorded id that is
//! sent again can stand.

use crate::case::{Script, stage};
use crate::support::fake_flink::Fault;

/// What the successor remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    Kept,
    Lost,
}

/// Kills a deploy while its submission is on the way, and resumes it. The number of duplicates.
pub(crate) fn play(memory: Memory) -> usize {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", Script::Deploy.name()], None);
    flink.wait_for_request("POST", "/run", 1);
    assert!(process.kill().was_killed());
    if memory == Memory::Lost {
        let forget =
            "DELETE FROM event_rows; DELETE FROM observation_rows; DELETE FROM attempt_rows; DELETE FROM step_rows;
                      UPDATE meta SET value = lower(hex(randomblob(4))) WHERE key = 'salt'";
        sandbox.database().execute_batch(forget).unwrap();
    }
    let mut successor = sandbox.start(&["resume", "r1"], None);
    flink.wait_for_processed("POST", "/run", 1);
    flink.release();
    flink.wait_for_processed("POST", "/run", 2);
    let ended = successor.wait();
    assert_eq!(ended.code(), Some(0), "{}", ended.said);
    flink.twins().len()
}
