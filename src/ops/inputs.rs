//! What a run reads of its workspace: pinned by hash at first use, and taken from there when the run is resumed.

use std::path::{Path, PathBuf};

use super::artifacts;
use crate::base::hash::sha256_file;
use crate::base::{Error, Result, code};
use crate::drivers::folder::Folder;
use crate::model::dependency::{Closure, Dependency};
use crate::model::job_spec::Artifact;
use crate::store::Store;

/// The longest script or template, in bytes.
pub(super) const LONGEST_TEXT: u64 = 1 << 20;

/// The inputs of one run.
#[derive(Debug, Clone)]
pub struct Inputs {
    store: Store,
    folder: Folder,
    /// The run that pins; none while parameters are listed.
    run: Option<i64>,
    /// Whether today's scripts and templates are taken in place of the pinned ones.
    current: bool,
    /// A script that is no file, by its name `<stdin>`, and its text.
    given: Option<(String, String)>,
}

impl Inputs {
    /// The inputs of a run of the workspace in `folder`.
    pub fn new(store: Store, folder: Folder, run: Option<i64>) -> Self {
        Self { store, folder, run, current: false, given: None }
    }

    /// Takes today's scripts and templates. What the run pinned stays pinned: a resume without this uses it again.
    #[must_use]
    pub fn current(mut self) -> Self {
        self.current = true;
        self
    }

    /// Adds a script that is no file. Its name stands in `<...>`, which no file of a workspace is asked for.
    #[must_use]
    pub fn with_script(mut self, name: &str, text: String) -> Self {
        self.given = Some((name.to_owned(), text));
        self
    }

    /// The folder of the workspace.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// A script below `scripts/`; `None` where there is none.
    ///
    /// # Errors
    /// `file.*`, `state.*`.
    pub fn script(&self, name: &str) -> Result<Option<String>> {
        self.text("script", "scripts", name)
    }

    /// A template below `templates/`; `None` where there is none.
    ///
    /// # Errors
    /// `file.*`, `state.*`.
    pub fn template(&self, name: &str) -> Result<Option<String>> {
        self.text("template", "templates", name)
    }

    /// Another value that the run depends on, such as the resolved environment: what was pinned before, or else
    /// `today`, which is pinned.
    ///
    /// # Errors
    /// `state.*`.
    pub fn value(&self, name: &str, today: &str) -> Result<String> {
        if let Some(run) = self.run {
            if let Some(bytes) = self.store.pinned(run, "value", name)? {
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            self.store.pin(run, "value", &[(name, today.as_bytes())])?;
        }
        Ok(today.to_owned())
    }

    /// What a set of dependencies came to when the run first asked.
    ///
    /// # Errors
    /// `state.*`.
    pub fn closure(&self, declared: &[Dependency]) -> Result<Option<Closure>> {
        let Some(run) = self.run else { return Ok(None) };
        let Some(bytes) = self.store.pinned(run, DEPENDENCIES, &closure_name(declared))? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::new(&code::STATE_CORRUPT, format!("the dependencies that run r{run} pinned cannot be read"))
                .caused_by(error)
        })
    }

    /// Pins what a set of dependencies comes to.
    ///
    /// # Errors
    /// `state.*`.
    pub fn pin_closure(&self, closure: &Closure) -> Result<()> {
        let Some(run) = self.run else { return Ok(()) };
        let text = serde_json::json!(closure).to_string();
        self.store.pin(run, DEPENDENCIES, &[(&closure_name(&closure.declared), text.as_bytes())])
    }

    fn text(&self, kind: &str, below: &str, name: &str) -> Result<Option<String>> {
        let is_file = !name.starts_with('<');
        if let Some(run) = self.run
            && !(self.current && is_file)
            && let Some(bytes) = self.store.pinned(run, kind, name)?
        {
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let text = match &self.given {
            Some((given, text)) if kind == "script" && given == name => Some(text.clone()),
            _ if !is_file => None,
            _ => self.folder.read_text(&format!("{below}/{name}"), LONGEST_TEXT)?,
        };
        let Some(text) = text else { return Ok(None) };
        if let Some(run) = self.run {
            self.store.pin(run, kind, &[(name, text.as_bytes())])?;
        }
        Ok(Some(text))
    }

    /// A jar of the workspace, copied into the artifact store under its hash: what a running job was started from is
    /// never overwritten.
    ///
    /// # Errors
    /// `file.*`, `state.*`.
    pub fn artifact(&self, path: &str) -> Result<Artifact> {
        if let Some(run) = self.run
            && let Some(hash) = self.store.pinned(run, ARTIFACT, path)?
        {
            return Ok(Artifact {
                path: path.to_owned(),
                sha256: String::from_utf8_lossy(&hash).into_owned(),
                origin: None,
            });
        }
        let sha256 = keep_artifact(&self.store, &self.folder.resolve(path)?, path)?;
        artifacts::used(&self.store, &sha256);
        if let Some(run) = self.run {
            self.store.pin(run, ARTIFACT, &[(path, sha256.as_bytes())])?;
        }
        Ok(Artifact { path: path.to_owned(), sha256, origin: None })
    }

    /// An artifact that is known by its hash, and still in the store.
    ///
    /// # Errors
    /// `file.not_found`.
    pub fn stored(&self, artifact: Artifact) -> Result<Artifact> {
        if artifact_path(&self.store, &artifact.sha256).is_file() {
            return Ok(artifact);
        }
        let short = artifact.sha256.get(..16).unwrap_or_default();
        Err(Error::new(
            &code::FILE_NOT_FOUND,
            format!("`{}` ({short}) is not in the artifact store any more", artifact.path),
        )
        .hint("it was pruned since it was made: make it again, which gives the same artifact"))
    }
}

/// Copies a file into the artifact store, and gives its hash; `shown` names it in errors.
///
/// # Errors
/// `file.*`, `state.io`.
pub(super) fn keep_artifact(store: &Store, source: &Path, shown: &str) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            Error::new(&code::FILE_NOT_FOUND, format!("there is no file `{shown}` in the workspace"))
        } else {
            Error::new(&code::FILE_INVALID, format!("`{shown}` cannot be read")).caused_by(error)
        }
    };
    let sha256 = sha256_file(source).map_err(unreadable)?;
    let target = artifact_path(store, &sha256);
    let length = |path: &Path| std::fs::metadata(path).ok().map(|found| found.len());
    // A copy that was cut off is taken anew.
    if length(&target) != length(source) {
        keep(source, &target).map_err(|error| {
            Error::new(&code::STATE_IO, format!("{} cannot be written", target.display())).caused_by(error)
        })?;
        // The file may have changed between the two reads.
        if sha256_file(&target).map_err(unreadable)? != sha256 {
            return Err(Error::new(&code::FILE_INVALID, format!("`{shown}` changed while it was read"))
                .hint("wait until its build has ended, then try again"));
        }
    }
    Ok(sha256)
}

/// The kind of inputs that are closures.
pub(super) const DEPENDENCIES: &str = "dependencies";

/// The kind of inputs that are jars.
pub(super) const ARTIFACT: &str = "artifact";

fn closure_name(declared: &[Dependency]) -> String {
    declared.iter().map(Dependency::shown).collect::<Vec<_>>().join("; ")
}

/// Where an artifact is kept.
pub fn artifact_path(store: &Store, sha256: &str) -> PathBuf {
    store.directory().join("artifacts").join(format!("{sha256}.jar"))
}

fn keep(source: &Path, target: &Path) -> std::io::Result<()> {
    let directory = target.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(directory)?;
    // Written beside and renamed: a process that dies here leaves no half file under a hash.
    let partial = target.with_extension(format!("{}.partial", std::process::id()));
    std::fs::copy(source, &partial)?;
    std::fs::File::open(&partial)?.sync_all()?;
    std::fs::rename(&partial, target)
}
