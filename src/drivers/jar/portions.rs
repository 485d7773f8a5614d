//! Many entries of a jar, unpacked on as many cores as there are. Each thread takes a portion of the file at a time: the
//! jar is never in memory whole, and what a thread reads and unpacks stays in its core's cache.

use std::io::{Read, Seek};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libdeflater::{Decompressor, crc32};

use super::archive::{Archive, LONGEST_ENTRY, Packing, Place, unreadable};
use super::source::{Source, room};
use crate::base::{Error, Result};

/// How much of the file a portion spans at most, unless one entry alone is longer.
const PORTION: u64 = 256 << 10;

/// How long an entry's local header is without its name, and what it starts with.
const HEADER: usize = 30;
const MAGIC: &[u8] = b"PK\x03\x04";

/// More threads would wait for the memory.
const MOST_THREADS: usize = 8;

/// What `look` finds in the entries whose names are `wanted`, in the order in which they lie in the file.
///
/// # Errors
/// `file.invalid` for an entry that is damaged or too long, and where they are too much altogether.
pub(super) fn look_into<R: Read + Seek + Send, T: Send>(
    archive: Archive<R>,
    source: &impl Source,
    wanted: impl Fn(&str) -> bool,
    look: impl Fn(&[u8]) -> Option<T> + Sync,
) -> Result<Vec<T>> {
    let mut places: Vec<Place> = (0..archive.len())
        .filter(|index| archive.name(*index).is_some_and(|name| wanted(&name)))
        .filter_map(|index| archive.place(index))
        .collect();
    places.sort_unstable_by_key(|place| (place.start, place.index));
    apart(&mut places);
    let portions = portions(&places);
    let archive = Mutex::new(archive);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut unpacker = Unpacker::new(&archive, source);
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(portion) = portions.get(number) else { return Ok(found) };
            let mut part = Vec::with_capacity(portion.len());
            let unpacked = unpacker.unpack(portion, |bytes| part.extend(look(bytes)));
            // After an error nobody needs to go on.
            unpacked.inspect_err(|_| next.store(portions.len(), Ordering::Relaxed))?;
            found.push((number, part));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(portions.len());
    let found: Result<Vec<_>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut found = vec![work()];
        found.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|_| Err(panicked(&archive)))));
        found.into_iter().collect()
    });
    let mut parts: Vec<(usize, Vec<T>)> = found?.into_iter().flatten().collect();
    parts.sort_unstable_by_key(|(number, _)| *number);
    Ok(parts.into_iter().flat_map(|(_, part)| part).collect())
}

fn panicked<R: Read + Seek>(archive: &Mutex<Archive<R>>) -> Error {
    unreadable(locked(archive).shown(), &"an entry could not be read")
}

fn locked<R>(archive: &Mutex<Archive<R>>) -> MutexGuard<'_, Archive<R>> {
    archive.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What lies in the next entry, or over it, is not read in portions: a hostile jar would have the same bytes read for each of
/// its entries.
fn apart(places: &mut [Place]) {
    for index in 1..places.len() {
        let next = places[index].start;
        let place = &mut places[index - 1];
        if place.start.saturating_add(place.packed) >= next {
            place.read_alone();
        }
    }
}

/// Neighbours in the file, as many as one reading takes.
fn portions(places: &[Place]) -> Vec<&[Place]> {
    let mut portions = Vec::new();
    let mut rest = places;
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|place| place.end <= first.start.saturating_add(PORTION)).count();
        let (portion, others) = rest.split_at(length.max(1));
        portions.push(portion);
        rest = others;
    }
    portions
}

/// Unpacks entry after entry: one state for thousands, and no memory of its own for each.
struct Unpacker<'a, R, S> {
    archive: &'a Mutex<Archive<R>>,
    source: &'a S,
    state: Decompressor,
    /// The portion, as it lies in the file.
    window: Vec<u8>,
    /// An entry, unpacked.
    bytes: Vec<u8>,
}

impl<'a, R: Read + Seek, S: Source> Unpacker<'a, R, S> {
    fn new(archive: &'a Mutex<Archive<R>>, source: &'a S) -> Self {
        Self { archive, source, state: Decompressor::new(), window: Vec::new(), bytes: Vec::new() }
    }

    fn unpack(&mut self, portion: &[Place], mut look: impl FnMut(&[u8])) -> Result<()> {
        let start = portion.first().map_or(0, |place| place.start);
        let end = portion.iter().map(|place| place.end).max().unwrap_or(start);
        // What is longer than any entry that is read is none of them.
        let end = end.min(start.saturating_add(LONGEST_ENTRY));
        let window = self.source.window(start..end, &mut self.window);
        let window = window.map_err(|error| unreadable(locked(self.archive).shown(), &error))?;
        for place in portion {
            match packed(window, start, place) {
                Some(packed) => {
                    locked(self.archive).spend(place.index, place.size, LONGEST_ENTRY)?;
                    match unpacked(packed, place, &mut self.state, &mut self.bytes) {
                        Some(bytes) => look(bytes),
                        None => return Err(locked(self.archive).damaged(place.index)),
                    }
                }
                // Seldom packed so, or not where it should be: those who know more have their say.
                None => {
                    locked(self.archive).read_into(place.index, LONGEST_ENTRY, &mut self.bytes)?;
                    look(&self.bytes);
                }
            }
        }
        Ok(())
    }
}

/// The bytes of an entry as they lie in the window, which starts at `start`; none where they are not all in it, or are not
/// packed as nearly all are.
fn packed<'a>(window: &'a [u8], start: u64, place: &Place) -> Option<&'a [u8]> {
    place.packing?;
    let header = window.get(usize::try_from(place.start - start).ok()?..)?;
    let fixed = header.get(..HEADER).filter(|fixed| fixed.starts_with(MAGIC))?;
    let length = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    let begin = HEADER + length(26) + length(28);
    header.get(begin..begin.checked_add(usize::try_from(place.packed).ok()?)?)
}

/// What an entry holds; none where it is not as long as the table of contents says, or has not its checksum.
fn unpacked<'a>(packed: &'a [u8], place: &Place, state: &mut Decompressor, bytes: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let length = usize::try_from(place.size).ok()?;
    let bytes: &[u8] = match place.packing? {
        Packing::Stored => packed,
        Packing::Deflated => {
            let room = room(bytes, length);
            let written = state.deflate_decompress(packed, room).ok()?;
            &room[..written]
        }
    };
    (bytes.len() == length && crc32(bytes) == place.crc).then_some(bytes)
}
