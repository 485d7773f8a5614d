//! Over http, with a password.

use super::git_http::GitHttp;
use super::git_repository::Repository;
use super::support::port::Refusing;
use super::tls::{self, Tls};
use super::{Workspace, until};

const COMMIT: &str = "print(git::project(\"jobs\").commit);";

/// A server with the repository `jobs`, and a workspace that knows it with user and password from a file.
struct Case {
    server: GitHttp,
    jobs: Repository,
    workspace: Workspace,
    root: tempfile::TempDir,
}

fn case(more: &str) -> Case {
    let root = tempfile::tempdir().unwrap();
    let jobs =
        Repository::new(&root.path().join("jobs"), &[("README.md", "one\n"), ("build.sh", "echo built > out.txt\n")]);
    let server = GitHttp::start(root.path());
    server.rotate("ada", "hunter2-first");
    let workspace = Workspace::new(&format!(
        "secrets:\n  GIT_PASSWORD: {{ file: {0}/password }}\nprojects:\n  jobs:\n    url: {1}\n    \
         credentials: {{ user: ada, password: {{ secret: GIT_PASSWORD }} }}\n{more}",
        root.path().display(),
        server.url("jobs/.git"),
    ));
    let case = Case { server, jobs, workspace, root };
    case.password("hunter2-first");
    case
}

impl Case {
    fn password(&self, password: &str) {
        let path = self.root.path().join("password");
        std::fs::write(&path, format!("{password}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_rotated_password_is_one_change() {
    let case = case("");
    assert_eq!(case.workspace.run(COMMIT).ok(), case.jobs.head());
    let second = case.jobs.commit("second", &[("README.md", "two\n")]);
    assert_eq!(case.workspace.run(COMMIT).ok(), second);

    case.server.rotate("ada", "hunter2-second");
    let said = case.workspace.run(COMMIT).fails("git.auth_failed");
    assert!(said.contains("refused the password of `ada`") && said.contains("change the secret"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(case.server.refused(), ["ada:hunter2-first"], "it is sent once");

    case.password("hunter2-second");
    let third = case.jobs.commit("third", &[]);
    assert_eq!(case.workspace.run(COMMIT).ok(), third);
    assert!(!case.workspace.keeps("hunter2"));
}

#[test]
fn a_token_and_credentials_of_a_script() {
    let mut case = case("");
    case.workspace.set("TOKEN", "token-12345");
    case.server.rotate("oauth2", "token-12345");
    let url = case.server.url("jobs/.git");
    let script =
        format!("print(git::project(\"{url}\", #{{ credentials: #{{ token: env::secret(\"TOKEN\") }} }}).commit);");
    assert_eq!(case.workspace.run(&script).ok(), case.jobs.head());
    assert!(!case.workspace.keeps("token-12345"));
    let said = case.workspace.run(&format!("git::project(\"{url}\");")).fails("git.credentials_missing");
    assert!(said.contains("wants user and password"), "{said}");
    let plain = format!("git::project(\"{url}\", #{{ credentials: #{{ user: \"ada\", password: \"x\" }} }});");
    case.workspace.run(&plain).fails("argument.invalid");
}

#[test]
fn a_password_in_a_url_is_refused_before_anything_is_recorded() {
    let workspace = Workspace::new("");
    let said =
        workspace.run("let u = \"https://ada:hun\" + \"ter2@h/jobs\"; git::project(u);").fails("git.password_in_url");
    assert!(said.contains("https://ada:***@h/jobs") && !said.contains("hunter2"), "{said}");
    assert!(!workspace.keeps("hunter2"));
    workspace.run("git::project(\"https://ada:hunter2@h/jobs\");").fails("git.password_in_url");
}

#[test]
fn what_is_wanted_is_found_and_what_is_gone_is_told_with_near_names() {
    let case = case("");
    let first = case.jobs.head();
    case.jobs.git(&["tag", "-a", "v1.0", "-m", "one"]);
    case.jobs.git(&["branch", "feature/clicks"]);
    let second = case.jobs.commit("second", &[("README.md", "two\n")]);
    let of = |options: &str| format!("print(git::project(\"jobs\", #{{ {options} }}).commit);");
    for (options, commit) in [
        ("branch: \"main\"", &second),
        ("branch: \"feature/clicks\"", &first),
        ("tag: \"v1.0\"", &first),
        (&format!("commit: \"{}\"", &first[..8]), &first),
        (&format!("commit: \"{first}\""), &first),
    ] {
        assert_eq!(case.workspace.run(&of(options)).ok(), *commit, "{options}");
    }
    let asked = case.server.requests().len();
    assert_eq!(case.workspace.run(&of(&format!("commit: \"{first}\""))).ok(), first);
    assert_eq!(case.server.requests().len(), asked, "a whole hash that is there is not asked for");

    let said = case.workspace.run(&of("branch: \"feature/click\"")).fails("git.ref_not_found");
    assert!(said.contains("did you mean `feature/clicks`?"), "{said}");
    let said = case.workspace.run(&of("tag: \"v1\"")).fails("git.ref_not_found");
    assert!(said.contains("`v1.0`"), "{said}");
    case.workspace.run(&of("commit: \"0123456789\"")).fails("git.ref_not_found");
    // A branch that is deleted there is gone here, too.
    case.jobs.git(&["branch", "-D", "feature/clicks"]);
    let said = case.workspace.run(&of("branch: \"feature/clicks\"")).fails("git.ref_not_found");
    assert!(said.contains("or not any more"), "{said}");
    let listed = case
        .workspace
        .run("let p = git::project(\"jobs\"); print(p.branches()); print(p.tags()); print(p.read(\"README.md\"));");
    assert_eq!(listed.ok(), "[\"main\"]\n[\"v1.0\"]\ntwo");
    case.workspace.run("git::project(\"jobs\").read(\"none\");");
    case.workspace.run("git::project(\"job\");").fails("git.project_unknown");
}

#[test]
fn no_repository_no_server_and_a_server_that_says_nothing() {
    let case = case("");
    let credentials = "credentials: #{ user: \"ada\", password: env::secret(\"GIT_PASSWORD\") }";
    let of = |url: &str, more: &str| format!("git::project(\"{url}\", #{{ {credentials}{more} }});");
    let said = case.workspace.run(&of(&case.server.url("none.git"), "")).fails("git.not_found");
    assert!(said.contains("there is no repository"), "{said}");
    let closed = Refusing::new();
    let free = closed.address();
    let said = case.workspace.run(&of(&format!("http://{free}/jobs.git"), "")).fails("git.unreachable");
    assert!(said.contains(&format!("{free} cannot be reached")), "{said}");
    case.workspace.run(&of("http://no-such-host.invalid/jobs.git", "")).fails("git.unreachable");
    // TLS with somebody who does not speak it.
    let tls = case.server.url("jobs/.git").replace("http://", "https://");
    case.workspace.run(&of(&tls, "")).fails("git.tls_failed");
    case.server.hang(true);
    let said = case.workspace.run(&of(&case.server.url("jobs/.git"), ", timeout: \"1s\"")).fails("git.timeout");
    assert!(said.contains("nothing came of"), "{said}");
}

#[test]
fn https_needs_a_certificate_that_the_machine_trusts() {
    if !tls::is_there("git_projects::http::https_needs_a_certificate_that_the_machine_trusts") {
        return;
    }
    let mut case = case("");
    let tls = Tls::start(case.root.path(), case.server.place());
    let credentials = "credentials: #{ user: \"ada\", password: env::secret(\"GIT_PASSWORD\") }";
    let of = |host: &str| {
        format!("print(git::project(\"https://{host}:{}/jobs/.git\", #{{ {credentials} }}).commit);", tls.port)
    };
    let said = case.workspace.run(&of("127.0.0.1")).fails("git.tls_failed");
    assert!(said.contains("SSL_CERT_FILE") && case.server.requests().is_empty(), "{said}");
    case.workspace.set("SSL_CERT_FILE", &tls.certificate.display().to_string());
    assert_eq!(case.workspace.run(&of("127.0.0.1")).ok(), case.jobs.head());
    // The certificate is for another name.
    let asked = case.server.requests().len();
    case.workspace.run(&of("localhost")).fails("git.tls_failed");
    assert_eq!(case.server.requests().len(), asked);
}

#[test]
fn ctrl_c_ends_a_fetch_and_the_run_goes_on_later() {
    let case = case("");
    case.server.hang(true);
    let mut process = case.workspace.start(COMMIT);
    until("the request", || !case.server.requests().is_empty());
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(130));
    let said = std::fs::read_to_string(case.workspace.path("said")).unwrap();
    assert!(said.contains("tidegate resume r1"), "{said}");
    case.server.hang(false);
    assert_eq!(case.workspace.tidegate(&["resume", "r1"]).ok(), case.jobs.head());
}

#[test]
fn a_commit_that_was_recorded_is_built_on_resume() {
    let case = case("allow_builds: [jobs]\n");
    let first = case.jobs.head();
    let script = "let p = git::project(\"jobs\");\nrun::approve(\"go on?\");\nlet b = p.build(#{ command: \"sh build.sh\", artifacts: [\"*.txt\"] });\nprint(b.commit);";
    assert_eq!(case.workspace.run(script).code, Some(3));
    case.jobs.commit("second", &[("README.md", "two\n")]);
    let ended = case.workspace.tidegate(&["approve", "r1", "--as", "ada"]).ok();
    assert!(ended.ends_with(&first), "{ended}");
}

#[test]
fn a_damaged_mirror_is_made_anew() {
    let case = case("");
    assert_eq!(case.workspace.run(COMMIT).ok(), case.jobs.head());
    let mirror = std::fs::read_dir(case.workspace.path(".tidegate/git")).unwrap().next().unwrap().unwrap().path();
    // As a death in the middle leaves them.
    std::fs::write(mirror.join("packed-refs.lock"), "").unwrap();
    std::fs::create_dir_all(mirror.join("refs/heads")).unwrap();
    std::fs::write(mirror.join("refs/heads/main.lock"), "").unwrap();
    std::fs::create_dir_all(mirror.with_extension("new").join("objects")).unwrap();
    let second = case.jobs.commit("second", &[("README.md", "two\n")]);
    assert_eq!(case.workspace.run(COMMIT).ok(), second);
    for damage in ["HEAD", "objects", "packed-refs"] {
        let path = mirror.join(damage);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::write(&path, "\0\0damaged").unwrap();
        }
        let next = case.jobs.commit("next", &[("README.md", damage)]);
        assert_eq!(case.workspace.run(COMMIT).ok(), next, "{damage}");
    }
}

#[test]
fn submodules_come_with_the_commit() {
    let case = case("allow_builds: [jobs]\n");
    let core = Repository::new(&case.root.path().join("core"), &[("core.txt", "core one\n")]);
    let deep = Repository::new(&case.root.path().join("deep"), &[("deep.txt", "deep one\n")]);
    let add = |to: &Repository, url: &str, from: &Repository, path: &str| {
        let local = from.folder.to_str().unwrap();
        to.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", local, path]);
        to.git(&["config", "-f", ".gitmodules", &format!("submodule.{path}.url"), url]);
        to.commit("submodule", &[])
    };
    add(&core, "../../deep/.git", &deep, "libs/deep");
    core.commit("moved on", &[("core.txt", "core two\n")]);
    add(&case.jobs, "../../core/.git", &core, "core");
    let script = "sh -c 'cat core/core.txt core/libs/deep/deep.txt; git describe --always > version; git status --short >> version; ls -A core > out.txt'";
    let build = |more: &str| {
        format!(
            "let b = git::project(\"jobs\").build(#{{ command: \"{script}\", artifacts: [\"out.txt\", \"version\"]{more} }}); print(b.id);"
        )
    };
    let id = case.workspace.run(&build("")).ok();
    let log = case.workspace.tidegate(&["builds", "log", &id]).ok();
    assert_eq!(log, "core two\ndeep one");
    // The commit of a submodule that nobody pushed.
    let tree = case.jobs.folder.join("core");
    let inside = Repository { folder: tree };
    inside.commit("not pushed", &[("core.txt", "core three\n")]);
    case.jobs.commit("moved", &[]);
    let said = case.workspace.run(&build("")).fails("git.submodule");
    assert!(said.contains("the submodule `core`") && said.contains("was the submodule's own commit pushed?"), "{said}");
    // Another host gets no credentials, and a folder of this machine is none.
    for (url, why) in [("/etc", "folder of this machine"), ("https://a:b@h/x", "holds a password")] {
        case.jobs.git(&["config", "-f", ".gitmodules", "submodule.core.url", url]);
        case.jobs.commit("url", &[]);
        let said = case.workspace.run(&build("")).fails("git.submodule");
        assert!(said.contains(why), "{said}");
    }
    let other = GitHttp::start(case.root.path());
    other.rotate("ada", "hunter2-first");
    case.jobs.git(&["config", "-f", ".gitmodules", "submodule.core.url", &other.url("core/.git")]);
    case.jobs.commit("url", &[]);
    let said = case.workspace.run(&build("")).fails("git.submodule");
    assert!(said.contains("none was given") && other.refused().is_empty(), "{said}");
    // What cannot be read is not nothing.
    let modules = case.jobs.folder.join(".gitmodules");
    let whole = std::fs::read_to_string(&modules).unwrap();
    case.jobs.commit("long", &[(".gitmodules", &format!("{whole}{}", "# long\n".repeat(200_000)))]);
    let said = case.workspace.run(&build("")).fails("git.submodule");
    assert!(said.contains("`.gitmodules` cannot be used") && said.contains("1048576 is the most"), "{said}");
    std::fs::remove_file(&modules).unwrap();
    std::os::unix::fs::symlink("README.md", &modules).unwrap();
    case.jobs.commit("link", &[]);
    let said = case.workspace.run(&build("")).fails("git.submodule");
    assert!(said.contains("`.gitmodules` is a link at"), "{said}");
    std::fs::remove_file(&modules).unwrap();
    case.jobs.commit("gone", &[]);
    let said = case.workspace.run(&build("")).fails("git.submodule");
    assert!(said.contains("the submodule `core` is not named in `.gitmodules`"), "{said}");
}
