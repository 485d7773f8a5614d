//! `tidegate repl`: inputs from a pipe as whole outputs, and a person at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::Workspace;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn inputs_from_a_pipe() {
    let workspace = Workspace::idle();
    workspace.write("scripts/lib/greet.rhai", "fn hello(name) { `hello ${name}` }\nfn fails() { throw \"no\"; }\n");
    let values = "1 + 1\nlet a = #{ x: 1,\n  y: \"z\" };\na\na.x += 41;\na.x\n[#{ city: \"Paris\", days: 12 }, #{ city: \"Rome\", days: 3 }]\n()\n:vars\n";
    let functions = "fn double(n) {\n  n * 2\n}\ndouble(21)\nimport \"lib/greet\" as greet;\ngreet::hello(\"sea\")\nlet f = |n| double(n) + 1;\nf.call(3)\nfn double(n) { n * 3 }\nf.call(3)\n[1, 2].map(|n| double(n))\n";
    let errors = "import \"lib/greet\" as greet;\nlet a = 1;\n\na + nothing\ngreet::fails()\nfn f() { g() }\nf()\nloop {}\njob::gett(\"x\")\n:nope\na\n1 +\n";
    let effects = "state::set(\"k\", 1);\nstate::get(\"k\")\nrun::approve(\"x\")\ntry { state::set(\"k\", 2) } catch (e) { print(e.code) }\n";
    for (name, input, arguments) in [
        ("repl_values", values, vec!["repl"]),
        ("repl_functions", functions, vec!["repl"]),
        ("repl_errors", errors, vec!["repl"]),
        ("repl_effects_refused", effects, vec!["repl"]),
        ("repl_effects_unasked", effects, vec!["repl", "--yes"]),
        ("repl_secret", "let s = env::secret(\"DATABASE_PASSWORD\");\ns\n\"x\" + s\n[s]\n:vars\n", vec!["repl"]),
        ("repl_docs", ":help\n:docs state::set\n:quit\n1\n", vec!["repl"]),
        ("repl_no_environment", "1\n", vec!["repl", "-e", "nowhere"]),
    ] {
        assert_snapshot!(name, workspace.tidegate_reading(input, &arguments));
    }
}

#[test]
fn a_template_that_was_mended_is_read_again() {
    let workspace = Workspace::idle();
    workspace.write("templates/a.sql", "SELECT {{ x }}");
    let mut terminal = Terminal::open(&workspace, &["repl"]);
    terminal.says("local> ").types("sql::render(\"a.sql\", #{ x: 1 })\r").says("SELECT 1");
    workspace.write("templates/a.sql", "SELECT {{ x }} AS y");
    terminal.says("local> ").types("sql::render(\"a.sql\", #{ x: 1 })\r").says("SELECT 1 AS y");
    terminal.leaves();
}

#[test]
fn a_person_at_a_terminal_is_asked_before_an_effect() {
    let workspace = Workspace::idle();
    let mut terminal = Terminal::open(&workspace, &["repl"]);
    terminal.says("`:help` says what there is").says("local> ");
    terminal.types("state::set(\"k\", 1)\r").says("this acts: state::set(\"k\", 1)").says("go on? [y/N] ");
    terminal.types("n\r").says("`state::set` was not wanted: nothing was done").says("local> ");
    terminal.types("state::get(\"k\", 7)\r").says("\n7\r\n").says("local> ");
    terminal.types("state::set(\"k\", 2)\r").says("go on? [y/N] ").types("y\r").says("local> ");
    terminal.types("state::get(\"k\", 7)\r").says("\n2\r\n").says("local> ");
    // A bracket that is open goes on in the next line, and Tab completes.
    terminal.types("[40,\r").types("2]\r").says("[40, 2]").says("local> ");
    terminal.types("text::base\t").says("text::base64(").types("\"a\")\r").says("\"YQ==\"").says("local> ");
    // Ctrl-C drops the line.
    terminal.types("1 + 1\x03").says("local> ").types("3 + 4\r").says("\n7\r\n").says("local> ");
    terminal.types("let password = \"hunter2\";\r");
    terminal.leaves();
    // What was typed can be called back, and no password is kept.
    let history = std::fs::read_to_string(workspace.path().join(".tidegate/repl_history")).unwrap();
    assert!(history.contains("3 + 4") && !history.contains("hunter2"), "{history}");
    let runs = workspace.tidegate(&["runs", "show", "r1"]);
    assert_eq!(runs.matches("state::set").count(), 1, "{runs}");
}

#[test]
fn a_session_that_was_killed_is_not_resumed() {
    let workspace = Workspace::idle();
    let mut terminal = Terminal::open(&workspace, &["repl", "--yes"]);
    terminal
        .says("local> ")
        .types("state::set(\"k\", 1)\r")
        .says("local> ")
        .types("state::get(\"k\")\r")
        .says("\n1\r\n");
    super::signals::end(terminal.child.take().unwrap(), Signal::KILL);
    assert_snapshot!("repl_not_resumed", workspace.tidegate(&["resume", "r1"]));
    assert_snapshot!("repl_abandoned", workspace.tidegate(&["abandon", "r1"]));
}

/// A program at a terminal, and somebody who types and reads.
struct Terminal {
    child: Option<Child>,
    keys: File,
    shown: Receiver<Vec<u8>>,
    unread: String,
}

impl Terminal {
    fn open(workspace: &Workspace, arguments: &[&str]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap();
        let path = path.to_str().unwrap();
        let side = || Stdio::from(File::options().read(true).write(true).open(path).unwrap());
        let mut command = workspace.command(arguments);
        let child = command.env("TERM", "xterm").stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        drop(command);
        let keys = File::from(controller);
        let mut output = keys.try_clone().unwrap();
        let (give, shown) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // The read fails when nobody has the other side open any more.
            while let Ok(read @ 1..) = output.read(&mut chunk) {
                if give.send(chunk[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child: Some(child), keys, shown, unread: String::new() }
    }

    fn types(&mut self, text: &str) -> &mut Self {
        self.keys.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Waits until this is shown; what was shown before it counts as read.
    #[track_caller]
    fn says(&mut self, text: &str) -> &mut Self {
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return self;
            }
            let more = self.shown.recv_timeout(LONG);
            let more = more.unwrap_or_else(|_| panic!("not shown: {text:?}; shown: {:?}", self.unread));
            self.unread.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// Ctrl-D, and the end.
    fn leaves(mut self) {
        self.says("local> ").types("\x04");
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
