//! From a repository behind a password to a job on a real Flink: built by a real `mvn`, started through its launcher. What runs is the
//! class that was named.

use super::Workspace;
use super::builds::{has_maven, maven_project};
use super::flink::{self, Cluster, until};
use super::git_http::GitHttp;

const SCRIPT: &str = r#"
import "std/launcher" as launcher;
let built = git::project("jobs").build(#{ command: "mvn -q -B -DskipTests package", modules: ["jobs"], timeout: "9m" });
let jar = jar::open(built.artifact("jobs"));
let changes = launcher::changes(jar.classes(#{ implements: "com.acme.StreamJob" }), []);
for class in changes.added {
    let started = launcher::reflective("com.acme.StartJobApp", class, #{ users: 7 }, #{ jar: jar });
    let spec = job::jar(launcher::job_name(class), opts::merge(started, #{ jar: jar, parallelism: 1 }));
    let job = spec.deploy();
    // One of them is bounded, and may have done its work already.
    try { job.wait_for("RUNNING", "2m"); } catch (e) { if e.code != "job.ended" { throw e; } }
    print(`${job.name} ${class}`);
}
"#;

#[test]
fn the_class_that_was_named_is_what_runs() {
    if !has_maven("git_projects::deployed::the_class_that_was_named_is_what_runs") {
        return;
    }
    let cluster = Cluster::up(flink::Workspace::on("launched", "{ kind: local, flink: \"1.20\", slots: 4 }"));
    let root = tempfile::tempdir().unwrap();
    let jobs = maven_project(&root.path().join("jobs"));
    let server = GitHttp::start(root.path());
    server.rotate("ada", "hunter2-first");
    let mut workspace = Workspace::on(
        &cluster.url,
        &format!(
            "projects:\n  jobs:\n    url: {}\n    credentials: {{ user: ada, password: {{ secret: GIT_PASSWORD }} }}\nallow_builds: [jobs]\n",
            server.url("jobs/.git")
        ),
    );
    workspace.set("GIT_PASSWORD", "hunter2-first");
    let said = workspace.run(SCRIPT).ok();
    let expected = "heartbeat com.acme.jobs.Heartbeat\norder-amounts com.acme.jobs.OrderAmounts\nuser-behavior com.acme.jobs.UserBehavior";
    assert_eq!(said, expected);
    for (name, operator) in
        [("user-behavior", "UserBehavior by user"), ("order-amounts", "OrderAmounts"), ("heartbeat", "Heartbeat")]
    {
        let id = id_of(&workspace, name);
        let shown = until("its operators", || {
            let vertices = cluster.get(&format!("/jobs/{id}"))["vertices"].clone();
            let names: Vec<&str> = vertices.as_array()?.iter().filter_map(|one| one["name"].as_str()).collect();
            (!names.is_empty()).then(|| names.join(" "))
        });
        assert!(shown.contains(operator), "{name}: {shown}");
    }

    // The password is another one, the commit too, and nothing else: built again, and the jobs are left alone.
    server.rotate("ada", "hunter2-second");
    jobs.commit("second", &[("README.md", "changed\n")]);
    workspace.run(SCRIPT).fails("git.auth_failed");
    workspace.set("GIT_PASSWORD", "hunter2-second");
    assert_eq!(workspace.run(SCRIPT).ok(), expected);
    assert_eq!(cluster.get("/jobs/overview")["jobs"].as_array().unwrap().len(), 3);
    assert!(!workspace.keeps("hunter2"));
    for name in ["user-behavior", "order-amounts", "heartbeat"] {
        workspace.tidegate(&["cancel", name]).ok();
    }
}

/// The program gives its jobs names of its own: which is which tidegate knows.
fn id_of(workspace: &Workspace, name: &str) -> String {
    let jobs: serde_json::Value = serde_json::from_str(&workspace.tidegate(&["ps", "--json"]).ok()).unwrap();
    let job = jobs.as_array().unwrap().iter().find(|job| job["name"] == name).unwrap();
    job["id"].as_str().unwrap().to_owned()
}
