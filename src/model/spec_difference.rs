//! In what two specs of a job differ, in lines that a person reads: the old value and the new one, secrets as `***`.

use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};

use super::job_spec::{Artifact, JobSpec, Program};

/// What differs between the spec that is recorded and the one that is wanted; nothing where a running job has the same.
pub fn running(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    let mut lines = Vec::new();
    value(&mut lines, "cluster", &old.cluster, &new.cluster);
    program(&mut lines, &old.program, &new.program);
    value(&mut lines, "parallelism", &number(old.parallelism), &number(new.parallelism));
    configuration(&mut lines, &old.configuration, &new.configuration);
    value(&mut lines, "jars", &jars(&old.jars), &jars(&new.jars));
    lines
}

/// What differs in the labels, which no running job has.
pub fn labels(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    let mut lines = Vec::new();
    value(&mut lines, "tags", &list(&old.tags), &list(&new.tags));
    let owner = |spec: &JobSpec| spec.owner.clone().unwrap_or_else(|| "nobody".to_owned());
    value(&mut lines, "owner", &owner(old), &owner(new));
    lines
}

fn value(lines: &mut Vec<String>, name: &str, old: &str, new: &str) {
    if old != new {
        lines.push(format!("{name}: {old} -> {new}"));
    }
}

fn number(number: Option<u32>) -> String {
    number.map_or_else(|| "the cluster's default".to_owned(), |number| number.to_string())
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn jars(jars: &[Artifact]) -> String {
    list(&jars.iter().map(jar).collect::<Vec<_>>())
}

fn jar(jar: &Artifact) -> String {
    format!("{} ({})", jar.path, jar.sha256.get(..8).unwrap_or(&jar.sha256))
}

fn program(lines: &mut Vec<String>, old: &Program, new: &Program) {
    match (old, new) {
        (Program::Sql { statements: old, .. }, Program::Sql { statements: new, .. }) => {
            let text = |statements: &[super::statement::Statement]| {
                statements.iter().map(|statement| format!("{};\n", statement.text)).collect::<String>()
            };
            let (shown_old, shown_new) = (text(old), text(new));
            let same = old.iter().map(|one| &one.text).eq(new.iter().map(|one| &one.text));
            if shown_old != shown_new {
                lines.push("sql:".to_owned());
                lines.extend(text_difference(&shown_old, &shown_new));
            } else if !same {
                lines.push("sql: the same but for which secret stands where".to_owned());
            }
        }
        (
            Program::Jar { jar: old_jar, main_class: old_class, arguments: old_arguments },
            Program::Jar { jar: new_jar, main_class: new_class, arguments: new_arguments },
        ) => {
            if old_jar.sha256 != new_jar.sha256 {
                value(lines, "jar", &jar(old_jar), &jar(new_jar));
            }
            let class = |class: &Option<String>| class.clone().unwrap_or_default();
            value(lines, "main_class", &class(old_class), &class(new_class));
            if old_arguments != new_arguments {
                let shown = |arguments: &[crate::base::secret::SecretText]| {
                    arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                };
                lines.push(format!("args: {} -> {}", shown(old_arguments), shown(new_arguments)));
            }
        }
        (Program::Sql { .. }, Program::Jar { .. }) => lines.push("program: sql -> jar".to_owned()),
        (Program::Jar { .. }, Program::Sql { .. }) => lines.push("program: jar -> sql".to_owned()),
    }
}

fn configuration(lines: &mut Vec<String>, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => value(lines, key, old, new),
            (None, Some(new)) => lines.push(format!("{key}: not set -> {new}")),
            (Some(old), None) => lines.push(format!("{key}: {old} -> not set")),
            (None, None) => {}
        }
    }
}

/// The changed lines of a text, with a line of context on each side.
fn text_difference(old: &str, new: &str) -> Vec<String> {
    let difference = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (index, group) in difference.grouped_ops(1).iter().enumerate() {
        if index > 0 {
            lines.push("  ...".to_owned());
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("  {sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::SecretText;
    use crate::model::identity::Identity;
    use crate::model::statement::{Kind, Statement};

    fn sql(texts: &[&str]) -> JobSpec {
        let statements = texts
            .iter()
            .map(|text| Statement {
                text: SecretText::plain(*text),
                kind: Kind::Insert,
                origin: Vec::new(),
                table: None,
            })
            .collect();
        JobSpec {
            identity: Identity { workspace: "shop".into(), environment: "local".into(), job: "orders".into() },
            cluster: "here".into(),
            program: Program::Sql { source: "orders.sql".into(), statements },
            parallelism: None,
            configuration: BTreeMap::new(),
            jars: Vec::new(),
            tags: Vec::new(),
            owner: None,
        }
    }

    #[test]
    fn what_differs_is_told_line_by_line() {
        let old = sql(&["A", "INSERT INTO t\nSELECT 1", "Z"]);
        let mut new = sql(&["A", "INSERT INTO t\nSELECT 2", "Z"]);
        new.parallelism = Some(4);
        new.configuration.insert("table.exec.state.ttl".into(), "36h".into());
        new.tags.push("red".into());
        assert_eq!(
            running(&old, &new),
            [
                "sql:",
                "    INSERT INTO t",
                "  - SELECT 1;",
                "  + SELECT 2;",
                "    Z;",
                "parallelism: the cluster's default -> 4",
                "table.exec.state.ttl: not set -> 36h",
            ]
        );
        assert_eq!(labels(&old, &new), ["tags: none -> red"]);
        assert!(running(&old, &old.clone()).is_empty());
    }

    #[test]
    fn another_secret_in_the_same_place_is_a_difference_that_shows_no_secret() {
        let with = |name: &str| {
            let mut spec = sql(&[]);
            if let Program::Sql { statements, .. } = &mut spec.program {
                let text = SecretText::plain("P=").concat(SecretText::secret(name));
                statements.push(Statement { text, kind: Kind::Insert, origin: Vec::new(), table: None });
            }
            spec
        };
        assert_eq!(running(&with("A"), &with("B")), ["sql: the same but for which secret stands where"]);
    }
}
