//! Git projects: mirrors under `.tidegate/git`, fetched under a lock, and folders checked out of them.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::blocking::blocking;
use super::services::Services;
use crate::base::hash::sha256;
use crate::base::{Error, Result, code, duration, process, suggest};
use crate::drivers::git::{self, Access, Login, Mirror, Part, Progress, Proof};
use crate::model::git_address::Address;
use crate::model::git_project::{Credentials, GitProject, Key, Wanted};
use crate::store::{Lock, is_own};

/// How often a lock is looked at again.
const POLL: Duration = Duration::from_millis(100);
/// How often a transfer is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is told how a transfer goes.
const TELL: Duration = Duration::from_secs(5);
/// Submodules of submodules, at most.
const DEEPEST: usize = 8;

/// The git projects of a workspace.
#[derive(Debug, Default)]
pub struct Projects {
    /// Those of `tidegate.yaml`, by name.
    pub configured: BTreeMap<String, GitProject>,
    /// Names and URLs of those whose code may be run.
    pub allowed: Vec<String>,
}

impl Projects {
    /// A configured project.
    ///
    /// # Errors
    /// `git.project_unknown`.
    pub fn named(&self, name: &str) -> Result<&GitProject> {
        self.configured.get(name).ok_or_else(|| {
            Error::new(&code::GIT_PROJECT_UNKNOWN, format!("there is no project `{name}` in tidegate.yaml"))
                .hint(suggest::hint(name, self.configured.keys().map(String::as_str)))
        })
    }

    /// Whether the code of a project may be run: its name or its URL is listed, or a listed name has its URL.
    pub fn may_build(&self, project: &GitProject) -> bool {
        self.allowed.iter().any(|allowed| {
            project.name.as_ref() == Some(allowed)
                || *allowed == project.url
                || self.configured.get(allowed).is_some_and(|listed| listed.url == project.url)
        })
    }
}

/// Fetches a project and gives the commit that is wanted of it. A commit that is named by its whole hash and is there already
/// is not asked for again.
///
/// # Errors
/// `git.*`, `secret.missing`, `state.*`.
pub async fn fetch(services: &Services, project: &GitProject) -> Result<String> {
    let address = Address::parse(&project.url)?;
    let lock = lock(services, &address).await?;
    let path = mirror_path(services, &address);
    if let Wanted::Commit(hash) = &project.wanted
        && let Some(mirror) = Mirror::open(&path, &project.url)
        && hash.len() == 40
        && mirror.has(hash)
    {
        return Ok(hash.to_ascii_lowercase());
    }
    let (access, wanted) = (access(services, project, &address)?, project.wanted.clone());
    transfer(services, project, lock, path, access, move |mirror| mirror.resolve(&wanted)).await
}

/// The branches and the tags of a project, as they were when it was fetched last.
///
/// # Errors
/// `git.not_found` where it was never fetched.
pub fn names(services: &Services, project: &GitProject) -> Result<(Vec<String>, Vec<String>)> {
    let mirror = fetched(services, project)?;
    Ok((mirror.branches(), mirror.tags()))
}

/// The text of a file at a commit that was fetched.
///
/// # Errors
/// `git.file_not_found`.
pub fn read(services: &Services, project: &GitProject, commit: &str, path: &str) -> Result<String> {
    let bytes = fetched(services, project)?.read(commit, path, 1 << 20)?;
    String::from_utf8(bytes).map_err(|error| {
        Error::new(&code::GIT_FILE_NOT_FOUND, format!("`{path}` is no UTF-8 text")).caused_by(error.utf8_error())
    })
}

fn fetched(services: &Services, project: &GitProject) -> Result<Mirror> {
    let address = Address::parse(&project.url)?;
    Mirror::open(&mirror_path(services, &address), &project.url).ok_or_else(|| {
        Error::new(&code::GIT_NOT_FOUND, format!("the mirror of `{}` is gone", project.shown()))
            .hint("`project.fetch()` makes it anew")
    })
}

/// Fetches what a commit needs, submodules and theirs included, and gives all of it, the project first. Submodules on another
/// host than the project's get none of its credentials.
///
/// # Errors
/// `git.*`, `secret.missing`, `state.*`.
pub(super) async fn parts(services: &Services, project: &GitProject, commit: &str) -> Result<Vec<Part>> {
    let base = Address::parse(&project.url)?;
    let mut parts = Vec::new();
    let mut left = vec![(PathBuf::new(), base.clone(), commit.to_owned(), 0)];
    while let Some((folder, address, commit, depth)) = left.pop() {
        let path = mirror_path(services, &address);
        let lock = lock(services, &address).await?;
        let there = Mirror::open(&path, address.text()).is_some_and(|mirror| mirror.has(&commit));
        if !there {
            let of = GitProject { url: address.text().to_owned(), ..project.clone() };
            let of = if address.is_same_host(&base) {
                of
            } else {
                GitProject { credentials: Credentials::default(), host_key: None, ..of }
            };
            let access = access(services, &of, &address)?;
            let wanted = commit.clone();
            let is_there =
                transfer(services, &of, lock, path.clone(), access, move |mirror| Ok(mirror.has(&wanted))).await;
            let shown = folder.display();
            let is_there = match is_there {
                Err(error) if depth > 0 && !error.is(&code::CANCELLED) => {
                    return Err(Error::new(&code::GIT_SUBMODULE, format!("the submodule `{shown}` cannot be fetched"))
                        .caused_by(error.message())
                        .hint(error.hint_text().unwrap_or_default()));
                }
                result => result?,
            };
            if !is_there {
                let short = commit.get(..10).unwrap_or(&commit);
                let message = format!("`{}` has no commit {short} on a branch or tag", address.text());
                return Err(if depth == 0 {
                    Error::new(&code::GIT_REF_NOT_FOUND, message)
                        .hint("it is gone from the repository: take a newer one")
                } else {
                    Error::new(&code::GIT_SUBMODULE, format!("the submodule `{shown}`: {message}"))
                        .hint("was the submodule's own commit pushed?")
                });
            }
        }
        let found = match Mirror::open(&path, address.text()) {
            Some(mirror) if depth < DEEPEST => git::submodules(&mirror, &commit, &address)?,
            Some(_) => {
                let why = format!("submodules lie in each other deeper than {DEEPEST}");
                return Err(Error::new(&code::GIT_SUBMODULE, why));
            }
            None => {
                return Err(Error::new(&code::GIT_FAILED, format!("the mirror of `{}` is damaged", address.text())));
            }
        };
        for submodule in found.into_iter().rev() {
            left.push((folder.join(&submodule.path), submodule.address, submodule.commit, depth + 1));
        }
        let url = address.text().to_owned();
        parts.push(Part { mirror: path, commit, folder, url });
    }
    Ok(parts)
}

/// Checks parts out into a folder that is empty.
///
/// # Errors
/// `git.*`, `state.io`.
pub(super) async fn check_out(parts: Vec<Part>, target: PathBuf) -> Result<()> {
    blocking(move |_| git::check_out(&parts, &target)).await
}

/// Waits for a lock that another tidegate may hold; gives up on one that is stopped.
///
/// # Errors
/// `state.locked`, `state.*`.
pub(super) async fn wait_for_lock(services: &Services, name: &str, what: &str) -> Result<Lock> {
    let mut told = false;
    loop {
        match services.store.try_lock(name) {
            Err(error) if error.is(&code::STATE_LOCKED) => {
                let holder = error.data().get("process").and_then(serde_json::Value::as_u64).unwrap_or(0);
                if u32::try_from(holder).is_ok_and(process::is_stopped) {
                    return Err(error);
                }
                if !std::mem::replace(&mut told, true) {
                    let who = match holder {
                        _ if is_own(&error) => "another branch of this run".to_owned(),
                        // It has just taken the lock, and not said yet who it is.
                        0 => "another process".to_owned(),
                        holder => format!("process {holder}"),
                    };
                    services.clusters.progress(&format!("{who} {what}; waiting for it"));
                }
                tokio::time::sleep(POLL).await;
            }
            result => return result,
        }
    }
}

async fn lock(services: &Services, address: &Address) -> Result<Lock> {
    let name = format!("git-{}", hash(address));
    wait_for_lock(services, &name, &format!("fetches `{}`", address.text())).await
}

fn hash(address: &Address) -> String {
    sha256(address.text().as_bytes())[..24].to_owned()
}

fn mirror_path(services: &Services, address: &Address) -> PathBuf {
    services.store.directory().join("git").join(hash(address))
}

/// The lock of a mirror while a server is talked to: it is given back when nobody waits any more, until the thread takes it
/// to write. So a server that falls silent keeps nobody else from the mirror.
struct Turn(Arc<Mutex<Option<Lock>>>);

impl Turn {
    fn take(&self) -> Option<Lock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Fetches under the lock, and looks into the mirror then.
async fn transfer<T: Send + 'static>(
    services: &Services,
    project: &GitProject,
    lock: Lock,
    path: PathBuf,
    access: Access,
    look: impl FnOnce(&Mirror) -> Result<T> + Send + 'static,
) -> Result<T> {
    let progress = access.progress.clone();
    let turn = Turn(Arc::new(Mutex::new(Some(lock))));
    let of_thread = turn.0.clone();
    let work = blocking(move |cancel| {
        let access = Access { cancel: cancel.clone(), ..access };
        let held = OnceCell::new();
        let begin_writing = || {
            let taken = of_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken.map(|lock| held.set(lock)) {
                Some(_) => Ok(()),
                None if held.get().is_some() => Ok(()),
                None => Err(Error::new(&code::CANCELLED, "cancelled")),
            }
        };
        look(&Mirror::fetch(&path, &access, &begin_writing)?)
    });
    let result = tokio::select! {
        biased;
        result = work => result,
        error = watch(services, project, &progress) => Err(error),
    };
    drop(turn);
    result
}

/// Tells how a transfer goes, and ends where nothing comes for too long.
async fn watch(services: &Services, project: &GitProject, progress: &Progress) -> Error {
    let mut told = std::time::Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let silent = progress.silent_for();
        if silent >= project.timeout {
            let patience = duration::show(Duration::from_millis(project.timeout));
            let before = match progress.counts() {
                Some((received, total, bytes)) => {
                    format!("before that {received} of {total} objects came, {:.1} MB", bytes as f64 / 1e6)
                }
                None => "nothing of the repository came before that".to_owned(),
            };
            return Error::new(&code::GIT_TIMEOUT, format!("nothing came of `{}` for {patience}", project.url))
                .caused_by(before)
                .hint("try again, and look at the host and the network; `timeout:` of the project allows for longer");
        }
        if told.elapsed() >= TELL {
            told = std::time::Instant::now();
            let (what, text) = (project.shown(), progress.counts());
            services.clusters.progress(&match text {
                Some((received, total, bytes)) => {
                    format!("fetching `{what}`: {received} of {total} objects, {:.1} MB", bytes as f64 / 1e6)
                }
                None => format!("fetching `{what}`: nothing came yet"),
            });
        }
    }
}

/// The way to a repository; its secrets are resolved now.
fn access(services: &Services, project: &GitProject, address: &Address) -> Result<Access> {
    let given = &project.credentials;
    let reveal = |text| services.secrets.reveal(text);
    let proof = match given {
        Credentials { password: Some(password), .. } => Proof::Password(reveal(password)?),
        Credentials { token: Some(token), .. } => Proof::Token(reveal(token)?),
        Credentials { key: Some(key), .. } => {
            let passphrase = given.passphrase.as_ref().map(reveal).transpose()?;
            let mut text = match key {
                Key::Secret(text) => reveal(text)?,
                Key::Path(path) => key_of_file(services.folder.root(), path)?,
            };
            // A secret's last line end is cut, and OpenSSL wants it.
            if !text.ends_with('\n') {
                text.push('\n');
            }
            Proof::Key { text, passphrase }
        }
        Credentials { agent: true, .. } => Proof::Agent,
        _ => Proof::Nothing,
    };
    Ok(Access {
        address: address.clone(),
        login: Login { user: given.user.as_ref().map(reveal).transpose()?, proof },
        host_key: project.host_key.clone(),
        cancel: crate::base::cancel::Cancel::default(),
        progress: Arc::default(),
    })
}

fn key_of_file(root: &Path, path: &str) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let whole = match path.strip_prefix("~/") {
        Some(rest) => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(rest),
        None => root.join(path),
    };
    let failed =
        |why: String| Error::new(&code::GIT_CREDENTIALS_MISSING, format!("the key `{path}` cannot be used: {why}"));
    let mode = std::fs::metadata(&whole).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(failed(format!("others can read it (mode {:o})", mode & 0o777))
            .hint(format!("chmod 600 {}", whole.display())));
    }
    std::fs::read_to_string(&whole).map_err(|error| failed(error.to_string()))
}
