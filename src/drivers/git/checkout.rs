//! Folders checked out of mirrors: a small repository of its own that borrows the mirror's objects, so that what asks git
//! for the version finds it, and submodules as the commit names them.

use std::path::{Component, Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use super::failures::{failed, io};
use super::mirror::{Mirror, short};
use crate::base::{Error, Result, code};
use crate::model::git_address::Address;

/// The longest `.gitmodules`, in bytes.
const LONGEST_MODULES: usize = 1 << 20;

/// A submodule as a commit names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Its folder.
    pub path: String,
    /// Its repository.
    pub address: Address,
    /// Its commit.
    pub commit: String,
}

/// A repository of what is checked out: the project itself, or a submodule.
#[derive(Debug, Clone)]
pub struct Part {
    /// The folder of its mirror.
    pub mirror: PathBuf,
    /// Its commit.
    pub commit: String,
    /// Its folder below the whole; empty for the project itself.
    pub folder: PathBuf,
    /// Its address, without credentials.
    pub url: String,
}

/// The submodules of a commit, in the order of their folders.
///
/// # Errors
/// `git.submodule`, `git.url_invalid`, `git.password_in_url`.
pub fn submodules(mirror: &Mirror, commit: &str, base: &Address) -> Result<Vec<Submodule>> {
    let unreadable = |error: git2::Error| failed("the files of a commit cannot be listed", &error);
    let tree = Oid::from_str(commit)
        .and_then(|id| mirror.repository.find_commit(id))
        .and_then(|commit| commit.tree())
        .map_err(unreadable)?;
    let mut links = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(ObjectType::Commit) {
            links.push((format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes())), entry.id().to_string()));
        }
        TreeWalkResult::Ok
    })
    .map_err(unreadable)?;
    if links.is_empty() {
        return Ok(Vec::new());
    }
    // One that is not there names nothing, which is said of the submodule. One that cannot be read may name it.
    let text = mirror.read_if_there(commit, ".gitmodules", LONGEST_MODULES).map_err(|error| {
        Error::new(
            &code::GIT_SUBMODULE,
            "the submodules of the project are not known: its `.gitmodules` cannot be used",
        )
        .caused_by(&error)
        .hint(format!("commit it as a plain file of at most {LONGEST_MODULES} bytes, as `git submodule add` writes it"))
    })?;
    let named = modules(&String::from_utf8_lossy(&text.unwrap_or_default()));
    let mut found = Vec::new();
    for (path, commit) in links {
        let refused = |why: String| Error::new(&code::GIT_SUBMODULE, format!("the submodule `{path}` {why}"));
        let is_inside = Path::new(&path).components().all(|part| match part {
            Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
            _ => false,
        });
        if !is_inside {
            return Err(refused("has a folder that git does not allow".to_owned()));
        }
        let url = named.iter().find(|(of, _)| *of == path).map(|(_, url)| url);
        let url = url.ok_or_else(|| {
            refused("is not named in `.gitmodules`".to_owned())
                .hint("`git submodule add URL PATH` in the project, then commit `.gitmodules`")
        })?;
        let address = base.join(url).map_err(|error| {
            refused("has a URL that is refused".to_owned())
                .caused_by(&error)
                .hint(error.hint_text().unwrap_or("correct it in `.gitmodules` of the project"))
        })?;
        found.push(Submodule { path, address, commit });
    }
    Ok(found)
}

/// Folder and URL of each section of a `.gitmodules`.
fn modules(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(Option<String>, Option<String>)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            sections.push((None, None));
        } else if let (Some((key, value)), Some(section)) = (line.split_once('='), sections.last_mut()) {
            let value = Some(value.trim().trim_matches('"').to_owned());
            match key.trim() {
                "path" => section.0 = value.map(|path| path.trim_end_matches('/').to_owned()),
                "url" => section.1 = value,
                _ => {}
            }
        }
    }
    sections.into_iter().filter_map(|(path, url)| Some((path?, url?))).collect()
}

/// Checks out all parts into an empty folder, the project first.
///
/// # Errors
/// `git.failed`, `git.submodule`, `state.io`.
pub fn check_out(parts: &[Part], target: &Path) -> Result<()> {
    for part in parts {
        let folder = target.join(&part.folder);
        io(&folder, std::fs::create_dir_all(&folder))?;
        // What an earlier part put there must not lead outside.
        let real = io(&folder, folder.canonicalize())?;
        if !io(target, target.canonicalize()).is_ok_and(|target| real.starts_with(target)) {
            let shown = part.folder.display();
            return Err(Error::new(&code::GIT_SUBMODULE, format!("the submodule `{shown}` leaves the project")));
        }
        check_out_one(part, &folder).map_err(|error| {
            failed(&format!("{} of `{}` cannot be checked out", short(&part.commit), part.url), &error)
        })?;
    }
    Ok(())
}

fn check_out_one(part: &Part, folder: &Path) -> Result<(), git2::Error> {
    let mirror = Repository::open_bare(&part.mirror)?;
    let repository = Repository::init(folder)?;
    let written = |error: std::io::Error| git2::Error::from_str(&error.to_string());
    let git = repository.path();
    let objects = part.mirror.join("objects");
    std::fs::write(git.join("objects/info/alternates"), format!("{}\n", objects.display())).map_err(written)?;
    // Tags and branches as a clone has them: `git describe` works.
    let mut packed = "# pack-refs with: sorted\n".to_owned();
    let mut references: Vec<(String, Oid)> = Vec::new();
    for reference in mirror.references()?.flatten() {
        let (Ok(name), Some(id)) = (reference.name(), reference.target()) else { continue };
        let name = match name.strip_prefix("refs/heads/") {
            Some(branch) => format!("refs/remotes/origin/{branch}"),
            None => name.to_owned(),
        };
        references.push((name, id));
    }
    references.sort();
    for (name, id) in references {
        packed.push_str(&format!("{id} {name}\n"));
    }
    std::fs::write(git.join("packed-refs"), packed).map_err(written)?;
    drop(repository);
    // Opened again: what it borrows from is read when it is opened.
    let repository = Repository::open(folder)?;
    repository.remote("origin", &part.url)?;
    repository.set_head_detached(Oid::from_str(&part.commit)?)?;
    repository.checkout_head(Some(CheckoutBuilder::new().force()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_read() {
        let text =
            "[submodule \"core\"]\n\tpath = libs/core/\n\turl = ../core.git\n\tbranch = main\n[other]\n\tpath = x\n";
        assert_eq!(modules(text), [("libs/core".to_owned(), "../core.git".to_owned())]);
    }
}
