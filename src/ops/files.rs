//! The files that scripts read: those of the workspace, and of folders that `allow: files:` grants.

use std::path::{Path, PathBuf};

use super::capability;
use crate::base::Result;
use crate::drivers::folder::Folder;
use crate::model::workspace_file::Allow;

/// The files that scripts read.
#[derive(Debug, Clone)]
pub struct Files {
    workspace: Folder,
    allow: Allow,
}

impl Files {
    /// The files of a workspace and of what it grants.
    pub fn new(workspace: Folder, allow: &Allow) -> Self {
        Self { workspace, allow: allow.clone() }
    }

    /// The absolute path of a file or folder, whether it exists or not.
    ///
    /// # Errors
    /// `file.outside`, `capability.denied`.
    pub fn resolve(&self, path: &str) -> Result<PathBuf> {
        let (folder, rest, _) = self.home(path)?;
        folder.resolve(&rest)
    }

    /// The text of a file; `None` where there is none.
    ///
    /// # Errors
    /// `file.*`, `capability.denied`.
    pub fn read_text(&self, path: &str, limit: u64) -> Result<Option<String>> {
        let (folder, rest, _) = self.home(path)?;
        folder.read_text(&rest, limit)
    }

    /// The files that match a pattern, sorted; absolute ones where the pattern is.
    ///
    /// # Errors
    /// `file.*`, `capability.denied`.
    pub fn list(&self, pattern: &str) -> Result<Vec<String>> {
        let (folder, rest, granted) = self.home(pattern)?;
        let found = folder.list(&rest)?;
        Ok(match granted {
            None => found,
            Some(granted) => found.iter().map(|file| format!("{}/{file}", granted.trim_end_matches('/'))).collect(),
        })
    }

    /// The folder that a path is in, the path below it, and the name under which it was granted.
    fn home(&self, path: &str) -> Result<(Folder, String, Option<&str>)> {
        if !path.starts_with('/') {
            return Ok((self.workspace.clone(), path.to_owned(), None));
        }
        // The longest first: a folder inside of another one is its own.
        let mut granted: Vec<&String> = self.allow.files.iter().collect();
        granted.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
        for folder in granted {
            if let Ok(rest) = Path::new(path).strip_prefix(folder) {
                return Ok((Folder::new(Path::new(folder))?, rest.to_string_lossy().into_owned(), Some(folder)));
            }
        }
        Err(capability::folder_denied(&self.allow, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::code;

    #[test]
    fn granted_folders_are_read_and_cannot_be_left() {
        let outer = tempfile::tempdir().unwrap();
        for file in ["workspace/a", "landing/in/b.csv", "secret"] {
            let file = outer.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "x").unwrap();
        }
        let landing = outer.path().join("landing");
        std::os::unix::fs::symlink(outer.path(), landing.join("link")).unwrap();
        let name = landing.to_str().unwrap();
        let allow = Allow { files: vec![name.to_owned()], ..Allow::default() };
        let files = Files::new(Folder::new(&outer.path().join("workspace")).unwrap(), &allow);
        let text = |path: &str| files.read_text(path, 10);
        assert_eq!(text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(text(&format!("{name}/in/b.csv")).unwrap().as_deref(), Some("x"));
        assert_eq!(text(&format!("{name}/none")).unwrap(), None);
        assert_eq!(files.list(&format!("{name}/**/*.csv")).unwrap(), [format!("{name}/in/b.csv")]);
        for path in ["link/secret", "../secret", "in/../../secret"] {
            assert!(text(&format!("{name}/{path}")).unwrap_err().is(&code::FILE_OUTSIDE), "{path}");
        }
        assert!(files.list(&format!("{name}/link/*")).unwrap_err().is(&code::FILE_OUTSIDE));
        let other = outer.path().join("landing2/x");
        for path in [other.to_str().unwrap(), "/etc/passwd", "/"] {
            assert!(text(path).unwrap_err().is(&code::CAPABILITY_DENIED), "{path}");
        }
    }
}
