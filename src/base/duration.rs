//! Durations as users write them: `"500ms"`, `"90s"`, `"10m"`, `"36h"`, `"7d"`, and sums such as `"1h30m"`.

use std::time::Duration;

use super::{Error, Result, code};

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration. Flink's own spelling with a space (`"10 s"`, `"1 min"`) is understood too.
///
/// # Errors
/// `argument.invalid` for anything that is not a sum of whole numbers with units.
pub fn parse(text: &str) -> Result<Duration> {
    let invalid = || {
        Error::new(&code::ARGUMENT_INVALID, format!("`{text}` is not a duration"))
            .hint("write a number and a unit: `500ms`, `90s`, `10m`, `36h`, `7d`")
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "min" => "m",
            unit => unit,
        };
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        total = number.checked_mul(*factor).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        rest = rest[letters..].trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// A duration as users read it: the two largest units (`1h30m`, `4.2s`, `35ms`).
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{:.1}s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{}m{:02}s", millis / 60_000, millis / 1_000 % 60),
        3_600_000..86_400_000 => format!("{}h{:02}m", millis / 3_600_000, millis / 60_000 % 60),
        _ => format!("{}d{:02}h", millis / 86_400_000, millis / 3_600_000 % 24),
    }
}

/// An age as users read it: whole seconds, and above a minute the two largest units.
pub fn age(millis: u64) -> String {
    match millis {
        0..60_000 => format!("{}s", millis / 1_000),
        _ => show(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in
            [("500ms", 500), ("90s", 90_000), ("1h30m", 5_400_000), ("10 s", 10_000), ("1 min", 60_000), ("0s", 0)]
        {
            assert_eq!(parse(text).unwrap().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "10", "s", "-1s", "1.5s", "1y", "99999999999999999999s", "1s1", "18446744073709551615d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown() {
        for (millis, text) in
            [(35, "35ms"), (4_200, "4.2s"), (61_000, "1m01s"), (5_400_000, "1h30m"), (90_000_000, "1d01h")]
        {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }
}
