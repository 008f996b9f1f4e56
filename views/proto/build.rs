//! Makes messages, server and client from `views.proto`, and keeps its descriptor for reflection. Needs no protoc.
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=views.proto");
    let descriptors = protox::compile(["views.proto"], ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("views.bin");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
