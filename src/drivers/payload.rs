//! The jar that is uploaded to a Flink cluster: our SQL runner or a user's own jar, with extra jars inside.
//!
//! Extra jars lie below `lib/`: Flink's `PackagedProgram.extractContainedLibraries` puts every `lib/*.jar` of a program
//! on its class path, from Flink 1.15 to 2.3 alike, and nothing has to lie on the cluster's disks. They are nested and
//! not merged, so each keeps its own `META-INF/services`, and a cluster that has seen one payload is asked by its name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use crate::base::{Error, Result, code, hash};
use crate::drivers::http::Content;
use crate::drivers::jar::{is_library, not_there, open_reader, unreadable};

/// The main class of a SQL job's payload.
pub const RUNNER_CLASS: &str = "dev.tidegate.runner.SqlRunner";

/// `tests/committed_jars.rs` builds it from `runner/src` and compares.
static RUNNER: &[u8] = include_bytes!("../../runner/tidegate-sql-runner.jar");

/// How the parts are put together; another way is another payload under another name.
const PAYLOAD: &str = "payload 1";

/// One jar to upload.
#[derive(Debug)]
pub struct Payload {
    /// The jar.
    pub content: Content,
    /// `tidegate-<16 digits>.jar`, by what it is made of: how an upload is found again on a cluster.
    pub name: String,
}

/// The name of a payload, by the hashes of what it is made of: known without reading a byte of it. `own` is that of the
/// user's own jar; none stands for the SQL runner.
pub fn name_of<'a>(own: Option<&str>, libraries: impl IntoIterator<Item = &'a str>) -> String {
    let libraries: BTreeSet<&str> = libraries.into_iter().collect();
    let own = own.unwrap_or_else(|| runner_hash());
    let whole = if libraries.is_empty() {
        own.to_owned()
    } else {
        let parts: Vec<&str> = [PAYLOAD, own].into_iter().chain(libraries).collect();
        hash::sha256(parts.join("\n").as_bytes())
    };
    format!("tidegate-{}.jar", &whole[..16])
}

fn runner_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash::sha256(RUNNER))
}

/// The payload of a SQL job: the runner, and `jars` (connectors, functions) inside. The same contents give the same
/// bytes, in whatever order the files are named. Without jars it costs nothing.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn sql_payload(jars: &[PathBuf]) -> Result<Payload> {
    if jars.is_empty() {
        return Ok(Payload { content: Content::Bytes(Cow::Borrowed(RUNNER)), name: name_of(None, []) });
    }
    let libraries = libraries(jars)?;
    let name = name_of(None, libraries.iter().map(|library| library.sha256.as_str()));
    // Never shown: the runner is ours.
    let bytes = with_libraries(Cursor::new(RUNNER), libraries, Path::new("tidegate-sql-runner.jar"))?;
    Ok(Payload { content: bytes.into(), name })
}

/// The payload of a user's own jar: the file as it is, or a copy of it with `jars` inside.
///
/// # Errors
/// `file.not_found`; `file.invalid` where a file is no jar, or where the jar already brings another version of one of
/// `jars`.
pub fn jar_payload(jar: &Path, jars: &[PathBuf]) -> Result<Payload> {
    let (file, own) = read(jar)?;
    let libraries = libraries(jars)?;
    let name = name_of(Some(&own), libraries.iter().map(|library| library.sha256.as_str()));
    let content = match libraries.is_empty() {
        true => Content::File(file),
        false => with_libraries(BufReader::new(file), libraries, jar)?.into(),
    };
    Ok(Payload { content, name })
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
    for (name, bytes) in entries {
        writer.start_file(name.as_str(), stored())?;
        writer.write_all(bytes)?;
    }
    Ok(())
}

/// Stored, with a fixed time and fixed permissions.
fn stored() -> SimpleFileOptions {
    SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644)
}

/// An extra jar: its hash, the name that it is known by, its file.
struct Library {
    sha256: String,
    file_name: String,
    file: File,
}

/// The files, each content once, in an order that depends on nothing but the contents.
fn libraries(jars: &[PathBuf]) -> Result<Vec<Library>> {
    let mut by_hash: BTreeMap<String, Library> = BTreeMap::new();
    for jar in jars {
        let (file, sha256) = read(jar)?;
        let file_name = safe_name(jar);
        let library = by_hash.entry(sha256.clone()).or_insert(Library { sha256, file_name: file_name.clone(), file });
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
fn with_libraries<R: Read + Seek>(mut base: R, libraries: Vec<Library>, path: &Path) -> Result<Vec<u8>> {
    let failed = |error| unreadable(path, &error);
    let mut held = BTreeMap::new();
    let mut jar = open_reader(&mut base, path)?;
    let own: Vec<String> = jar.names().filter(|name| is_library(name)).map(Cow::into_owned).collect();
    for name in own {
        held.insert(hash::sha256(&jar.read_library(&name)?), name);
    }
    let mut archive = ZipArchive::new(base).map_err(failed)?;
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
        added.push((format!("lib/{}-{}", &library.sha256[..16], library.file_name), library.file));
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(failed)?;
        writer.raw_copy_file(entry).map_err(failed)?;
    }
    for (name, mut file) in added {
        writer.start_file(name, stored()).map_err(failed)?;
        std::io::copy(&mut file, &mut writer).map_err(|error| failed(error.into()))?;
    }
    writer.finish().map(Cursor::into_inner).map_err(failed)
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

/// A file that is a jar, at its start, and its hash.
fn read(path: &Path) -> Result<(File, String)> {
    let mut file = File::open(path).map_err(|error| not_there(path, &error))?;
    ZipArchive::new(BufReader::new(&file)).map_err(|error| unreadable(path, &error))?;
    let mut hashed = || {
        file.rewind()?;
        let sha256 = hash::sha256_read(&file)?;
        file.rewind()?;
        Ok(sha256)
    };
    let sha256 = hashed().map_err(|error| not_there(path, &error))?;
    Ok((file, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::jar::{MANIFEST, Manifest, entry_class, main_class_of, open_bytes};

    /// A folder with jars in it, each of `(entry, text)`.
    struct Jars {
        folder: tempfile::TempDir,
    }

    impl Jars {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn add(&self, name: &str, entries: &[(&str, &[u8])]) -> PathBuf {
            let entries: Vec<_> = entries.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
            self.add_bytes(name, &stored_jar(&entries).unwrap())
        }

        fn add_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path
        }
    }

    fn bytes_of(payload: Payload) -> Vec<u8> {
        match payload.content {
            Content::Bytes(bytes) => bytes.into_owned(),
            Content::File(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                bytes
            }
        }
    }

    fn names_in(payload: Payload) -> Vec<String> {
        open_bytes(bytes_of(payload), Path::new("payload.jar")).unwrap().names().map(Cow::into_owned).collect()
    }

    #[test]
    fn plain_sql_is_the_runner_itself() {
        let payload = sql_payload(&[]).unwrap();
        assert!(matches!(payload.content, Content::Bytes(Cow::Borrowed(bytes)) if std::ptr::eq(bytes, RUNNER)));
        assert_eq!(payload.name, format!("tidegate-{}.jar", &hash::sha256(RUNNER)[..16]));
        let mut archive = open_bytes(RUNNER, Path::new("runner.jar")).unwrap();
        let manifest = String::from_utf8(archive.read(MANIFEST).unwrap().unwrap()).unwrap();
        assert_eq!(Manifest::parse(&manifest).main_class(), Some(RUNNER_CLASS));
        assert!(archive.index("dev/tidegate/runner/SqlRunner.class").is_some());
    }

    #[test]
    fn the_same_contents_give_the_same_payload() {
        let jars = Jars::new();
        let (one, two) = (jars.add("one.jar", &[("A.class", b"a")]), jars.add("x/two.jar", &[("B.class", b"b")]));
        let payload = sql_payload(&[one.clone(), two.clone()]).unwrap();
        let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        std::fs::File::options().append(true).open(&one).unwrap().set_modified(past).unwrap();
        // The same content under a later name changes nothing, wherever it is named.
        let again = jars.add("y/zone.jar", &[("A.class", b"a")]);
        let other = sql_payload(&[again, two.clone(), one.clone(), two.clone()]).unwrap();
        assert_eq!(other.name, payload.name);
        let name = payload.name.clone();
        let bytes = bytes_of(payload);
        assert_eq!(bytes_of(other), bytes);
        let names: Vec<String> =
            open_bytes(&bytes, Path::new("payload.jar")).unwrap().names().map(Cow::into_owned).collect();
        let expected = |path: &Path, name: &str| format!("lib/{}-{name}", &hash::sha256_file(path).unwrap()[..16]);
        assert_eq!(names[..2], names_in(sql_payload(&[]).unwrap()));
        let mut libraries = vec![expected(&one, "one.jar"), expected(&two, "two.jar")];
        libraries.sort();
        assert_eq!(names[2..], libraries);
        let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let nested = archive.by_name(&expected(&two, "two.jar")).unwrap();
        assert_eq!(nested.compression(), CompressionMethod::Stored);
        assert_ne!(sql_payload(std::slice::from_ref(&two)).unwrap().name, name);
        // Known by the hashes alone, in whatever order.
        let hashes = [&two, &one, &two].map(|path| hash::sha256_file(path).unwrap());
        assert_eq!(name_of(None, hashes.iter().map(String::as_str)), name);
        let own = hash::sha256_file(&one).unwrap();
        assert_eq!(name_of(Some(&own), [hashes[0].as_str()]), jar_payload(&one, &[two]).unwrap().name);
        assert_eq!(name_of(Some(&own), []), jar_payload(&one, &[]).unwrap().name);
    }

    #[test]
    fn two_jars_of_one_name_are_both_there() {
        let jars = Jars::new();
        let one = jars.add("a/udf.jar", &[("A.class", b"a")]);
        let two = jars.add("b/udf.jar", &[("B.class", b"b")]);
        assert_eq!(names_in(sql_payload(&[one, two]).unwrap()).len(), 4);
    }

    #[test]
    fn a_nested_name_fits_every_file_system() {
        assert_eq!(safe_name(Path::new("x/größe 1.0_2.jar")), "gr__e_1.0_2.jar");
        assert_eq!(safe_name(Path::new(&format!("{}.jar", "é".repeat(300)))), format!("{}.jar", "_".repeat(100)));
        assert_eq!(safe_name(Path::new("artifact")), "artifact.jar");
    }

    #[test]
    fn an_own_jar_stays_as_it_is() {
        let jars = Jars::new();
        let jar = jars.add("job.jar", &[("Job.class", b"x")]);
        let payload = jar_payload(&jar, &[]).unwrap();
        assert!(matches!(payload.content, Content::File(_)));
        assert_eq!(bytes_of(payload), std::fs::read(&jar).unwrap());
    }

    #[test]
    fn jars_are_added_behind_what_an_own_jar_holds() {
        let jars = Jars::new();
        let udf = jars.add("udf.jar", &[("U.class", b"u")]);
        let held = std::fs::read(jars.add("held.jar", &[("H.class", b"h")])).unwrap();
        let jar = jars.add("job.jar", &[(MANIFEST, b""), ("Job.class", b"x"), ("lib/held.jar", &held)]);
        // `held.jar` is there already, under its own name.
        let extra = jars.folder.path().join("held.jar");
        let payload = bytes_of(jar_payload(&jar, &[udf.clone(), extra]).unwrap());
        let names = |payload: &[u8]| -> Vec<String> {
            open_bytes(payload, Path::new("payload.jar")).unwrap().names().map(Cow::into_owned).collect()
        };
        let added = format!("lib/{}-udf.jar", &hash::sha256_file(&udf).unwrap()[..16]);
        assert_eq!(names(&payload), [MANIFEST, "Job.class", "lib/held.jar", &added]);
        // A payload that is given again grows no second copy.
        let once = jars.add_bytes("once.jar", &payload);
        assert_eq!(names_in(jar_payload(&once, &[udf]).unwrap()), names(&payload));
    }

    #[test]
    fn another_version_of_a_held_jar_is_refused() {
        let jars = Jars::new();
        let other = jars.add("new/dep.jar", &[("D.class", b"2")]);
        let held = std::fs::read(jars.add("dep.jar", &[("D.class", b"1")])).unwrap();
        for name in ["lib/dep.jar", "lib/0123456789abcdef-dep.jar"] {
            let jar = jars.add("job.jar", &[(name, &held)]);
            let error = jar_payload(&jar, std::slice::from_ref(&other)).unwrap_err();
            assert!(error.is(&code::FILE_INVALID) && error.message().contains(name), "{error:?}");
        }
    }

    #[test]
    fn what_is_no_jar_is_said_so() {
        let jars = Jars::new();
        let good = jars.add("good.jar", &[("A.class", b"a"), ("B.class", &[7; 5000])]);
        let bytes = std::fs::read(&good).unwrap();
        let page = jars.add_bytes("page.jar", b"<html>not found</html>");
        let empty = jars.add_bytes("empty.jar", b"");
        let cut = jars.add_bytes("cut.jar", &bytes[..bytes.len() - 40]);
        let half = jars.add_bytes("half.jar", &bytes[..bytes.len() / 2]);
        let folder = jars.folder.path().to_owned();
        for bad in [page, empty, cut, half, folder] {
            for error in [
                jar_payload(&bad, &[]).unwrap_err(),
                sql_payload(&[good.clone(), bad.clone()]).unwrap_err(),
                main_class_of(&bad).unwrap_err(),
                entry_class(&bad, &[], Some("A")).unwrap_err(),
            ] {
                assert!(error.is(&code::FILE_INVALID), "{error:?}");
                assert!(error.message().contains(&*bad.to_string_lossy()), "{error:?}");
            }
        }
        let error = sql_payload(&[jars.folder.path().join("none.jar")]).unwrap_err();
        assert!(error.is(&code::FILE_NOT_FOUND), "{error:?}");
    }
}
