//! What Maven answers: the tree says who brought what, the list where the files lie.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::Found;
use crate::model::coordinates::Coordinates;

/// A node of the tree that `dependency:tree -DoutputType=json` writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    group_id: String,
    artifact_id: String,
    version: String,
    r#type: String,
    #[serde(default)]
    classifier: String,
    #[serde(default)]
    children: Vec<Node>,
}

/// The files, in the order of the tree; what is no jar is not among them, but brings what it brings. `text` is the tree, and
/// the list after it.
pub(super) fn read(text: &str) -> Result<Vec<Found>, String> {
    let mut trees = serde_json::Deserializer::from_str(text).into_iter::<Node>();
    let root = trees.next().ok_or("there is no tree")?.map_err(|error| format!("its tree: {error}"))?;
    let list = text.get(trees.byte_offset()..).unwrap_or_default();
    let paths: BTreeMap<String, PathBuf> = list.lines().filter_map(listed).collect();
    let mut found = Vec::new();
    for child in &root.children {
        walk(child, None, &paths, &mut found)?;
    }
    Ok(found)
}

fn walk(
    node: &Node,
    by: Option<&Coordinates>,
    paths: &BTreeMap<String, PathBuf>,
    found: &mut Vec<Found>,
) -> Result<(), String> {
    let Node { group_id, artifact_id, version, r#type, classifier, children } = node;
    let named = match classifier.as_str() {
        "" => format!("{group_id}:{artifact_id}:{}:{version}", r#type),
        classifier => format!("{group_id}:{artifact_id}:{}:{classifier}:{version}", r#type),
    };
    let path = paths.get(&named).ok_or_else(|| format!("`{named}` is in its tree, and not in its list"))?;
    // What a `bundle` or a `test-jar` is, its file tells.
    let extension = path.extension().map_or_else(|| r#type.clone(), |end| end.to_string_lossy().into_owned());
    let coordinates = Coordinates {
        group: group_id.clone(),
        artifact: artifact_id.clone(),
        extension,
        classifier: Some(classifier.clone()).filter(|classifier| !classifier.is_empty()),
        version: version.clone(),
    };
    if coordinates.is_jar() {
        found.push(Found { coordinates: coordinates.clone(), by: by.cloned(), path: path.clone() });
    }
    children.iter().try_for_each(|child| walk(child, Some(&coordinates), paths, found))
}

/// A line of `dependency:list -DoutputAbsoluteArtifactFilename=true`:
/// `   group:artifact:type[:classifier]:version:scope:/path[ (optional)][ -- module NAME]`.
fn listed(line: &str) -> Option<(String, PathBuf)> {
    let (names, rest) = line.split_at(line.find(":/")?);
    let path = rest.get(1..)?;
    let path = path.split_once(" -- module ").map_or(path, |(path, _)| path);
    let path = path.trim_end().trim_end_matches("(optional)").trim_end();
    let (named, scope) = names.trim().trim_end_matches("(optional)").trim_end().rsplit_once(':')?;
    let is_scope = ["compile", "runtime", "provided", "system", "test"].contains(&scope);
    (is_scope && named.split(':').count() >= 4).then(|| (named.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Maven 3.8.7 wrote them, shortened.
    const TREE: &str = r#"{
      "groupId": "tidegate", "artifactId": "dependencies", "version": "1", "type": "pom", "scope": "", "classifier": "", "optional": "false",
      "children": [
        { "groupId": "com.mysql", "artifactId": "mysql-connector-j", "version": "8.4.0", "type": "jar", "scope": "compile", "classifier": "", "optional": "false",
          "children": [
            { "groupId": "com.google.protobuf", "artifactId": "protobuf-java", "version": "3.25.1", "type": "jar", "scope": "compile", "classifier": "", "optional": "false" },
            { "groupId": "a", "artifactId": "b", "version": "1", "type": "test-jar", "scope": "compile", "classifier": "tests", "optional": "false" }
          ]
        }
      ]
    }"#;
    const LIST: &str = "
The following files have been resolved:
   com.mysql:mysql-connector-j:jar:8.4.0:compile:/r/mysql-connector-j-8.4.0.jar -- module mysql.connector.j (auto)
   com.google.protobuf:protobuf-java:jar:3.25.1:compile:/r/with space/protobuf-java-3.25.1.jar (optional) 
   a:b:test-jar:tests:1:compile:/r/b-1-tests.jar

";

    #[test]
    fn files_are_found_with_who_brought_them() {
        let found = read(&format!("{TREE}{LIST}")).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|one| {
                let by = one.by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                format!("{} {by} {}", one.coordinates, one.path.display())
            })
            .collect();
        assert_eq!(
            shown,
            [
                "com.mysql:mysql-connector-j:8.4.0 - /r/mysql-connector-j-8.4.0.jar",
                "com.google.protobuf:protobuf-java:3.25.1 com.mysql:mysql-connector-j:8.4.0 /r/with space/protobuf-java-3.25.1.jar",
                "a:b:jar:tests:1 com.mysql:mysql-connector-j:8.4.0 /r/b-1-tests.jar",
            ]
        );
    }

    #[test]
    fn a_file_that_is_missing_in_the_list_is_no_answer() {
        let why = read(TREE).unwrap_err();
        assert_eq!(why, "`com.mysql:mysql-connector-j:jar:8.4.0` is in its tree, and not in its list");
        assert!(read("{").unwrap_err().starts_with("its tree: "));
        assert_eq!(read("").unwrap_err(), "there is no tree");
    }
}
