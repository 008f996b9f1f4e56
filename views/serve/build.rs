//! Makes the gRPC service from `views.proto`, and keeps its descriptor for reflection. Needs no protoc.
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = "../proto";
    println!("cargo:rerun-if-changed={folder}/views.proto");
    let descriptors = protox::compile(["views.proto"], [folder])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("views.bin");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().build_client(false).compile_fds(descriptors)?;
    Ok(())
}
