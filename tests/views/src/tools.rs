//! Foreign tools, fetched once into a folder of their own: `MILLRACE_TOOLS`, or `~/.cache/millrace-tools`.
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const GRPCURL: &str = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3";
/// Tests run side by side; a tool is fetched by one of them.
static FETCHING: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    let given = std::env::var_os("MILLRACE_TOOLS").map(PathBuf::from);
    given.unwrap_or_else(|| std::env::home_dir().expect("a home folder; or set MILLRACE_TOOLS").join(".cache/millrace-tools"))
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok() || Command::new(program).arg("version").output().is_ok()
}

fn done(command: &mut Command) {
    let line = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// grpcurl: the installed one, or fetched through Go's module proxy. Without Go there is none, which is said.
pub fn grpcurl() -> Option<PathBuf> {
    let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    if is_there("grpcurl") {
        return Some("grpcurl".into());
    }
    let fetched = folder().join("grpcurl");
    if fetched.is_file() {
        return Some(fetched);
    }
    if !is_there("go") {
        eprintln!("LEFT OUT: grpcurl is not installed, and there is no Go to fetch it with");
        return None;
    }
    done(Command::new("go").args(["install", GRPCURL]).current_dir(std::env::temp_dir()).env("GOBIN", folder()).env("GOFLAGS", "-mod=mod"));
    Some(fetched)
}

/// A Python with grpcio-tools. Without Python there is none, which is said.
pub fn python() -> Option<PathBuf> {
    let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let venv = folder().join("python");
    let python = venv.join("bin/python");
    if Command::new(&python).args(["-c", "import grpc_tools"]).status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    if !is_there("python3") {
        eprintln!("LEFT OUT: there is no python3");
        return None;
    }
    done(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    done(Command::new(&python).args(["-m", "pip", "install", "--quiet", "grpcio-tools"]));
    Some(python)
}
