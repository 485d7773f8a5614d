//! The command line: parse, call, print.

pub mod report;

/// Starts.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
