//! Flink versions, as far as requests differ between them.

use std::fmt;

use crate::base::{Error, Result, code};

/// A Flink version; patch levels do not change the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// `1` in `1.20.5`.
    pub major: u32,
    /// `20` in `1.20.5`.
    pub minor: u32,
}

impl Version {
    /// A version from its two parts.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Whether options can travel with a submission (`flinkConfiguration`): since Flink 1.17.
    pub fn takes_options(self) -> bool {
        self >= Self::new(1, 17)
    }

    /// Reads `1.20`, `1.20.5`, `2.3.0` or `2.0-SNAPSHOT`.
    ///
    /// # Errors
    /// `flink.version`.
    pub fn parse(text: &str) -> Result<Self> {
        let number = |part: Option<&str>| {
            let part = part?;
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().ok()
        };
        let mut parts = text.split('.');
        match (number(parts.next()), number(parts.next())) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(Error::new(&code::FLINK_VERSION, format!("`{text}` is not a Flink version"))),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(Version::parse("1.20.5").unwrap(), Version::new(1, 20));
        assert_eq!(Version::parse("2.0-SNAPSHOT").unwrap(), Version::new(2, 0));
        assert!(Version::new(1, 9) < Version::new(1, 17) && Version::new(1, 20) < Version::new(2, 0));
        assert!(Version::parse("<unknown>").is_err());
    }
}
