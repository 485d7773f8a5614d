//! Who brought what, as a tree.

use std::collections::BTreeMap;

use super::coordinates::Coordinates;
use super::dependency::{Closure, ClosureFile};

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// What is drawn before the name: `│  ├─ `.
    pub branches: String,
    /// The file; none for what brings others and is no file itself.
    pub file: Option<&'a ClosureFile>,
    /// Its name.
    pub coordinates: &'a Coordinates,
}

/// The files of a closure below what brought them. Each is there once, where Maven found it first.
pub fn lines(closure: &Closure) -> Vec<Line<'_>> {
    let files: BTreeMap<&Coordinates, &ClosureFile> =
        closure.files.iter().map(|file| (&file.coordinates, file)).collect();
    let mut below: BTreeMap<&Coordinates, Vec<&Coordinates>> = BTreeMap::new();
    let mut roots: Vec<&Coordinates> = Vec::new();
    for file in &closure.files {
        match &file.by {
            None => roots.push(&file.coordinates),
            Some(by) => {
                below.entry(by).or_default().push(&file.coordinates);
                // A pom brings files and is none.
                if !files.contains_key(by) && !roots.contains(&by) {
                    roots.push(by);
                }
            }
        }
    }
    roots.sort();
    let mut lines = Vec::new();
    for root in roots {
        lines.push(Line { branches: String::new(), file: files.get(root).copied(), coordinates: root });
        draw(root, "", &files, &below, &mut lines);
    }
    lines
}

fn draw<'a>(
    at: &Coordinates,
    indent: &str,
    files: &BTreeMap<&'a Coordinates, &'a ClosureFile>,
    below: &BTreeMap<&'a Coordinates, Vec<&'a Coordinates>>,
    lines: &mut Vec<Line<'a>>,
) {
    let children = below.get(at).map(Vec::as_slice).unwrap_or_default();
    for (index, child) in children.iter().enumerate() {
        let (branch, space) = if index + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        // A file that is drawn already would be its own ancestor.
        if lines.iter().any(|line| line.coordinates == *child) {
            continue;
        }
        lines.push(Line { branches: format!("{indent}{branch}"), file: files.get(child).copied(), coordinates: child });
        draw(child, &format!("{indent}{space}"), files, below, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closure(files: &[(&str, Option<&str>)]) -> Closure {
        let files = files.iter().map(|(text, by)| ClosureFile {
            coordinates: text.parse().unwrap(),
            sha256: String::new(),
            bytes: 1,
            by: by.map(|by| by.parse().unwrap()),
        });
        Closure { files: files.collect(), ..Closure::default() }
    }

    #[test]
    fn who_brought_what_is_drawn() {
        let closure = closure(&[
            ("a:a:1", None),
            ("b:b:1", Some("a:a:1")),
            ("c:c:1", Some("b:b:1")),
            ("d:d:1", Some("a:a:1")),
            ("e:e:1", None),
            ("f:f:1", Some("p:p:pom:1")),
        ]);
        let drawn: Vec<String> =
            lines(&closure).iter().map(|line| format!("{}{}", line.branches, line.coordinates)).collect();
        assert_eq!(drawn, ["a:a:1", "├─ b:b:1", "│  └─ c:c:1", "└─ d:d:1", "e:e:1", "p:p:pom:1", "└─ f:f:1"]);
    }

    #[test]
    fn a_damaged_record_is_drawn_all_the_same() {
        let closure = closure(&[("a:a:1", Some("b:b:1")), ("b:b:1", Some("a:a:1")), ("c:c:1", Some("c:c:1"))]);
        assert!(lines(&closure).is_empty());
    }
}
