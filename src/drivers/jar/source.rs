//! Where the bytes of a jar are: in a file, or in memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The bytes of a jar: any part of them, at any time, from any thread.
pub(super) trait Source: Sync {
    /// The bytes of a range, as many as there are; `buffer` is room for them.
    fn window<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]>;
}

impl Source for File {
    fn window<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(Error::other)?;
        let room = room(buffer, length);
        let mut filled = 0;
        while filled < length {
            match self.read_at(&mut room[filled..], range.start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&room[..filled])
    }
}

/// So many bytes of a buffer that only grows: what is in it is written over.
pub(super) fn room(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

/// A file that keeps by itself where it is read: a table of contents asks for that at each entry.
#[derive(Debug)]
pub struct JarFile {
    file: Arc<File>,
    at: u64,
}

impl JarFile {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for JarFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for JarFile {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "there is nothing before a file"))?;
        Ok(self.at)
    }
}

/// A jar in memory.
#[derive(Debug, Clone)]
pub struct Bytes(Arc<Vec<u8>>);

impl Bytes {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Source for Bytes {
    fn window<'a>(&'a self, range: Range<u64>, _: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let place = |at: u64| usize::try_from(at).map_or(self.0.len(), |at| at.min(self.0.len()));
        Ok(self.0.get(place(range.start)..place(range.end)).unwrap_or_default())
    }
}
