//! What scripts reach beside their workspace: nothing, unless `tidegate.yaml` grants it.

use std::process::Stdio;

use insta::assert_snapshot;
use rustix::process::Signal;

use super::Workspace;
use super::signals::{end, wait_for_step};
use super::support::fake_flink::{FakeFlink, Fault};

const SECRET: &str = "t0ken-of-the-day";

/// A workspace that grants this.
fn granting(url: &str, allow: &str) -> Workspace {
    let workspace = Workspace::on(url);
    let file = std::fs::read_to_string(workspace.path().join("tidegate.yaml")).unwrap();
    workspace.write("tidegate.yaml", &format!("{file}allow: {allow}\n"));
    workspace
}

fn host(flink: &FakeFlink) -> String {
    flink.url().trim_start_matches("http://").to_owned()
}

#[test]
fn nothing_is_reached_without_a_grant() {
    for (name, script) in [
        ("denied_shell", "shell::run(\"id\");\n"),
        ("denied_http", "http::get(\"https://api.example.com/x\");\n"),
        ("denied_post", "http::post(\"http://localhost:8080/\", #{ body: \"x\" });\n"),
        ("denied_file", "print(files::read(\"/etc/passwd\"));\n"),
    ] {
        assert_snapshot!(name, Workspace::idle().script(script));
    }
}

#[test]
fn a_wrong_grant_is_said_with_its_line() {
    for (name, allow) in [
        ("allow_host", "{ http: [\"https://api.example.com/x\"] }"),
        ("allow_folder", "{ files: [data] }"),
        ("allow_key", "{ shel: true }"),
    ] {
        assert_snapshot!(name, granting("http://127.0.0.1:9", allow).script("print(1);\n"));
    }
}

#[test]
fn granted_folders_are_read() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("days.csv"), "city,days\nSeattle,1461\n").unwrap();
    let folder = outside.path().display();
    let workspace = granting("http://127.0.0.1:9", &format!("{{ files: [\"{folder}\"] }}"));
    let said = workspace.script(&format!(
        "let file = files::list(\"{folder}/*.csv\")[0];\nassert::equal(file, \"{folder}/days.csv\");\nassert::that(files::exists(file));\n\
         print(files::csv(file)[0].days);\nfiles::read(\"{folder}/../x\");\n"
    ));
    assert!(said.contains("-- stdout --\n1461\n") && said.contains("error[file.outside]"), "{said}");
}

#[test]
fn requests_go_to_granted_hosts_and_secrets_with_them() {
    let flink = FakeFlink::start();
    let elsewhere = FakeFlink::start();
    let workspace = granting(&flink.url(), &format!("{{ http: [\"{}\"] }}", host(&flink)));
    workspace.write(
        "scripts/it.rhai",
        &format!(
            "let token = env::secret(\"TOKEN\");\n\
             let answer = http::get(\"{0}/overview\", #{{ headers: #{{ \"X-Token\": \"is \" + token }} }});\n\
             print(`${{answer.status}} ${{answer.json.get(\"flink-version\") != ()}} ${{answer.headers[\"content-type\"]}}`);\n\
             let answer = http::post(\"{0}/hook\", #{{ json: #{{ a: [1, token], \"b\\\"\": () }} }});\n\
             print(answer.status);\n\
             let twice = #{{ body: \"a\", json: 1 }};\n\
             try {{ http::post(\"{0}/\", twice); }} catch (e) {{ print(e.message); }}\n\
             try {{ http::get(\"{1}/overview\"); }} catch (e) {{ print(e.code); }}\n\
             try {{ http::get(\"{0}@{2}/\"); }} catch (e) {{ print(e.code); }}\n",
            flink.url(),
            elsewhere.url(),
            host(&elsewhere)
        ),
    );
    let output = workspace.command(&["run", "it", "--verbose"]).env("TOKEN", SECRET).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("200 true application/json"), "{out}");
    assert_eq!(
        lines[1..],
        ["404", "http::post: `body` and `json` cannot both be given", "capability.denied", "argument.invalid"]
    );
    let requests = flink.requests();
    let hook = requests.iter().find(|request| request.path == "/hook").unwrap();
    assert_eq!(hook.body, format!("{{\"a\":[1,\"{SECRET}\"],\"b\\\"\":null}}"));
    assert!(elsewhere.requests().is_empty());
    let kept = workspace.tidegate(&["runs", "show", "r1", "--json"]);
    assert!(!format!("{out}{err}{kept}").contains(SECRET));
}

#[test]
fn a_post_without_an_answer_waits_for_somebody() {
    let flink = FakeFlink::start();
    flink.fault("POST", "/hook", 1, Fault::DropAfter);
    let workspace = granting(&flink.url(), &format!("{{ http: [\"{}\"] }}", host(&flink)));
    let said = workspace.script(&format!("print(http::post(\"{}/hook\").status);\n", flink.url()));
    assert!(said.contains("exit code: 3") && said.contains("error[run.unknown_outcome]"), "{said}");
    let said = workspace.tidegate(&["resume", "r1"]);
    assert!(said.contains("exit code: 3") && said.contains("--step 0=retry"), "{said}");
    let hooks = || flink.requests().iter().filter(|request| request.path == "/hook").count();
    assert_eq!(hooks(), 1);
    let said = workspace.tidegate(&["resume", "r1", "--step", "0=retry"]);
    assert!(said.contains("exit code: 0") && said.contains("\n404\n"), "{said}");
    assert_eq!(hooks(), 2);
}

#[test]
fn a_redirect_does_not_lead_out() {
    use std::io::{Read, Write};
    let elsewhere = FakeFlink::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {}/overview\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(connection.read(&mut request).unwrap() > 0);
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let workspace = granting(&elsewhere.url(), &format!("{{ http: [\"{here}\"] }}"));
    let said = workspace.script(&format!("http::get(\"http://{here}/away\");\n"));
    server.join().unwrap();
    assert!(said.contains("error[capability.denied]"), "{said}");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn programs_run() {
    let workspace = granting("http://127.0.0.1:9", "{ shell: true }");
    workspace.write("tools/say.sh", "#!/bin/sh\necho \"$1 $(pwd) $GIVEN $DB\"\n");
    let path = workspace.path().join("tools/say.sh");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    workspace.write(
        "scripts/it.rhai",
        "let said = shell::run(\"tools/say.sh\", [1], #{ cwd: \"tools\", env: #{ GIVEN: env::secret(\"TOKEN\") } });\n\
         assert::that(said.out.starts_with(\"1 /\"));\nassert::that(said.out.ends_with(\"/tools *** \\n\"));\n\
         print(shell::run(\"sh\", [\"-c\", \"exit 7\"], #{ check: false }).code);\n\
         for arguments in [[\"-c\", \"echo why >&2; exit 7\"], [env::secret(\"TOKEN\")], [\"-c\", \"sleep 100\"]] {\n\
             try { shell::run(\"sh\", arguments, #{ timeout: \"300ms\" }); } catch (e) { print(`${e.code}: ${e.message}`); }\n}\n\
         try { shell::run(\"no-such-program\"); } catch (e) { print(e.message); }\n\
         try { shell::run(\"id\", [], #{ cwd: \"..\" }); } catch (e) { print(e.code); }\n\
         shell::run(\"sh\", [\"-c\", \"echo why >&2; exit 7\"]);\n",
    );
    let output = workspace.command(&["run", "it"]).env("TOKEN", SECRET).env("DB", "hidden").output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            "7",
            "shell.failed: `sh` ended with code 7",
            "argument.invalid: shell::run: `arguments[0]` holds a secret; every user of the machine could read it",
            "shell.failed: `sh` did not end within 300ms and was killed",
            "`no-such-program` cannot be started",
            "file.outside",
        ],
        "{err}"
    );
    assert!(err.contains("error[shell.failed]: `sh` ended with code 7") && err.contains("why"), "{err}");
}

/// Waits until a file is there, and gives the number in it.
fn number_in(path: &std::path::Path) -> u32 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(number) = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) {
            return number;
        }
        assert!(std::time::Instant::now() < deadline, "{} never came", path.display());
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

fn is_over(pid: u32) -> bool {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while tidegate::base::process::start_time(pid).is_some() && std::time::Instant::now() < deadline {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    tidegate::base::process::start_time(pid).is_none()
}

const RECORDS_ITSELF: &str = "shell::run(\"sh\", [\"-c\", \"echo x >> ran; echo $$ > pid; exec sleep 1000\"], #{ timeout: \"1h\" });\nprint(\"on\");\n";

#[test]
fn a_program_whose_tidegate_was_killed_is_not_run_twice() {
    let workspace = granting("http://127.0.0.1:9", "{ shell: true }");
    workspace.write("scripts/it.rhai", RECORDS_ITSELF);
    let child = workspace.command(&["run", "it"]).stderr(Stdio::null()).spawn().unwrap();
    let pid = number_in(&workspace.path().join("pid"));
    end(child, Signal::KILL);
    let ran = || std::fs::read_to_string(workspace.path().join("ran")).unwrap().lines().count();
    for _ in 0..2 {
        let said = workspace.tidegate(&["resume", "r1"]);
        assert!(said.contains("exit code: 3") && said.contains("error[run.unknown_outcome]"), "{said}");
        assert_eq!(ran(), 1);
    }
    assert_snapshot!("shell_unknown", workspace.tidegate(&["resume", "r1"]));
    let steps = workspace.tidegate(&["runs", "show", "r1"]);
    assert!(steps.contains("opaque") && steps.contains("not known yet"), "{steps}");
    // It outlived its tidegate: nobody but a human can know that it has to go.
    rustix::process::kill_process(rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL)
        .unwrap();
    let said = workspace.tidegate(&["resume", "r1", "--step", "0=done:{\"code\":0,\"out\":\"\",\"err\":\"\"}"]);
    assert!(said.contains("exit code: 0") && said.contains("\non\n"), "{said}");
    assert_eq!(ran(), 1);
}

#[test]
fn an_interrupt_ends_a_program_with_its_children() {
    let workspace = granting("http://127.0.0.1:9", "{ shell: true }");
    workspace.write("scripts/it.rhai", RECORDS_ITSELF);
    let child = workspace.command(&["run", "it"]).stderr(Stdio::null()).spawn().unwrap();
    wait_for_step(&workspace, "shell::run");
    let pid = number_in(&workspace.path().join("pid"));
    assert_eq!(end(child, Signal::INT).code(), Some(130));
    assert!(is_over(pid), "{pid} is still there");
    let said = workspace.tidegate(&["resume", "r1"]);
    assert!(said.contains("error[run.unknown_outcome]"), "{said}");
}
