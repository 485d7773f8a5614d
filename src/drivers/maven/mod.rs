//! The Maven that is installed: it resolves dependencies and fetches their files. Which repositories, mirrors, proxies and
//! credentials it uses is its own business, and its users'.

mod answer;
mod failure;
mod pom;
mod silence;
mod work;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::silence::{Silence, Verdict};
use self::work::Work;
use crate::base::{Error, Result, clock, code, duration};
use crate::drivers::child::{self, Command, Failure, Output, Variables};
use crate::model::coordinates::{Coordinates, Exclusion};
use crate::model::dependency::Dependency;

/// How long Maven may take. A repository that does not answer is given up earlier, by Maven itself.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How many of its outputs are kept.
const KEPT_LOGS: usize = 20;

/// Version 3.7 is the first one that writes a tree as JSON.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// A file that Maven found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub coordinates: Coordinates,
    /// What brought it; none where it was asked for.
    pub by: Option<Coordinates>,
    /// Where it lies in Maven's local repository.
    pub path: PathBuf,
}

/// What Maven is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// Dependencies with all that they need to run. None of them brings what is excluded.
    Closure(&'a [Dependency], &'a [Exclusion]),
    /// These files and nothing else.
    Files(&'a [Coordinates]),
}

/// An installed Maven, and where it may work.
pub struct Maven<'a> {
    /// The program.
    pub program: PathBuf,
    /// A folder of ours: for a moment a pom lies there, and Maven's outputs stay.
    pub folder: PathBuf,
    /// Masks what Maven writes, before it is kept or shown.
    pub mask: &'a (dyn Fn(&str) -> String + Sync),
    /// Tells whoever waits what Maven waits for.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// A Maven that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// One that is installed.
    Installed(PathBuf),
    /// The wrapper of the workspace: a script of whoever wrote the workspace, which fetches a Maven.
    Wrapper(PathBuf),
}

/// Finds Maven: on the PATH, below MAVEN_HOME or M2_HOME, or the wrapper of the workspace.
///
/// # Errors
/// `maven.not_found`.
pub fn find(workspace: &Path) -> Result<Program> {
    let is_program = |path: &PathBuf| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("mvn"));
    let homes = ["MAVEN_HOME", "M2_HOME"].into_iter().filter_map(std::env::var_os);
    let at_home = homes.map(|home| PathBuf::from(home).join("bin/mvn"));
    let absolute = |found: PathBuf| std::path::absolute(&found).unwrap_or(found);
    let installed = on_path.chain(at_home).find(is_program).map(|found| Program::Installed(absolute(found)));
    let wrapper = || Some(workspace.join("mvnw")).filter(is_program).map(|found| Program::Wrapper(absolute(found)));
    installed.or_else(wrapper).ok_or_else(|| {
        Error::new(&code::MAVEN_NOT_FOUND, "the dependencies of a job have to be fetched, and there is no Maven")
            .caused_by("no `mvn` on the PATH, none below MAVEN_HOME or M2_HOME, and no `mvnw` in the workspace")
            .hint("install it (`apt-get install maven`, `brew install maven`), or fetch the jars yourself and name them under `jars:`")
    })
}

impl Maven<'_> {
    /// Asks Maven; where it answers from a failure that it remembers, once more with a fresh look.
    ///
    /// # Errors
    /// `dependency.*` with the file that has Maven's whole output.
    pub async fn resolve(&self, ask: Ask<'_>) -> Result<Vec<Found>> {
        match self.run(ask, false).await {
            Err(Ended::Remembered) => self.run(ask, true).await.map_err(Ended::into_error),
            answer => answer.map_err(Ended::into_error),
        }
    }

    async fn run(&self, ask: Ask<'_>, anew: bool) -> Result<Vec<Found>, Ended> {
        let work = Work::new(&self.folder).map_err(|error| self.not_writable(&error))?;
        let file = |name: &str| work.path().join(name);
        std::fs::write(file("pom.xml"), pom::text(ask)).map_err(|error| self.not_writable(&error))?;
        let path = |name: &str| file(name).to_string_lossy().into_owned();
        let mut arguments = vec![
            // Without questions, and a file that differs from its checksum is no file.
            "-B".to_owned(),
            "-C".to_owned(),
            "-f".to_owned(),
            path("pom.xml"),
            "-Dstyle.color=never".to_owned(),
            // A repository that is not there, or falls silent, is given up in a minute, whichever transport it is.
            "-Daether.connector.connectTimeout=10000".to_owned(),
            format!("-Daether.connector.requestTimeout={}", silence::ANSWER.as_millis()),
            format!("-Dmaven.wagon.rto={}", silence::ANSWER.as_millis()),
        ];
        if anew {
            arguments.push("-U".to_owned());
        }
        arguments.extend([
            format!("{PLUGIN}:tree"),
            "-Dscope=runtime".to_owned(),
            "-DoutputType=json".to_owned(),
            format!("{PLUGIN}:list"),
            // Both write to one file, the tree first: they have one property for its name.
            format!("-DoutputFile={}", path("answer")),
            "-DappendOutput=true".to_owned(),
            "-DoutputEncoding=UTF-8".to_owned(),
            "-DincludeScope=runtime".to_owned(),
            "-DoutputAbsoluteArtifactFilename=true".to_owned(),
        ]);
        let command = Command {
            program: self.program.to_string_lossy().into_owned(),
            arguments,
            folder: work.path().to_owned(),
            environment: Vec::new(),
            // Its settings may name any variable: `${env.NEXUS_PASSWORD}`.
            variables: Variables::All,
            timeout: PATIENCE,
        };
        let program = self.program.display();
        let mut silence = Silence::default();
        let mut silent = None;
        let mut goes_on = |output: &[u8], age| match silence.look(output, age) {
            Verdict::Fine => true,
            Verdict::Tell(asked, age) => {
                let (repository, url) = (&asked.repository, failure::without_users(&asked.url));
                let text = format!("`{repository}` has said nothing for {}: {url}", duration::show(age));
                (self.tell)(&(self.mask)(&text));
                true
            }
            Verdict::GiveUp(asked) => {
                silent = Some(asked);
                false
            }
        };
        let ended = match child::watched(command, &mut goes_on).await {
            Ok(ended) => ended,
            Err(Failure::GivenUp(written)) => {
                let log = self.keep(&[&written[0], &written[1]]);
                return Err(Ended::Failed(with_log(failure::fell_silent(silent.as_ref(), self.mask), &log)));
            }
            Err(Failure::TimedOut(written)) => {
                let log = self.keep(&[&written[0], &written[1]]);
                let message = format!("Maven did not end within {} minutes and was killed", PATIENCE.as_secs() / 60);
                return Err(Ended::Failed(with_log(Error::new(&code::DEPENDENCY_FAILED, message), &log)));
            }
            Err(Failure::NotStarted(error)) => {
                let message = format!("`{program}` cannot be started");
                return Err(Ended::Failed(Error::new(&code::DEPENDENCY_FAILED, message).caused_by(error)));
            }
            Err(Failure::Lost(error)) => {
                let message = format!("how `{program}` ended, the system does not tell");
                return Err(Ended::Failed(Error::new(&code::DEPENDENCY_FAILED, message).caused_by(error)));
            }
        };
        let out = ended.out.text(self.mask);
        if ended.code != 0 {
            let log = self.keep(&[&ended.out, &ended.err]);
            if !anew && failure::is_remembered(&out) {
                return Err(Ended::Remembered);
            }
            let err = ended.err.text(self.mask);
            return Err(Ended::Failed(with_log(failure::explained(&out, &err, ended.code), &log)));
        }
        let answer = match std::fs::read_to_string(file("answer")) {
            Ok(text) => answer::read(&text),
            Err(error) => Err(format!("there is none: {error}")),
        };
        answer.map_err(|why| {
            let log = self.keep(&[&ended.out, &ended.err]);
            let error = Error::new(&code::DEPENDENCY_FAILED, "Maven's answer cannot be understood").caused_by(why);
            Ended::Failed(with_log(error, &log).hint(format!("tidegate knows Maven 3.6 and later with {PLUGIN}")))
        })
    }

    fn not_writable(&self, error: &std::io::Error) -> Ended {
        let message = format!("{} cannot be written", self.folder.display());
        Ended::Failed(Error::new(&code::STATE_IO, message).caused_by(error))
    }

    /// Keeps an output, masked, and readable by its owner alone; the oldest ones go. Gives the file, or why there is none.
    fn keep(&self, outputs: &[&Output]) -> Result<PathBuf, std::io::Error> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.folder.join(format!("{}-{}.log", clock::now(), next()));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        for output in outputs {
            file.write_all(output.text(&|text| (self.mask)(&failure::without_users(text))).as_bytes())?;
        }
        let entries = std::fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        let mut logs: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
        logs.sort();
        for old in logs.iter().rev().skip(KEPT_LOGS) {
            // One too many does no harm.
            let _ = std::fs::remove_file(old);
        }
        Ok(path)
    }
}

fn with_log(error: Error, log: &Result<PathBuf, std::io::Error>) -> Error {
    match log {
        Ok(path) => {
            error.caused_by(format!("Maven's whole output: {}", path.display())).with("log", path.display().to_string())
        }
        Err(why) => error.caused_by(format!("Maven's output could not be kept: {why}")),
    }
}

/// Why Maven gave nothing.
enum Ended {
    /// It did not ask: an earlier failure is in its local repository.
    Remembered,
    Failed(Error),
}

impl Ended {
    fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            // With a fresh look it remembers nothing.
            Self::Remembered => Error::new(&code::INTERNAL, "Maven was asked anew, and answered from its memory"),
        }
    }
}

/// How many names this process has given.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Tells what one process makes from each other.
fn next() -> String {
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether this process has given the name with this count. Another one with the same number may have given more.
fn is_made_here(count: u64) -> bool {
    count < NEXT.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a Maven that is this script of a shell.
    fn asked(script: &str) -> (Error, String) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("mvn");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mask = |text: &str| text.replace("hunter2", "***");
        let maven = Maven { program, folder: folder.path().join("maven"), mask: &mask, tell: &|_| {} };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(maven.resolve(Ask::Files(&[]))).unwrap_err();
        let log = std::fs::read_dir(&maven.folder).unwrap().flatten().map(|entry| entry.path());
        let log = log.filter(|path| path.extension().is_some_and(|end| end == "log")).max().unwrap();
        (error, std::fs::read_to_string(log).unwrap())
    }

    /// Three megabytes before what counts, and an error of before that is none.
    const LONG: &str = "echo first; echo '[ERROR] an early word that ended nothing'; yes '[INFO] hunter2 and much else' | head -c 3000000; echo";

    #[test]
    fn the_end_of_a_long_output_says_why_maven_failed_and_is_kept() {
        let (error, log) = asked(&format!(
            "{LONG}; echo '[INFO] BUILD FAILURE'; echo '[ERROR] Could not find artifact a.b:kafak:jar:3.4.0 in central (https://repo.example/maven2) -> [Help 1]'; exit 1"
        ));
        assert_eq!(error.message(), "`a.b:kafak:3.4.0` is not in `central` (https://repo.example/maven2)");
        assert!(log.starts_with("first\n") && log.contains("Could not find artifact a.b:kafak"), "{}", log.len());
        assert!(log.contains(" bytes are left out here]") && log.len() < 2_000_000 && !log.contains("hunter2"));
    }

    #[test]
    fn what_is_remembered_is_seen_at_the_end_of_a_long_output() {
        let (error, log) = asked(&format!(
            "case \"$*\" in *-U*) echo '[ERROR] Could not find artifact a.b:c:jar:1 in central (https://repo.example/maven2)'; exit 1;; esac; \
             {LONG}; echo '[ERROR] a.b:c:jar:1 was not found in https://repo.example/maven2 during a previous attempt. This failure was cached'; exit 1"
        ));
        assert_eq!(error.message(), "`a.b:c:1` is not in `central` (https://repo.example/maven2)", "asked anew: {log}");
    }
}
