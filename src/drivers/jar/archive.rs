//! The entries of a jar, within bounds: what they hold altogether cannot be more than a jar of that size may hold.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zip::{CompressionMethod, ZipArchive};

use super::source::{Bytes, JarFile};
use crate::base::{Error, Result, code};

/// The most entries of a jar. Flink's own largest has 60,000.
const MOST_ENTRIES: usize = 300_000;

/// The longest entry that is read: class files have some kilobytes, and few a megabyte.
pub(super) const LONGEST_ENTRY: u64 = 16 << 20;

/// The longest jar inside of a jar. One of them is in memory at a time.
const LONGEST_LIBRARY: u64 = 512 << 20;

/// What the entries that are read may have altogether: this, and so many times the jar's own length. Classes are a
/// third of their size in a jar, and a zip bomb a thousandth.
const ALLOWANCE: (u64, u64) = (64 << 20, 50);

/// What stands between where an entry starts and its bytes, beside its name: 30 bytes, and extra fields. Tools that align
/// entries fill some kilobytes.
const BEFORE_BYTES: u64 = 4 << 10;

/// A jar whose entries can be read.
#[derive(Debug)]
pub struct Archive<R> {
    zip: ZipArchive<R>,
    /// How the jar is named in errors; a jar inside of another as `outer.jar!/lib/inner.jar`.
    shown: PathBuf,
    /// How many bytes of entries may still be read; shared with the jars inside.
    allowance: Arc<AtomicU64>,
}

/// Opens the file of a jar: reads its table of contents, and nothing else.
///
/// # Errors
/// `file.not_found`; `file.invalid` for what is no jar, only a part of one, or a hostile one.
pub fn open(path: &Path) -> Result<Archive<BufReader<JarFile>>> {
    let file = File::open(path).map_err(|error| not_there(path, &error))?;
    open_file(&Arc::new(file), path)
}

/// Opens a jar whose file is open; `path` is how it is named.
pub(super) fn open_file(file: &Arc<File>, path: &Path) -> Result<Archive<BufReader<JarFile>>> {
    Archive::new(BufReader::new(JarFile::new(file.clone())), path)
}

/// Opens a jar whose bytes are at hand; `path` is how it is named.
///
/// # Errors
/// `file.invalid`.
pub fn open_bytes<B: AsRef<[u8]>>(bytes: B, path: &Path) -> Result<Archive<Cursor<B>>> {
    open_reader(Cursor::new(bytes), path)
}

/// Opens a jar wherever its bytes come from; `path` is how it is named.
///
/// # Errors
/// `file.invalid`.
pub fn open_reader<R: Read + Seek>(reader: R, path: &Path) -> Result<Archive<R>> {
    Archive::new(reader, path)
}

impl<R: Read + Seek> Archive<R> {
    fn new(mut reader: R, path: &Path) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0)).map_err(|error| not_there(path, &error))?;
        let zip = ZipArchive::new(reader).map_err(|error| unreadable(path, &error))?;
        let allowance = ALLOWANCE.0.saturating_add(length.saturating_mul(ALLOWANCE.1));
        Self::of(zip, path.to_owned(), Arc::new(AtomicU64::new(allowance)))
    }

    fn of(zip: ZipArchive<R>, shown: PathBuf, allowance: Arc<AtomicU64>) -> Result<Self> {
        let archive = Self { zip, shown, allowance };
        if archive.zip.len() > MOST_ENTRIES {
            return Err(archive.hostile(&format!("has {} entries; {MOST_ENTRIES} are the most", archive.zip.len())));
        }
        let leaving = archive.names().find(|name| leaves(name)).map(|name| cut(&name));
        match leaving {
            Some(name) => Err(archive.hostile(&format!("holds an entry `{name}`, whose path leaves it"))),
            None => Ok(archive),
        }
    }

    fn hostile(&self, what: &str) -> Error {
        Error::new(&code::FILE_INVALID, format!("`{}` {what}", self.shown.display()))
            .hint("no build tool makes such a jar: find out where it comes from")
    }

    /// How the jar is named.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.zip.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.zip.is_empty()
    }

    /// The names of the entries, in their order. Those that are no text are left out.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.zip.file_names().filter_map(|name| name.ok())
    }

    /// The name of an entry; none where it is no text.
    pub fn name(&self, index: usize) -> Option<Cow<'_, str>> {
        self.zip.name_for_index(index)?.ok()
    }

    /// The name of an entry as errors show it.
    fn shown_name(&self, index: usize) -> String {
        self.name(index).map(|name| cut(&name)).unwrap_or_default()
    }

    /// The number of an entry; none where there is none of this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.zip.index_for_name(name)
    }

    /// CRC-32 and length of an entry, as the table of contents has them.
    pub fn mark(&self, index: usize) -> Option<(u32, u64)> {
        let entry = self.zip.by_index_data(index).ok()?;
        Some((entry.crc32(), entry.size()))
    }

    /// Where an entry lies.
    pub(super) fn place(&self, index: usize) -> Option<Place> {
        let entry = self.zip.by_index_data(index).ok()?;
        let (start, packed, size) = (entry.header_start(), entry.compressed_size(), entry.size());
        let packing = match entry.compression() {
            CompressionMethod::Stored => Some(Packing::Stored),
            CompressionMethod::Deflated => Some(Packing::Deflated),
            _ => None,
        };
        let before = BEFORE_BYTES + entry.name_raw().len() as u64;
        let end = start.saturating_add(before).saturating_add(packed);
        let mut place = Place { index, start, end, packed, size, crc: entry.crc32(), packing };
        if entry.encrypted() || size > LONGEST_ENTRY || packing.is_none() {
            place.read_alone();
        }
        Some(place)
    }

    /// Reads an entry; none where there is none of this name.
    ///
    /// # Errors
    /// `file.invalid`: cut off, not what its checksum says, or longer than an entry may be.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(index) = self.index(name) else { return Ok(None) };
        let mut bytes = Vec::new();
        self.read_into(index, LONGEST_ENTRY, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Reads a jar inside of this one.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn read_library(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(index) = self.index(name) {
            self.read_into(index, LONGEST_LIBRARY, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Reads an entry in place of what `bytes` held.
    pub(super) fn read_into(&mut self, index: usize, longest: u64, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        let read = match self.zip.by_index(index) {
            Ok(entry) => {
                // The length that it claims is a wish: no more than a little is taken on trust.
                bytes.reserve(usize::try_from(entry.size().min(1 << 20)).unwrap_or(0));
                entry.take(longest + 1).read_to_end(bytes).map_err(zip::result::ZipError::Io)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            let name = self.shown_name(index);
            return Err(unreadable(&self.shown, &format!("entry `{name}`: {error}")));
        }
        self.spend(index, bytes.len() as u64, longest)
    }

    /// Takes what was read off the allowance.
    pub(super) fn spend(&self, index: usize, length: u64, longest: u64) -> Result<()> {
        if length > longest {
            let name = self.shown_name(index);
            return Err(self.hostile(&format!("holds an entry `{name}` of more than {longest} bytes")));
        }
        let spent = self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length));
        spent.map(drop).map_err(|_| self.hostile("unpacks to far more than a jar of its size can hold"))
    }

    /// The error for an entry that is not as long as the table of contents says, or has not its checksum.
    pub(super) fn damaged(&self, index: usize) -> Error {
        let name = self.shown_name(index);
        unreadable(&self.shown, &format!("entry `{name}` is damaged"))
    }

    /// Looks at the jars inside that Flink puts on the class path, `lib/*.jar`, one after the other: no two of them are in
    /// memory at a time, and none is when `look` breaks off or this ends. What is no jar is left out: Flink fails on it as well,
    /// where it can say more.
    ///
    /// # Errors
    /// `file.invalid` for an entry that cannot be read; what `look` gives.
    pub fn each_library<T>(
        &mut self,
        mut look: impl FnMut(Archive<Cursor<Bytes>>) -> Result<ControlFlow<T>>,
    ) -> Result<Option<T>> {
        let inside: Vec<(usize, String)> = (0..self.len())
            .filter_map(|index| Some((index, self.name(index)?.into_owned())))
            .filter(|(_, name)| is_library(name))
            .collect();
        for (index, name) in inside {
            let mut bytes = Vec::new();
            self.read_into(index, LONGEST_LIBRARY, &mut bytes)?;
            if let Ok(zip) = ZipArchive::new(Cursor::new(Bytes::new(bytes))) {
                let shown = PathBuf::from(format!("{}!/{}", self.shown.display(), cut(&name)));
                if let ControlFlow::Break(found) = look(Archive::of(zip, shown, self.allowance.clone())?)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

impl Archive<Cursor<Bytes>> {
    /// All of the jar.
    pub(super) fn bytes(&self) -> Bytes {
        self.zip.clone().into_inner().into_inner()
    }
}

/// Where an entry lies in the file and what it is, as the table of contents has it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) index: usize,
    /// Where its local header starts.
    pub(super) start: u64,
    /// Where its bytes end at the latest, if the local header is as usual.
    pub(super) end: u64,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) crc: u32,
    /// None for an entry that is read alone: an odd one, or one that is too long.
    pub(super) packing: Option<Packing>,
}

impl Place {
    /// Takes the entry out of those that are read with their neighbours.
    pub(super) fn read_alone(&mut self) {
        self.packing = None;
        self.end = self.start;
    }
}

/// How the bytes of an entry are packed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packing {
    Stored,
    Deflated,
}

/// Flink's own condition for a jar inside a jar.
pub fn is_library(name: &str) -> bool {
    name.len() > "lib/.jar".len() && name.starts_with("lib/") && name.ends_with(".jar")
}

fn leaves(name: &str) -> bool {
    name.contains('\0') || name.contains("..") && name.split(['/', '\\']).any(|part| part == "..")
}

/// A name that somebody else chose, no longer than a line.
fn cut(name: &str) -> String {
    crate::base::wording::cut(&name.replace(char::is_control, "?"), 120)
}

/// The error for a file that cannot be opened.
pub fn not_there(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        Error::new(&code::FILE_NOT_FOUND, format!("there is no `{}`", path.display()))
            .hint("build it first, or correct the path")
    } else {
        Error::new(&code::FILE_INVALID, format!("`{}` cannot be read", path.display())).caused_by(error)
    }
}

/// The error for a file that is no jar.
pub fn unreadable(path: &Path, error: &impl std::fmt::Display) -> Error {
    Error::new(&code::FILE_INVALID, format!("`{}` is not a jar, or only a part of one", path.display()))
        .caused_by(error)
        .hint("look at its size and first bytes: an unfinished download, an error page and a git LFS pointer look like this")
}
