//! What jars bring to the class path of a job, and what of it does not go together. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::built_for::built_for;
use super::coordinates::Coordinates;

use super::connectors::Asks;

/// What one jar brings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JarFacts {
    /// The jar itself, then those below its `lib/`.
    pub parts: Vec<Part>,
}

/// A jar, without those inside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it lies in the jar: `lib/x.jar`; empty for the jar itself.
    pub inside: String,
    /// What Maven built it as, where it says so.
    pub maven: Option<MavenArtifact>,
    /// The table factories that it names as services.
    pub factories: Vec<Factory>,
    /// The services that are named for JDBC: drivers, by class.
    pub drivers: Vec<String>,
    /// Its classes, by the hash of the name.
    #[serde(skip)]
    pub classes: Vec<ClassMark>,
}

/// A version of something that Maven knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MavenArtifact {
    /// The group; empty where only a file name tells.
    pub group: String,
    /// The name.
    pub artifact: String,
    /// The version.
    pub version: String,
}

/// A table factory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    /// The class.
    pub class: String,
    /// What SQL names it by; none where that is computed.
    pub identifier: Option<String>,
    /// What it makes.
    pub makes: BTreeSet<Makes>,
}

/// What a factory makes. Flink looks for an identifier among those that make what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Makes {
    /// A table to read.
    Source,
    /// A table to write.
    Sink,
    /// A format to read.
    Decoding,
    /// A format to write.
    Encoding,
    /// A format to read files.
    BulkReading,
    /// A format to write files.
    BulkWriting,
    /// A catalog.
    Catalog,
    /// Something else, or what cannot be told.
    Other,
}

impl Makes {
    /// Whether a table that asks for a connector, or for a format, needs one that makes this.
    pub fn is_for(self, asks: Asks) -> bool {
        match self {
            Self::Source | Self::Sink => asks == Asks::Connector,
            Self::Decoding | Self::Encoding | Self::BulkReading | Self::BulkWriting => asks == Asks::Format,
            Self::Catalog | Self::Other => false,
        }
    }
}

/// A class by the hash of its name, and what its bytes are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassMark {
    /// [`name_hash`] of the entry.
    pub name: u64,
    /// CRC-32 of the bytes.
    pub crc: u32,
    /// How many there are.
    pub length: u32,
}

/// The hash that class names are compared by: FNV-1a. That two names share one is so rare that nothing depends on it: the
/// names are compared before anybody is told.
pub fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A jar with the name that it is shown by.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The path as the user wrote it.
    pub path: &'a str,
    /// What it brings.
    pub facts: &'a JarFacts,
}

/// Where a part lies: the number of its jar, and its own number in there.
pub type At = (usize, usize);

/// Two jars with classes of the same name and different bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The two.
    pub between: (At, At),
    /// The hashes of the names.
    pub classes: Vec<u64>,
}

/// The pairs of jars that hold classes of the same name and different bytes, in the order of the jars. The same bytes
/// twice do no harm.
pub fn clashes(jars: &[Named<'_>]) -> Vec<Clash> {
    let total = parts(jars).map(|(_, part)| part.classes.len()).sum();
    let mut first: HashMap<u64, (ClassMark, At), Unhashed> = HashMap::with_capacity_and_hasher(total, Unhashed);
    let mut found: BTreeMap<(At, At), Vec<u64>> = BTreeMap::new();
    for (at, part) in parts(jars) {
        for mark in &part.classes {
            let (before, place) = first.entry(mark.name).or_insert((*mark, at));
            if (before.crc, before.length) != (mark.crc, mark.length) && *place != at {
                found.entry((*place, at)).or_default().push(mark.name);
            }
        }
    }
    found.into_iter().map(|(between, classes)| Clash { between, classes }).collect()
}

/// Keys that are hashes already.
#[derive(Debug, Clone, Copy, Default)]
struct Unhashed;

impl std::hash::BuildHasher for Unhashed {
    type Hasher = AsItIs;

    fn build_hasher(&self) -> AsItIs {
        AsItIs(0)
    }
}

struct AsItIs(u64);

impl std::hash::Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn parts<'a>(jars: &'a [Named<'a>]) -> impl Iterator<Item = (At, &'a Part)> {
    jars.iter()
        .enumerate()
        .flat_map(|(jar, named)| named.facts.parts.iter().enumerate().map(move |(part, facts)| ((jar, part), facts)))
}

/// How a part is shown: `jars/x.jar`, or `jars/x.jar!/lib/y.jar`.
pub fn shown(jars: &[Named<'_>], (jar, part): At) -> String {
    let named = &jars[jar];
    match named.facts.parts.get(part).map(|part| part.inside.as_str()) {
        None | Some("") => named.path.to_owned(),
        Some(inside) => format!("{}!/{inside}", named.path),
    }
}

/// Two versions of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoVersions {
    /// The artifact, with its group where that is known.
    pub artifact: String,
    /// The versions, and where they are.
    pub versions: ((String, At), (String, At)),
}

/// The artifacts that are there in two versions.
pub fn two_versions(jars: &[Named<'_>]) -> Vec<TwoVersions> {
    let mut first: BTreeMap<String, Vec<(MavenArtifact, At)>> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, part) in parts(jars) {
        let name = if part.inside.is_empty() { jars[at.0].path } else { &part.inside };
        let Some(own) = part.maven.clone().or_else(|| of_file_name(name)) else { continue };
        let same = first.entry(own.artifact.clone()).or_default();
        let other = same.iter().find(|(other, _)| {
            let groups = (other.group.as_str(), own.group.as_str());
            other.version != own.version && (groups.0.is_empty() || groups.1.is_empty() || groups.0 == groups.1)
        });
        if let Some((other, place)) = other {
            let group = if own.group.is_empty() { &other.group } else { &own.group };
            let colon = if group.is_empty() { "" } else { ":" };
            found.push(TwoVersions {
                artifact: format!("{group}{colon}{}", own.artifact),
                versions: ((other.version.clone(), *place), (own.version.clone(), at)),
            });
        }
        same.push((own, at));
    }
    found
}

/// The artifacts of Flink's own projects, and the Flink that each was built for.
pub fn built_for_flink(jars: &[Named<'_>]) -> Vec<(String, String)> {
    let each = jars.iter().filter_map(|jar| {
        let coordinates = jar.path.parse::<Coordinates>().ok();
        let of_coordinates =
            coordinates.map(|it| MavenArtifact { group: it.group, artifact: it.artifact, version: it.version });
        let own = jar.facts.parts.first().and_then(|part| part.maven.clone());
        let named = of_coordinates.or(own).or_else(|| of_file_name(jar.path))?;
        let is_of_flink = named.group.is_empty() || named.group == "org.apache.flink";
        let version = built_for(&named.artifact, &named.version).filter(|_| is_of_flink)?;
        Some((jar.path.to_owned(), version))
    });
    each.collect()
}

/// What a file name says: `kafka-clients-3.4.0.jar`. What stands behind the numbers, such as a classifier, is left out.
fn of_file_name(path: &str) -> Option<MavenArtifact> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".jar")?;
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let at = name.match_indices('-').map(|(at, _)| at).find(|at| digit(&name[at + 1..]))?;
    let (artifact, rest) = (&name[..at], &name[at + 1..]);
    let end = rest.match_indices('-').map(|(at, _)| at).find(|at| !digit(&rest[at + 1..])).unwrap_or(rest.len());
    let version = &rest[..end];
    (!artifact.is_empty() && version.contains('.')).then(|| MavenArtifact {
        group: String::new(),
        artifact: artifact.to_owned(),
        version: version.to_owned(),
    })
}

/// What all jars bring together under the identifiers that SQL uses.
#[derive(Debug, Clone, Default)]
pub struct Provided<'a> {
    by_identifier: BTreeMap<&'a str, Vec<(&'a Factory, At)>>,
    /// Factories whose identifier cannot be read.
    pub unreadable: Vec<(&'a Factory, At)>,
    /// JDBC drivers.
    drivers: BTreeSet<&'a str>,
}

impl<'a> Provided<'a> {
    /// What these jars bring.
    pub fn by(jars: &'a [Named<'a>]) -> Self {
        let mut provided = Self::default();
        let mut known = BTreeMap::new();
        for (at, part) in parts(jars) {
            provided.drivers.extend(part.drivers.iter().map(String::as_str));
            for factory in &part.factories {
                if let Some(identifier) = &factory.identifier {
                    known.insert(factory.class.as_str(), identifier.as_str());
                    provided.by_identifier.entry(identifier).or_default().push((factory, at));
                }
            }
        }
        for (at, part) in parts(jars) {
            // A jar can name a class that another one holds.
            let open = part.factories.iter().filter(|factory| factory.identifier.is_none());
            provided.unreadable.extend(
                open.filter(|factory| !known.contains_key(factory.class.as_str())).map(|factory| (factory, at)),
            );
        }
        provided
    }

    /// Whether some jar brings a connector or a format of this name.
    pub fn has(&self, asks: Asks, identifier: &str) -> bool {
        let found = self.by_identifier.get(identifier).into_iter().flatten();
        let mut makes = found.flat_map(|(factory, _)| &factory.makes);
        makes.any(|makes| *makes == Makes::Other || makes.is_for(asks))
    }

    /// The identifiers of connectors or formats.
    pub fn identifiers(&self, asks: Asks) -> impl Iterator<Item = &'a str> {
        self.by_identifier.keys().copied().filter(move |identifier| self.has(asks, identifier))
    }

    /// Two factories that Flink cannot choose between: other classes, the same identifier, and both make the same of what
    /// is asked for.
    pub fn twins(&self, asks: Asks, identifier: &str) -> Option<[(&'a Factory, At); 2]> {
        let found = self.by_identifier.get(identifier)?;
        found.iter().enumerate().find_map(|(index, one)| {
            let other = found[index + 1..].iter().find(|other| {
                let mut both = one.0.makes.intersection(&other.0.makes);
                other.0.class != one.0.class && both.any(|makes| makes.is_for(asks))
            })?;
            Some([*one, *other])
        })
    }

    /// Whether some jar brings a JDBC driver of this package.
    pub fn has_driver(&self, package: &str) -> bool {
        self.drivers.iter().any(|class| class.starts_with(package))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(classes: &[(&str, u32)]) -> Part {
        let mark = |(name, crc): &(&str, u32)| ClassMark { name: name_hash(name), crc: *crc, length: 1 };
        Part { classes: classes.iter().map(mark).collect(), ..Part::default() }
    }

    fn maven(group: &str, artifact: &str, version: &str) -> MavenArtifact {
        MavenArtifact { group: group.into(), artifact: artifact.into(), version: version.into() }
    }

    #[test]
    fn only_other_bytes_clash() {
        let one = JarFacts {
            parts: vec![part(&[("A", 1), ("B", 2)]), Part { inside: "lib/n.jar".into(), ..part(&[("C", 3)]) }],
        };
        let two = JarFacts { parts: vec![part(&[("A", 1), ("B", 9), ("C", 9)])] };
        let jars = [Named { path: "one.jar", facts: &one }, Named { path: "two.jar", facts: &two }];
        let found = clashes(&jars);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Clash { between: ((0, 0), (1, 0)), classes: vec![name_hash("B")] });
        assert_eq!(shown(&jars, found[1].between.0), "one.jar!/lib/n.jar");
        assert_eq!(clashes(&[jars[0], jars[0]]), []);
    }

    #[test]
    fn versions_come_from_maven_or_the_file_name() {
        assert_eq!(of_file_name("a/kafka-clients-3.4.0.jar"), Some(maven("", "kafka-clients", "3.4.0")));
        assert_eq!(
            of_file_name("flink-connector-kafka-3.4.0-1.20.jar"),
            Some(maven("", "flink-connector-kafka", "3.4.0-1.20"))
        );
        assert_eq!(of_file_name("x-1.0-tests.jar"), Some(maven("", "x", "1.0")));
        assert_eq!(of_file_name("kafka_2.13-3.9.1.jar"), Some(maven("", "kafka_2.13", "3.9.1")));
        assert_eq!(of_file_name("udf.jar"), None);
        assert_eq!(of_file_name("udf-2.jar"), None);
        let told = |artifact| JarFacts { parts: vec![Part { maven: Some(artifact), ..Part::default() }] };
        let (one, other) = (told(maven("g", "x", "1.0")), told(maven("h", "x", "2.0")));
        let silent = JarFacts { parts: vec![Part::default()] };
        let jars = [Named { path: "a.jar", facts: &one }, Named { path: "b.jar", facts: &other }];
        assert_eq!(two_versions(&jars), []);
        let jars = [jars[0], Named { path: "x-1.1.jar", facts: &silent }];
        let found = two_versions(&jars);
        assert_eq!((found.len(), found[0].artifact.as_str()), (1, "g:x"));
        assert_eq!(found[0].versions.1, ("1.1".to_owned(), (1, 0)));
        assert_eq!(two_versions(&[jars[0], jars[0]]), []);
    }

    #[test]
    fn twins_make_the_same() {
        let factory = |class: &str, makes: &[Makes]| Factory {
            class: class.into(),
            identifier: Some("x".into()),
            makes: makes.iter().copied().collect(),
        };
        let facts = |factories: Vec<Factory>| JarFacts { parts: vec![Part { factories, ..Part::default() }] };
        let twins_of = |one: Factory, other: Factory| {
            let (one, two) = (facts(vec![one]), facts(vec![other]));
            let jars = [Named { path: "1", facts: &one }, Named { path: "2", facts: &two }];
            Provided::by(&jars).twins(Asks::Connector, "x").is_some()
        };
        let twins = |other: Factory| twins_of(factory("a.A", &[Makes::Source, Makes::Sink]), other);
        assert!(twins(factory("b.B", &[Makes::Sink])));
        assert!(!twins(factory("a.A", &[Makes::Source, Makes::Sink])));
        assert!(!twins(factory("b.Catalog", &[Makes::Catalog])));
        // As in the jar of the JDBC connector: no table asks for a catalog.
        assert!(!twins_of(factory("a.Catalog", &[Makes::Catalog]), factory("b.Catalog", &[Makes::Catalog])));
    }
}
