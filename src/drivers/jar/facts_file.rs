//! What a jar brings, kept in a small file beside it: a line of JSON, then 16 bytes a class.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::facts::facts;
use crate::base::{Error, Result, code};
use crate::model::class_path::{ClassMark, JarFacts};

/// Changes with what is read out of a jar: what an older tidegate kept is read anew.
const FORMAT: &str = "tidegate-jar-facts-1";

/// How long a mark is.
const MARK: usize = 16;

/// What a jar brings: as it is kept in `file`, or else read from the jar and kept there.
///
/// # Errors
/// `file.not_found`, `file.invalid` for the jar. What cannot be kept is read again the next time.
pub fn kept(jar: &Path, file: &Path) -> Result<JarFacts> {
    if let Some(facts) = read_kept(file) {
        return Ok(facts);
    }
    let facts = facts(jar)?;
    // A folder that cannot be written costs time, and no more.
    let _ = keep(&facts, file);
    Ok(facts)
}

/// What is kept in a file; none where there is nothing, or what another version wrote.
pub fn read_kept(file: &Path) -> Option<JarFacts> {
    let bytes = std::fs::read(file).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (format, counts, mut facts): (String, Vec<usize>, JarFacts) = serde_json::from_slice(&bytes[..end]).ok()?;
    let mut rest = &bytes[end + 1..];
    let total = counts.iter().try_fold(0_usize, |sum, count| sum.checked_add(*count))?;
    if format != FORMAT || counts.len() != facts.parts.len() || Some(rest.len()) != total.checked_mul(MARK) {
        return None;
    }
    for (part, count) in facts.parts.iter_mut().zip(counts) {
        let (own, others) = rest.split_at_checked(count * MARK)?;
        rest = others;
        part.classes = own.chunks_exact(MARK).filter_map(mark).collect();
    }
    Some(facts)
}

fn mark(bytes: &[u8]) -> Option<ClassMark> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (crc, length) = rest.split_first_chunk()?;
    Some(ClassMark {
        name: u64::from_le_bytes(*name),
        crc: u32::from_le_bytes(*crc),
        length: u32::from_le_bytes(*length.first_chunk()?),
    })
}

fn keep(facts: &JarFacts, file: &Path) -> Result<()> {
    let counts: Vec<usize> = facts.parts.iter().map(|part| part.classes.len()).collect();
    let failed = |error: std::io::Error| {
        Error::new(&code::STATE_IO, format!("{} cannot be written", file.display())).caused_by(error)
    };
    let mut bytes = serde_json::to_vec(&(FORMAT, counts, facts)).map_err(|error| failed(error.into()))?;
    bytes.push(b'\n');
    for mark in facts.parts.iter().flat_map(|part| &part.classes) {
        bytes.extend(mark.name.to_le_bytes());
        bytes.extend(mark.crc.to_le_bytes());
        bytes.extend(mark.length.to_le_bytes());
    }
    // Two processes can do the same at once: each writes a file of its own and renames it.
    let partial = PathBuf::from(format!("{}.{}.partial", file.display(), std::process::id()));
    let written = std::fs::File::create(&partial)
        .and_then(|mut to| to.write_all(&bytes))
        .and_then(|()| std::fs::rename(&partial, file));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        failed(error)
    })
}

/// [`kept`] for several jars, on as many cores as there are; in their order.
///
/// # Errors
/// That of the first jar that has one.
pub fn all_kept(jars: &[(PathBuf, PathBuf)]) -> Result<Vec<JarFacts>> {
    let mut found: Vec<Option<Result<JarFacts>>> = jars.iter().map(|(_, file)| read_kept(file).map(Ok)).collect();
    let open: Vec<usize> = (0..jars.len()).filter(|index| found[*index].is_none()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut read = Vec::new();
        while let Some(index) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
            read.push((*index, kept(&jars[*index].0, &jars[*index].1)));
        }
        read
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(open.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let parts = std::iter::once(Ok(work())).chain(workers.into_iter().map(std::thread::ScopedJoinHandle::join));
        for (index, read) in parts.flatten().flatten() {
            found[index] = Some(read);
        }
    });
    // One that a thread did not come to is read here.
    found.into_iter().zip(jars).map(|(read, (jar, file))| read.unwrap_or_else(|| kept(jar, file))).collect()
}
