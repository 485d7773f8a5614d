//! Which versions build: what `java` and `mvn` or `gradle` say of themselves, remembered as long as the programs stay the
//! same, so that a build that is there already starts no JVM.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::process::capture;
use crate::base::{Error, Result, code};
use crate::model::java_home;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program of a command: one of the project where it has a `/`, else the first of the `PATH`.
///
/// # Errors
/// `build.not_started`.
pub fn find_program(word: &str, folder: &Path) -> Result<PathBuf> {
    let is_executable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let failed = |why: String| Error::new(&code::BUILD_NOT_STARTED, format!("`{word}` {why}"));
    if word.contains('/') {
        let path = folder.join(word);
        if is_executable(&path) {
            return Ok(path);
        }
        return Err(if path.exists() {
            failed("may not be executed".to_owned())
                .hint(format!("in the project: `git update-index --chmod=+x {word}`"))
        } else {
            failed("is not in the project".to_owned()).hint("a program with a `/` is looked for in the project")
        });
    }
    on_path(word).ok_or_else(|| {
        failed("is not in the PATH".to_owned()).hint(match word {
            "mvn" | "gradle" => "install it, or use the project's own wrapper: `./mvnw`, `./gradlew`",
            _ => "install it, or name a program of the project: `./build.sh`",
        })
    })
}

fn on_path(word: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(word)).find(|path| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// What a toolchain says of itself, for a command whose program is this word. `remembered` is the file with what was said
/// before.
///
/// # Errors
/// `build.not_started` where a program that is there does not say its version.
pub fn toolchain(word: &str, remembered: &Path) -> Result<String> {
    let java_home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = java_home
        .as_ref()
        .map(|home| Path::new(home).join("bin/java"))
        .filter(|java| java.exists())
        .or_else(|| on_path("java"));
    let mut programs: Vec<(PathBuf, &str)> = Vec::new();
    if let (false, Some(program)) = (word.contains('/'), on_path(word)) {
        programs.push((program, if word == "gradle" { "--version" } else { "-version" }));
    }
    // Maven and Gradle tell the Java that they use.
    let is_known = matches!(word, "mvn" | "gradle");
    if !is_known {
        // Another program is known by its file.
        programs = programs.into_iter().map(|(program, _)| (program, "")).collect();
    }
    programs.extend(java.map(|java| (java, if is_known { "" } else { "-version" })));
    let mut key = format!("JAVA_HOME={}", java_home.unwrap_or_default().to_string_lossy());
    for (program, _) in &programs {
        key.push_str(&format!("\n{}", stamp(program)));
    }
    let mut known: BTreeMap<String, String> =
        std::fs::read(remembered).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if let Some(said) = known.get(&key) {
        return Ok(said.clone());
    }
    let mut said = String::new();
    for (program, flag) in programs {
        if flag.is_empty() {
            said.push_str(&format!("{}\n", stamp(&program)));
            continue;
        }
        // Java says its version on standard error, and Maven on standard output why it cannot.
        const ASK: &str = "said=$(\"$0\" \"$1\" 2>&1) && printf '%s\\n' \"$said\" || { code=$?; printf '%s\\n' \"$said\" >&2; exit $code; }";
        let words = ["/bin/sh", "-c", ASK].map(str::to_owned);
        let command = [&words[..], &[program.to_string_lossy().into_owned(), flag.to_owned()]].concat();
        let text = capture(&command, PATIENCE).map_err(|error| silent(&program, flag, &error))?;
        said.push_str(&text);
    }
    known.insert(key, said.clone());
    // Where it cannot be remembered, it is asked again.
    let _ = serde_json::to_vec(&known).map(|bytes| {
        let partial = remembered.with_extension(format!("{}.partial", std::process::id()));
        std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, remembered))
    });
    Ok(said)
}

/// The error of a program that does not say its version, with its own words.
fn silent(program: &Path, flag: &str, error: &Error) -> Error {
    let silent =
        Error::new(&code::BUILD_NOT_STARTED, format!("`{} {flag}` does not say its version", program.display()));
    let said = error.detail_text().unwrap_or_default().trim();
    if let Some(complaint) = java_home::complaint(said) {
        return silent.caused_by(complaint).hint(java_home::hint(std::env::var_os("JAVA_HOME").as_deref()));
    }
    let last = said.lines().last().map_or_else(|| error.to_string(), str::to_owned);
    silent
        .caused_by(last)
        .hint(format!("try it by hand: `{} {flag}` has to work where tidegate runs", program.display()))
}

/// What changes when a program is installed anew.
fn stamp(program: &Path) -> String {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let (time, size) = std::fs::metadata(&real).map_or((0, 0), |metadata| (metadata.mtime(), metadata.size()));
    format!("{} {time} {size}", real.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let remembered = folder.path().join("toolchains.json");
        let said = toolchain("sh", &remembered).unwrap();
        assert!(said.contains("/"), "{said}");
        let text = std::fs::read_to_string(&remembered).unwrap();
        std::fs::write(&remembered, text.replace(&serde_json::to_string(&said).unwrap(), "\"remembered\"")).unwrap();
        assert_eq!(toolchain("sh", &remembered).unwrap(), "remembered");
    }

    #[test]
    fn programs_are_found_in_the_project_or_the_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mvnw"), "#!/bin/sh\n").unwrap();
        assert!(find_program("sh", folder.path()).unwrap().is_absolute());
        let error = find_program("./mvnw", folder.path()).unwrap_err();
        assert!(error.to_string().contains("may not be executed"), "{error}");
        assert!(find_program("./none", folder.path()).unwrap_err().to_string().contains("is not in the project"));
        assert!(find_program("no-such-program", folder.path()).unwrap_err().hint_text().is_some());
    }
}
