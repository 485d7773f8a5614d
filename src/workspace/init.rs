//! `tidegate init`: writes a working workspace, the shipped examples, into a folder; with it the definitions for editors.

use std::path::Path;

use super::definitions;
use crate::base::{Error, Result, code, suggest};

/// Files by their path in the workspace.
type Files = &'static [(&'static str, &'static [u8])];

/// The files by their path in the workspace.
pub const FILES: Files = &[
    ("tidegate.yaml", include_bytes!("../../tidegate.yaml")),
    (".gitignore", b".tidegate/\n/results/\n"),
    ("data/README.md", include_bytes!("../../data/README.md")),
    ("data/seattle-weather.csv", include_bytes!("../../data/seattle-weather.csv")),
    ("jars/launcher.jar", include_bytes!("../../jars/launcher.jar")),
    ("jars/launcher/com/example/Launcher.java", include_bytes!("../../jars/launcher/com/example/Launcher.java")),
    ("scripts/launcher.rhai", include_bytes!("../../scripts/launcher.rhai")),
    ("scripts/module.rhai", include_bytes!("../../scripts/module.rhai")),
    ("scripts/orders.rhai", include_bytes!("../../scripts/orders.rhai")),
    ("scripts/quickstart.rhai", include_bytes!("../../scripts/quickstart.rhai")),
    ("scripts/streaming.rhai", include_bytes!("../../scripts/streaming.rhai")),
    ("templates/orders.sql", include_bytes!("../../templates/orders.sql")),
    ("templates/quickstart.sql", include_bytes!("../../templates/quickstart.sql")),
    ("templates/streaming.sql", include_bytes!("../../templates/streaming.sql")),
];

/// A workspace that shows one thing, by its name: what `tidegate init --example NAME` writes.
const EXAMPLES: &[(&str, Files)] = &[(
    "orders",
    &[
        ("tidegate.yaml", include_bytes!("orders_example.yaml")),
        (".gitignore", b".tidegate/\n"),
        ("scripts/orders.rhai", include_bytes!("../../scripts/orders.rhai")),
        ("templates/orders.sql", include_bytes!("../../templates/orders.sql")),
    ],
)];

/// The names of the examples.
pub fn examples() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(name, _)| *name)
}

fn files_of(example: Option<&str>) -> Result<Files> {
    let Some(wanted) = example else { return Ok(FILES) };
    let found = EXAMPLES.iter().find(|(name, _)| *name == wanted).map(|(_, files)| *files);
    found.ok_or_else(|| {
        Error::new(&code::USAGE, format!("there is no example `{wanted}`")).hint(suggest::hint(wanted, examples()))
    })
}

/// Writes the workspace, or that of an example. Where one of its files is there already, nothing is written at all.
///
/// # Errors
/// `workspace.exists`, `file.invalid`, `usage` for an example that there is not.
pub fn init(folder: &Path, example: Option<&str>) -> Result<Vec<&'static str>> {
    // A user's .gitignore stays what it is.
    let files = files_of(example)?.iter().filter(|(name, _)| *name != ".gitignore" || !folder.join(name).exists());
    if let Some((name, _)) = files.clone().find(|(name, _)| folder.join(name).exists()) {
        return Err(Error::new(
            &code::WORKSPACE_EXISTS,
            format!("{} is there already; nothing was written", folder.join(name).display()),
        )
        .hint("name another folder: `tidegate init FOLDER`"));
    }
    definitions::check(&folder.join(definitions::FOLDER))?;
    let mut written = Vec::new();
    for (name, contents) in files {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, contents));
        made.map_err(|error| {
            Error::new(&code::FILE_INVALID, format!("{} cannot be written", path.display())).caused_by(error)
        })?;
        written.push(*name);
    }
    // The name is part of every job's identity: two workspaces of one name on one cluster would be one.
    name_after_folder(folder)?;
    definitions::write_below(folder)?;
    written.push(definitions::FOLDER);
    Ok(written)
}

fn name_after_folder(folder: &Path) -> Result<()> {
    let path = folder.join(super::locate::FILE);
    let failed = |error: std::io::Error| {
        Error::new(&code::FILE_INVALID, format!("{} cannot be written", path.display())).caused_by(error)
    };
    let absolute = folder.canonicalize().map_err(failed)?;
    let name: String = absolute
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let text = text.replacen("name: examples", &format!("name: {name}"), 1);
    let text = text.replacen(
        "# The workspace of the shipped examples. `tidegate init` writes the same into an empty folder.\n",
        "",
        1,
    );
    std::fs::write(&path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_written_once() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("My Jobs");
        init(&folder, None).unwrap();
        let file = super::super::file::read(&folder).unwrap();
        assert_eq!(file.name, "my-jobs");
        for example in examples() {
            let folder = outer.path().join(example);
            init(&folder, Some(example)).unwrap();
            assert_eq!(super::super::file::read(&folder).unwrap().name, example);
        }
        assert!(init(&folder, None).unwrap_err().is(&code::WORKSPACE_EXISTS));
    }
}
