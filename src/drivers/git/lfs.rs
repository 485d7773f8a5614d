//! Git LFS: which files of a checkout stand for others that were not fetched.

use std::io::Read;
use std::path::Path;

/// How a pointer begins; the specification of Git LFS fixes that.
const BEGIN: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is shorter than this; the same specification.
const LONGEST: u64 = 1024;

/// Whether a file is a pointer: a short text in place of what it stands for.
pub fn is_pointer(path: &Path) -> bool {
    let is_short = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() < LONGEST);
    let mut begin = [0; BEGIN.len()];
    is_short && std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut begin).is_ok() && begin == BEGIN)
}

/// The pointers of a checkout, where a `.gitattributes` of it has files in Git LFS; sorted.
pub fn pointers(checkout: &Path) -> Vec<String> {
    let (mut found, mut uses_it) = (Vec::new(), false);
    let mut folders = vec![checkout.to_owned()];
    while let Some(folder) = folders.pop() {
        // What cannot be read, the build will not read either.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name() != ".git" {
                    folders.push(path);
                }
            } else if entry.file_name() == ".gitattributes" {
                uses_it |= std::fs::read(&path).is_ok_and(|text| has_filter(&String::from_utf8_lossy(&text)));
            } else if is_pointer(&path) {
                found.extend(path.strip_prefix(checkout).map(|path| path.display().to_string()));
            }
        }
    }
    found.sort();
    if uses_it { found } else { Vec::new() }
}

fn has_filter(attributes: &str) -> bool {
    let rules = attributes.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    rules.flat_map(str::split_ascii_whitespace).any(|word| word == "filter=lfs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let pointer = [BEGIN, b"oid sha256:4d7a\nsize 12345\n"].concat();
        write("lib/a.jar", &pointer);
        write("b.jar", &pointer);
        write(".git/c.jar", &pointer);
        write("long.txt", &[pointer.as_slice(), &[b'x'; 1024]].concat());
        write("short.txt", b"version ");
        assert!(pointers(folder.path()).is_empty(), "nothing of it is said to be in Git LFS");
        write("lib/.gitattributes", b"# *.zip filter=lfs\n*.jar filter=lfs diff=lfs merge=lfs -text\n");
        assert_eq!(pointers(folder.path()), ["b.jar", "lib/a.jar"]);
    }
}
