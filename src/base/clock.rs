//! The time of day. Everything that is stored or compared uses milliseconds since 1970, UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// Now. A clock before 1970 reads as 0.
pub fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX))
}

/// A moment as users read it: `2026-11-23T20:47:43.123Z`.
pub fn rfc3339(moment: Millis) -> String {
    jiff::Timestamp::from_millisecond(moment).map_or_else(|_| format!("{moment} ms"), |time| format!("{time:.3}"))
}

/// A moment to the second, for tables: `2026-11-23 20:47:43Z`.
pub fn short(moment: Millis) -> String {
    jiff::Timestamp::from_millisecond(moment)
        .map_or_else(|_| format!("{moment} ms"), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_read_as_dates() {
        assert_eq!(super::rfc3339(1_795_466_863_123), "2026-11-23T20:47:43.123Z");
        assert_eq!(super::short(1_795_466_863_123), "2026-11-23 20:47:43Z");
    }
}
