//! Scripts of a folder on disk.

use std::io::Read;
use std::path::PathBuf;

use super::resolver::{MAX_SCRIPT_BYTES, ROOT, Sources};
use crate::base::{Error, Result, code};

/// The scripts of one folder on disk. Symbolic links are followed as long as they stay inside.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder that is `scripts/`.
    pub root: PathBuf,
}

impl Sources for Folder {
    fn load(&self, name: &str) -> Result<Option<String>> {
        let unreadable = |error: &std::io::Error| {
            Error::new(&code::FILE_INVALID, format!("`{ROOT}{name}` cannot be read")).caused_by(error)
        };
        let not_there = |error: &std::io::Error| {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        };
        let path = match self.root.join(name).canonicalize() {
            Ok(path) => path,
            Err(error) if not_there(&error) => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        let root = self.root.canonicalize().map_err(|error| unreadable(&error))?;
        if !path.starts_with(&root) {
            return Err(Error::new(&code::SCRIPT_IMPORT, format!("`{ROOT}{name}` is a link that leaves `{ROOT}`"))
                .hint(format!("copy the file into `{ROOT}`: a run sees only its workspace")));
        }
        // The path is canonical: what is opened is what was checked. A pipe would block the run.
        if !path.is_file() {
            return Ok(None);
        }
        let file = std::fs::File::open(&path).map_err(|error| unreadable(&error))?;
        let mut bytes = Vec::new();
        file.take(MAX_SCRIPT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > MAX_SCRIPT_BYTES {
            return Err(Error::new(&code::SCRIPT_IMPORT, format!("`{ROOT}{name}` is larger than 1 MiB"))
                .hint("scripts are code; read data with `files::`"));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::new(&code::FILE_INVALID, format!("`{ROOT}{name}` is not UTF-8")))
    }
}
