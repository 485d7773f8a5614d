//! The classes of a jar: all of them, on as many cores as there are, or one.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::archive::{Archive, not_there, open_file};
use super::class_file::{ClassFile, is_class_file};
use super::portions::look_into;
use crate::base::{Error, Result, code};
use crate::model::java_class::{Classes, JavaClass};

/// The longest jar whose classes are read.
const LONGEST_JAR: u64 = 1 << 30;

/// All classes of a jar, and of the jars below its `lib/`. What is no class file, or one of a Java that is not known yet, is
/// left out.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn classes(path: &Path) -> Result<Classes> {
    let file = Arc::new(File::open(path).map_err(|error| not_there(path, &error))?);
    let length = file.metadata().map_err(|error| not_there(path, &error))?.len();
    if length > LONGEST_JAR {
        let message = format!("`{}` has {length} bytes; {LONGEST_JAR} are the most", path.display());
        return Err(Error::new(&code::FILE_INVALID, message));
    }
    let mut archive = open_file(&file, path)?;
    let mut inside = Vec::new();
    archive.each_library(|library| {
        let bytes = library.bytes();
        inside.extend(look_into(library, &bytes, is_class, outline)?);
        Ok(ControlFlow::<()>::Continue(()))
    })?;
    let mut found = look_into(archive, file.as_ref(), is_class, outline)?;
    // Of two classes of one name that of the jar itself comes first.
    found.extend(inside);
    Ok(Classes::new(found))
}

/// Whether an entry is a class that a class loader finds by its name.
pub(super) fn is_class(name: &str) -> bool {
    name.ends_with(".class")
        && !name.starts_with("META-INF/")
        && !name.ends_with("module-info.class")
        && !name.ends_with("package-info.class")
}

/// What a class file says of its class; none where it does not even have a name.
fn outline(bytes: &[u8]) -> Option<JavaClass> {
    let file = ClassFile::read(bytes)?;
    Some(JavaClass {
        name: file.name()?,
        superclass: file.superclass(),
        interfaces: file.interfaces(),
        annotations: file.annotations(),
        access: file.access(),
        is_bound: file.is_bound(),
        constructor: file.constructor(),
        java: java(file.version),
        has_main: file.has_main(),
    })
}

/// The Java that a class file was built for.
///
/// Source: the Java Virtual Machine Specification, section 4.1: 52 is Java 8, and each later one counts on.
fn java(major: u16) -> u16 {
    major.saturating_sub(44)
}

/// The major version of what is a class file.
fn version(bytes: &[u8]) -> u16 {
    bytes.get(6..8).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// One class, as far as its file can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This.
    Known(JavaClass),
    /// A class file of a Java that is newer than what is known here: this one.
    Newer(u16),
    /// No class file at all.
    Broken,
}

/// One class of a jar by its full name, the jars below `lib/` included; none where it is not there.
///
/// # Errors
/// `file.invalid`.
pub fn class<R: Read + Seek>(archive: &mut Archive<R>, name: &str) -> Result<Option<Found>> {
    let entry = format!("{}.class", name.replace('.', "/"));
    let mut bytes = archive.read(&entry)?;
    if bytes.is_none() {
        bytes = archive.each_library(|mut library| {
            Ok(library.read(&entry)?.map_or(ControlFlow::Continue(()), ControlFlow::Break))
        })?;
    }
    Ok(bytes.map(|bytes| match outline(&bytes) {
        Some(class) => Found::Known(class),
        None if is_class_file(&bytes) => Found::Newer(java(version(&bytes))),
        None => Found::Broken,
    }))
}
