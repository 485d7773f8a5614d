//! The manifest of a jar.
//!
//! Source: the JAR file specification, "JAR Manifest".

use std::io::{Read, Seek};
use std::path::Path;

use super::archive::{Archive, open};
use crate::base::Result;

/// Where the manifest is.
pub const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// The attributes of a manifest's main section, in their order, each with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Names as they are written, and values.
    pub attributes: Vec<(String, String)>,
}

impl Manifest {
    /// The manifest that a text is. A line that starts with a space goes on with the one before.
    pub fn parse(text: &str) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            match (line.strip_prefix(' '), lines.last_mut()) {
                (Some(rest), Some(last)) => last.push_str(rest),
                _ if line.is_empty() => break,
                _ => lines.push(line.to_owned()),
            }
        }
        let attributes = lines
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty());
        Self { attributes: attributes.collect() }
    }

    /// An attribute, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().rfind(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The class to start, by Flink's rule: `program-class` before `Main-Class`.
    pub fn main_class(&self) -> Option<&str> {
        self.get("program-class").or_else(|| self.get("main-class"))
    }
}

/// The manifest of a jar; an empty one where it has none.
///
/// # Errors
/// `file.invalid`.
pub fn manifest<R: Read + Seek>(archive: &mut Archive<R>) -> Result<Manifest> {
    // As `java.util.jar.JarFile` does, in whatever case.
    let name = match archive.index(MANIFEST) {
        Some(_) => Some(MANIFEST.to_owned()),
        None => archive.names().find(|name| name.eq_ignore_ascii_case(MANIFEST)).map(|name| name.into_owned()),
    };
    let Some(name) = name else { return Ok(Manifest::default()) };
    let bytes = archive.read(&name)?.unwrap_or_default();
    Ok(Manifest::parse(&String::from_utf8_lossy(&bytes)))
}

/// The main class that a jar's manifest names.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn main_class_of(jar: &Path) -> Result<Option<String>> {
    Ok(manifest(&mut open(jar)?)?.main_class().map(str::to_owned))
}
