//! The one binary.
fn main() {
    eprintln!("millrace: nothing to start yet");
    std::process::exit(2);
}
