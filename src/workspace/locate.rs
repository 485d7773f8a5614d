//! Finds the workspace that a command is about.

use std::path::{Path, PathBuf};

use crate::base::{Error, Result, code};

/// The name of the file that makes a folder a workspace.
pub const FILE: &str = "tidegate.yaml";

/// The folder of the workspace: `given`, or the nearest one at or above the current folder.
///
/// # Errors
/// `workspace.not_found`.
pub fn from_here(given: Option<&Path>) -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|error| {
        Error::new(&code::WORKSPACE_NOT_FOUND, "the current folder cannot be read").caused_by(error)
    })?;
    locate(given, &here)
}

/// The folder of the workspace: `given`, or the nearest one at or above `from` that has a `tidegate.yaml`.
///
/// # Errors
/// `workspace.not_found`.
pub fn locate(given: Option<&Path>, from: &Path) -> Result<PathBuf> {
    if let Some(given) = given {
        if given.join(FILE).is_file() {
            return Ok(given.to_owned());
        }
        return Err(Error::new(&code::WORKSPACE_NOT_FOUND, format!("there is no {FILE} in {}", given.display()))
            .hint("`tidegate init` writes one"));
    }
    from.ancestors().find(|folder| folder.join(FILE).is_file()).map(Path::to_owned).ok_or_else(|| {
        Error::new(&code::WORKSPACE_NOT_FOUND, format!("there is no {FILE} in {} or above it", from.display()))
            .hint("`tidegate init` writes one here; `--workspace DIR` names another folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_above_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert!(locate(None, &deep).unwrap_err().is(&code::WORKSPACE_NOT_FOUND));
        std::fs::write(root.path().join(FILE), "").unwrap();
        assert_eq!(locate(None, &deep).unwrap(), root.path());
        assert!(locate(Some(&deep), &deep).is_err());
    }
}
