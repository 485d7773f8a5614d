//! Marks: what stands in a rendered text for a value, or for a place in a template, until the text is resolved.
//!
//! A mark is three characters of Unicode's private plane 16: its kind and two digits to base 4096. Templates and values
//! that hold a character of that plane are refused, so no value can forge one; and having no letters, no digits and no
//! white space in it, a mark survives what templates do to text.

use std::sync::{Arc, Mutex, PoisonError};

use super::datum::Datum;

const PLANE: u32 = 0x10_0000;
const BASE: usize = 0x1000;
const PLACE: char = '\u{10_1000}';
const DATUM: char = '\u{10_1001}';
const SECRETS: u32 = 0x10_2000;

/// The bytes that one mark takes.
pub(super) const WIDTH: usize = 12;

/// How many marks of one kind there can be.
pub(super) const CAPACITY: usize = BASE * BASE;

/// How many secrets a rendered text can hold.
pub(super) const SECRET_CAPACITY: usize = 0xDFFE;

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The number of a spot in a template.
    Place(usize),
    /// The number of a value on the board.
    Datum(usize),
}

impl Mark {
    /// The three characters.
    pub(super) fn text(self) -> String {
        let (kind, number) = match self {
            Self::Place(number) => (PLACE, number),
            Self::Datum(number) => (DATUM, number),
        };
        [Some(kind), digit(number / BASE % BASE), digit(number % BASE)].into_iter().flatten().collect()
    }

    /// The mark at the start of a text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let kind = letters.next()?;
        let number = value(letters.next()?)? * BASE + value(letters.next()?)?;
        match kind {
            PLACE => Some(Self::Place(number)),
            DATUM => Some(Self::Datum(number)),
            _ => None,
        }
    }
}

fn digit(number: usize) -> Option<char> {
    u32::try_from(number).ok().and_then(|number| char::from_u32(PLANE + number))
}

fn value(letter: char) -> Option<usize> {
    usize::try_from(u32::from(letter).checked_sub(PLANE)?).ok().filter(|value| *value < BASE)
}

/// Whether a character is of the plane that marks are made of.
pub(super) fn is_reserved(letter: char) -> bool {
    u32::from(letter) >= PLANE
}

/// Whether a text holds such a character.
pub(super) fn is_marked(text: &str) -> bool {
    text.contains(is_reserved)
}

/// The character that stands for a secret in a resolved text.
pub(super) fn secret(number: usize) -> Option<char> {
    u32::try_from(number).ok().filter(|_| number < SECRET_CAPACITY).and_then(|number| char::from_u32(SECRETS + number))
}

/// The number of the secret that a character stands for.
pub(super) fn secret_number(letter: char) -> Option<usize> {
    usize::try_from(u32::from(letter).checked_sub(SECRETS)?).ok()
}

/// The values that were written during one rendering; marks are their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Board(Arc<Mutex<Vec<Datum>>>);

impl Board {
    /// Puts a value down and gives its mark; `None` when there are too many.
    pub(super) fn put(&self, datum: Datum) -> Option<String> {
        let mut data = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        data.push(datum);
        (data.len() <= CAPACITY).then(|| Mark::Datum(data.len() - 1).text())
    }

    /// The value of a mark.
    pub(super) fn get(&self, number: usize) -> Option<Datum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }

    /// Takes all values away.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_and_are_reserved() {
        for mark in [Mark::Place(0), Mark::Place(4095), Mark::Datum(4096), Mark::Datum(CAPACITY - 1)] {
            let text = mark.text();
            assert_eq!(text.len(), WIDTH);
            assert!(text.chars().all(is_reserved));
            assert_eq!(Mark::read(&format!("{text}x")), Some(mark));
        }
        assert_eq!(Mark::read("abc"), None);
        assert!(!is_marked("aé漢😀\u{F8FF}"));
        for number in [0, 1, SECRET_CAPACITY - 1] {
            assert_eq!(secret(number).and_then(secret_number), Some(number));
        }
        assert_eq!(secret(SECRET_CAPACITY), None);
    }
}
