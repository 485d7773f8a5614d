//! Repositories for tests, made with the real `git`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with a work tree, to which tests commit.
pub(crate) struct Repository {
    pub(crate) folder: PathBuf,
}

impl Repository {
    /// A new one with these files in its first commit, on `main`.
    pub(crate) fn new(folder: &Path, files: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let repository = Self { folder: folder.to_owned() };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit("first", files);
        repository
    }

    /// Runs git in it and gives what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        // The settings of whoever runs the tests have no say.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for part in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{part}_NAME"), "ada").env(format!("GIT_{part}_EMAIL"), "ada@example.com");
        }
        let output = command.current_dir(&self.folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files and commits all there is; gives the commit.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    /// The newest commit.
    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}
