//! Where the programs and the data are.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The workspace's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the harness lies two folders below the root")
}

/// The `millrace` binary: `MILLRACE_BIN`, or the one beside the running test, which is brought up to date once a run.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("MILLRACE_BIN") {
            let given = PathBuf::from(given);
            assert!(given.is_file(), "MILLRACE_BIN names {}, which is not a file", given.display());
            return given;
        }
        let test = std::env::current_exe().expect("a running test has a path");
        let profile = test.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "debug" || name == "release" || name == "dist"));
        let profile = profile.unwrap_or_else(|| panic!("{} is not in a target folder; set MILLRACE_BIN", test.display()));
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.current_dir(root()).args(["build", "--quiet", "--package", "millrace", "--bin", "millrace"]);
        build.env("CARGO_TARGET_DIR", profile.parent().expect("a profile's folder has a parent"));
        if profile.file_name().is_some_and(|name| name == "release") {
            build.arg("--release");
        }
        let built = build.status().expect("cargo runs");
        assert!(built.success(), "the millrace binary does not build");
        profile.join("millrace")
    })
}

/// A folder for a test's files, on a real disk: `TMPDIR` may be memory.
pub fn scratch(name: &str) -> tempfile::TempDir {
    let base = std::env::var_os("MILLRACE_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new().prefix(&format!("millrace-{name}-")).tempdir_in(base).expect("a scratch folder can be made")
}

/// A file or folder beside the workspace in `../shared`; none on machines that do not have it, and tests then say so.
pub fn shared(path: &str) -> Option<PathBuf> {
    let base = std::env::var_os("MILLRACE_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let found = base.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: {} is not there (MILLRACE_SHARED names another folder)", found.display());
    None
}
