//! What goes wrong in a history: faults of the disk that an opening meets, and what happens to the machine meanwhile.

use std::path::PathBuf;

use varve_core::disk::sim::{Call, Chaos, Fault, Rule};

use crate::run::{History, pick};

impl History {
    /// Sets the faults of this opening.
    pub fn arm(&mut self) {
        self.world.entropy.set_fails(false);
        let seed = self.rng.next_u64();
        let chaos = match self.rng.below(20) {
            0 | 1 => Chaos::harmless(),
            2 => Chaos { sync_io: 300, ..Chaos::harmless() },
            3 => Chaos { write_io: 200, zero_write: 100, ..Chaos::harmless() },
            4 => Chaos { names_io: 1500, ..Chaos::default() },
            5 => Chaos { no_space: 300, ..Chaos::default() },
            6 => Chaos { read_io: 150, ..Chaos::harmless() },
            7 => {
                let skip = self.rng.below(12);
                self.world
                    .disk
                    .add_rule(Rule::new(Fault::Io).on(&[Call::SyncData, Call::SyncAll, Call::SyncDir]).skip(skip));
                self.set_faulty(true);
                self.facts.count("openings with one failing sync");
                self.note(|| format!("sync {skip} fails"));
                return;
            }
            8 => {
                let free = self.rng.below(40_000);
                self.world.disk.set_free(Some(free));
                self.set_faulty(true);
                self.facts.count("openings on a full disk");
                self.note(|| format!("{free} bytes are free"));
                return;
            }
            _ => return,
        };
        let faulty = chaos != Chaos::harmless() || self.pending_error;
        self.set_faulty(faulty);
        self.facts.count(if faulty { "openings with random errors" } else { "openings with short transfers" });
        self.note(|| format!("{chaos:?}"));
        self.world.disk.set_chaos(chaos, seed);
    }

    pub fn set_faulty(&mut self, faulty: bool) {
        self.model.lock().faulty = faulty;
    }

    pub fn disarm(&mut self) {
        self.world.disk.clear_faults();
        self.world.disk.set_free(None);
        self.world.entropy.set_fails(false);
        self.set_faulty(self.pending_error);
    }

    /// True when an I/O error is no surprise.
    pub fn may_fail(&self) -> bool {
        self.model.lock().faulty || self.pending_error || self.world.disk.halted()
    }

    /// What happens to the machine while the log is open.
    pub fn trouble(&mut self) {
        match self.rng.below(60) {
            // With durability 'os' records that no sync covered may be lost before anyone's eyes.
            0 if self.model.lock().disk => self.evict(),
            1 => {
                let segments: Vec<PathBuf> =
                    self.world.disk.paths().into_iter().filter(|p| p.extension().is_some_and(|e| e == "seg")).collect();
                if !segments.is_empty() {
                    let path = pick(&mut self.rng, &segments).clone();
                    self.note(|| format!("write-back fails: {}", path.display()));
                    let _ = self.world.disk.fail_write_back(&path);
                    (self.doubtful, self.pending_error) = (true, true);
                    self.set_faulty(true);
                    self.facts.count("failed write-backs");
                }
            }
            2..5 => self.world.clock.advance_ms(self.rng.below(5000)),
            5 => self.world.clock.set_ms(1_767_225_600_000 + self.rng.below(10_000)),
            6 => {
                self.world.entropy.set_fails(true);
                self.set_faulty(true);
            }
            _ => {}
        }
    }

    pub fn evict(&mut self) {
        self.note(|| "evict".into());
        self.world.disk.evict();
        self.doubtful = true;
    }

    /// Somebody else syncs the files, and is told what write-back failed: the log will not be.
    pub fn report_pending_errors(&mut self) {
        for path in self.world.disk.paths() {
            let file = varve_core::disk::Disk::open(&self.world.disk, &path, varve_core::disk::Access::Read);
            let _ = file.map(|file| file.sync_all());
        }
        self.pending_error = false;
        self.set_faulty(false);
    }
}
