//! `tidegate.lock`: every file that the dependencies of all jobs come to. Sorted and stable, made to be read in a diff.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::coordinates::Coordinates;
use super::dependency::{Closure, ClosureFile, Dependency, LeftOut};
use crate::base::error::Place;
use crate::base::{Error, Result, code};

/// The name of the file, at the root of the workspace.
pub const FILE: &str = "tidegate.lock";

/// The version of its form.
const VERSION: u32 = 1;

const HEADER: &str = "\
# Every file that the `dependencies:` of the jobs come to, with its SHA-256. Written by tidegate: commit it with the
# scripts, do not edit it. To resolve a set anew, delete it here and deploy.
";

/// What is locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DependencyLock {
    /// Each set of dependencies with its closure, sorted by what was wanted.
    sets: Vec<Closure>,
}

impl DependencyLock {
    /// The closures.
    pub fn sets(&self) -> &[Closure] {
        &self.sets
    }

    /// The closure of a set of dependencies, which is sorted.
    pub fn find(&self, declared: &[Dependency]) -> Option<&Closure> {
        self.sets.iter().find(|set| set.declared == declared)
    }

    /// The set that has most in common with this one, to tell what differs.
    pub fn nearest(&self, declared: &[Dependency]) -> Option<&Closure> {
        let names: Vec<String> = declared.iter().map(|one| one.coordinates.name()).collect();
        let common = |set: &Closure| set.declared.iter().filter(|one| names.contains(&one.coordinates.name())).count();
        self.sets.iter().filter(|set| common(set) > 0).max_by_key(|set| common(set))
    }

    /// The hash that a file must have.
    pub fn sha256(&self, coordinates: &Coordinates) -> Option<&str> {
        let mut files = self.sets.iter().flat_map(|set| &set.files);
        files.find(|file| file.coordinates == *coordinates).map(|file| file.sha256.as_str())
    }

    /// This lock with another set, which takes the place of one with the same dependencies.
    #[must_use]
    pub fn with(&self, closure: Closure) -> Self {
        let mut sets: Vec<Closure> = self.sets.iter().filter(|set| set.declared != closure.declared).cloned().collect();
        sets.push(closure);
        sets.sort_by(|one, other| one.declared.cmp(&other.declared));
        Self { sets }
    }

    /// This lock with those sets alone that are wanted.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&Closure) -> bool) -> Self {
        Self { sets: self.sets.iter().filter(|set| is_wanted(set)).cloned().collect() }
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{HEADER}lock: {VERSION}\n");
        let mut put = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        put(if self.sets.is_empty() { "sets: []".to_owned() } else { "sets:".to_owned() });
        let mut files = BTreeMap::new();
        for set in &self.sets {
            put("  - dependencies:".to_owned());
            for dependency in &set.declared {
                put(format!("      - {}", declared(dependency)));
            }
            put(format!("    files:{}", if set.files.is_empty() { " []" } else { "" }));
            for file in &set.files {
                files.insert(file.coordinates.to_string(), (&file.sha256, file.bytes));
                put(format!("      - {}", brought(&file.coordinates, file.by.as_ref())));
            }
            if !set.left_out.is_empty() {
                put("    left_out:".to_owned());
            }
            for left_out in &set.left_out {
                put(format!("      - {}", brought(&left_out.coordinates, left_out.by.as_ref())));
            }
        }
        put(if files.is_empty() { "files: {}".to_owned() } else { "files:".to_owned() });
        for (coordinates, (sha256, bytes)) in files {
            put(format!("  \"{coordinates}\": {{ sha256: \"{sha256}\", bytes: {bytes} }}"));
        }
        text
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// `dependency.lock_invalid` with the place.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |message: String| {
            Error::new(&code::DEPENDENCY_LOCK_INVALID, message).hint(format!(
                "take `{FILE}` from git as it was, or delete it: it is written anew, and the versions may be others"
            ))
        };
        if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
            return Err(invalid(format!("`{FILE}` has conflicts of a merge in it"))
                .hint("take either side whole: what is missing in it is added by the next deploy"));
        }
        let written: Written = serde_yaml::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| usize::try_from(location.line()).unwrap_or(0));
            let whole = error.to_string();
            // The crate names the place, which is shown with the excerpt.
            let message = whole.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let message = match message.split_once(": ") {
                Some((place, rest)) if place.starts_with("line ") => rest,
                _ => message,
            };
            let excerpt = text.lines().nth(line.saturating_sub(1)).map(str::to_owned);
            let error = invalid(format!("`{FILE}` cannot be read")).caused_by(message);
            if line == 0 {
                return error;
            }
            error.at(Place { file: FILE.to_owned(), line, column: 0, excerpt, label: String::new() })
        })?;
        if written.lock != VERSION {
            return Err(invalid(format!("`{FILE}` has version {}, and this tidegate knows {VERSION}", written.lock))
                .hint("use the newer tidegate that wrote it"));
        }
        let mut lock = Self::default();
        for set in written.sets {
            let file = |one: Brought| {
                let hashed = written
                    .files
                    .get(&one.jar.to_string())
                    .ok_or_else(|| invalid(format!("`{FILE}` names `{}` in a set, and has no hash of it", one.jar)))?;
                if hashed.sha256.len() != 64 || !hashed.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(invalid(format!("`{FILE}` has no SHA-256 of `{}`", one.jar)));
                }
                let sha256 = hashed.sha256.to_ascii_lowercase();
                Ok(ClosureFile { coordinates: one.jar, sha256, bytes: hashed.bytes, by: one.by })
            };
            let declared = super::dependency::sorted(set.dependencies.into_iter().map(Dependency::from).collect())?;
            let files = set.files.into_iter().map(file).collect::<Result<Vec<_>>>()?;
            let left_out = set.left_out.into_iter().map(|one| LeftOut { coordinates: one.jar, by: one.by }).collect();
            lock = lock.with(Closure { declared, files, left_out });
        }
        Ok(lock)
    }
}

fn declared(dependency: &Dependency) -> String {
    let Dependency { coordinates, exclude } = dependency;
    if exclude.is_empty() {
        return format!("\"{coordinates}\"");
    }
    let exclude: Vec<String> = exclude.iter().map(|one| format!("\"{one}\"")).collect();
    format!("{{ coordinates: \"{coordinates}\", exclude: [{}] }}", exclude.join(", "))
}

fn brought(jar: &Coordinates, by: Option<&Coordinates>) -> String {
    let mut text = format!("{{ jar: \"{jar}\"");
    if let Some(by) = by {
        let _ = write!(text, ", by: \"{by}\"");
    }
    text + " }"
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lock: u32,
    sets: Vec<WrittenSet>,
    files: BTreeMap<String, Hashed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    dependencies: Vec<Wanted>,
    files: Vec<Brought>,
    #[serde(default)]
    left_out: Vec<Brought>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Plain(Coordinates),
    Excluding(Dependency),
}

impl From<Wanted> for Dependency {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Plain(coordinates) => Self { coordinates, exclude: Vec::new() },
            Wanted::Excluding(dependency) => dependency,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    jar: Coordinates,
    #[serde(default)]
    by: Option<Coordinates>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hashed {
    sha256: String,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::hash::sha256;

    fn file(text: &str, by: Option<&str>) -> ClosureFile {
        let by = by.map(|by| by.parse().unwrap());
        ClosureFile { coordinates: text.parse().unwrap(), sha256: sha256(text.as_bytes()), bytes: 7, by }
    }

    fn example() -> DependencyLock {
        let excluding = Dependency { coordinates: "b:b:1".parse().unwrap(), exclude: vec!["org.x:*".parse().unwrap()] };
        let plain = Dependency { coordinates: "a:a:1.0".parse().unwrap(), exclude: Vec::new() };
        let left_out = LeftOut { coordinates: "org.slf4j:slf4j-api:1.7.36".parse().unwrap(), by: None };
        DependencyLock::default()
            .with(Closure { declared: vec![excluding], files: vec![file("b:b:1", None)], left_out: vec![left_out] })
            .with(Closure {
                declared: vec![plain],
                files: vec![file("a:a:1.0", None), file("c:c:jar:linux:2", Some("a:a:1.0"))],
                left_out: Vec::new(),
            })
    }

    #[test]
    fn a_lock_is_written_for_diffs_and_read_again() {
        let lock = example();
        let (a, b, c) = (sha256(b"a:a:1.0"), sha256(b"b:b:1"), sha256(b"c:c:jar:linux:2"));
        let expected = format!(
            "{HEADER}\
lock: 1
sets:
  - dependencies:
      - \"a:a:1.0\"
    files:
      - {{ jar: \"a:a:1.0\" }}
      - {{ jar: \"c:c:jar:linux:2\", by: \"a:a:1.0\" }}
  - dependencies:
      - {{ coordinates: \"b:b:1\", exclude: [\"org.x:*\"] }}
    files:
      - {{ jar: \"b:b:1\" }}
    left_out:
      - {{ jar: \"org.slf4j:slf4j-api:1.7.36\" }}
files:
  \"a:a:1.0\": {{ sha256: \"{a}\", bytes: 7 }}
  \"b:b:1\": {{ sha256: \"{b}\", bytes: 7 }}
  \"c:c:jar:linux:2\": {{ sha256: \"{c}\", bytes: 7 }}
"
        );
        assert_eq!(lock.text(), expected);
        assert_eq!(DependencyLock::parse(&expected).unwrap(), lock);
        let empty = DependencyLock::default();
        assert_eq!(DependencyLock::parse(&empty.text()).unwrap(), empty);
    }

    #[test]
    fn what_is_no_lock_is_refused_with_the_reason() {
        let text = example().text();
        let (a, c) = (
            sha256(b"a:a:1.0"),
            format!("  \"c:c:jar:linux:2\": {{ sha256: \"{}\", bytes: 7 }}\n", sha256(b"c:c:jar:linux:2")),
        );
        for (broken, message) in [
            (text.replace("lock: 1", "lock: 2"), "`tidegate.lock` has version 2, and this tidegate knows 1"),
            (text.replace(&a, "abc"), "`tidegate.lock` has no SHA-256 of `a:a:1.0`"),
            (text.replace(&c, ""), "`tidegate.lock` names `c:c:jar:linux:2` in a set, and has no hash of it"),
            (format!("<<<<<<< HEAD\n{text}"), "`tidegate.lock` has conflicts of a merge in it"),
            (text.replace("bytes: 7", "bytes: many"), "`tidegate.lock` cannot be read"),
            ("lock: 1\nsets: [".to_owned(), "`tidegate.lock` cannot be read"),
        ] {
            let error = DependencyLock::parse(&broken).unwrap_err();
            assert!(error.is(&code::DEPENDENCY_LOCK_INVALID) && error.hint_text().is_some());
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn the_nearest_set_tells_what_differs() {
        let lock = example();
        let wanted = [Dependency { coordinates: "a:a:1.1".parse().unwrap(), exclude: Vec::new() }];
        assert!(lock.find(&wanted).is_none());
        assert_eq!(lock.nearest(&wanted).unwrap().declared_differences(&wanted), ["- a:a:1.0", "+ a:a:1.1"]);
    }

    prop_compose! {
        fn coordinates()(text in "[a-z]{1,3}:[a-z]{1,3}(:jar:[0-9]{1,2}[a-z]?)?:[0-9]{1,2}(\\.[0-9]{1,2})?(e[0-9])?") -> Coordinates {
            text.parse().unwrap()
        }
    }

    prop_compose! {
        fn set()(
            wanted in proptest::collection::btree_map("[a-c]", coordinates(), 1..3),
            files in proptest::collection::btree_set(coordinates(), 0..5),
            by in coordinates(),
        ) -> Option<Closure> {
            let declared = wanted.into_values().map(|coordinates| Dependency { coordinates, exclude: Vec::new() }).collect();
            let hashed = |coordinates: Coordinates| ClosureFile {
                sha256: sha256(coordinates.to_string().as_bytes()), coordinates, bytes: 1, by: Some(by.clone()),
            };
            let declared = super::super::dependency::sorted(declared).ok()?;
            Some(Closure { declared, files: files.into_iter().map(hashed).collect(), left_out: Vec::new() })
        }
    }

    proptest! {
        #[test]
        fn every_lock_is_read_as_it_was_written(sets in proptest::collection::vec(set(), 0..5)) {
            let lock = sets.iter().flatten().fold(DependencyLock::default(), |lock, set| lock.with(set.clone()));
            prop_assert_eq!(&DependencyLock::parse(&lock.text()).unwrap(), &lock);
            let backwards = sets.iter().flatten().rev().fold(DependencyLock::default(), |lock, set| lock.with(set.clone()));
            let names = |lock: &DependencyLock| lock.sets().iter().map(|set| set.declared.clone()).collect::<Vec<_>>();
            prop_assert_eq!(names(&backwards), names(&lock));
        }

        #[test]
        fn no_text_breaks_the_reader_of_locks(text in "\\PC{0,60}") {
            prop_assert!(DependencyLock::parse(&text).is_err());
        }
    }
}
