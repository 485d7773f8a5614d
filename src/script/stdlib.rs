//! The library that every script can import as `std/...`: the files of `stdlib/`, embedded.

/// The files by their name below `std/`.
const FILES: &[(&str, &str)] = &[
    ("jobs.rhai", include_str!("../../stdlib/jobs.rhai")),
    ("launcher.rhai", include_str!("../../stdlib/launcher.rhai")),
];

/// The text of a file of the library.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(file, _)| *file == name).map(|(_, text)| *text)
}

/// The names of the library's files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, super::names().collect::<Vec<_>>());
    }
}
