//! Servers that lead elsewhere: what was given for one host, scheme and port goes to no other.

use super::Workspace;
use super::git_http::GitHttp;
use super::git_repository::Repository;
use super::listener::{Answer, Listener};
use super::tls::{self, Tls};

/// A script that gives the password for this URL.
fn project(url: &str) -> String {
    format!(
        "print(git::project(\"{url}\", #{{ credentials: #{{ user: \"ada\", password: env::secret(\"GIT_PASSWORD\") }} }}).commit);"
    )
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new("");
    workspace.set("GIT_PASSWORD", "hunter2-first");
    workspace
}

fn redirect(to: &str) -> Answer {
    Answer::Whole(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"))
}

const WANTS_PASSWORD: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\r\n";

/// A server that asks whoever comes for a password.
fn collector() -> Listener {
    Listener::start(|_| Answer::Whole(WANTS_PASSWORD.to_owned()))
}

/// Whether anything that names the password came.
fn was_told(listener: &Listener) -> bool {
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode("ada:hunter2-first");
    listener.heard().iter().any(|request| request.contains(&login) || request.contains("hunter2"))
}

#[test]
fn a_redirect_takes_no_password_along() {
    let other = collector();
    for location in [
        format!("http://{}/jobs.git/info/refs?service=git-upload-pack", other.place()),
        // What tidegate does not read as an address of a repository is no way round.
        format!("http://{}", other.place()),
        format!("http://{}?@127.0.0.1/jobs.git/info/refs?service=git-upload-pack", other.place()),
        format!("http://x:s3cret@{}/jobs.git/info/refs?service=git-upload-pack", other.place()),
    ] {
        let to = location.clone();
        let first = Listener::start(move |_| redirect(&to));
        let said = workspace().run(&project(&format!("http://{}/jobs.git", first.place())));
        assert!(said.code == Some(1) && !said.err.contains("s3cret") && !said.err.contains("hunter2"), "{said:?}");
        assert!(!was_told(&other), "{location}: {:?}", other.heard());
    }
    let to = format!("http://{}/jobs.git/info/refs?service=git-upload-pack", other.place());
    let first = Listener::start(move |_| redirect(&to));
    let said = workspace().run(&project(&format!("http://{}/jobs.git", first.place()))).fails("git.auth_failed");
    let leads = format!("http://{} leads to http://{}, which asks for credentials", first.place(), other.place());
    assert!(said.contains(&leads), "{said}");
}

#[test]
fn a_server_that_got_the_password_cannot_hand_it_on() {
    let other = collector();
    let to = format!("http://{}/jobs.git/info/refs?service=git-upload-pack", other.place());
    let first = Listener::start(move |request| match request.contains("Authorization:") {
        true => redirect(&to),
        false => Answer::Whole(WANTS_PASSWORD.to_owned()),
    });
    workspace().run(&project(&format!("http://{}/jobs.git", first.place()))).fails("git.auth_failed");
    assert!(was_told(&first) && !other.heard().is_empty() && !was_told(&other), "{:?}", other.heard());
}

#[test]
fn a_password_for_https_is_not_sent_over_http() {
    if !tls::is_there("git_projects::elsewhere::a_password_for_https_is_not_sent_over_http") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let other = collector();
    let to = format!("http://{}/jobs.git/info/refs?service=git-upload-pack", other.place());
    let first = Listener::start(move |_| redirect(&to));
    let tls = Tls::start(root.path(), first.place());
    let mut workspace = workspace();
    workspace.set("SSL_CERT_FILE", &tls.certificate.display().to_string());
    let said = workspace.run(&project(&format!("https://127.0.0.1:{}/jobs.git", tls.port)));
    assert!(said.code == Some(1) && said.err.contains("cannot redirect from 'https' to 'http'"), "{said:?}");
    assert!(!first.heard().is_empty() && other.heard().is_empty());
}

#[test]
fn what_git_is_configured_to_ask_instead_gets_no_password() {
    let other = collector();
    let workspace = workspace();
    let rewrite = |to: &str| {
        workspace.write("home/.gitconfig", &format!("[url \"{to}\"]\n\tinsteadOf = https://git.example.com/\n"));
        workspace.run(&project("https://git.example.com/jobs.git")).fails("git.auth_failed")
    };
    let said = rewrite(&format!("http://{}/", other.place()));
    assert!(said.contains(&format!("leads to http://{}", other.place())) && said.contains("insteadOf"), "{said}");
    // A login of that configuration is tried, and is nothing of ours.
    let said = rewrite(&format!("http://x:s3cret@{}/", other.place()));
    assert!(said.contains("an address that cannot be read") && said.contains("http://x:***@"), "{said}");
    assert!(!said.contains("s3cret") && !was_told(&other), "{said}");
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    let root = tempfile::tempdir().unwrap();
    let jobs = Repository::new(&root.path().join("jobs"), &[("README.md", "one\n")]);
    let server = GitHttp::start(root.path());
    server.rotate("ada", "hunter2-first");
    server.moved("/old.git", "/jobs/.git");
    assert_eq!(workspace().run(&project(&server.url("old.git"))).ok(), jobs.head());
}
