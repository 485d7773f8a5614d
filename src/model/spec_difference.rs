//! In what two specs of a job differ, in lines that a person reads: the old value and the new one, secrets as `***`.

use std::collections::BTreeMap;

use similar::{Algorithm, ChangeTag, DiffTag, TextDiff, capture_diff_slices};

use super::dependency::Dependency;
use super::job_spec::{Artifact, JobSpec, Program};
use super::sql_form::normalised;
use super::statement::Statement;
use crate::base::secret::SecretText;

/// What differs between the spec that is recorded and the one that is wanted; nothing where a running job has the same.
pub fn running(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    let mut lines = Vec::new();
    value(&mut lines, "cluster", &old.cluster, &new.cluster);
    program(&mut lines, &old.program, &new.program);
    value(&mut lines, "parallelism", &number(old.parallelism), &number(new.parallelism));
    configuration(&mut lines, &old.configuration, &new.configuration);
    // The same bytes out of another commit are the same jars.
    let same = |jars: &[Artifact]| jars.iter().map(|jar| Artifact { origin: None, ..jar.clone() }).collect::<Vec<_>>();
    if same(&old.jars) != same(&new.jars) {
        value(&mut lines, "jars", &jars(&old.jars), &jars(&new.jars));
    }
    lines.extend(old.dependencies.differences(&new.dependencies));
    lines
}

/// What differs in the labels, which no running job has.
pub fn labels(old: &JobSpec, new: &JobSpec) -> Vec<String> {
    let mut lines = Vec::new();
    value(&mut lines, "tags", &list(&old.tags), &list(&new.tags));
    let owner = |spec: &JobSpec| spec.owner.clone().unwrap_or_else(|| "nobody".to_owned());
    value(&mut lines, "owner", &owner(old), &owner(new));
    let text = |spec: &JobSpec| origins(spec).unwrap_or_else(|| "none".to_owned());
    value(&mut lines, BUILT_FROM, &text(old), &text(new));
    // Another list of the same files.
    if !old.dependencies.differences(&new.dependencies).is_empty() {
        return lines;
    }
    let declared = |spec: &JobSpec| list(&spec.dependencies.declared.iter().map(Dependency::shown).collect::<Vec<_>>());
    value(&mut lines, "dependencies as written", &declared(old), &declared(new));
    let left_out = |spec: &JobSpec| {
        list(&spec.dependencies.left_out.iter().map(|one| one.coordinates.to_string()).collect::<Vec<_>>())
    };
    value(&mut lines, "dependencies left out", &left_out(old), &left_out(new));
    lines
}

/// The line about the commits begins so.
pub const BUILT_FROM: &str = "built from";

/// The projects and commits that the jars of a job were built from; none where they were not built here.
pub fn origins(spec: &JobSpec) -> Option<String> {
    let jar = match &spec.program {
        Program::Jar { jar, .. } => Some(jar),
        _ => None,
    };
    let mut origins: Vec<String> = jar.into_iter().chain(&spec.jars).filter_map(|jar| jar.origin.clone()).collect();
    origins.dedup();
    (!origins.is_empty()).then(|| origins.join(", "))
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

/// A jar by its path, its bytes as far as they are given, and where it was built from.
pub fn jar(jar: &Artifact) -> String {
    let hash = jar.sha256.get(..8).unwrap_or(&jar.sha256).to_owned();
    let known: Vec<String> =
        [(!hash.is_empty()).then_some(hash), jar.origin.as_deref().map(short_origin)].into_iter().flatten().collect();
    if known.is_empty() { jar.path.clone() } else { format!("{} ({})", jar.path, known.join(", ")) }
}

/// `jobs@` and the first digits of the commit.
pub fn short_origin(origin: &str) -> String {
    match origin.rsplit_once('@') {
        Some((project, commit)) => format!("{project}@{}", commit.get(..10).unwrap_or(commit)),
        None => origin.to_owned(),
    }
}

fn program(lines: &mut Vec<String>, old: &Program, new: &Program) {
    match (old, new) {
        (Program::Sql { statements: old, .. }, Program::Sql { statements: new, .. }) => {
            let form = |statements: &[Statement]| -> Vec<SecretText> {
                statements.iter().map(|statement| normalised(&statement.text)).collect()
            };
            let (old_form, new_form) = (form(old), form(new));
            let shown = |form: &[SecretText]| form.iter().map(ToString::to_string).collect::<Vec<_>>();
            if shown(&old_form) != shown(&new_form) {
                lines.push("sql:".to_owned());
                lines.extend(statement_difference((old, &shown(&old_form)), (new, &shown(&new_form))));
            } else if old_form != new_form {
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
        _ => value(lines, "program", &kind(old), &kind(new)),
    }
}

fn kind(program: &Program) -> String {
    match program {
        Program::Sql { .. } => "sql".to_owned(),
        Program::Jar { .. } => "jar".to_owned(),
        Program::Adopted { id, .. } => format!("adopted {id}"),
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

/// The changed statements, each as its author wrote it, with the lines that changed where one took another's place.
fn statement_difference(
    (old, old_form): (&[Statement], &[String]),
    (new, new_form): (&[Statement], &[String]),
) -> Vec<String> {
    let text = |statements: &[Statement]| {
        statements.iter().map(|statement| format!("{};\n", statement.text)).collect::<String>()
    };
    let mut lines = Vec::new();
    for operation in capture_diff_slices(Algorithm::Myers, old_form, new_form) {
        let (tag, before, after) = operation.as_tag_tuple();
        if tag == DiffTag::Equal {
            continue;
        }
        if !lines.is_empty() {
            lines.push("  ...".to_owned());
        }
        let (before, after) = (old.get(before).unwrap_or_default(), new.get(after).unwrap_or_default());
        lines.extend(text_difference(&text(before), &text(after)));
    }
    lines
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
    use crate::model::dependency::Closure;
    use crate::model::identity::Identity;
    use crate::model::statement::Kind;

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
            dependencies: Closure::default(),
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
                "parallelism: the cluster's default -> 4",
                "table.exec.state.ttl: not set -> 36h",
            ]
        );
        assert_eq!(labels(&old, &new), ["tags: none -> red"]);
        assert!(running(&old, &old.clone()).is_empty());
    }

    #[test]
    fn a_reformatted_statement_is_no_difference() {
        let old = sql(&["INSERT INTO t SELECT 1", "Z"]);
        let new = sql(&["-- what it is for\nINSERT INTO t\n  SELECT 1", "Z"]);
        assert!(running(&old, &new).is_empty());
        assert_eq!(old.running_hash(), new.running_hash());
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
