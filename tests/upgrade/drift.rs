//! Drift on every cluster of a workspace, and not only where the newest attempt of a job is.

use crate::support::fake_flink::FakeFlink;
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, stage};

/// Names one more cluster, in an environment of its own.
fn name_cluster(sandbox: &Sandbox, name: &str, url: &str) {
    let path = sandbox.path().join("tidegate.yaml");
    let yaml = std::fs::read_to_string(&path).unwrap();
    let yaml =
        yaml.replace("\nenvironments:\n", &format!("\n  {name}: {{ kind: session, url: \"{url}\" }}\nenvironments:\n"));
    std::fs::write(&path, format!("{yaml}  {name}: {{ cluster: {name} }}\ndefault_environment: local\n")).unwrap();
}

/// A job that runs on `target`, and a cluster `other` beside it.
fn two() -> (FakeFlink, FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    let other = FakeFlink::start();
    name_cluster(&sandbox, "other", &other.url());
    (flink, other, sandbox)
}

/// Whether `drift` tells something, and what. Each cluster is asked once for its jobs.
fn drift(sandbox: &Sandbox, clusters: &[&FakeFlink]) -> (bool, String) {
    let asked = |flink: &&FakeFlink| flink.count("GET", "/jobs/overview");
    let before: Vec<usize> = clusters.iter().map(asked).collect();
    let ended = sandbox.run(&["drift"]);
    let after: Vec<usize> = clusters.iter().map(asked).collect();
    assert_eq!(after, before.iter().map(|count| count + 1).collect::<Vec<_>>(), "{}", ended.said);
    let code = ended.code();
    assert!(matches!(code, Some(0 | 4)), "{code:?} {}", ended.said);
    assert_eq!(code == Some(0), ended.said.contains("no difference"), "{}", ended.said);
    (code == Some(4), ended.said)
}

#[test]
fn what_somebody_started_on_another_cluster_is_found() {
    let (flink, other, sandbox) = two();
    assert!(!drift(&sandbox, &[&flink, &other]).0);
    let orphan = format!("{}{}", &first_id(&flink)[..16], "0".repeat(16));
    other.with(|cluster| cluster.put_job(&orphan, "renamed"));
    let (_, said) = drift(&sandbox, &[&flink, &other]);
    assert!(said.contains(&format!("ORPHAN        local/steady on `other`: {orphan}")), "{said}");
    assert!(said.contains(&format!("`tidegate adopt steady --id {orphan} --cluster other`")), "{said}");
    other.with(|cluster| cluster.cancel_job(&orphan));
    assert!(!drift(&sandbox, &[&flink, &other]).0);
    let foreign = "e".repeat(32);
    other.with(|cluster| cluster.put_job(&foreign, "steady"));
    let (_, said) = drift(&sandbox, &[&flink, &other]);
    assert!(said.contains(&format!("FOREIGN       local/steady on `other`: {foreign}")), "{said}");
    // Who asks for one environment gets what is its own.
    done(&sandbox.run(&["drift", "--env", "local"]));
}

#[test]
fn an_execution_that_lives_where_the_job_was_before_is_a_twin() {
    let (flink, other, sandbox) = two();
    checkpoint(&flink);
    let first = first_id(&flink);
    let moved = std::fs::read_to_string(sandbox.path().join("scripts/savepoint.rhai")).unwrap();
    let moved = moved.replace("template: ", "cluster: \"other\", template: ");
    std::fs::write(sandbox.path().join("scripts/moved.rhai"), moved).unwrap();
    done(&sandbox.run(&["run", "moved"]));
    let second = other.executions()[0].job_id.clone();
    assert!(!drift(&sandbox, &[&flink, &other]).0);
    // Somebody brought it back there, by hand.
    flink.with(|cluster| {
        cluster.forget_job(&first);
        cluster.put_job(&first, "steady");
    });
    let (_, said) = drift(&sandbox, &[&flink, &other]);
    let told =
        format!("TWIN          local/steady on `other`: 2 executions run: {second} on `other`, {first} on `target`");
    assert!(said.contains(&told), "{said}");
    // It alone is no twin, and not what was wanted.
    other.with(|cluster| cluster.cancel_job(&second));
    let (_, said) = drift(&sandbox, &[&flink, &other]);
    assert!(said.contains("MISSING       local/steady on `other`: it should run"), "{said}");
    let told = format!(
        "UNWANTED      local/steady on `target`: attempt 1 ({first}) runs, and attempt 2 on `other` is the newest"
    );
    assert!(said.contains(&told) && !said.contains("TWIN"), "{said}");
}

#[test]
fn a_cluster_that_cannot_be_asked_is_told() {
    let (flink, other, sandbox) = two();
    other.refuse();
    let ended = sandbox.run(&["drift"]);
    assert_eq!(ended.code(), Some(4), "{}", ended.said);
    assert!(ended.said.contains("UNKNOWN       cluster `other`: it could not be looked at"), "{}", ended.said);
    assert!(!ended.said.contains("no difference"), "{}", ended.said);
    let json = sandbox.run(&["drift", "--json"]);
    assert!(json.said.contains("\"job\":\"\"") || json.said.contains("\"job\": \"\""), "{}", json.said);
    // What the other one says counts all the same.
    flink.with(|cluster| cluster.put_job(&"e".repeat(32), "steady"));
    let ended = sandbox.run(&["drift"]);
    assert!(ended.said.contains("FOREIGN       local/steady on `target`"), "{}", ended.said);
    other.listen();
}

/// A cluster may have two names, and another environment a job of the same name that somebody else deploys.
#[test]
fn one_execution_under_two_names_and_the_job_of_another_environment_are_no_difference() {
    let (flink, other, sandbox) = two();
    let colleague = Sandbox::new("{ kind: session, url: \"http://127.0.0.1:9\" }", &[]);
    for folder in ["templates", "scripts"] {
        std::fs::create_dir_all(colleague.path().join(folder)).unwrap();
    }
    for file in ["tidegate.yaml", "templates/job.sql", "scripts/first.rhai"] {
        std::fs::copy(sandbox.path().join(file), colleague.path().join(file)).unwrap();
    }
    done(&colleague.run(&["run", "first", "--env", "other"]));
    assert_eq!(other.executions().len(), 1);
    assert!(!drift(&sandbox, &[&flink, &other]).0);
    let path = sandbox.path().join("tidegate.yaml");
    let yaml = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, yaml.replace(&other.url(), &flink.url())).unwrap();
    done(&sandbox.run(&["drift"]));
    // It is one cluster, whatever it is called.
    let foreign = "e".repeat(32);
    flink.with(|cluster| cluster.put_job(&foreign, "steady"));
    let said = sandbox.run(&["drift"]).said;
    assert_eq!(said.matches(&foreign).count(), 2, "once, and once in the hint: {said}");
}

/// A cluster that is no more, and on which nothing of the workspace lived at the end, is nobody's concern.
#[test]
fn a_cluster_that_was_taken_out_of_the_workspace_is_told_while_something_may_live_there() {
    let (flink, other, sandbox) = two();
    checkpoint(&flink);
    let moved = std::fs::read_to_string(sandbox.path().join("scripts/savepoint.rhai")).unwrap();
    let moved = moved.replace("template: ", "cluster: \"other\", template: ");
    std::fs::write(sandbox.path().join("scripts/moved.rhai"), moved).unwrap();
    done(&sandbox.run(&["run", "moved"]));
    let yaml = format!(
        "name: sweep\nclusters:\n  other: {{ kind: session, url: \"{}\" }}\nenvironments:\n  local: {{ cluster: other }}\n",
        other.url()
    );
    std::fs::write(sandbox.path().join("tidegate.yaml"), yaml).unwrap();
    done(&sandbox.run(&["drift"]));
    sandbox.database().execute("UPDATE attempt_rows SET end_state = NULL WHERE number = 1", []).unwrap();
    let ended = sandbox.run(&["drift"]);
    assert_eq!(ended.code(), Some(4), "{}", ended.said);
    assert!(ended.said.contains("UNKNOWN       cluster `target`: it could not be looked at"), "{}", ended.said);
}

#[test]
fn a_local_cluster_of_another_environment_that_is_down_runs_nothing() {
    let (_flink, other, sandbox) = two();
    let path = sandbox.path().join("tidegate.yaml");
    let yaml = std::fs::read_to_string(&path).unwrap();
    let session = format!("{{ kind: session, url: \"{}\" }}", other.url());
    assert!(yaml.contains(&session), "{yaml}");
    std::fs::write(&path, yaml.replace(&session, "{ kind: local, flink: \"1.20\" }")).unwrap();
    done(&sandbox.run(&["drift"]));
}
