//! What a jar brings to a class path: its factories, its version, and its classes by name and checksum. The classes are
//! told from the table of contents; of the rest only the factories are unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;

use super::archive::{Archive, open};
use super::class_file::{ClassFile, Text};
use super::classes::is_class;
use super::services::own_services;
use crate::base::Result;
use crate::model::class_path::{ClassMark, Factory, JarFacts, Makes, MavenArtifact, Part, name_hash};

/// The service that table factories are named for.
const FACTORIES: &str = "org.apache.flink.table.factories.Factory";

/// The most factories of a jar that are looked into.
const MOST_FACTORIES: usize = 200;

/// How far superclasses and interfaces are followed.
const DEPTH: usize = 12;

/// What each of Flink's factory interfaces makes.
const MAKES: &[(&str, Makes)] = &[
    ("DynamicTableSourceFactory", Makes::Source),
    ("DynamicTableSinkFactory", Makes::Sink),
    ("DecodingFormatFactory", Makes::Decoding),
    ("DeserializationFormatFactory", Makes::Decoding),
    ("EncodingFormatFactory", Makes::Encoding),
    ("SerializationFormatFactory", Makes::Encoding),
    ("BulkReaderFormatFactory", Makes::BulkReading),
    ("BulkWriterFormatFactory", Makes::BulkWriting),
    ("FileSystemFormatFactory", Makes::BulkReading),
    ("CatalogFactory", Makes::Catalog),
];

/// What a jar, and each of the jars below its `lib/`, brings.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn facts(path: &Path) -> Result<JarFacts> {
    let mut archive = open(path)?;
    let mut parts = vec![part(&mut archive, String::new())?];
    archive.each_library(|mut library| {
        let shown = library.shown().to_string_lossy().into_owned();
        let inside = shown.rsplit("!/").next().unwrap_or_default().to_owned();
        parts.push(part(&mut library, inside)?);
        Ok(ControlFlow::<()>::Continue(()))
    })?;
    Ok(JarFacts { parts })
}

fn part<R: Read + Seek>(archive: &mut Archive<R>, inside: String) -> Result<Part> {
    let mut classes = Vec::new();
    let mut poms = Vec::new();
    for index in 0..archive.len() {
        let Some(name) = archive.name(index) else { continue };
        if is_class(&name) {
            let (hash, mark) = (name_hash(&name), archive.mark(index));
            let mark = mark.map(|(crc, length)| ClassMark {
                name: hash,
                crc,
                length: u32::try_from(length).unwrap_or(u32::MAX),
            });
            classes.extend(mark);
        } else if name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties") {
            poms.push(name.into_owned());
        }
    }
    let maven = maven(archive, &poms)?;
    let drivers = own_services(archive, "java.sql.Driver")?;
    let names = own_services(archive, FACTORIES)?;
    let mut factories = Vec::new();
    for class in names.into_iter().take(MOST_FACTORIES) {
        factories.push(factory(archive, class)?);
    }
    Ok(Part { inside, maven, factories, drivers, classes })
}

/// What the jar itself was built as. A jar that holds others unpacked has the word of each, and none is its own.
fn maven<R: Read + Seek>(archive: &mut Archive<R>, poms: &[String]) -> Result<Option<MavenArtifact>> {
    let [own] = poms else { return Ok(None) };
    let Some(bytes) = archive.read(own)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let values: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect();
    let value = |key: &str| values.get(key).filter(|value| !value.is_empty()).map(ToString::to_string);
    Ok(value("artifactId").zip(value("version")).map(|(artifact, version)| MavenArtifact {
        group: value("groupId").unwrap_or_default(),
        artifact,
        version,
    }))
}

/// What is read of a class on the way to its identifier and to what it makes.
struct Looked {
    superclass: Option<String>,
    interfaces: Vec<String>,
    text: Option<Text>,
    /// A constant that is named as identifiers are.
    named: Option<String>,
}

fn look<R: Read + Seek>(archive: &mut Archive<R>, class: &str) -> Result<Option<Looked>> {
    let bytes = archive.read(&format!("{}.class", class.replace('.', "/")))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let Some(file) = ClassFile::read(&bytes) else { return Ok(None) };
    Ok(Some(Looked {
        superclass: file.superclass(),
        interfaces: file.interfaces(),
        text: file.text_of_method("factoryIdentifier"),
        named: ["FACTORY_IDENTIFIER", "IDENTIFIER", "FACTORY_ID"].iter().find_map(|name| file.text_of_field(name)),
    }))
}

fn factory<R: Read + Seek>(archive: &mut Archive<R>, class: String) -> Result<Factory> {
    let mut identifier = None;
    let mut fallback = None;
    let mut makes = BTreeSet::new();
    let mut open = Vec::new();
    let mut next = Some(class.clone());
    for _ in 0..DEPTH {
        let Some(name) = next else { break };
        let Some(looked) = look(archive, &name)? else {
            // A superclass in another jar: what it makes and is called cannot be told.
            makes.insert(Makes::Other);
            break;
        };
        open.extend(looked.interfaces);
        if fallback.is_none() {
            fallback = looked.named;
        }
        if identifier.is_none() {
            identifier = match looked.text {
                Some(Text::Constant(text)) => Some(Some(text)),
                Some(Text::Field(class, field)) => Some(field_text(archive, &class, &field)?),
                // It gives what its subclass handed to its constructor.
                Some(Text::Computed) => Some(None),
                None => None,
            };
        }
        next = looked.superclass.filter(|name| name != "java.lang.Object");
    }
    interfaces(archive, open, &mut makes)?;
    if makes.is_empty() {
        makes.insert(Makes::Other);
    }
    Ok(Factory { class, identifier: identifier.flatten().or(fallback), makes })
}

fn field_text<R: Read + Seek>(archive: &mut Archive<R>, class: &str, field: &str) -> Result<Option<String>> {
    let bytes = archive.read(&format!("{}.class", class.replace('.', "/")))?;
    Ok(bytes.and_then(|bytes| ClassFile::read(&bytes).and_then(|file| file.text_of_field(field))))
}

/// What interfaces say that a factory makes, those in the jar followed.
fn interfaces<R: Read + Seek>(
    archive: &mut Archive<R>,
    mut open: Vec<String>,
    makes: &mut BTreeSet<Makes>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) || seen.len() > DEPTH * 4 {
            continue;
        }
        let short = name.rsplit('.').next().unwrap_or_default();
        match MAKES.iter().find(|(known, _)| name.starts_with("org.apache.flink.") && *known == short) {
            Some((_, made)) => drop(makes.insert(*made)),
            None => open.extend(look(archive, &name)?.into_iter().flat_map(|looked| looked.interfaces)),
        }
    }
    Ok(())
}

/// The class of a jar whose entry has this [`name_hash`], the jars inside included.
///
/// # Errors
/// As [`facts`].
pub fn class_of_hash(path: &Path, hash: u64) -> Result<Option<String>> {
    fn find<R: Read + Seek>(archive: &Archive<R>, hash: u64) -> Option<String> {
        let entry = archive.names().find(|name| is_class(name) && name_hash(name) == hash)?;
        Some(entry.strip_suffix(".class")?.replace('/', "."))
    }
    let mut archive = open(path)?;
    if let Some(name) = find(&archive, hash) {
        return Ok(Some(name));
    }
    archive.each_library(|library| Ok(find(&library, hash).map_or(ControlFlow::Continue(()), ControlFlow::Break)))
}
