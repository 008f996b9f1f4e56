//! The subcommands without the broker, for trying them out.
fn main() -> std::process::ExitCode {
    millrace_cli::run(&millrace_cli::command().get_matches(), |_, _| Box::pin(async { None }))
}
