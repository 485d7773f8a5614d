//! Maven coordinates: what names one file of a repository, `group:artifact[:ext[:classifier]]:version`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, code};

/// How coordinates are written.
pub const FORM: &str = "group:artifact:version, or group:artifact:ext[:classifier]:version";

/// The extension where none is written.
const JAR: &str = "jar";

/// Maven coordinates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Coordinates {
    /// The group: `org.apache.flink`.
    pub group: String,
    /// The artifact: `flink-connector-kafka`.
    pub artifact: String,
    /// The extension: `jar` where none is written.
    pub extension: String,
    /// The classifier: `linux-x86_64`.
    pub classifier: Option<String>,
    /// The version.
    pub version: String,
}

impl Coordinates {
    /// Group, artifact and, where it is not the plain jar, extension and classifier: of these a class path has one version.
    pub fn name(&self) -> String {
        let Self { group, artifact, extension, classifier, .. } = self;
        match classifier {
            Some(classifier) => format!("{group}:{artifact}:{extension}:{classifier}"),
            None if extension == JAR => format!("{group}:{artifact}"),
            None => format!("{group}:{artifact}:{extension}"),
        }
    }

    /// Whether the file can be put on a class path.
    pub fn is_jar(&self) -> bool {
        self.extension == JAR
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name(), self.version)
    }
}

impl From<Coordinates> for String {
    fn from(coordinates: Coordinates) -> Self {
        coordinates.to_string()
    }
}

impl TryFrom<String> for Coordinates {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Coordinates {
    type Err = Error;

    /// Reads coordinates of one jar.
    ///
    /// # Errors
    /// `dependency.invalid` with what is wrong.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: String| Error::new(&code::DEPENDENCY_INVALID, format!("`{text}`: {why}"));
        let parts: Vec<&str> = text.split(':').collect();
        let (group, artifact, extension, classifier, version) = match parts.as_slice() {
            [group, artifact, version] => (group, artifact, JAR, None, version),
            [group, artifact, extension, version] => (group, artifact, *extension, None, version),
            [group, artifact, extension, classifier, version] => {
                (group, artifact, *extension, Some((*classifier).to_owned()), version)
            }
            [_, _] => {
                return Err(invalid("the version is missing".to_owned()).hint(format!("write {FORM}")));
            }
            parts => {
                let counted = crate::base::counted(parts.len(), "part");
                return Err(
                    invalid(format!("these are not Maven coordinates: {counted}")).hint(format!("write {FORM}"))
                );
            }
        };
        if version.is_empty() {
            return Err(invalid("the version is empty".to_owned()).hint(format!("write {FORM}")));
        }
        // `gson:2.10.1:sources`: the version stands where the extension is meant.
        if extension.starts_with(|c: char| c.is_ascii_digit()) {
            let why = format!(
                "`{extension}` was read as the extension, and `{version}` as the version: the version comes last"
            );
            let classifier = classifier.as_deref().unwrap_or(version);
            return Err(invalid(why).hint(format!("did you mean `{group}:{artifact}:{JAR}:{classifier}:{extension}`?")));
        }
        check_version(version).map_err(|(why, hint)| invalid(why).hint(hint))?;
        let named = [("group", Some(*group)), ("artifact", Some(*artifact)), ("extension", Some(extension))];
        for (what, part) in named.into_iter().chain([("classifier", classifier.as_deref())]) {
            check_part(what, part).map_err(|why| invalid(why).hint(format!("write {FORM}")))?;
        }
        Ok(Self {
            group: (*group).to_owned(),
            artifact: (*artifact).to_owned(),
            extension: extension.to_owned(),
            classifier,
            version: (*version).to_owned(),
        })
    }
}

/// Maven's own rule for ids, applied to the other parts as well.
fn fits(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !matches!(part, "." | "..")
}

fn check_part(what: &str, part: Option<&str>) -> Result<(), String> {
    match part {
        Some("") => Err(format!("the {what} is empty")),
        Some(part) if !fits(part) => Err(format!("the {what} `{part}` has a character that none can have")),
        _ => Ok(()),
    }
}

fn check_version(version: &str) -> Result<(), (String, &'static str)> {
    const ONE: &str = "name one version: what runs must be the same tomorrow";
    if version.contains(['[', ']', '(', ')', ',']) {
        return Err((format!("`{version}` is a range of versions"), ONE));
    }
    // A SNAPSHOT is one file once it is locked, by its hash; `LATEST` would not even say of which version.
    if matches!(version, "LATEST" | "RELEASE") {
        return Err((format!("`{version}` is another version each day"), ONE));
    }
    let fits =
        version.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c)) && !matches!(version, "." | "..");
    match fits {
        true => Ok(()),
        false => Err((
            format!("the version `{version}` has a character that none can have"),
            "write it as Maven Central shows it",
        )),
    }
}

/// What a dependency must not bring: `group:artifact`, either of them `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exclusion {
    /// The group, or `*`.
    pub group: String,
    /// The artifact, or `*`.
    pub artifact: String,
}

impl Exclusion {
    /// Whether it keeps this out.
    pub fn fits(&self, coordinates: &Coordinates) -> bool {
        let is = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        is(&self.group, &coordinates.group) && is(&self.artifact, &coordinates.artifact)
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.group, self.artifact)
    }
}

impl From<Exclusion> for String {
    fn from(exclusion: Exclusion) -> Self {
        exclusion.to_string()
    }
}

impl TryFrom<String> for Exclusion {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Exclusion {
    type Err = Error;

    /// Reads an exclusion.
    ///
    /// # Errors
    /// `dependency.invalid`.
    fn from_str(text: &str) -> Result<Self> {
        let whole = |part: &str| part == "*" || (!part.is_empty() && fits(part));
        match text.split_once(':') {
            Some((group, artifact)) if whole(group) && whole(artifact) => {
                Ok(Self { group: group.to_owned(), artifact: artifact.to_owned() })
            }
            _ => Err(Error::new(&code::DEPENDENCY_INVALID, format!("`{text}` cannot be excluded"))
                .hint("write `group:artifact`; `*` stands for a whole group or artifact: `org.slf4j:*`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_version_in_the_place_of_the_extension_is_told() {
        let error = "com.google.code.gson:gson:2.10.1:sources".parse::<Coordinates>().unwrap_err();
        assert!(error.message().contains("`2.10.1` was read as the extension"), "{error:?}");
        assert_eq!(error.hint_text(), Some("did you mean `com.google.code.gson:gson:jar:sources:2.10.1`?"));
    }

    #[test]
    fn coordinates_are_read_and_written() {
        for (text, shown, name) in [
            ("a.b:c-d:1.0", "a.b:c-d:1.0", "a.b:c-d"),
            ("a.b:c-d:jar:1.0", "a.b:c-d:1.0", "a.b:c-d"),
            ("a:c:jar:linux-x86_64:1.0-SNAPSHOT", "a:c:jar:linux-x86_64:1.0-SNAPSHOT", "a:c:jar:linux-x86_64"),
            ("a:c:pom:1.0+b", "a:c:pom:1.0+b", "a:c:pom"),
        ] {
            let coordinates: Coordinates = text.parse().unwrap();
            assert_eq!((coordinates.to_string().as_str(), coordinates.name().as_str()), (shown, name));
        }
    }

    #[test]
    fn what_is_wrong_with_coordinates_is_said() {
        for (text, message) in [
            ("", "``: these are not Maven coordinates: 1 part"),
            ("kafka", "`kafka`: these are not Maven coordinates: 1 part"),
            ("org.apache.kafka:kafka-clients", "`org.apache.kafka:kafka-clients`: the version is missing"),
            ("a:b:c:d:e:f", "`a:b:c:d:e:f`: these are not Maven coordinates: 6 parts"),
            ("a:b:", "`a:b:`: the version is empty"),
            (":b:1", "`:b:1`: the group is empty"),
            ("a:b:jar::1", "`a:b:jar::1`: the classifier is empty"),
            ("a:b:[1,2)", "`a:b:[1,2)`: `[1,2)` is a range of versions"),
            ("a:b:LATEST", "`a:b:LATEST`: `LATEST` is another version each day"),
            ("a b:c:1", "`a b:c:1`: the group `a b` has a character that none can have"),
            ("a:../../x:1", "`a:../../x:1`: the artifact `../../x` has a character that none can have"),
            ("a:b:${v}", "`a:b:${v}`: the version `${v}` has a character that none can have"),
            ("a:<b>:1", "`a:<b>:1`: the artifact `<b>` has a character that none can have"),
        ] {
            let error = text.parse::<Coordinates>().unwrap_err();
            assert!(error.is(&code::DEPENDENCY_INVALID) && error.hint_text().is_some(), "{text}");
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn exclusions_are_whole_names_or_stars() {
        for text in ["org.slf4j:slf4j-api", "org.slf4j:*", "*:*", "*:guava"] {
            assert_eq!(text.parse::<Exclusion>().unwrap().to_string(), text);
        }
        for text in ["", "guava", "org.slf4j:", "org.slf4j:slf4j-*", "a:b:1"] {
            assert!(text.parse::<Exclusion>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(text in "[a-z.]{1,9}x:[a-z-]{1,9}(:(jar|pom|zip)(:[a-z0-9_-]{1,9})?)?:[0-9]{1,3}[a-z0-9.+-]{0,9}") {
            let coordinates: Coordinates = text.parse().unwrap();
            prop_assert_eq!(coordinates.to_string().parse::<Coordinates>().unwrap(), coordinates);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,40}") {
            if let Ok(coordinates) = text.parse::<Coordinates>() {
                prop_assert!(!coordinates.to_string().contains(['<', '>', '/', '&', ' ', '\n']));
            }
        }
    }
}
