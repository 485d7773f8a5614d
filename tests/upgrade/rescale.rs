//! A job that runs is rescaled without a restart, where its cluster has the adaptive scheduler.

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::Sandbox;
use crate::{SQL, done, first_id, script};

/// `steady` with parallelism 2 on an adaptive cluster, and operators with a parallelism of their own.
fn adaptive(fixed: &[u32]) -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    flink.with(|cluster| {
        cluster.adaptive = true;
        cluster.fixed = fixed.to_vec();
    });
    let first = script(1, "").replace("checkpointing:", "parallelism: 2, checkpointing:");
    let files = [("templates/job.sql", SQL), ("scripts/first.rhai", first.as_str())];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    done(&sandbox.run(&["run", "first"]));
    (flink, sandbox)
}

fn parallelisms(flink: &FakeFlink) -> Vec<u32> {
    assert_eq!(flink.executions().len(), 1, "{:?}", flink.executions());
    let id = first_id(flink);
    flink.with(|cluster| cluster.parallelisms(&id))
}

/// An operator that was set to 1 for the order of its records stays there.
#[test]
fn operators_with_a_parallelism_of_their_own_keep_it() {
    let (flink, sandbox) = adaptive(&[1, 8]);
    done(&sandbox.run(&["rescale", "steady", "3"]));
    assert_eq!(parallelisms(&flink), [3, 1, 8]);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy", "rescale"]);
    assert_eq!(sandbox.ask("SELECT revision FROM attempts"), ["2"]);
    done(&sandbox.run(&["rescale", "steady", "5"]));
    assert_eq!(parallelisms(&flink), [5, 1, 8]);
}

#[test]
fn more_than_an_operator_can_have_is_refused_before_anything_is_done() {
    let (flink, sandbox) = adaptive(&[1]);
    let refused = sandbox.run(&["rescale", "steady", "200"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.said);
    assert!(refused.said.contains("error[argument.invalid]"), "{}", refused.said);
    assert!(refused.said.contains("`Source: src -> Sink: out` can have 128 at most"), "{}", refused.said);
    assert_eq!(flink.count("PUT", "/resource-requirements"), 0);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy"]);
    assert_eq!(parallelisms(&flink), [2, 1]);
}

#[test]
fn a_rescale_that_flink_refuses_is_not_made_up_for_by_the_next_start() {
    let (flink, sandbox) = adaptive(&[]);
    let no = Fault::AnswerBefore(Reply::server_error("java.lang.IllegalStateException: not now"));
    flink.fault("PUT", "/resource-requirements", 1, no);
    let refused = sandbox.run(&["rescale", "steady", "3"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.said);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy"]);
    let started = sandbox.run(&["start", "steady"]);
    assert!(started.said.contains("runs already"), "{}", started.said);
    assert_eq!(parallelisms(&flink), [2]);
}

#[test]
fn killed_after_flink_was_asked_a_rescale_is_resumed() {
    let (flink, sandbox) = adaptive(&[1, 8]);
    flink.fault("PUT", "/resource-requirements", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["rescale", "steady", "3"], None);
    flink.wait_for_processed("PUT", "/resource-requirements", 1);
    process.kill();
    flink.release();
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy"]);
    done(&sandbox.run(&["resume", "r2"]));
    assert_eq!(parallelisms(&flink), [3, 1, 8]);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy", "rescale"]);
    assert_eq!(sandbox.ask("SELECT revision FROM attempts"), ["2"]);
}
