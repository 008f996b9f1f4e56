//! A broker whose disk does what it is told: `shim.c` between it and its files.
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_harness::{Broker, Options, scratch};
use tempfile::TempDir;

/// The faults of one broker. Its files must be made by [`Faulty::options`].
pub struct Faulty {
    folder: TempDir,
    shim: PathBuf,
}

impl Faulty {
    /// Builds the shim.
    #[track_caller]
    pub fn new() -> Faulty {
        let folder = scratch("faults");
        let shim = folder.path().join("shim.so");
        std::fs::create_dir(folder.path().join("on")).expect("a folder below a scratch folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shim.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl").status().expect("a C compiler is there");
        assert!(built.success(), "the shim does not build");
        Faulty { folder, shim }
    }

    /// A broker under the shim. `data` is below its scratch folder, whose name is not known yet: all scratch folders are meant.
    pub fn options(&self) -> Options {
        self.options_for("")
    }

    /// The same, where only files with `part` in their names are meant.
    pub fn options_for(&self, part: &str) -> Options {
        let preload = format!("LD_PRELOAD={}", self.shim.display());
        let faults = format!("FAULTS={}", self.folder.path().join("on").display());
        let data = format!("FAULTY={}/millrace-faulty-", self.folder.path().parent().unwrap_or(Path::new("/")).display());
        let part = format!("FAULTY_PART={part}");
        Broker::options().named("faulty").under(["env".to_owned(), preload, faults, data, part])
    }

    fn path(&self, fault: &str) -> PathBuf {
        self.folder.path().join("on").join(fault)
    }

    /// From now on, or once, as the shim has it.
    pub fn set(&self, fault: &str) {
        std::fs::write(self.path(fault), []).expect("a file in a scratch folder");
    }

    pub fn clear(&self, fault: &str) {
        std::fs::remove_file(self.path(fault)).expect("it was set");
    }

    /// Whether a fault that happens once has happened.
    pub fn happened(&self, fault: &str) -> bool {
        !self.path(fault).exists()
    }
}

impl Default for Faulty {
    fn default() -> Self {
        Self::new()
    }
}
