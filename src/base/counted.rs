//! Numbers in messages.

/// A number and what it counts: "1 script", "2 scripts".
pub fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
