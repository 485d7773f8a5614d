//! Java for tests: finding `javac` 17, and building a jar out of sources, byte for byte the same on every machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate::drivers::payload::stored_jar;

/// `javac` of version 17, from `JAVA_HOME` or the `PATH`: another version writes other bytes.
///
/// # Errors
/// What was found instead.
pub(crate) fn javac() -> Result<PathBuf, String> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let home = home.map(|home| Path::new(&home).join("bin/javac"));
    let mut found = Vec::new();
    for javac in home.into_iter().chain([PathBuf::from("javac")]) {
        match Command::new(&javac).arg("-version").output() {
            Ok(output) => {
                // Java 8 answers on standard error.
                let answer = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
                if answer.strip_prefix("javac ").is_some_and(|version| version.split(['.', '-']).next() == Some("17")) {
                    return Ok(javac);
                }
                found.push(format!("`{}` is {answer}", javac.display()));
            }
            Err(error) => found.push(format!("`{}`: {error}", javac.display())),
        }
    }
    Err(format!("javac 17 is needed, from JAVA_HOME or the PATH; {}", found.join(", ")))
}

/// Compiles every `.java` below `sources` for Java 8 and writes a jar of the classes with this main class.
/// `classpath` is what `javac -cp` takes, such as `lib/*`.
///
/// # Errors
/// No javac 17, what the compiler said, or a file that cannot be read or written.
pub(crate) fn compile_jar(sources: &Path, classpath: &str, out_jar: &Path, main_class: &str) -> Result<(), String> {
    let classes = tempfile::tempdir().map_err(|error| error.to_string())?;
    let output = Command::new(javac()?)
        .args(["--release", "8", "-proc:none", "-encoding", "UTF-8", "-g:source,lines", "-Xlint:-options", "-cp"])
        .arg(classpath)
        .arg("-d")
        .arg(classes.path())
        .args(files(sources)?)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("javac {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    // The manifest comes first: some readers look nowhere else.
    let manifest = format!("Manifest-Version: 1.0\r\nMain-Class: {main_class}\r\n\r\n");
    let mut entries = vec![("META-INF/MANIFEST.MF".to_owned(), manifest.into_bytes())];
    for class in files(classes.path())? {
        let name = class.strip_prefix(classes.path()).map_err(|error| error.to_string())?;
        let bytes = std::fs::read(&class).map_err(|error| format!("{}: {error}", class.display()))?;
        entries.push((name.to_string_lossy().replace('\\', "/"), bytes));
    }
    let jar = stored_jar(&entries).map_err(|error| format!("{error:?}"))?;
    std::fs::write(out_jar, jar).map_err(|error| format!("{}: {error}", out_jar.display()))
}

/// Every file below a folder, sorted by its path.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether Java can be compiled here. Where not, says by name what does not run; on the build machine that is a failure.
#[allow(clippy::print_stderr)] // Says by name what could not run.
pub(crate) fn can_compile(test: &str) -> bool {
    let Err(why) = javac() else { return true };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("NOT RUN: {test}: {why}");
    false
}
