//! The scripts, templates and files of a workspace as they are now: what a check looks at. Nothing is pinned or recorded,
//! and each text is read once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::inputs::LONGEST_TEXT;
use crate::base::{Error, Result, code};
use crate::drivers::folder::Folder;

/// The texts of a workspace.
#[derive(Debug)]
pub struct Texts {
    folder: Folder,
    texts: Mutex<BTreeMap<String, Option<String>>>,
}

impl Texts {
    /// Those of the workspace in a folder.
    pub fn new(folder: Folder) -> Self {
        Self { folder, texts: Mutex::default() }
    }

    /// A script by its path below `scripts/`; `None` where there is none.
    ///
    /// # Errors
    /// `file.*`.
    pub fn script(&self, name: &str) -> Result<Option<String>> {
        self.text(&format!("scripts/{name}"))
    }

    /// A template by its path below `templates/`; `None` where there is none.
    ///
    /// # Errors
    /// `file.*`.
    pub fn template(&self, name: &str) -> Result<Option<String>> {
        self.text(&format!("templates/{name}"))
    }

    /// The names of all scripts, as [`Texts::script`] takes them.
    ///
    /// # Errors
    /// `file.invalid` where a folder cannot be read.
    pub fn scripts(&self) -> Result<Vec<String>> {
        self.below("scripts/", "**/*.rhai")
    }

    /// The names of all templates, as [`Texts::template`] takes them.
    ///
    /// # Errors
    /// `file.invalid` where a folder cannot be read.
    pub fn templates(&self) -> Result<Vec<String>> {
        self.below("templates/", "**/*")
    }

    /// Claims that there is a file.
    ///
    /// # Errors
    /// `file.not_found`, `file.outside`, `file.invalid`.
    pub fn require(&self, path: &str) -> Result<()> {
        let found = self.folder.resolve(path)?;
        match std::fs::metadata(&found) {
            Ok(metadata) if metadata.is_file() => Ok(()),
            Ok(_) => Err(Error::new(&code::FILE_INVALID, format!("`{path}` is not a file"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::new(&code::FILE_NOT_FOUND, format!("there is no file `{path}` in the workspace")))
            }
            Err(error) => Err(Error::new(&code::FILE_INVALID, format!("`{path}` cannot be read")).caused_by(error)),
        }
    }

    /// The absolute path of a path of the workspace.
    ///
    /// # Errors
    /// `file.outside`.
    pub fn absolute(&self, path: &str) -> Result<String> {
        Ok(self.folder.resolve(path)?.to_string_lossy().into_owned())
    }

    fn below(&self, folder: &str, pattern: &str) -> Result<Vec<String>> {
        let found = self.folder.list(&format!("{folder}{pattern}"))?;
        Ok(found.iter().filter_map(|path| path.strip_prefix(folder)).map(str::to_owned).collect())
    }

    fn text(&self, path: &str) -> Result<Option<String>> {
        if let Some(text) = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(text.clone());
        }
        let text = self.folder.read_text(path, LONGEST_TEXT)?;
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), text.clone());
        Ok(text)
    }
}
