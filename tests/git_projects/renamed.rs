//! Branches and tags that take the place of others whose names they begin with.

use super::Workspace;
use super::git_repository::Repository;

fn commit_of(options: &str) -> String {
    format!("print(git::project(\"jobs\", #{{ {options} }}).commit);")
}

/// In a mirror a branch is a file, and `release/1.0` needs a folder where `release` is one.
#[test]
fn a_branch_or_tag_that_becomes_a_folder_of_others_is_followed_there_and_back() {
    for kind in ["branch", "tag"] {
        let root = tempfile::tempdir().unwrap();
        let jobs = Repository::new(&root.path().join("jobs"), &[("README.md", "one\n")]);
        let workspace =
            Workspace::new(&format!("projects:\n  jobs: {{ url: \"file://{}\" }}\n", jobs.folder.display()));
        let head = jobs.head();
        for (gone, name) in [("", "release"), ("release", "release/1.0"), ("release/1.0", "release")] {
            if !gone.is_empty() {
                jobs.git(&[kind, if kind == "branch" { "-D" } else { "-d" }, gone]);
            }
            jobs.git(&[kind, name]);
            assert_eq!(workspace.run(&commit_of(&format!("{kind}: \"{name}\""))).ok(), head, "{kind} {name}");
            if !gone.is_empty() {
                workspace.run(&commit_of(&format!("{kind}: \"{gone}\""))).fails("git.ref_not_found");
            }
        }
    }
}

/// What cannot be written is made anew, as a mirror that is damaged.
#[test]
fn a_mirror_whose_references_cannot_be_written_is_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let jobs = Repository::new(&root.path().join("jobs"), &[("README.md", "one\n")]);
    let workspace = Workspace::new(&format!("projects:\n  jobs: {{ url: \"file://{}\" }}\n", jobs.folder.display()));
    assert_eq!(workspace.run(&commit_of("branch: \"main\"")).ok(), jobs.head());
    // A folder that is not empty lies where the branch `next` is to be written, and no reference is in it.
    let mut folders = vec![workspace.path(".tidegate")];
    let mut blocked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
            if entry.path().ends_with("refs/heads") {
                std::fs::create_dir(entry.path().join("next")).unwrap();
                std::fs::write(entry.path().join("next/no reference"), "x").unwrap();
                blocked += 1;
            }
            folders.push(entry.path());
        }
    }
    assert_eq!(blocked, 1);
    jobs.git(&["branch", "next"]);
    assert_eq!(workspace.run(&commit_of("branch: \"next\"")).ok(), jobs.head());
}
