//! A bare mirror of one repository: its branches and tags as they are there, fetched again and again.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use git2::{
    AutotagOption, Direction, ErrorClass, FetchOptions, ObjectType, Oid, ProxyOptions, RemoteUpdateFlags, Repository,
};

use super::Access;
use super::answers::{Noted, callbacks};
use super::failures::{self, failed, io};
use crate::base::{Error, Result, code, suggest};
use crate::model::git_address::Scheme;
use crate::model::git_project::Wanted;

/// What is mirrored. Pull requests and notes are not.
const SPECS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// A mirror.
pub struct Mirror {
    pub(super) repository: Repository,
    shown: String,
}

impl Mirror {
    /// Opens what is there already; none where there is nothing, or nothing whole.
    pub fn open(path: &Path, shown: &str) -> Option<Self> {
        let repository = Repository::open_bare(path).ok()?;
        // A repository without branch and without tag was never fetched to its end.
        let is_whole = repository.references().ok()?.flatten().next().is_some() && repository.odb().is_ok();
        is_whole.then(|| Self { repository, shown: shown.to_owned() })
    }

    /// Brings the mirror at `path` to what the repository has now. Whoever calls holds its lock.
    ///
    /// The first time everything comes, into a folder beside it that takes its place when it is whole: what a death leaves
    /// is made anew. Later only what is new comes.
    ///
    /// A server that falls silent holds a talk for good, and libgit2 cannot be told to hang up. So whoever waits may give it up,
    /// its lock included: until `begin_writing` succeeds nothing is written that another fetch would mind, and where it
    /// fails, nothing at all.
    ///
    /// # Errors
    /// `git.*`, `cancelled`, `state.io`, and those of `begin_writing`.
    pub fn fetch(path: &Path, access: &Access, begin_writing: &dyn Fn() -> Result<()>) -> Result<Self> {
        let shown = access.address.text();
        if let Some(mirror) = Self::open(path, shown) {
            remove_stale_locks(path);
            match mirror.update(access, begin_writing) {
                Ok(()) => return Ok(mirror),
                Err((error, is_damaged)) if !is_damaged => return Err(error),
                Err(_) => drop(mirror),
            }
        }
        if let Some(parent) = path.parent() {
            io(parent, std::fs::create_dir_all(parent))?;
        }
        remove_unfinished(path);
        let fresh = unfinished(path);
        let repository = Repository::init_bare(&fresh).map_err(|error| failed("a mirror cannot be made", &error))?;
        let mirror = Self { repository, shown: shown.to_owned() };
        let updated = mirror.update(access, begin_writing).map_err(|(error, _)| error);
        drop(mirror);
        if let Err(error) = updated {
            // What is left of it the next fetch removes.
            let _ = std::fs::remove_dir_all(&fresh);
            return Err(error);
        }
        if path.exists() {
            io(path, std::fs::remove_dir_all(path))?;
        }
        io(path, std::fs::rename(&fresh, path))?;
        Self::open(path, shown).ok_or_else(|| {
            Error::new(&code::GIT_REF_NOT_FOUND, format!("`{shown}` has no branch and no tag yet"))
                .hint("push something to it first")
        })
    }

    /// Fetches; the error comes with whether it is the mirror that is damaged.
    fn update(&self, access: &Access, begin_writing: &dyn Fn() -> Result<()>) -> Result<(), (Error, bool)> {
        let noted: Rc<RefCell<Noted>> = Rc::default();
        let told = |error: git2::Error| {
            // What is ours to say says more. A folder's own faults are not the mirror's.
            let is_ours = noted.borrow().reason.is_some() || access.address.scheme == Scheme::File;
            let is_damaged = matches!(
                error.class(),
                ErrorClass::Odb
                    | ErrorClass::Object
                    | ErrorClass::Reference
                    | ErrorClass::Repository
                    | ErrorClass::Zlib
            );
            (failures::of(access, &noted.borrow(), &error), is_damaged && !is_ours)
        };
        // `https_proxy` and the like, as git does.
        let proxy = || {
            let mut proxy = ProxyOptions::new();
            proxy.auto();
            proxy
        };
        let mut remote = self.repository.remote_anonymous(access.address.text()).map_err(told)?;
        let talk = callbacks(access, &noted);
        let mut connection = remote.connect_auth(Direction::Fetch, Some(talk), Some(proxy())).map_err(told)?;
        let default = connection.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned));
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks(access, &noted)).proxy_options(proxy());
        options.download_tags(AutotagOption::None).update_fetchhead(false);
        connection.remote().download(&SPECS, Some(&mut options)).map_err(told)?;
        drop(connection);
        // The server is done with. What came lies in packs, which change nothing for anybody.
        begin_writing().map_err(|error| (error, false))?;
        // What is gone goes first: a branch `release` cannot lie beside `release/1.0`. From here on only files of ours are at
        // work, so that what fails is the mirror's, and it is made anew.
        let ours = |error: git2::Error| (failures::of_mirror(access, &error), true);
        remote.prune(None).map_err(ours)?;
        remote.update_tips(None, RemoteUpdateFlags::empty(), AutotagOption::None, None).map_err(ours)?;
        // A repository with a detached HEAD names no branch as its own; then one has to be named.
        if let Some(name) = default {
            self.repository.set_head(&name).map_err(told)?;
        }
        Ok(())
    }

    /// The commit that is wanted, as its whole hash.
    ///
    /// # Errors
    /// `git.ref_not_found`, with names that are near.
    pub fn resolve(&self, wanted: &Wanted) -> Result<String> {
        let missing = |message: String| Error::new(&code::GIT_REF_NOT_FOUND, message);
        let of = |name: &str| {
            let reference = self.repository.find_reference(name).ok()?;
            Some(reference.peel_to_commit().ok()?.id().to_string())
        };
        match wanted {
            Wanted::Default => {
                let head = self.repository.head().ok().and_then(|head| head.peel_to_commit().ok());
                head.map(|commit| commit.id().to_string()).ok_or_else(|| {
                    missing(format!("`{}` names no branch as its own", self.shown)).hint(format!(
                        "name one: {}",
                        suggest::hint("main", self.branches().iter().map(String::as_str))
                    ))
                })
            }
            Wanted::Branch(name) => of(&format!("refs/heads/{name}")).ok_or_else(|| {
                let branches = self.branches();
                let missing = missing(format!("`{}` has no branch `{name}`, or not any more", self.shown));
                if self.tags().iter().any(|tag| tag == name) {
                    return missing.hint(format!("there is a tag of that name: `tag: {name}`"));
                }
                missing.hint(near(name, &branches))
            }),
            Wanted::Tag(name) => of(&format!("refs/tags/{name}"))
                .ok_or_else(|| missing(format!("`{}` has no tag `{name}`", self.shown)).hint(near(name, &self.tags()))),
            Wanted::Commit(hash) => self.commit(hash),
        }
    }

    fn commit(&self, hash: &str) -> Result<String> {
        let missing = |message: String| Error::new(&code::GIT_REF_NOT_FOUND, message);
        match self.repository.find_commit_by_prefix(hash) {
            Ok(commit) => Ok(commit.id().to_string()),
            Err(error) if error.code() == git2::ErrorCode::Ambiguous => {
                Err(missing(format!("several objects of `{}` begin with {hash}", self.shown))
                    .hint("write more digits of the hash"))
            }
            Err(_) => Err(missing(format!("`{}` has no commit {hash} on a branch or tag", self.shown))
                .hint("was it pushed? One that no branch and no tag leads to any more is not fetched")),
        }
    }

    /// Whether it has a commit.
    pub fn has(&self, commit: &str) -> bool {
        Oid::from_str(commit).is_ok_and(|id| self.repository.find_commit(id).is_ok())
    }

    /// The branches, sorted.
    pub fn branches(&self) -> Vec<String> {
        self.names("refs/heads/")
    }

    /// The tags, sorted.
    pub fn tags(&self) -> Vec<String> {
        self.names("refs/tags/")
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let Ok(references) = self.repository.references_glob(&format!("{prefix}*")) else { return Vec::new() };
        let mut names: Vec<String> = references
            .flatten()
            .filter_map(|reference| reference.name().ok()?.strip_prefix(prefix).map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// The bytes of a file at a commit.
    ///
    /// # Errors
    /// `git.file_not_found` where it is not there, no file, or longer than `limit` bytes; `git.failed`.
    pub fn read(&self, commit: &str, path: &str, limit: usize) -> Result<Vec<u8>> {
        self.read_if_there(commit, path, limit)?.ok_or_else(|| unfit(commit, path, "is not there"))
    }

    /// The bytes of a file at a commit; none where the commit has nothing of that path.
    ///
    /// # Errors
    /// `git.file_not_found` where it is no file, or longer than `limit` bytes; `git.failed` where that cannot be told.
    pub(super) fn read_if_there(&self, commit: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let entry = Oid::from_str(commit)
            .and_then(|id| self.repository.find_commit(id))
            .and_then(|commit| commit.tree())
            .and_then(|tree| tree.get_path(Path::new(path)));
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.code() == git2::ErrorCode::NotFound && self.has(commit) => return Ok(None),
            Err(error) => return Err(failed(&format!("`{path}` cannot be looked for at {}", short(commit)), &error)),
        };
        if entry.filemode() == 0o120_000 {
            return Err(unfit(commit, path, "is a link"));
        }
        if entry.kind() != Some(ObjectType::Blob) {
            return Err(unfit(commit, path, "is no file"));
        }
        let blob = self.repository.find_blob(entry.id()).map_err(|error| failed("a file cannot be read", &error))?;
        if blob.size() > limit {
            return Err(unfit(commit, path, &format!("has {} bytes, and {limit} is the most", blob.size())));
        }
        Ok(Some(blob.content().to_vec()))
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.repository.path().to_owned()
    }
}

fn unfit(commit: &str, path: &str, why: &str) -> Error {
    Error::new(&code::GIT_FILE_NOT_FOUND, format!("`{path}` {why} at {}", short(commit)))
}

/// The first digits of a commit, as git shows them.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

fn near(name: &str, names: &[String]) -> String {
    // A hundred branches are no hint.
    match suggest::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.len() > 12 => format!("there are {}, none of a similar name", names.len()),
        None => suggest::hint(name, names.iter().map(String::as_str)),
    }
}

/// A folder beside a mirror for one that is not whole yet. One that was given up may still have its own.
fn unfinished(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    path.with_extension(format!("{}-{}.new", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes what fetches that died or were given up have left beside a mirror: its lock is ours.
fn remove_unfinished(path: &Path) {
    let Some((parent, name)) = path.parent().zip(path.file_name()) else { return };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let other = entry.path();
        let is_new = other.extension().is_some_and(|end| end == "new");
        let is_of_it = entry.file_name().to_string_lossy().starts_with(&*name.to_string_lossy());
        if is_new && is_of_it {
            // What cannot be removed takes room and does no harm.
            let _ = std::fs::remove_dir_all(other);
        }
    }
}

/// A death while references were written leaves lock files, which nobody holds: the mirror's own lock is ours.
fn remove_stale_locks(path: &Path) {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_objects = path.file_name().is_some_and(|name| name == "objects");
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !is_objects {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "lock") {
                // One that cannot be removed is told by the fetch that it stops.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
