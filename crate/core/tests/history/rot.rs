//! Rot at the end of a history: bytes that no crash changes. What was attested is refused or there; whatever is
//! returned is what was appended; a refusal changes nothing.

use std::sync::Arc;

use varve_core::disk::sim::{CrashChoice, SimRng};
use varve_core::error::Error;
use varve_core::log::Log;
use varve_core::reader::ReadRequest;

use crate::model::Ear;
use crate::run::{History, ensure, pick};

/// What happened to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rot {
    Bit,
    Page,
    Cut,
    Missing,
    Misdirected,
    Swapped,
}

impl History {
    /// Rots the files as they are now and judges what opening makes of them. The log stays behind, rotten.
    pub fn rot_end(&mut self) -> Result<(), String> {
        let closed = self.rng.chance(1, 2);
        if closed {
            self.report_pending_errors();
            self.close_calmly()?;
        }
        // Everything durable: rot comes to disks at rest.
        let base = self.world.crash_with(&CrashChoice::keep_all());
        let whole = self.size_without_rot(&base)?;
        // The live mark attests everything acknowledged; without it, only what lies on the disk does.
        let unmarked = self.rng.chance(2, 3);
        self.world = base.crash_with(&CrashChoice::keep_all());
        if unmarked {
            let path = self.dir.join("lock");
            let _ = self.world.disk.write_file(&path, &[0; 600]);
        }
        let rot = *pick(
            &mut self.rng,
            &[Rot::Bit, Rot::Bit, Rot::Bit, Rot::Page, Rot::Cut, Rot::Missing, Rot::Misdirected, Rot::Swapped],
        );
        let online = !closed && self.rng.chance(1, 4);
        if online {
            return self.rot_online(rot);
        }
        let sound = self.files();
        let Some(where_) = self.strike(rot) else { return Ok(()) };
        self.note(|| format!("{rot:?}: {where_}"));
        // One stray write over marks and records at once takes the statement along with what it states.
        let after = self.files();
        let slots = |bytes: &Vec<u8>| bytes.get(3072..4096).map(<[u8]>::to_vec);
        let marks_hit =
            rot == Rot::Misdirected && sound.iter().any(|(path, bytes)| slots(bytes) != slots(&after[path]));
        let least = {
            let model = self.model.lock();
            match rot {
                _ if marks_hit => 0,
                _ if closed => whole,
                _ if !model.disk => 0,
                Rot::Bit if !unmarked => model.acknowledged.min(whole),
                Rot::Bit => model.attested.min(whole),
                _ => 0,
            }
        };
        let what = format!("{rot:?} at {where_}");
        let Some(log) = self.open_damaged(&what, least)? else { return Ok(()) };
        let size = log.head().size;
        let told = rot != Rot::Bit || size >= whole || log.cut().is_some();
        ensure!(told, "{what}: {size} of {whole}, nothing told");
        self.facts.count(if size < whole { "rot cut" } else { "rot outside of what opening reads" });
        Ok(())
    }

    /// Opens files in which `what` happened. They are refused and left as they are, or the log has at least `least`
    /// records; whatever it returns is what was appended; and where `verify` finds nothing, all of it is returned.
    pub fn open_damaged(&mut self, what: &str, least: u64) -> Result<Option<Log>, String> {
        let report = self.report().map_err(|error| format!("{what}: {error}"))?;
        let sound = report.filter(|report| report.ok);
        let before = self.files();
        let options = self.options(None);
        let host = self.host();
        let opened = Log::open(host, &self.dir, options, Arc::new(Ear(Arc::clone(&self.model))));
        match opened {
            Err(Error::Corrupt(damage)) => {
                self.facts.count("damage refused");
                self.note(|| format!("refused: {damage}"));
                ensure!(sound.is_none(), "{what}: verify finds nothing, and the log is refused: {damage}");
                self.ensure_unchanged(&before, &Error::Corrupt(damage))?;
                Ok(None)
            }
            Err(error) => Err(format!("{what}: {error} ({})", error.code())),
            Ok(log) => {
                let size = log.head().size;
                self.note(|| format!("opened: {size} records, cut {:?}", log.cut()));
                ensure!(size >= least, "{what}: {size} records left of {least} attested");
                let refused = self.read_despite_damage(&log)?;
                if let Some(report) = sound {
                    self.facts.count("damage that verify need not find");
                    ensure!(report.head.size == size, "{what}: {} records verified, {size} opened", report.head.size);
                    ensure!(refused == 0, "{what}: verify finds nothing, and {refused} reads are refused");
                }
                Ok(Some(log))
            }
        }
    }

    /// Opens once without rot, on a copy.
    fn size_without_rot(&mut self, base: &varve_core::simulation::SimWorld) -> Result<u64, String> {
        self.world = base.clone();
        let options = self.options(None);
        let host = self.host();
        let log = Log::open(host, &self.dir, options, Arc::new(Ear(Arc::default())));
        let log = log.map_err(|error| format!("open failed before any rot: {error}"))?;
        Ok(log.head().size)
    }

    fn rot_online(&mut self, rot: Rot) -> Result<(), String> {
        let options = self.options(None);
        let host = self.host();
        let log = Log::open(host, &self.dir, options, Arc::new(Ear(Arc::default())));
        let log = log.map_err(|error| format!("open failed before any rot: {error}"))?;
        let Some(where_) = self.strike(rot) else { return Ok(()) };
        self.note(|| format!("{rot:?} under an open log: {where_}"));
        self.facts.count("rot under an open log");
        self.read_despite_damage(&log)?;
        Ok(())
    }

    fn strike(&mut self, rot: Rot) -> Option<String> {
        let files = self.files();
        let rng = &mut self.rng;
        let segments = crate::run::segments(&files, &self.dir);
        let used: Vec<_> = segments.iter().filter(|path| files[*path].iter().any(|&b| b != 0)).collect();
        let path = (*pick(rng, &used)).clone();
        let disk = &self.world.disk;
        let content = &files[&path];
        let name = path.file_name()?.to_string_lossy().into_owned();
        match rot {
            Rot::Bit => {
                let position = place(rng, content);
                let bit = position * 8 + rng.below(8);
                disk.flip_bit(&path, bit).ok()?;
                Some(format!("{name} bit {bit} (byte {position})"))
            }
            Rot::Page => {
                let position = place(rng, content);
                disk.zero_page(&path, position).ok()?;
                Some(format!("{name} page of {position}"))
            }
            Rot::Cut => {
                let len = place(rng, content);
                disk.write_file(&path, &content[..len as usize]).ok()?;
                Some(format!("{name} cut to {len} of {}", content.len()))
            }
            // Without any file of a log left, there is none: only a head held elsewhere can tell.
            Rot::Missing if segments.len() == 1 => None,
            Rot::Missing => {
                disk.remove_file(&path).ok()?;
                Some(format!("{name} removed"))
            }
            Rot::Misdirected => {
                let other = pick(rng, &used);
                let source = &files[*other];
                let from = rng.below(source.len() as u64 / 64) as usize * 64;
                let to = rng.below(content.len() as u64 / 64) as usize * 64;
                let len = (64 << rng.below(9)).min(source.len() - from).min(content.len() - to);
                let mut bytes = content.clone();
                bytes[to..to + len].copy_from_slice(&source[from..from + len]);
                disk.write_file(&path, &bytes).ok()?;
                Some(format!("{name} {to}+{len} holds what {} has at {from}", other.display()))
            }
            Rot::Swapped => {
                let other = pick(rng, &used);
                disk.write_file(&path, &files[*other]).ok()?;
                disk.write_file(other, content).ok()?;
                Some(format!("{name} and {} swapped", other.display()))
            }
        }
    }

    /// Every record is right, or refused; says how often one was.
    pub fn read_despite_damage(&mut self, log: &Log) -> Result<u64, String> {
        let mut refused = 0;
        let size = log.head().size;
        let mut model = self.model.lock();
        ensure!(size <= model.size(), "{size} records, only {} were submitted", model.size());
        let expected = model.head(size);
        ensure!(log.head().hash == expected, "the head at {size} is not that of the records");
        let mut from = 0;
        while from < size {
            let verify = self.rng.chance(1, 2);
            let request = ReadRequest { from, to: size, max_bytes: 1, max_records: 200, reverse: false, verify };
            match log.read(&request) {
                Ok(records) => {
                    ensure!(records.offset == from && !records.is_empty(), "reading from {from} gave nothing");
                    for at in 0..records.len() {
                        let record = &model.records[from as usize + at];
                        let same = Some(record.payload.as_slice()) == records.payload(at);
                        ensure!(same && records.times[at] == record.time, "record {} is damaged", from + at as u64);
                    }
                    from += records.len() as u64;
                }
                Err(Error::Corrupt(_)) => {
                    self.facts.count("damaged frames refused by reading");
                    refused += 1;
                    from += 1 + self.rng.below(20);
                }
                // A file that is gone or too short is not there to be read.
                Err(Error::Io { .. }) => (from, refused) = (from + 20, refused + 1),
                Err(error) => return Err(format!("reading {from}: {error} ({})", error.code())),
            }
        }
        Ok(refused)
    }
}

/// A position in a file: often where something is decided.
fn place(rng: &mut SimRng, content: &[u8]) -> u64 {
    let len = content.len() as u64;
    let frames: Vec<u64> = (4096..len).step_by(64).filter(|&at| content[at as usize..].starts_with(b"vfrm")).collect();
    match rng.below(8) {
        0 => rng.below(len.min(700)),
        1 => (3072 + rng.below(1024)).min(len - 1),
        2 => len - 1 - rng.below(len.min(400)),
        3..6 if !frames.is_empty() => {
            let frame = if rng.chance(1, 3) { frames[frames.len() - 1] } else { *pick(rng, &frames) };
            (frame + rng.below(130)).min(len - 1)
        }
        _ => rng.below(len),
    }
}
