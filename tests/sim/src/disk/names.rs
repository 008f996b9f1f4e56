//! Folders: which names there are now, and which the platter knows.
//!
//! A change of names waits in a list until its folder is synced. A crash keeps, folder by folder,
//! some first part of that folder's list. A rename within or between folders is one change.
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::not_found;

#[derive(Clone, Default)]
struct Tree {
    files: BTreeMap<PathBuf, u64>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(PathBuf, u64),
    MakeDir(PathBuf),
    Unlink(PathBuf),
    /// With everything below, if it is a folder.
    Rename(PathBuf, PathBuf),
    RemoveDir(PathBuf),
}

#[derive(Default)]
pub(super) struct Names {
    now: Tree,
    durable: Tree,
    pending: Vec<Change>,
}

impl Change {
    fn folder(&self) -> &Path {
        let path = match self {
            Change::Link(path, _) | Change::MakeDir(path) | Change::Unlink(path) | Change::RemoveDir(path) => path,
            Change::Rename(_, to) => to,
        };
        parent(path)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("/") || path == Path::new(".")
}

impl Tree {
    fn is_dir(&self, path: &Path) -> bool {
        is_root(path) || self.dirs.contains(path)
    }

    /// A name in a folder that never reached the platter is gone with it.
    fn prune(&mut self) {
        let dirs = std::mem::take(&mut self.dirs);
        let whole = |dir: &Path| dir.ancestors().all(|dir| is_root(dir) || dirs.contains(dir));
        self.files.retain(|file, _| whole(parent(file)));
        self.dirs = dirs.iter().filter(|dir| whole(dir)).cloned().collect();
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Link(path, inode) => {
                self.files.insert(path.clone(), *inode);
            }
            Change::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            Change::Unlink(path) => {
                self.files.remove(path);
            }
            Change::RemoveDir(path) => {
                self.files.retain(|file, _| !file.starts_with(path));
                self.dirs.retain(|dir| !dir.starts_with(path));
            }
            Change::Rename(from, to) => {
                if let Some(inode) = self.files.remove(from) {
                    self.files.insert(to.clone(), inode);
                } else if self.dirs.contains(from) {
                    let moved = |path: &PathBuf| match path.strip_prefix(from) {
                        Ok(rest) if rest.as_os_str().is_empty() => to.clone(),
                        Ok(rest) => to.join(rest),
                        Err(_) => path.clone(),
                    };
                    self.files = self.files.iter().map(|(path, inode)| (moved(path), *inode)).collect();
                    self.dirs = self.dirs.iter().map(moved).collect();
                }
            }
        }
    }
}

impl Names {
    pub fn file(&self, path: &Path) -> Option<u64> {
        self.now.files.get(path).copied()
    }

    pub fn is_dir(&self, path: &Path) -> bool {
        self.now.is_dir(path)
    }

    pub fn children(&self, dir: &Path) -> Vec<(String, Option<u64>)> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let files = self.now.files.iter().filter(|(path, _)| parent(path) == dir).map(|(path, inode)| (name(path), Some(*inode)));
        let dirs = self.now.dirs.iter().filter(|path| parent(path) == dir).map(|path| (name(path), None));
        files.chain(dirs).collect()
    }

    pub fn files_below(&self, dir: &Path) -> Vec<(PathBuf, u64)> {
        self.now.files.iter().filter(|(path, _)| path.starts_with(dir)).map(|(path, inode)| (path.clone(), *inode)).collect()
    }

    /// Inodes that some name leads to, now or after a crash.
    pub fn inodes(&self) -> BTreeSet<u64> {
        self.now.files.values().chain(self.durable.files.values()).copied().collect()
    }

    pub fn link(&mut self, path: &Path, inode: u64) -> io::Result<()> {
        if !self.is_dir(parent(path)) {
            return Err(not_found(parent(path)));
        }
        self.change(Change::Link(path.to_path_buf(), inode));
        Ok(())
    }

    pub fn make_dirs(&mut self, path: &Path) -> io::Result<()> {
        let missing: Vec<PathBuf> = path.ancestors().take_while(|dir| !self.is_dir(dir)).map(Path::to_path_buf).collect();
        for dir in missing.into_iter().rev() {
            self.change(Change::MakeDir(dir));
        }
        Ok(())
    }

    pub fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.file(path).ok_or_else(|| not_found(path))?;
        self.change(Change::Unlink(path.to_path_buf()));
        Ok(())
    }

    pub fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        if !self.is_dir(path) {
            return Err(not_found(path));
        }
        self.change(Change::RemoveDir(path.to_path_buf()));
        Ok(())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.file(from).is_none() && !self.now.dirs.contains(from) {
            return Err(not_found(from));
        }
        if !self.is_dir(parent(to)) {
            return Err(not_found(parent(to)));
        }
        if self.children(to).first().is_some() {
            return Err(io::Error::other("a folder with something in it is in the way"));
        }
        self.change(Change::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn change(&mut self, change: Change) {
        self.now.apply(&change);
        self.pending.push(change);
    }

    /// The folder's names, and nothing else, reach the platter.
    pub fn sync(&mut self, dir: &Path) {
        let dir = if dir == Path::new(".") { Path::new("") } else { dir };
        let (synced, rest) = std::mem::take(&mut self.pending).into_iter().partition(|change: &Change| change.folder() == dir);
        self.pending = rest;
        for change in synced {
            self.durable.apply(&change);
        }
    }

    /// `throw` gives a number per folder; 0 keeps nothing of what was not synced.
    pub fn crash(&mut self, mut throw: impl FnMut() -> u64) {
        let pending = std::mem::take(&mut self.pending);
        let mut kept: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for change in &pending {
            *kept.entry(change.folder().to_path_buf()).or_default() += 1;
        }
        for count in kept.values_mut() {
            *count = throw() % (*count + 1);
        }
        for change in pending {
            let left = kept.get_mut(change.folder()).expect("every folder was counted");
            if *left > 0 {
                *left -= 1;
                self.durable.apply(&change);
            }
        }
        self.durable.prune();
        self.now = self.durable.clone();
    }
}
