//! Servers that take a connection and fall silent: there is an end to it, and nobody else waits for them.

use std::time::Instant;

use super::git_http::GitHttp;
use super::git_repository::Repository;
use super::listener::{Answer, Listener};
use super::{Workspace, until};

/// A script that fetches this URL with a patience of a second.
fn fetch(url: &str) -> String {
    format!("git::project(\"{url}\", #{{ timeout: \"1s\" }});")
}

/// Half of what a server says of its branches.
const HALF_OF_REFS: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
                            Content-Length: 5000\r\n\r\n001e# service=git-upload-pack\n0000";

#[track_caller]
fn ends_in_time(url: &str) {
    let began = Instant::now();
    let said = Workspace::new("").run(&fetch(url)).fails("git.timeout");
    assert!(said.contains(&format!("nothing came of `{url}` for 1.0s")) && said.contains("`timeout:`"), "{said}");
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn over_http_and_https() {
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-", HALF_OF_REFS] {
        let server = Listener::start(move |_| Answer::Begun(begun.as_bytes().to_vec()));
        ends_in_time(&format!("http://{}/jobs.git", server.place()));
        assert_eq!(server.heard().len(), 1);
    }
    let server = Listener::that_says(b"");
    ends_in_time(&format!("https://{}/jobs.git", server.place()));
    assert_eq!(server.heard().len(), 1);
}

#[test]
fn over_ssh() {
    for greeting in [&b""[..], b"SSH-2.0-Op", b"SSH-2.0-OpenSSH_9.2\r\n"] {
        let server = Listener::that_says(greeting);
        ends_in_time(&format!("ssh://git@{}/jobs.git", server.place()));
        assert_eq!(server.heard().len(), 1);
    }
}

#[test]
fn half_of_the_objects() {
    let root = tempfile::tempdir().unwrap();
    // Nothing that shrinks: it takes more than one write.
    let noise: String = (0..200_000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let jobs = Repository::new(&root.path().join("jobs"), &[("noise.txt", &noise)]);
    let server = GitHttp::start(root.path());
    let url = server.url("jobs/.git");
    let workspace = Workspace::new("");
    server.stop_after(Some(400_000));
    let said = workspace.run(&fetch(&url)).fails("git.timeout");
    assert!(said.contains("for 1.0s") && said.contains("before that") && said.contains("objects came"), "{said}");
    // What it has left is in nobody's way.
    server.stop_after(None);
    assert_eq!(workspace.run(&format!("print(git::project(\"{url}\").commit);")).ok(), jobs.head());
    let left: Vec<_> = std::fs::read_dir(workspace.path(".tidegate/git")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_next_try_of_the_same_run_does_not_wait_for_it() {
    let root = tempfile::tempdir().unwrap();
    let jobs = Repository::new(&root.path().join("jobs"), &[("README.md", "one\n")]);
    let server = GitHttp::start(root.path());
    let workspace = Workspace::new("");
    let url = server.url("jobs/.git");
    server.hang_once();
    let script = format!(
        "let p = run::retry(#{{ attempts: 3, delay: \"1ms\" }}, || git::project(\"{url}\", #{{ timeout: \"1s\" }}));\nprint(p.commit);"
    );
    assert_eq!(workspace.run(&script).ok(), jobs.head());
    // The same for one that is there already.
    let second = jobs.commit("second", &[]);
    server.hang_once();
    assert_eq!(workspace.run(&script).ok(), second);
}

#[test]
fn ctrl_c_ends_it_at_once() {
    for (scheme, server) in [
        ("http", Listener::start(|_| Answer::Begun(Vec::new()))),
        ("ssh", Listener::that_says(b"SSH-2.0-OpenSSH_9.2\r\n")),
    ] {
        let workspace = Workspace::new("");
        let mut process = workspace.start(&format!("git::project(\"{scheme}://git@{}/jobs.git\");", server.place()));
        until("the connection", || !server.heard().is_empty());
        let began = Instant::now();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(130));
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
