//! Over ssh, with keys, an agent, and the server's own key.

use super::Workspace;
use super::git_repository::Repository;
use super::sshd::{Agent, Sshd, is_there};

#[test]
fn keys_agents_and_the_servers_own_key() {
    if !is_there("git_projects::ssh::keys_agents_and_the_servers_own_key") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let jobs = Repository::new(&root.path().join("jobs"), &[("README.md", "one\n")]);
    let sshd = Sshd::start(&root.path().join("sshd"));
    let url = sshd.url(&jobs.folder);
    let mut workspace = Workspace::new(&format!(
        "secrets:\n  DEPLOY_KEY: {{ file: {} }}\nprojects:\n  jobs: {{ url: \"{url}\", credentials: {{ key: keys/deploy }} }}\n",
        sshd.key("key").display()
    ));
    let key = std::fs::read_to_string(sshd.key("key")).unwrap();
    workspace.write_secret("keys/deploy", &key);
    let configured = "print(git::project(\"jobs\").commit);";
    let of = |options: &str| format!("print(git::project(\"{url}\", #{{ {options} }}).commit);");

    // Nobody has said that the server is the one that it should be.
    let said = workspace.run(configured).fails("git.host_key");
    assert!(said.contains("is not in `known_hosts`") && said.contains(&sshd.fingerprint()), "{said}");
    let pinned = format!("host_key: \"{}\", credentials: #{{ key: \"keys/deploy\" }}", sshd.fingerprint());
    assert_eq!(workspace.run(&of(&pinned)).ok(), jobs.head());
    sshd.make_known(&workspace.home(), "stranger");
    let said = workspace.run(configured).fails("git.host_key");
    assert!(said.contains("another key than `known_hosts` has"), "{said}");
    let other =
        "host_key: \"SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\", credentials: #{ key: \"keys/deploy\" }";
    let said = workspace.run(&of(other)).fails("git.host_key");
    assert!(said.contains("another key than `host_key` names"), "{said}");
    assert!(!sshd.log().contains("Accepted") || sshd.log().matches("Accepted").count() == 1, "{}", sshd.log());
    sshd.make_known(&workspace.home(), "host");
    assert_eq!(workspace.run(configured).ok(), jobs.head());

    // A key as a secret, one with a passphrase, and those that do not fit.
    let second = jobs.commit("second", &[]);
    assert_eq!(workspace.run(&of("credentials: #{ key: env::secret(\"DEPLOY_KEY\") }")).ok(), second);
    workspace.write_secret("keys/locked", &std::fs::read_to_string(sshd.key("locked")).unwrap());
    let locked = "credentials: #{ key: \"keys/locked\", passphrase: env::secret(\"PASSPHRASE\") }";
    workspace.set("PASSPHRASE", "open sesame");
    assert_eq!(workspace.run(&of(locked)).ok(), second);
    workspace.set("PASSPHRASE", "open barley");
    let said = workspace.run(&of(locked)).fails("git.auth_failed");
    assert!(!said.contains("open barley"), "{said}");
    workspace.run(&of("credentials: #{ key: \"keys/locked\" }")).fails("git.auth_failed");
    workspace.write_secret("keys/stranger", &std::fs::read_to_string(sshd.key("stranger")).unwrap());
    let said = workspace.run(&of("credentials: #{ key: \"keys/stranger\" }")).fails("git.auth_failed");
    assert!(said.contains("refused the key of"), "{said}");
    workspace.write_secret("keys/none", "this is no key\n");
    workspace.run(&of("credentials: #{ key: \"keys/none\" }")).fails("git.auth_failed");
    workspace.run(&of("credentials: #{ key: \"keys/absent\" }"));
    workspace.write("keys/open", &key);
    let said = workspace.run(&of("credentials: #{ key: \"keys/open\" }")).fails("git.credentials_missing");
    assert!(said.contains("others can read it") && said.contains("chmod 600"), "{said}");

    // The agent.
    workspace.run(&of("")).fails("git.credentials_missing");
    workspace.run(&of("credentials: #{ agent: true }")).fails("git.auth_failed");
    {
        let agent = Agent::start(root.path(), Some(&sshd.key("key")));
        workspace.set("SSH_AUTH_SOCK", &agent.socket.display().to_string());
        assert_eq!(workspace.run(&of("credentials: #{ agent: true }")).ok(), second);
        assert_eq!(workspace.run(&of("")).ok(), second, "an agent that runs is asked");
    }
    let empty = tempfile::tempdir().unwrap();
    let agent = Agent::start(empty.path(), None);
    workspace.set("SSH_AUTH_SOCK", &agent.socket.display().to_string());
    workspace.run(&of("credentials: #{ agent: true }")).fails("git.auth_failed");

    let none = sshd.url(&root.path().join("none"));
    let said = workspace.run(&format!("git::project(\"{none}\", #{{ credentials: #{{ key: \"keys/deploy\" }} }});"));
    said.fails("git.not_found");
    for secret in ["open sesame", "open barley", "PRIVATE KEY"] {
        assert!(!workspace.keeps(secret), "{secret} is kept");
    }
}
