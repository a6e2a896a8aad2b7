//! The names of the disks that live in memory: folders and what they hold, without the files' contents.
//!
//! Every edit is returned as a [`Change`], so that the simulated disk can log what is not durable yet; the plain
//! memory disk ignores it. Paths are taken from the root whether they begin with `/` or not; links do not exist.

#![cfg_attr(
    not(any(test, feature = "simulation")),
    allow(dead_code, reason = "only the simulated disk reads edits back")
)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use super::{Access, Entry, EntryKind};

/// The folder that always exists.
pub(super) const ROOT: u64 = 0;

/// The names of one folder.
pub(super) type Names<F> = BTreeMap<String, Node<F>>;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Node<F> {
    Dir(u64),
    File(F),
}

/// One edit of one folder.
#[derive(Debug, Clone)]
pub(super) enum Edit<F> {
    Link { name: String, node: Node<F> },
    Unlink { name: String },
    Rename { from: String, to: String },
}

/// An edit that was made, and in which folder.
pub(super) struct Change<F> {
    pub dir: u64,
    pub edit: Edit<F>,
}

/// All folders by number.
#[derive(Debug)]
pub(super) struct Tree<F> {
    dirs: BTreeMap<u64, Names<F>>,
    dir_next: u64,
}

impl<F> Default for Tree<F> {
    fn default() -> Self {
        Self { dirs: BTreeMap::from([(ROOT, BTreeMap::new())]), dir_next: ROOT + 1 }
    }
}

impl<F: Clone> Edit<F> {
    /// Makes the edit; a name that is not there is no error (a crash may have lost it).
    pub fn apply(&self, names: &mut Names<F>) {
        match self {
            Self::Link { name, node } => {
                names.insert(name.clone(), node.clone());
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
            Self::Rename { from, to } => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }

    /// The names it touches.
    pub fn touches(&self) -> [&str; 2] {
        match self {
            Self::Link { name, .. } | Self::Unlink { name } => [name, name],
            Self::Rename { from, to } => [from, to],
        }
    }
}

impl<F: Clone> Tree<F> {
    /// A tree of these folders; `ROOT` must be among them.
    pub fn from_dirs(dirs: BTreeMap<u64, Names<F>>) -> Self {
        let dir_next = dirs.keys().next_back().map_or(ROOT, |last| *last) + 1;
        Self { dirs, dir_next }
    }

    /// All folders by number.
    pub fn dirs(&self) -> &BTreeMap<u64, Names<F>> {
        &self.dirs
    }

    /// The file at `path`, created with `create` where `access` says so.
    pub fn open(
        &mut self,
        path: &Path,
        access: Access,
        create: impl FnOnce() -> F,
    ) -> io::Result<(F, Option<Change<F>>)> {
        let (dir, name) = self.place(path)?;
        match self.names(dir)?.get(&name) {
            Some(_) if access == Access::CreateNew => Err(io::ErrorKind::AlreadyExists.into()),
            Some(Node::File(file)) => Ok((file.clone(), None)),
            Some(Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None if matches!(access, Access::Read | Access::Write) => Err(io::ErrorKind::NotFound.into()),
            None => {
                let file = create();
                let change = self.edit(dir, Edit::Link { name, node: Node::File(file.clone()) });
                Ok((file, Some(change)))
            }
        }
    }

    /// What `path` is.
    pub fn node(&self, path: &Path) -> io::Result<Node<F>> {
        components(path)?.iter().try_fold(Node::Dir(ROOT), |node, name| match node {
            Node::Dir(dir) => self.names(dir)?.get(*name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    /// The number of the folder at `path`.
    pub fn dir(&self, path: &Path) -> io::Result<u64> {
        match self.node(path)? {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// As [`super::Disk::kind`].
    pub fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        Ok(kind_of(&self.node(path)?))
    }

    /// As [`super::Disk::list`]; `len_of` tells a file's length.
    pub fn list(&self, path: &Path, len_of: impl Fn(&F) -> u64) -> io::Result<Vec<Entry>> {
        let entry = |(name, node): (&String, &Node<F>)| {
            let len = if let Node::File(file) = node { len_of(file) } else { 0 };
            Entry { name: name.clone(), kind: kind_of(node), len }
        };
        Ok(self.names(self.dir(path)?)?.iter().map(entry).collect())
    }

    /// As [`super::Disk::create_dir`].
    pub fn create_dir(&mut self, path: &Path) -> io::Result<Change<F>> {
        let (dir, name) = self.place(path)?;
        if self.names(dir)?.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let created = self.dir_next;
        self.dir_next += 1;
        self.dirs.insert(created, BTreeMap::new());
        Ok(self.edit(dir, Edit::Link { name, node: Node::Dir(created) }))
    }

    /// As [`super::Disk::rename`].
    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<Change<F>> {
        let ((dir, from), (dir_to, to)) = (self.place(from)?, self.place(to)?);
        if dir != dir_to {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a rename must stay within one folder"));
        }
        let names = self.names(dir)?;
        match (names.get(&from), names.get(&to)) {
            (None, _) => Err(io::ErrorKind::NotFound.into()),
            (_, Some(Node::Dir(_))) if from != to => Err(io::ErrorKind::IsADirectory.into()),
            _ => Ok(self.edit(dir, Edit::Rename { from, to })),
        }
    }

    /// As [`super::Disk::remove`]: files only.
    pub fn remove(&mut self, path: &Path) -> io::Result<Change<F>> {
        let (dir, name) = self.place(path)?;
        match self.names(dir)?.get(&name) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) => Ok(self.edit(dir, Edit::Unlink { name })),
        }
    }

    fn edit(&mut self, dir: u64, edit: Edit<F>) -> Change<F> {
        edit.apply(self.dirs.entry(dir).or_default());
        Change { dir, edit }
    }

    fn names(&self, dir: u64) -> io::Result<&Names<F>> {
        self.dirs.get(&dir).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The folder that holds (or would hold) the last name of `path`, and that name.
    fn place(&self, path: &Path) -> io::Result<(u64, String)> {
        let names = components(path)?;
        let Some((last, parents)) = names.split_last() else { return Err(io::ErrorKind::AlreadyExists.into()) };
        let parents: std::path::PathBuf = parents.iter().collect();
        Ok((self.dir(&parents)?, (*last).to_owned()))
    }
}

fn kind_of<F>(node: &Node<F>) -> EntryKind {
    match node {
        Node::Dir(_) => EntryKind::Dir,
        Node::File(_) => EntryKind::File,
    }
}

fn components(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            Component::ParentDir => {
                names.pop();
            }
            Component::Normal(name) => {
                names.push(name.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?);
            }
        }
    }
    Ok(names)
}
