//! The files of a workspace: nothing outside its folder can be reached, symbolic links included.

use std::path::{Component, Path, PathBuf};

use crate::base::{Error, Result, code};

/// A folder that paths cannot leave.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The jail round `root`.
    ///
    /// # Errors
    /// `file.not_found` where the folder is not there.
    pub fn new(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|error| {
            Error::new(&code::FILE_NOT_FOUND, format!("the folder {} cannot be opened", root.display()))
                .caused_by(error)
        })?;
        Ok(Self { root })
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The absolute path of a relative one, whether it exists or not.
    ///
    /// # Errors
    /// `file.outside`.
    pub fn resolve(&self, path: &str) -> Result<PathBuf> {
        let outside = |why: &str| {
            Error::new(&code::FILE_OUTSIDE, format!("`{path}` {why}"))
                .hint("write a path relative to the workspace, below it")
        };
        let relative = Path::new(path);
        let mut resolved = self.root.clone();
        for component in relative.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(part) => resolved.push(part),
                Component::ParentDir => {
                    if resolved == self.root || !resolved.pop() {
                        return Err(outside("leaves the workspace"));
                    }
                }
                Component::RootDir | Component::Prefix(_) => return Err(outside("is an absolute path")),
            }
        }
        // The part of the path that exists must not lead outside through a link.
        let mut existing = resolved.as_path();
        while !existing.exists() && existing != self.root {
            existing = existing.parent().unwrap_or(&self.root);
        }
        match existing.canonicalize() {
            Ok(real) if real.starts_with(&self.root) => Ok(resolved),
            Ok(_) => Err(outside("leaves the workspace through a symbolic link")),
            Err(error) => Err(outside("cannot be resolved").caused_by(error)),
        }
    }

    /// The bytes of a file; `None` where there is none.
    ///
    /// # Errors
    /// `file.outside`, `file.invalid` where it is not a file, cannot be read or is longer than `limit` bytes.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let resolved = self.resolve(path)?;
        let unreadable = |error: std::io::Error| {
            Error::new(&code::FILE_INVALID, format!("`{path}` cannot be read")).caused_by(error)
        };
        let metadata = match std::fs::metadata(&resolved) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !metadata.is_file() {
            return Err(Error::new(&code::FILE_INVALID, format!("`{path}` is not a file")));
        }
        if metadata.len() > limit {
            return Err(Error::new(
                &code::FILE_INVALID,
                format!("`{path}` has {} bytes; {limit} is the most", metadata.len()),
            ));
        }
        std::fs::read(&resolved).map(Some).map_err(unreadable)
    }

    /// The text of a file; `None` where there is none.
    ///
    /// # Errors
    /// As [`Folder::read`], and `file.invalid` where it is not UTF-8.
    pub fn read_text(&self, path: &str, limit: u64) -> Result<Option<String>> {
        let Some(bytes) = self.read(path, limit)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|error| {
            Error::new(&code::FILE_INVALID, format!("`{path}` is not UTF-8 text")).caused_by(error.utf8_error())
        })
    }

    /// The files that match a pattern, sorted: `*` stands for any characters inside one name, `**` for any folders.
    ///
    /// # Errors
    /// `file.outside`, `file.invalid` where a folder cannot be read.
    pub fn list(&self, pattern: &str) -> Result<Vec<String>> {
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let fixed: PathBuf = parts.iter().take_while(|part| !part.contains('*')).collect();
        self.resolve(&fixed.to_string_lossy())?;
        let mut found = Vec::new();
        self.walk(&self.root.clone(), &parts, &mut found)?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn walk(&self, at: &Path, parts: &[&str], found: &mut Vec<String>) -> Result<()> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        if *part == "**" {
            self.walk(at, rest, found)?;
        } else if !part.contains('*') && !rest.is_empty() {
            let next = at.join(part);
            return if next.is_dir() { self.walk(&next, rest, found) } else { Ok(()) };
        }
        let entries = match std::fs::read_dir(at) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(
                    Error::new(&code::FILE_INVALID, format!("{} cannot be listed", at.display())).caused_by(error)
                );
            }
        };
        for entry in entries {
            let entry = entry.map_err(|error| {
                Error::new(&code::FILE_INVALID, format!("{} cannot be listed", at.display())).caused_by(error)
            })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            // A link may point anywhere: only what stays inside is followed.
            let inside = path.canonicalize().is_ok_and(|real| real.starts_with(&self.root));
            if !inside {
                continue;
            }
            if *part == "**" {
                if path.is_dir() && !name.starts_with('.') {
                    self.walk(&path, parts, found)?;
                }
            } else if matches(part, &name) && (!name.starts_with('.') || part.starts_with('.')) {
                if !rest.is_empty() {
                    self.walk(&path, rest, found)?;
                } else if path.is_file()
                    && let Ok(relative) = path.strip_prefix(&self.root)
                {
                    found.push(relative.to_string_lossy().into_owned());
                }
            }
        }
        Ok(())
    }
}

/// Whether a name matches a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_reached() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("in");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(root.join("a/x.txt"), "x").unwrap();
        std::os::unix::fs::symlink(outer.path(), root.join("link")).unwrap();
        let folder = Folder::new(&root).unwrap();
        for path in ["../secret", "/etc/passwd", "a/../../secret", "link/secret", "link/new"] {
            assert!(folder.read(path, 10).unwrap_err().is(&code::FILE_OUTSIDE), "{path}");
        }
        assert_eq!(folder.read_text("a/../a/x.txt", 10).unwrap().as_deref(), Some("x"));
        assert_eq!(folder.read("a/none", 10).unwrap(), None);
        assert!(folder.read("a/x.txt", 0).is_err());
    }

    #[test]
    fn patterns_list_files() {
        let root = tempfile::tempdir().unwrap();
        for path in ["r/part-1", "r/part-2", "r/.hidden", "r/deep/part-3", "r/other"] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let folder = Folder::new(root.path()).unwrap();
        assert_eq!(folder.list("r/part-*").unwrap(), ["r/part-1", "r/part-2"]);
        assert_eq!(folder.list("r/**/part-*").unwrap(), ["r/deep/part-3", "r/part-1", "r/part-2"]);
        assert_eq!(folder.list("r/*").unwrap(), ["r/other", "r/part-1", "r/part-2"]);
        assert!(folder.list("none/*").unwrap().is_empty());
        assert!(folder.list("../*").is_err());
    }
}
