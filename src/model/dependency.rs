//! What a job depends on: what its author wrote, and the files that this comes to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::coordinates::{Coordinates, Exclusion};
use crate::base::{Error, Result, code};

/// A dependency as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// What is wanted.
    pub coordinates: Coordinates,
    /// What it must not bring; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
}

impl Dependency {
    /// In one line: the coordinates, and what they must not bring.
    pub fn shown(&self) -> String {
        let Self { coordinates, exclude } = self;
        match exclude.as_slice() {
            [] => coordinates.to_string(),
            exclude => {
                let names: Vec<String> = exclude.iter().map(ToString::to_string).collect();
                format!("{coordinates} without {}", names.join(", "))
            }
        }
    }
}

/// Sorts what was written, so that its order never matters.
///
/// # Errors
/// `dependency.invalid` where one artifact is wanted in two versions, or with two lists of what it must not bring.
pub fn sorted(mut declared: Vec<Dependency>) -> Result<Vec<Dependency>> {
    declared.iter_mut().for_each(|one| {
        one.exclude.sort();
        one.exclude.dedup();
    });
    declared.sort();
    declared.dedup();
    for pair in declared.windows(2) {
        let [one, other] = pair else { continue };
        if one.coordinates.name() != other.coordinates.name() {
            continue;
        }
        let message = if one.coordinates == other.coordinates {
            format!("`{}` is there twice, with other exclusions", one.coordinates)
        } else {
            format!("`{}` and `{}` are two versions of one artifact", one.coordinates, other.coordinates)
        };
        return Err(Error::new(&code::DEPENDENCY_INVALID, message).hint("a class path has one of them: drop the other"));
    }
    Ok(declared)
}

/// A file that travels with a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureFile {
    /// What it is.
    pub coordinates: Coordinates,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How many there are.
    pub bytes: u64,
    /// What brought it; none where the author named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Coordinates>,
}

/// A file that does not travel, since it is not needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it is.
    pub coordinates: Coordinates,
    /// What would have brought it; none where the author named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Coordinates>,
}

/// A set of dependencies, and all that it comes to. Sorted throughout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// What was written.
    pub declared: Vec<Dependency>,
    /// The files that travel with the job.
    pub files: Vec<ClosureFile>,
    /// Those that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The first digits of a hash, and those from where it differs from another, where that is later.
fn brief(sha256: &str, other: &str) -> String {
    const DIGITS: usize = 8;
    let same = sha256.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let first = sha256.get(..DIGITS).unwrap_or(sha256);
    match sha256.get(same..(same + DIGITS).min(sha256.len())) {
        Some(rest) if same >= DIGITS => format!("{first}...{rest}"),
        _ => first.to_owned(),
    }
}

impl Closure {
    /// Whether nothing was wanted.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// How many bytes travel.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// In what the files of another closure differ from those of this one, a line for each artifact.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        let by_name = |closure: &Self| -> BTreeMap<String, ClosureFile> {
            closure.files.iter().map(|file| (file.coordinates.name(), file.clone())).collect()
        };
        let (old, new) = (by_name(self), by_name(new));
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let line = |name: &String| match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old.coordinates.version != new.coordinates.version => {
                Some(format!("dependency {name} {} -> {}", old.coordinates.version, new.coordinates.version))
            }
            (Some(old), Some(new)) if old.sha256 != new.sha256 => Some(format!(
                "dependency {name} {}: another file ({} -> {})",
                new.coordinates.version,
                brief(&old.sha256, &new.sha256),
                brief(&new.sha256, &old.sha256)
            )),
            (None, Some(new)) => Some(format!("dependency {name} none -> {}", new.coordinates.version)),
            (Some(old), None) => Some(format!("dependency {name} {} -> none", old.coordinates.version)),
            _ => None,
        };
        names.into_iter().filter_map(line).collect()
    }

    /// In what another list of wanted dependencies differs from that of this closure, a line each.
    pub fn declared_differences(&self, new: &[Dependency]) -> Vec<String> {
        let (gone, come): (Vec<&Dependency>, Vec<&Dependency>) = (
            self.declared.iter().filter(|one| !new.contains(one)).collect(),
            new.iter().filter(|one| !self.declared.contains(one)).collect(),
        );
        let gone = gone.into_iter().map(|one| format!("- {}", one.shown()));
        gone.chain(come.into_iter().map(|one| format!("+ {}", one.shown()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(text: &str) -> Dependency {
        Dependency { coordinates: text.parse().unwrap(), exclude: Vec::new() }
    }

    fn closure(files: &[(&str, &str)]) -> Closure {
        let file = |(text, sha256): &(&str, &str)| ClosureFile {
            coordinates: text.parse().unwrap(),
            sha256: (*sha256).to_owned(),
            bytes: 1,
            by: None,
        };
        Closure { files: files.iter().map(file).collect(), ..Closure::default() }
    }

    #[test]
    fn the_order_of_dependencies_does_not_matter_and_two_versions_are_refused() {
        let one = sorted(vec![dependency("b:b:1"), dependency("a:a:1"), dependency("b:b:1")]).unwrap();
        assert_eq!(one, [dependency("a:a:1"), dependency("b:b:1")]);
        let error = sorted(vec![dependency("a:a:2"), dependency("a:a:1")]).unwrap_err();
        assert_eq!(error.message(), "`a:a:1` and `a:a:2` are two versions of one artifact");
        let mut other = dependency("a:a:1");
        other.exclude.push("x:*".parse().unwrap());
        let error = sorted(vec![dependency("a:a:1"), other]).unwrap_err();
        assert_eq!(error.message(), "`a:a:1` is there twice, with other exclusions");
    }

    #[test]
    fn hashes_that_begin_alike_are_shown_where_they_differ() {
        let hash = |end: &str| format!("d7796287{}{end}", "0".repeat(50));
        let (one, other) = (hash("10fffe"), hash("20fffe"));
        let differences = closure(&[("a:a:1", &one)]).differences(&closure(&[("a:a:1", &other)]));
        assert_eq!(differences, ["dependency a:a 1: another file (d7796287...10fffe -> d7796287...20fffe)"]);
    }

    #[test]
    fn differences_are_told_by_artifact() {
        let old = closure(&[("a:a:1", "aa"), ("b:b:1", "bb"), ("c:c:1", "cc"), ("e:e:1", "ee")]);
        let new = closure(&[("a:a:2", "a2"), ("b:b:1", "bx"), ("d:d:3", "dd"), ("e:e:1", "ee")]);
        assert_eq!(
            old.differences(&new),
            [
                "dependency a:a 1 -> 2",
                "dependency b:b 1: another file (bb -> bx)",
                "dependency c:c 1 -> none",
                "dependency d:d none -> 3",
            ]
        );
    }
}
