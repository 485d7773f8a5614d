//! The jar that is uploaded to a Flink cluster: our SQL runner or a user's own jar, with extra jars inside.
//!
//! Extra jars lie below `lib/`: Flink's `PackagedProgram.extractContainedLibraries` puts every `lib/*.jar` of a program
//! on its class path, from Flink 1.15 to 2.3 alike, and nothing has to lie on the cluster's disks. They are nested and
//! not merged, so each keeps its own `META-INF/services`, and a cluster that has seen one payload is asked by its name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use crate::base::{Error, Result, code, hash, suggest};

/// The main class of a SQL job's payload.
pub const RUNNER_CLASS: &str = "dev.tidegate.runner.SqlRunner";

/// `tests/runner_rebuild.rs` builds it from `runner/src` and compares.
const RUNNER: &[u8] = include_bytes!("../../runner/tidegate-sql-runner.jar");

const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// One jar to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The jar.
    pub bytes: Cow<'static, [u8]>,
    /// The hash of the bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// `tidegate-<first 16 digits of the hash>.jar`: how an upload is found again on a cluster.
    pub name: String,
}

impl Payload {
    fn new(bytes: Cow<'static, [u8]>, sha256: String) -> Self {
        let name = format!("tidegate-{}.jar", &sha256[..16]);
        Self { bytes, sha256, name }
    }

    fn hashed(bytes: Vec<u8>) -> Self {
        let sha256 = hash::sha256(&bytes);
        Self::new(Cow::Owned(bytes), sha256)
    }
}

/// The payload of a SQL job: the runner, and `jars` (connectors, functions) inside. The same contents give the same
/// bytes, in whatever order the files are named. Without jars it costs nothing.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn sql_payload(jars: &[PathBuf]) -> Result<Payload> {
    static HASH: OnceLock<String> = OnceLock::new();
    if jars.is_empty() {
        return Ok(Payload::new(Cow::Borrowed(RUNNER), HASH.get_or_init(|| hash::sha256(RUNNER)).clone()));
    }
    let libraries = libraries(jars)?;
    // Never shown: the runner is ours.
    with_libraries(RUNNER, libraries, Path::new("tidegate-sql-runner.jar")).map(Payload::hashed)
}

/// The payload of a user's own jar: the file as it is, or a copy of it with `jars` inside.
///
/// # Errors
/// `file.not_found`; `file.invalid` where a file is no jar, or where the jar already brings another version of one of
/// `jars`.
pub fn jar_payload(jar: &Path, jars: &[PathBuf]) -> Result<Payload> {
    let bytes = read(jar)?;
    if jars.is_empty() {
        return Ok(Payload::hashed(bytes));
    }
    with_libraries(&bytes, libraries(jars)?, jar).map(Payload::hashed)
}

/// The main class that a jar's manifest names, by Flink's rule: `program-class` before `Main-Class`.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn main_class_of(jar: &Path) -> Result<Option<String>> {
    let mut archive = open(jar)?;
    // As `java.util.jar.JarFile` does, in whatever case.
    let Some(name) = names(&archive).find(|name| name.eq_ignore_ascii_case(MANIFEST)).map(Cow::into_owned) else {
        return Ok(None);
    };
    let manifest = entry(&mut archive, &name).map_err(|error| unreadable(jar, &error))?;
    let attributes = manifest_attributes(&String::from_utf8_lossy(&manifest));
    Ok(["program-class", "main-class"].iter().find_map(|key| attributes.get(*key)).cloned())
}

/// Whether Flink will find a class (`com.example.CountJob`) in a jar, or in one of the jars below its `lib/`.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn has_class(jar: &Path, name: &str) -> Result<bool> {
    let file = format!("{}.class", name.replace('.', "/"));
    let mut archive = open(jar)?;
    if archive.index_for_name(&file).is_some() {
        return Ok(true);
    }
    let nested: Vec<String> = names(&archive).filter(|name| is_library(name)).map(Cow::into_owned).collect();
    for library in nested {
        let bytes = entry(&mut archive, &library).map_err(|error| unreadable(jar, &error))?;
        // Not a jar: Flink would fail on it as well, with a better place to say so.
        if ZipArchive::new(Cursor::new(bytes)).is_ok_and(|inner| inner.index_for_name(&file).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The main class to start a jar with: the one that was `wanted`, else the manifest's. It is looked for in the jar and
/// in the extra `jars`; whether it has a `main` method is for Flink to say.
///
/// # Errors
/// `flink.entry_class`, `file.not_found`, `file.invalid`.
pub fn entry_class(jar: &Path, jars: &[PathBuf], wanted: Option<&str>) -> Result<String> {
    let class = match wanted {
        Some(class) => class.to_owned(),
        None => main_class_of(jar)?.ok_or_else(|| {
            Error::new(&code::FLINK_ENTRY_CLASS, format!("`{}` names no main class", jar.display()))
                .hint("say which class has the main method, or build the jar with a `Main-Class` in its manifest")
        })?,
    };
    for place in std::iter::once(jar).chain(jars.iter().map(PathBuf::as_path)) {
        if has_class(place, &class)? {
            return Ok(class);
        }
    }
    let archive = open(jar)?;
    let classes: Vec<String> = names(&archive)
        .filter_map(|name| name.strip_suffix(".class").map(|name| name.replace('/', ".")))
        .filter(|name| !name.contains('$') && !name.starts_with("META-INF."))
        .collect();
    let missing =
        Error::new(&code::FLINK_ENTRY_CLASS, format!("the main class `{class}` is not in `{}`", jar.display()));
    let simple = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let same_name = classes.iter().find(|candidate| simple(candidate) == simple(&class)).map(String::as_str);
    Err(match same_name.or_else(|| suggest::nearest(&class, classes.iter().map(String::as_str))) {
        Some(candidate) => missing.hint(format!("did you mean `{candidate}`?")),
        None if classes.is_empty() => missing.hint("the jar holds no classes at all: was it built?"),
        None => missing.hint("the name must be whole, with its package, and the jar must be the built one"),
    })
}

/// A jar of these entries in their order: stored, with a fixed time and fixed permissions, so that the same entries give
/// the same bytes on every machine.
///
/// # Errors
/// `file.invalid` where the entries make no zip file: a name that is there twice, an entry beyond 4 GiB.
pub fn stored_jar(entries: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    write_stored(&mut writer, entries)
        .and_then(|()| writer.finish())
        .map(Cursor::into_inner)
        .map_err(|error| Error::new(&code::FILE_INVALID, "these entries make no jar").caused_by(error))
}

fn write_stored<W: Write + Seek>(
    writer: &mut ZipWriter<W>,
    entries: &[(String, Vec<u8>)],
) -> zip::result::ZipResult<()> {
    let options = SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644);
    for (name, bytes) in entries {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(())
}

/// An extra jar: its hash, the name that it is known by, its bytes.
struct Library {
    sha256: String,
    file_name: String,
    bytes: Vec<u8>,
}

/// The files, each content once, in an order that depends on nothing but the contents.
fn libraries(jars: &[PathBuf]) -> Result<Vec<Library>> {
    let mut by_hash: BTreeMap<String, Library> = BTreeMap::new();
    for jar in jars {
        let bytes = read(jar)?;
        let sha256 = hash::sha256(&bytes);
        let file_name = safe_name(jar);
        let library = by_hash.entry(sha256.clone()).or_insert(Library { sha256, file_name: file_name.clone(), bytes });
        // One content under two names: the order of the files must not decide.
        if file_name < library.file_name {
            library.file_name = file_name;
        }
    }
    Ok(by_hash.into_values().collect())
}

/// Flink unpacks a nested jar into a file of its entry's name. A JVM in the POSIX locale cannot create one that is not
/// ASCII, and no file system takes more than 255 bytes.
fn safe_name(jar: &Path) -> String {
    let stem = jar.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.strip_suffix(".jar").unwrap_or(&stem);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-._+".contains(c) { c } else { '_' };
    format!("{}.jar", stem.chars().map(safe).take(100).collect::<String>())
}

/// A copy of a jar with libraries added below `lib/`, behind its own entries, which stay as they are.
fn with_libraries(base: &[u8], libraries: Vec<Library>, path: &Path) -> Result<Vec<u8>> {
    let failed = |error| unreadable(path, &error);
    let mut archive = ZipArchive::new(Cursor::new(base)).map_err(failed)?;
    let own: Vec<String> = names(&archive).filter(|name| is_library(name)).map(Cow::into_owned).collect();
    let mut held = BTreeMap::new();
    for name in own {
        let sha256 = hash::sha256(&entry(&mut archive, &name).map_err(failed)?);
        held.insert(sha256, name);
    }
    let mut added = Vec::new();
    for library in libraries {
        if held.contains_key(&library.sha256) {
            continue;
        }
        if let Some(name) = held.values().find(|name| plain_name(name) == library.file_name) {
            return Err(Error::new(
                &code::FILE_INVALID,
                format!("`{}` already holds another `{}`, as `{name}`", path.display(), library.file_name),
            )
            .hint("two versions of one library on a class path fail late and oddly: drop one of them"));
        }
        added.push((format!("lib/{}-{}", &library.sha256[..16], library.file_name), library.bytes));
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(base.len())));
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(failed)?;
        writer.raw_copy_file(entry).map_err(failed)?;
    }
    write_stored(&mut writer, &added).map_err(failed)?;
    writer.finish().map(Cursor::into_inner).map_err(failed)
}

/// Flink's own condition for a nested jar.
fn is_library(name: &str) -> bool {
    name.len() > "lib/.jar".len() && name.starts_with("lib/") && name.ends_with(".jar")
}

/// The file name of a nested jar, without the hash that we put before it.
fn plain_name(entry: &str) -> &str {
    let name = entry.rsplit('/').next().unwrap_or(entry);
    match name.split_at_checked(16) {
        Some((prefix, rest)) if prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            rest.strip_prefix('-').unwrap_or(name)
        }
        _ => name,
    }
}

/// The attributes of a manifest's main section by lower-case name. A line that starts with a space goes on with the
/// one before.
///
/// Source: the JAR file specification, "JAR Manifest".
fn manifest_attributes(text: &str) -> BTreeMap<String, String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ if line.is_empty() => break,
            _ => lines.push(line.to_owned()),
        }
    }
    lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// The bytes of a file that is a jar.
fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| not_there(path, &error))?;
    ZipArchive::new(Cursor::new(&bytes)).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

/// The table of contents of a jar, without its contents.
fn open(path: &Path) -> Result<ZipArchive<std::io::BufReader<std::fs::File>>> {
    let file = std::fs::File::open(path).map_err(|error| not_there(path, &error))?;
    ZipArchive::new(std::io::BufReader::new(file)).map_err(|error| unreadable(path, &error))
}

fn names<R: Read + Seek>(archive: &ZipArchive<R>) -> impl Iterator<Item = Cow<'_, str>> {
    archive.file_names().filter_map(|name| name.ok())
}

fn entry<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> zip::result::ZipResult<Vec<u8>> {
    let mut bytes = Vec::new();
    archive.by_name(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_there(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        Error::new(&code::FILE_NOT_FOUND, format!("there is no `{}`", path.display()))
            .hint("build it first, or correct the path")
    } else {
        Error::new(&code::FILE_INVALID, format!("`{}` cannot be read", path.display())).caused_by(error)
    }
}

fn unreadable(path: &Path, error: &zip::result::ZipError) -> Error {
    if let zip::result::ZipError::Io(error) = error
        && !matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData)
    {
        return not_there(path, error);
    }
    Error::new(&code::FILE_INVALID, format!("`{}` is not a jar, or only a part of one", path.display()))
        .caused_by(error)
        .hint("look at its size and first bytes: an unfinished download, an error page and a git LFS pointer look like this")
}
