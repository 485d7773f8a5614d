//! `tidegate.lock`: every file that the dependencies of all jobs come to. Sorted and stable, made to be read in a diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use super::coordinates::Coordinates;
use super::dependency::{Closure, ClosureFile, Dependency, LeftOut};
use crate::base::error::Place;
use crate::base::hash::sha256;
use crate::base::{Error, Result, code};

/// The name of the file, at the root of the workspace.
pub const FILE: &str = "tidegate.lock";

/// The version of its form.
const VERSION: u32 = 2;

/// The form before it, whose sets have no hash.
const WITHOUT_HASHES: u32 = 1;

const HEADER: &str = "\
# Every file that the `dependencies:` of the jobs come to, with its SHA-256. Written by tidegate: commit it with the
# scripts, do not edit it: the `sha256` of a set is over its lines. To resolve a set anew, delete it here, whole, and deploy.
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
        let mut put = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        put(if self.sets.is_empty() { "sets: []" } else { "sets:" });
        let mut files = BTreeMap::new();
        for set in &self.sets {
            set_lines(set).iter().for_each(|line| put(line));
            put(&format!("    sha256: \"{}\"", set_hash(set)));
            files.extend(set.files.iter().map(|file| (file.coordinates.to_string(), file)));
        }
        put(if files.is_empty() { "files: {}" } else { "files:" });
        files.values().for_each(|file| put(&file_line(file)));
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
            let error = match message.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(',').next()) {
                // What the crate advises is for programs that use it.
                Some(key) => invalid(format!("`{FILE}` has the key `{key}` twice in one place")).hint(
                    "a merge leaves that: take either side's file whole; what is missing in it is added by the next deploy",
                ),
                None => invalid(format!("`{FILE}` cannot be read")).caused_by(message),
            };
            if line == 0 {
                return error;
            }
            error.at(Place { file: FILE.to_owned(), line, column: 0, excerpt, label: String::new() })
        })?;
        if ![VERSION, WITHOUT_HASHES].contains(&written.lock) {
            let error = invalid(format!("`{FILE}` has version {}, and this tidegate knows {VERSION}", written.lock));
            // No tidegate ever wrote an older one: then it was edited.
            return Err(if written.lock > VERSION {
                error.hint("use the newer tidegate that wrote it")
            } else {
                error
            });
        }
        let named: BTreeSet<String> =
            written.sets.iter().flat_map(|set| &set.files).map(|file| file.jar.to_string()).collect();
        let strays: Vec<&String> = written.files.keys().filter(|jar| !named.contains(*jar)).collect();
        let lost = |error: Error| {
            strays.iter().fold(error, |error, jar| error.caused_by(format!("`{jar}` has a hash, and no set names it")))
        };
        if written.lock == WITHOUT_HASHES && !strays.is_empty() {
            return Err(lost(invalid(format!("`{FILE}` has lost lines of a set"))).hint(format!(
                "take `{FILE}` from git as it was; where a whole set was deleted to have it anew, delete these hashes, too"
            )));
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
            let closure = Closure { declared, files, left_out };
            if written.lock == VERSION && set.sha256.as_deref() != Some(set_hash(&closure).as_str()) {
                return Err(lost(invalid(edited(&closure))).hint(format!(
                    "take `{FILE}` from git as it was; where that is not wanted, delete the whole set, from its \
                     `- dependencies:` to its `sha256:`, and deploy: it is resolved anew"
                )));
            }
            if lock.find(&closure.declared).is_some_and(|other| *other != closure) {
                return Err(invalid(format!("`{FILE}` has {} twice, with other files", names(&closure)))
                    .hint("delete one of the two, whole"));
            }
            lock = lock.with(closure);
        }
        Ok(lock)
    }
}

/// A set as it is written, without its hash.
fn set_lines(set: &Closure) -> Vec<String> {
    let mut lines = vec!["  - dependencies:".to_owned()];
    lines.extend(set.declared.iter().map(|dependency| format!("      - {}", declared(dependency))));
    lines.push(format!("    files:{}", if set.files.is_empty() { " []" } else { "" }));
    lines.extend(set.files.iter().map(|file| format!("      - {}", brought(&file.coordinates, file.by.as_ref()))));
    if !set.left_out.is_empty() {
        lines.push("    left_out:".to_owned());
    }
    lines.extend(set.left_out.iter().map(|one| format!("      - {}", brought(&one.coordinates, one.by.as_ref()))));
    lines
}

fn file_line(file: &ClosureFile) -> String {
    format!("  \"{}\": {{ sha256: \"{}\", bytes: {} }}", file.coordinates, file.sha256, file.bytes)
}

/// The hash of a set: over its lines, and those of its files. What is lost or changed in any of them is found by it.
fn set_hash(set: &Closure) -> String {
    let mut text = set_lines(set).join("\n");
    for file in &set.files {
        text.push('\n');
        text.push_str(&file_line(file));
    }
    sha256(text.as_bytes())
}

fn edited(set: &Closure) -> String {
    format!("`{FILE}` was edited: the set of {} is not what was written", names(set))
}

fn names(set: &Closure) -> String {
    let names: Vec<String> = set.declared.iter().map(|one| format!("`{}`", one.coordinates)).collect();
    names.join(", ")
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
    #[serde(default)]
    sha256: Option<String>,
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
        let [first, second] = lock.sets() else { panic!("{lock:?}") };
        let (first, second) = (set_hash(first), set_hash(second));
        let expected = format!(
            "{HEADER}\
lock: 2
sets:
  - dependencies:
      - \"a:a:1.0\"
    files:
      - {{ jar: \"a:a:1.0\" }}
      - {{ jar: \"c:c:jar:linux:2\", by: \"a:a:1.0\" }}
    sha256: \"{first}\"
  - dependencies:
      - {{ coordinates: \"b:b:1\", exclude: [\"org.x:*\"] }}
    files:
      - {{ jar: \"b:b:1\" }}
    left_out:
      - {{ jar: \"org.slf4j:slf4j-api:1.7.36\" }}
    sha256: \"{second}\"
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
            (text.replace("lock: 2", "lock: 3"), "`tidegate.lock` has version 3, and this tidegate knows 2"),
            (text.replace(&a, "abc"), "`tidegate.lock` has no SHA-256 of `a:a:1.0`"),
            (text.replace(&c, ""), "`tidegate.lock` names `c:c:jar:linux:2` in a set, and has no hash of it"),
            (format!("<<<<<<< HEAD\n{text}"), "`tidegate.lock` has conflicts of a merge in it"),
            (text.replace("bytes: 7", "bytes: many"), "`tidegate.lock` cannot be read"),
            ("lock: 2\nsets: [".to_owned(), "`tidegate.lock` cannot be read"),
        ] {
            let error = DependencyLock::parse(&broken).unwrap_err();
            assert!(error.is(&code::DEPENDENCY_LOCK_INVALID) && error.hint_text().is_some());
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn a_line_that_a_merge_left_twice_and_a_version_that_nobody_wrote_are_told() {
        let text = example().text();
        let line = text.lines().find(|line| line.starts_with("    sha256: ")).unwrap();
        let error = DependencyLock::parse(&text.replacen(line, &format!("{line}\n{line}"), 1)).unwrap_err();
        assert_eq!(error.message(), "`tidegate.lock` has the key `sha256` twice in one place");
        assert_eq!(error.causes(), [""; 0]);
        assert_eq!(error.places()[0].excerpt.as_deref(), Some(line));
        assert!(error.hint_text().unwrap().contains("take either side's file whole"), "{error:?}");
        for (version, is_newer) in [("0", false), ("9", true)] {
            let error = DependencyLock::parse(&text.replace("lock: 2", &format!("lock: {version}"))).unwrap_err();
            assert_eq!(error.hint_text().unwrap().contains("newer tidegate"), is_newer, "{error:?}");
        }
    }

    /// The text without one line.
    fn without(text: &str, line: &str) -> String {
        let kept: Vec<&str> = text.lines().filter(|one| one.trim() != line).collect();
        assert_eq!(kept.len() + 1, text.lines().count(), "{line}");
        kept.join("\n") + "\n"
    }

    #[test]
    fn a_line_that_was_lost_or_edited_is_found() {
        let text = example().text();
        for broken in [
            without(&text, "- { jar: \"c:c:jar:linux:2\", by: \"a:a:1.0\" }"),
            without(&without(&text, "left_out:"), "- { jar: \"org.slf4j:slf4j-api:1.7.36\" }"),
            text.replace(", by: \"a:a:1.0\"", ""),
            text.replace("bytes: 7", "bytes: 8"),
            text.replace(&sha256(b"a:a:1.0"), &sha256(b"another")),
            text.replace(", exclude: [\"org.x:*\"]", ""),
            text.lines().filter(|line| !line.starts_with("    sha256: ")).map(|line| format!("{line}\n")).collect(),
        ] {
            let error = DependencyLock::parse(&broken).unwrap_err();
            assert!(error.is(&code::DEPENDENCY_LOCK_INVALID), "{broken}");
            assert!(error.message().starts_with("`tidegate.lock` was edited: the set of `"), "{error:?}");
        }
        let lost = DependencyLock::parse(&without(&text, "- { jar: \"c:c:jar:linux:2\", by: \"a:a:1.0\" }"));
        assert_eq!(lost.unwrap_err().causes(), ["`c:c:jar:linux:2` has a hash, and no set names it"]);
    }

    #[test]
    fn a_whole_set_may_be_deleted_and_sets_of_two_branches_may_stand_together() {
        let lock = example();
        let text = lock.text();
        let start = text.find("  - dependencies:\n      - { coordinates").unwrap();
        let deleted = format!("{}{}", &text[..start], &text[text.find("files:\n  \"").unwrap()..]);
        let left = DependencyLock::parse(&deleted).unwrap();
        assert_eq!(left.sets(), &lock.sets()[..1]);
        let twice =
            text.replace("files:\n  \"", &format!("{}files:\n  \"", &text[start..text.find("files:\n  \"").unwrap()]));
        assert_eq!(DependencyLock::parse(&twice).unwrap(), lock, "the same set twice is the set");
    }

    #[test]
    fn a_lock_of_the_form_before_is_read_where_nothing_is_lost() {
        let text: String = example().text().replace("lock: 2", "lock: 1");
        let old: String =
            text.lines().filter(|line| !line.starts_with("    sha256: ")).map(|line| format!("{line}\n")).collect();
        assert_eq!(DependencyLock::parse(&old).unwrap(), example());
        let error = DependencyLock::parse(
            &without(&old, "- { jar: \"b:b:1\" }").replace("files:\n    left", "files: []\n    left"),
        )
        .unwrap_err();
        assert_eq!(error.message(), "`tidegate.lock` has lost lines of a set");
        assert_eq!(error.causes(), ["`b:b:1` has a hash, and no set names it"]);
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
