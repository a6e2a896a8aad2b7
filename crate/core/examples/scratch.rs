use std::sync::{Arc, mpsc, atomic::{AtomicU64, Ordering}};
use std::time::Instant;
use varve_core::{disk::{self, Disk, file::FileDisk, Access}, error::Error, host::*, log::{Listener, Log}, options::*, pool::Pool, reader::ReadRequest, writer::Head};
struct L { size: AtomicU64, tx: mpsc::Sender<u64> }
impl Listener for L { fn durable(&self, h: Head) { self.size.store(h.size, Ordering::SeqCst); let _ = self.tx.send(h.size); } fn failed(&self, e: &Error) { eprintln!("{e}"); } }
fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let comp = std::env::args().nth(2).unwrap() == "lz4";
    let n: u64 = std::env::args().nth(3).unwrap().parse().unwrap();
    let _ = std::fs::remove_dir_all(&dir);
    let host = Host { disk: Arc::new(FileDisk), executor: Pool::global(), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
    let (tx, rx) = mpsc::channel();
    let l = Arc::new(L { size: AtomicU64::new(0), tx });
    let log = Log::open(host.clone(), &dir, Options { compression: if comp { Compression::Lz4 } else { Compression::None }, ..Options::default() }, l.clone()).unwrap();
    let recs: Vec<Vec<u8>> = (0..4000u64).map(|i| { let mut s = format!("{{\"ts\":17000000{:05},\"actor\":\"user-{}\",\"action\":\"document.update\",\"resource\":\"doc/{}\",\"ip\":\"10.0.{}.{}\",\"ok\":true,\"session\":\"{:016x}\"", i, i*7919%5000, i*104729%100000, i%256, i*31%256, i.wrapping_mul(0x9E3779B97F4A7C15)); while s.len() < 246 { s.push_str(",\"k\":1"); } s.truncate(255); s.push('}'); s.into_bytes() }).collect();
    let lens: Vec<u32> = recs.iter().map(|r| r.len() as u32).collect();
    let bytes = recs.concat();
    let t = Instant::now();
    let mut sent = 0; 
    while sent < n { log.submit(&bytes, &lens, &[4000]).unwrap(); sent += 4000; while sent - l.size.load(Ordering::SeqCst) > 4*4000 { rx.recv().unwrap(); } }
    while l.size.load(Ordering::SeqCst) < sent { rx.recv().unwrap(); }
    let e = t.elapsed();
    println!("pipe {} rec/s {:.2}M  MB/s {:.0}", comp, sent as f64 / e.as_secs_f64() / 1e6, sent as f64 * bytes.len() as f64 / 4000.0 / e.as_secs_f64() / 1e6);
    println!("{:?}", log.stats());
    // lone
    let mut lat = vec![];
    while rx.try_recv().is_ok() {}
    for i in 0..2000 { let r = &recs[i % 4000]; let t = Instant::now(); log.submit(r, &[r.len() as u32], &[1]).unwrap(); rx.recv().unwrap(); lat.push(t.elapsed().as_nanos() as u64); }
    let d = FileDisk; let p = dir.join("floor"); let f = d.open(&p, Access::CreateNew).unwrap(); let mut pos = 0; let mut fl = vec![];
    let b = vec![7u8; 384];
    for _ in 0..2000 { let t = Instant::now(); disk::write_all_at(&*f, &b, pos).unwrap(); f.sync_data().unwrap(); pos += 384; fl.push(t.elapsed().as_nanos() as u64); }
    lat.sort(); fl.sort();
    println!("lone p50 {} us, floor {} us", lat[1000]/1000, fl[1000]/1000);
    let t = Instant::now(); let mut req = ReadRequest { from: 0, to: u64::MAX, max_bytes: 65536, max_records: u64::MAX, reverse: false, verify: false }; let mut got = 0;
    loop { let r = log.read(&req).unwrap(); if r.is_empty() { break; } got += r.len(); req.from = r.from; }
    println!("scan {:.2} M rec/s", got as f64 / t.elapsed().as_secs_f64() / 1e6);
    let (tx2, rx2) = mpsc::channel(); log.close(Box::new(move |r| tx2.send(r).unwrap())); rx2.recv().unwrap().unwrap();
    let t = Instant::now(); let (tx, _rx) = mpsc::channel(); let log2 = Log::open(host, &dir, Options::default(), Arc::new(L { size: AtomicU64::new(0), tx })).unwrap(); println!("reopen {:?} size {}", t.elapsed(), log2.head().size);
}
