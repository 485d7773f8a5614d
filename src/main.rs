//! The `tidegate` binary: hands over to [`tidegate::cli`].

fn main() -> std::process::ExitCode {
    tidegate::cli::main()
}
