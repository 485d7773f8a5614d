//! A program `mvn` that answers as it is told, and keeps the poms that it was asked with. Maven's own outputs are real ones.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The program: it finds the pom and the file for its answer among its arguments, as the real one does.
const PROGRAM: &str = r#"#!/bin/sh
fake=$(dirname "$0")
while [ $# -gt 0 ]; do
  case "$1" in
    -f) pom=$2 ;;
    -DoutputFile=*) file=${1#-DoutputFile=} ;;
    -U) anew=1 ;;
  esac
  shift
done
number=1
while [ -e "$fake/pom-$number" ]; do number=$((number + 1)); done
cp "$pom" "$fake/pom-$number"
if [ -e "$fake/hang" ]; then
  sleep 1000 &
  echo "$$ $!" > "$fake/pids"
  wait
fi
for word in "${anew:+anew}" "$number" all; do
  if [ -n "$word" ] && [ -e "$fake/out-$word" ]; then
    cat "$fake/out-$word"
    exit 1
  fi
  if [ -n "$word" ] && [ -e "$fake/answer-$word" ]; then
    cp "$fake/answer-$word" "$file"
    exit 0
  fi
done
echo "nobody told the fake what to say" >&2
exit 2
"#;

/// A fake Maven in a folder of its own.
pub struct FakeMaven {
    folder: TempDir,
}

/// A file that it finds: `(coordinates with their type, what brought it, what is in it)`.
pub type File<'a> = (&'a str, Option<&'a str>, &'a [u8]);

impl FakeMaven {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("mvn");
        std::fs::write(&program, PROGRAM).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// A PATH on which it comes first.
    pub fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.folder.path().display())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Answers question `word` (a number from 1, or `all`, or `anew`) with these files.
    pub fn answers(&self, word: &str, files: &[File<'_>]) {
        let mut list = "\nThe following files have been resolved:\n".to_owned();
        for (coordinates, _, bytes) in files {
            let path = self.file(&format!("{}.jar", coordinates.replace(':', "-")));
            std::fs::write(&path, bytes).unwrap();
            let _ = writeln!(list, "   {coordinates}:compile:{}", path.display());
        }
        let tree = node("t:t:pom:1", files, None);
        std::fs::write(self.file(&format!("answer-{word}")), format!("{tree}{list}")).unwrap();
        let _ = std::fs::remove_file(self.file(&format!("out-{word}")));
    }

    /// Fails at question `word` with this error.
    pub fn fails(&self, word: &str, error: &str) {
        let text =
            format!("[INFO] Scanning for projects...\n[INFO] BUILD FAILURE\n[ERROR] {error} -> [Help 1]\n[ERROR] \n");
        std::fs::write(self.file(&format!("out-{word}")), text).unwrap();
    }

    /// Does not end.
    pub fn hangs(&self) {
        std::fs::write(self.file("hang"), "").unwrap();
    }

    /// The poms that it was asked with, in order.
    pub fn poms(&self) -> Vec<String> {
        let poms = (1..).map(|number| std::fs::read_to_string(self.file(&format!("pom-{number}"))));
        poms.map_while(Result::ok).collect()
    }
}

fn node(coordinates: &str, files: &[File<'_>], root: Option<&str>) -> serde_json::Value {
    let parts: Vec<&str> = coordinates.split(':').collect();
    let (classifier, version) = match parts.as_slice() {
        [_, _, _, version] => ("", *version),
        [_, _, _, classifier, version] => (*classifier, *version),
        _ => panic!("{coordinates}"),
    };
    let children = files.iter().filter(|(_, by, _)| *by == root).map(|(own, ..)| node(own, files, Some(own)));
    serde_json::json!({
        "groupId": parts[0], "artifactId": parts[1], "type": parts[2], "classifier": classifier, "version": version,
        "scope": "compile", "optional": "false", "children": children.collect::<Vec<_>>(),
    })
}

/// A line that names the log of a failed Maven, with its number masked.
pub fn without_log_number(text: &str) -> String {
    let mut masked = Vec::new();
    for line in text.lines() {
        masked.push(match line.split_once("/maven/") {
            Some((before, after)) if Path::new(after).extension().is_some_and(|end| end == "log") => {
                format!("{before}/maven/[number].log")
            }
            _ => line.to_owned(),
        });
    }
    masked.join("\n")
}
