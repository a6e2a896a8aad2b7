//! The state behind a simulated disk: names, files, call counter and faults.
//!
//! Every trait call passes [`World::begin`] before it has any effect: there it gets its number, is traced, meets a
//! dead machine or picks its fault.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::tree::{Change, Edit, Names, Node, Tree};
use super::crash::short_name;
use super::faults::{Call, Fault, Faults, eintr, einval, eio, enospc};
use super::image::Image;

/// Everything a simulated disk consists of.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Names as calls see them.
    pub tree: Tree<u64>,
    /// Names as the medium has them, by folder.
    durable: BTreeMap<u64, Names<u64>>,
    /// What lies between: (folder, call number, edit), oldest first.
    edits: Vec<(u64, u64, Edit<u64>)>,
    /// Files by number. Kept when unlinked: the unlink may not persist.
    pub files: BTreeMap<u64, Image>,
    pub file_next: u64,
    pub descriptor_next: u64,
    /// How many calls there were; the first has number 1.
    pub calls: u64,
    halt_at: Option<u64>,
    pub faults: Faults,
    /// Lines of the trace, if it is on.
    pub trace: Option<Vec<String>>,
    /// Bytes that files may use in all.
    pub capacity: Option<u64>,
    pub prefill_pays: bool,
}

/// What a trace says of a call beyond kind and path.
pub(super) enum About<'a> {
    Nothing,
    Span { position: u64, len: u64 },
    Length(u64),
    To(&'a Path),
}

impl World {
    /// An empty world.
    pub fn new(prefill_pays: bool, capacity: Option<u64>) -> Self {
        Self { prefill_pays, capacity, ..Self::default() }
    }

    /// From this call on the machine is dead.
    pub fn halt_at(&mut self, call: Option<u64>) {
        self.halt_at = call;
    }

    pub fn halted(&self) -> bool {
        self.halt_at.is_some_and(|halt| self.calls + 1 >= halt)
    }

    /// Numbers and traces a call; fails it when the machine is dead. Faults that fit every call fail it too; those
    /// that reads, writes and syncs act out are returned.
    pub fn begin(&mut self, call: Call, path: &Path, about: &About<'_>) -> io::Result<Option<Fault>> {
        if self.halted() {
            return Err(io::Error::other("the simulated machine is dead"));
        }
        self.calls += 1;
        let span = if let About::Span { position, len } = about { Some((*position, *len)) } else { None };
        let fault = self.faults.pick(call, self.calls, path, span);
        if let Some(trace) = &mut self.trace {
            let about = match about {
                About::Nothing => String::new(),
                About::Span { position, len } => format!(" {position}+{len}"),
                About::Length(len) => format!(" {len}"),
                About::To(path) => format!(" {}", short_name(path)),
            };
            let fault = fault.as_ref().map_or_else(String::new, |fault| format!(" ! {fault:?}"));
            trace.push(format!("#{} {} {}{about}{fault}", self.calls, call.name(), short_name(path)));
        }
        let syncs = matches!(call, Call::SyncData | Call::SyncAll);
        let transfers = matches!(call, Call::Read | Call::Write | Call::WriteDirect);
        match fault {
            Some(Fault::NoSpace) if !syncs => Err(enospc()),
            Some(Fault::Interrupted) => Err(eintr()),
            Some(Fault::Refused) => Err(einval()),
            Some(Fault::Io | Fault::IoPartly(_)) if !syncs && !transfers => Err(eio()),
            other => Ok(other),
        }
    }

    /// Logs an edit as not durable, and gives files their new names.
    pub fn log(&mut self, change: Change<u64>, path: &Path) {
        // After a removal nothing is found there, and a folder's files keep theirs: they serve rules and traces only.
        if let Ok(Node::File(file)) = self.tree.node(path)
            && let Some(image) = self.files.get_mut(&file)
        {
            path.clone_into(&mut image.path);
        }
        self.edits.push((change.dir, self.calls, change.edit));
    }

    /// Makes a folder's names durable.
    pub fn sync_names(&mut self, dir: u64) {
        self.edits.retain(|(of, _, _)| *of != dir);
        self.durable.insert(dir, self.tree.dirs().get(&dir).cloned().unwrap_or_default());
    }

    /// Makes one edit durable by itself, as tests prepare a disk; what waits for the same names is settled by it.
    pub fn settle(&mut self, dir: u64, edit: &Edit<u64>) {
        self.edits.retain(|(of, _, waits)| *of != dir || !waits.touches().iter().any(|n| edit.touches().contains(n)));
        edit.apply(self.durable.entry(dir).or_default());
    }

    /// Takes a tree whose names are all durable.
    pub fn adopt(&mut self, tree: Tree<u64>) {
        self.durable = tree.dirs().clone();
        self.tree = tree;
        self.edits.clear();
    }

    pub fn durable_names(&self) -> &BTreeMap<u64, Names<u64>> {
        &self.durable
    }

    /// (folder, call, edit) not durable yet, oldest first.
    pub fn unsynced_edits(&self) -> impl Iterator<Item = (u64, u64, &Edit<u64>)> {
        self.edits.iter().map(|(dir, call, edit)| (*dir, *call, edit))
    }

    /// The file at `path`.
    pub fn image_at(&mut self, path: &Path) -> io::Result<&mut Image> {
        match self.tree.node(path)? {
            Node::File(file) => self.image(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// The file of this number.
    pub fn image(&mut self, file: u64) -> io::Result<&mut Image> {
        self.files.get_mut(&file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Bytes that can still be written.
    pub fn free(&self) -> u64 {
        const PLENTY: u64 = 1 << 40;
        let Some(capacity) = self.capacity else { return PLENTY };
        capacity.saturating_sub(self.used())
    }

    /// Bytes that files with a name use.
    pub fn used(&self) -> u64 {
        let charged = |node: &Node<u64>| match node {
            Node::File(file) => self.files.get(file).map_or(0, |image| image.charged),
            Node::Dir(_) => 0,
        };
        self.tree.dirs().values().flat_map(Names::values).map(charged).sum()
    }

    /// All files by path, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut ways = vec![(super::super::tree::ROOT, PathBuf::from("/"))];
        while let Some((dir, path)) = ways.pop() {
            for (name, node) in self.tree.dirs().get(&dir).into_iter().flatten() {
                match node {
                    Node::Dir(inner) => ways.push((*inner, path.join(name))),
                    Node::File(_) => found.push(path.join(name)),
                }
            }
        }
        found.sort();
        found
    }
}
