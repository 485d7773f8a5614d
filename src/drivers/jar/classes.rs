//! The classes of a jar: all of them, on as many cores as there are, or one.

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::archive::{Archive, Bytes, Unpacker, not_there, open_bytes, unreadable};
use super::class_file::{ClassFile, is_class_file};
use crate::base::{Error, Result, code};
use crate::model::java_class::{Classes, JavaClass};

/// The longest jar that is read whole.
const LONGEST_JAR: u64 = 1 << 30;

/// How many entries a thread takes at a time.
const PORTION: usize = 64;

/// All classes of a jar, and of the jars below its `lib/`. What is no class file, or one of a Java that is not known yet, is
/// left out.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn classes(path: &Path) -> Result<Classes> {
    let length = std::fs::metadata(path).map_err(|error| not_there(path, &error))?.len();
    if length > LONGEST_JAR {
        let message = format!("`{}` has {length} bytes; {LONGEST_JAR} are the most", path.display());
        return Err(Error::new(&code::FILE_INVALID, message));
    }
    let bytes = std::fs::read(path).map_err(|error| not_there(path, &error))?;
    let mut archive: Archive<Bytes> = open_bytes(bytes.into(), path)?;
    let mut found = own_classes(&archive)?;
    for library in archive.libraries()? {
        found.extend(own_classes(&library)?);
    }
    Ok(Classes::new(found))
}

fn own_classes(archive: &Archive<Bytes>) -> Result<Vec<JavaClass>> {
    let wanted: Vec<usize> =
        (0..archive.len()).filter(|index| archive.name(*index).is_some_and(|name| is_class(&name))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut archive = archive.clone();
        let (mut found, mut unpacker) = (Vec::new(), Unpacker::new());
        loop {
            let start = next.fetch_add(PORTION, Ordering::Relaxed);
            let Some(portion) = wanted.get(start..wanted.len().min(start + PORTION)).filter(|some| !some.is_empty())
            else {
                return Ok(found);
            };
            for index in portion {
                archive.unpack(*index, &mut unpacker)?;
                found.extend(ClassFile::read(&unpacker.bytes).and_then(|file| outline(&file)));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(wanted.len() / PORTION + 1);
    if threads < 2 {
        return work();
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut found = Vec::new();
        for worker in workers {
            let part: Result<Vec<JavaClass>> =
                worker.join().unwrap_or_else(|_| Err(unreadable(archive.shown(), &"a class could not be read")));
            found.extend(part?);
        }
        Ok(found)
    })
}

/// Whether an entry is a class that a class loader finds by its name.
pub(super) fn is_class(name: &str) -> bool {
    name.ends_with(".class")
        && !name.starts_with("META-INF/")
        && !name.ends_with("module-info.class")
        && !name.ends_with("package-info.class")
}

/// What a class file says of its class; none where it does not even have a name.
fn outline(file: &ClassFile<'_>) -> Option<JavaClass> {
    Some(JavaClass {
        name: file.name()?,
        superclass: file.superclass(),
        interfaces: file.interfaces(),
        annotations: file.annotations(),
        access: file.access,
        has_main: file.has_main(),
    })
}

/// One class, as far as its file can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This.
    Known(JavaClass),
    /// A class file of a Java that is newer than what is known here.
    Newer,
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
        for mut library in archive.libraries()? {
            bytes = library.read(&entry)?;
            if bytes.is_some() {
                break;
            }
        }
    }
    Ok(bytes.map(|bytes| match ClassFile::read(&bytes).as_ref().and_then(outline) {
        Some(class) => Found::Known(class),
        None if is_class_file(&bytes) => Found::Newer,
        None => Found::Broken,
    }))
}
