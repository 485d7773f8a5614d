//! Hostile scripts: each ends with a clear error, with the process alive and within little time and memory.
//!
//! Each runs in a process of its own. Times and peaks are printed; that memory stays below 200 MB is asserted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are asked for")]

mod scripts;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use scripts::SCRIPTS;

/// No script may hold up the test for longer.
const PATIENCE: Duration = Duration::from_secs(60);

const MOST_MEGABYTES: f64 = 200.0;

/// What no script may bring to light.
const SECRET: &str = "hunter2-hunter2";

fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join("work").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "tidegate.yaml",
        "name: hostile\nclusters:\n  there: { kind: session, url: \"http://127.0.0.1:9\" }\nenvironments:\n  local: { cluster: there }\n",
    );
    write("scripts/lib/loop.rhai", "fn forever() { loop { } }\n");
    write("scripts/lib/a.rhai", "import \"lib/b\" as b;\n");
    write("scripts/lib/b.rhai", "import \"lib/a\" as a;\n");
    write("scripts/lib/self.rhai", "import \"./self\" as me;\n");
    write("scripts/lib/top.rhai", "loop { }\n");
    write("scripts/lib/effect.rhai", "files::read(\"tidegate.yaml\");\n");
    write("templates/endless.sql", "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}\n");
    write("templates/recursive.sql", "{% include 'recursive.sql' %}\n");
    write("templates/macro.sql", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}\n");
    write("templates/outside.sql", "{% include '../../secret.sql' %}\n");
    write("templates/big.sql", "{% for a in range(5000) %}{{ 'x' * 10000 }}{% endfor %}\n");
    std::fs::write(folder.path().join("secret.rhai"), "fn f() { 1 }\n").unwrap();
    std::fs::write(folder.path().join("secret.sql"), "SELECT 1\n").unwrap();
    let link = |name: &str, to: &str| std::os::unix::fs::symlink(to, folder.path().join("work").join(name)).unwrap();
    link("scripts/lib/link.rhai", "../../../secret.rhai");
    link("templates/link.sql", "../../secret.sql");
    link("out", "/etc");
    folder
}

struct Seen {
    name: String,
    millis: f64,
    megabytes: f64,
    wrong: Option<String>,
}

#[test]
fn hostile_scripts_end_with_a_clear_error() {
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((name, script, codes)) = SCRIPTS.get(index) else { return };
                    let one = play(name, script, codes);
                    seen.lock().unwrap().push(one);
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort_by(|one, other| other.millis.total_cmp(&one.millis));
    for one in &seen {
        println!("{:<44} {:>8.0} ms {:>7.0} MB", one.name, one.millis, one.megabytes);
    }
    let most = seen.iter().map(|one| one.megabytes).fold(0.0, f64::max);
    println!("{} scripts, the slowest {:.0} ms, the largest {most:.0} MB", seen.len(), seen[0].millis);
    let wrong: Vec<&str> = seen.iter().filter_map(|one| one.wrong.as_deref()).collect();
    assert!(SCRIPTS.len() >= 60, "{}", SCRIPTS.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn play(name: &str, script: &str, codes: &[&str]) -> Seen {
    let folder = workspace();
    let work = folder.path().join("work");
    std::fs::write(work.join("scripts/it.rhai"), script).unwrap();
    let peak = folder.path().join("peak");
    let start = Instant::now();
    let (code, out, err) = run(&work, &peak);
    let millis = start.elapsed().as_secs_f64() * 1e3;
    let megabytes = std::fs::read_to_string(&peak)
        .ok()
        .and_then(|text| text.lines().last()?.trim().parse::<f64>().ok())
        .map_or(f64::INFINITY, |kilobytes| kilobytes / 1024.0);
    let is_told = codes.iter().any(|code| err.contains(&format!("error[{code}]")));
    let wrong = if code.is_none_or(|code| !(1..=3).contains(&code)) {
        Some(format!("{name}: exit code {code:?}\n{out}{err}"))
    } else if !is_told {
        Some(format!("{name}: none of {codes:?}\n{out}{err}"))
    } else if out.contains(SECRET) || err.contains(SECRET) {
        Some(format!("{name}: the secret is shown\n{out}{err}"))
    } else if work.join("x.db").exists() {
        Some(format!("{name}: a file was made"))
    } else if megabytes > MOST_MEGABYTES {
        Some(format!("{name}: {megabytes:.0} MB"))
    } else if err.contains("panicked") || out.len() > (64 << 20) {
        Some(format!("{name}: {} bytes printed; {err}", out.len()))
    } else {
        None
    };
    Seen { name: name.to_owned(), millis, megabytes, wrong }
}

/// A jar that holds so many jars of fifty megabytes each, which are next to nothing in it, and as much beside them as makes its
/// size a plausible one.
fn jar_of_large_jars(count: usize, beside: usize) -> Vec<u8> {
    use std::io::Write;
    use zip::CompressionMethod::{Deflated, Stored};
    let packed = zip::write::SimpleFileOptions::DEFAULT;
    let jar = |entries: &mut dyn Iterator<Item = (String, zip::CompressionMethod, &[u8])>| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, method, bytes) in entries {
            writer.start_file(name, packed.compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let inner = jar(&mut std::iter::once(("data".to_owned(), Stored, &*vec![0; 50 << 20])));
    let libraries = (0..count).map(|number| (format!("lib/{number}.jar"), Deflated, inner.as_slice()));
    let beside = vec![0; beside];
    jar(&mut libraries.chain(std::iter::once(("beside".to_owned(), Stored, beside.as_slice()))))
}

/// What of a jar is in memory at a time does not grow with the jars inside.
#[test]
fn jars_inside_of_a_jar_are_in_memory_one_at_a_time() {
    let script = "let jar = jar::open(\"large.jar\");\nprint(jar.classes().len());\n";
    let play = |count, beside| {
        let folder = workspace();
        let work = folder.path().join("work");
        std::fs::write(work.join("scripts/it.rhai"), script).unwrap();
        std::fs::write(work.join("large.jar"), jar_of_large_jars(count, beside)).unwrap();
        let peak = folder.path().join("peak");
        let (code, out, err) = run(&work, &peak);
        let kilobytes: f64 = std::fs::read_to_string(&peak).unwrap().trim().parse().unwrap();
        println!("{count} jars of 50 MB: {:.0} MB", kilobytes / 1024.0);
        assert!(kilobytes / 1024.0 < MOST_MEGABYTES, "{kilobytes} kB");
        (code, out, err)
    };
    let (code, out, err) = play(4, 10 << 20);
    assert_eq!((code, out.as_str()), (Some(0), "0\n"), "{err}");
    let (code, _, err) = play(4, 0);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("error[file.invalid]") && err.contains("unpacks to far more than a jar of its size can hold"),
        "{err}"
    );
}

/// Runs the script under a small program that writes the peak of its memory, in kilobytes.
fn run(work: &Path, peak: &Path) -> (Option<i32>, String, String) {
    let watch = "import resource, subprocess, sys\n\
                 ended = subprocess.run(sys.argv[2:]).returncode\n\
                 open(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))\n\
                 sys.exit(ended if ended >= 0 else 100)\n";
    let mut command = Command::new("python3");
    command.args(["-c", watch]).arg(peak).arg(env!("CARGO_BIN_EXE_tidegate")).args(["run", "it"]);
    command.current_dir(work).env("HOSTILE_SECRET", SECRET);
    // A group of its own, so that the program ends with the one that watches it.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
        receiver.recv().unwrap()
    });
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
