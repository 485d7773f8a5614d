//! The folder that Maven works in while it answers one question.

use std::path::{Path, PathBuf};

use super::{is_made_here, next};
use crate::base::process;

/// A folder for one question; gone when it is answered.
pub(super) struct Work(PathBuf);

impl Work {
    /// Makes a new one, and removes those that a death has left.
    pub(super) fn new(below: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(below)?;
        remove_stale(below);
        loop {
            let path = below.join(format!("ask-{}", next()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                // In containers the next process has the same number: what is in the old one is no answer of ours.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(path)),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left of it is a pom without secrets.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders of questions that nobody waits for: whoever asked is dead, and so is the Maven that it started.
fn remove_stale(below: &Path) {
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|name| name.strip_prefix("ask-")?.split_once('-'));
        let numbers = numbers.and_then(|(asker, count)| Some((asker.parse::<u32>().ok()?, count.parse::<u64>().ok()?)));
        let Some((asker, count)) = numbers else { continue };
        let is_asked = match asker == std::process::id() {
            true => is_made_here(count),
            false => process::start_time(asker).is_some(),
        };
        if !is_asked && !process::is_worked_in(&path) {
            // What cannot be removed takes room and does no harm.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_have_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("maven");
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let (dead_id, live_id) = (dead.id(), std::os::unix::process::parent_id());
        dead.wait().unwrap();
        let of_own_number = format!("ask-{}-4000000000", std::process::id());
        for name in
            [&format!("ask-{dead_id}-0"), &format!("ask-{dead_id}-1"), &format!("ask-{live_id}-0"), &of_own_number]
        {
            std::fs::create_dir_all(below.join(name)).unwrap();
        }
        for name in ["ask-me", "1-1-1.log"] {
            std::fs::write(below.join(name), "").unwrap();
        }
        // A Maven that has outlived who asked it.
        let mut orphan = std::process::Command::new("sleep")
            .arg("1000")
            .current_dir(below.join(format!("ask-{dead_id}-1")))
            .spawn()
            .unwrap();
        let work = Work::new(&below).unwrap();
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let left = || {
            let entries = std::fs::read_dir(&below).unwrap().flatten();
            let mut names: Vec<String> = entries.map(|entry| name(entry.path())).collect();
            names.retain(|name| name.starts_with("ask-"));
            names.sort();
            names
        };
        let own = name(work.path().to_owned());
        let mut expected =
            vec![format!("ask-{dead_id}-1"), format!("ask-{live_id}-0"), "ask-me".to_owned(), own.clone()];
        expected.sort();
        assert_eq!(left(), expected);
        orphan.kill().unwrap();
        orphan.wait().unwrap();
        drop(work);
        drop(Work::new(&below).unwrap());
        let mut expected = vec![format!("ask-{live_id}-0"), "ask-me".to_owned()];
        expected.sort();
        assert_eq!(left(), expected);
    }
}
