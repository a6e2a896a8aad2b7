//! The napi addon of varve: what lib/native.ts states as `Binding`, and nothing else.
//!
//! ```text
//! JS thread                                          engine threads
//! calls.rs, reading.rs, … ── spawn, Log::submit ──►  varve_core
//!        objects.rs ◄── drain ── events.rs ◄── push ──┘ (listener, replies)
//! ```
//!
//! Each environment (the main thread, every worker) has an [`environment::Environment`]: its queue of events, its one
//! thread-safe function, its logs and its requests. Engine threads never touch JS: they push an event and wake the
//! environment, whose `drain` makes objects of it.
//!
//! Invariants: errors cross as values; every request is answered exactly once while its environment lives; no panic
//! reaches Node; nothing of an environment's JS is touched once its cleanup hook has begun. Unsafe code stands in
//! [`raw`] alone.

#![deny(unsafe_code)]
// `#[napi]` hands arguments over by value.
#![allow(clippy::needless_pass_by_value)]
// `#[napi]` registers nothing in a test build, so nothing is called there.
#![cfg_attr(test, allow(dead_code))]

mod calls;
mod checking;
mod environment;
mod errors;
mod events;
mod logs;
mod numbers;
mod objects;
mod opening;
mod raw;
mod reading;
mod reports;
mod requests;
mod system;
mod turns;
