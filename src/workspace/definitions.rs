//! Writes the definition files that editors read, below a workspace or elsewhere.

use std::path::{Path, PathBuf};

use crate::base::{Error, Result, code};
use crate::script::reference::{self, FIRST_LINE};

/// Where editors look for them, from the workspace's folder.
pub const FOLDER: &str = ".rhai/definitions";

/// Writes them below a workspace, hidden from git: they belong to this tidegate, not to the workspace.
///
/// # Errors
/// As [`write`].
pub fn write_below(workspace: &Path) -> Result<Vec<PathBuf>> {
    let folder = workspace.join(FOLDER);
    let written = write(&folder)?;
    let path = folder.join(".gitignore");
    std::fs::write(&path, "*\n").map_err(|error| unwritable(&path, error))?;
    Ok(written)
}

/// Writes them into a folder, over those of another version. Where a file of somebody else has such a name, nothing is written.
///
/// # Errors
/// `workspace.exists`, `file.invalid`.
pub fn write(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = reference::definitions()?;
    check(folder)?;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
        written.push(path);
    }
    Ok(written)
}

/// Makes sure that each file which would be written over is one of ours.
///
/// # Errors
/// `workspace.exists`, `file.invalid`.
pub fn check(folder: &Path) -> Result<()> {
    for (name, _) in reference::definitions()? {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(text) if text.starts_with(FIRST_LINE.as_bytes()) => {}
            Ok(_) => {
                return Err(Error::new(
                    &code::WORKSPACE_EXISTS,
                    format!("{} is there already, and is not tidegate's; nothing was written", path.display()),
                )
                .hint("move it, or name another folder: `tidegate docs --definitions FOLDER`"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(
                    Error::new(&code::FILE_INVALID, format!("{} cannot be read", path.display())).caused_by(error)
                );
            }
        }
    }
    Ok(())
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(&code::FILE_INVALID, format!("{} cannot be written", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_written_over_and_nothing_else() {
        let workspace = tempfile::tempdir().unwrap();
        let written = write_below(workspace.path()).unwrap();
        let folder = workspace.path().join(FOLDER);
        assert!(written.contains(&folder.join("job.d.rhai")), "{written:?}");
        assert_eq!(std::fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
        let good = std::fs::read_to_string(folder.join("job.d.rhai")).unwrap();

        std::fs::write(folder.join("job.d.rhai"), format!("{FIRST_LINE}\nold")).unwrap();
        write_below(workspace.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("job.d.rhai")).unwrap(), good);

        std::fs::write(folder.join("sql.d.rhai"), "module mine;").unwrap();
        std::fs::remove_file(folder.join("job.d.rhai")).unwrap();
        assert!(write_below(workspace.path()).unwrap_err().is(&code::WORKSPACE_EXISTS));
        assert!(!folder.join("job.d.rhai").exists(), "half of it was written");
    }
}
