//! `key=value` arguments, and the events that bench/events.mjs wrote into a file: the same ones for every side.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use crate::Outcome;

/// Bytes of an event in the file of events.
pub const EVENT_BYTES: usize = 256;

/// A command with its arguments.
pub struct Arguments {
    command: String,
    values: HashMap<String, String>,
}

impl Arguments {
    /// Those of this process.
    pub fn of_process() -> Outcome<Self> {
        let mut words = std::env::args().skip(1);
        let command = words.next().ok_or("no command given")?;
        let pairs = words.map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
        let values = pairs.collect::<Option<_>>().ok_or("arguments are key=value")?;
        Ok(Self { command, values })
    }

    pub fn command(&self) -> &str {
        &self.command
    }

    pub fn text(&self, key: &str) -> Outcome<&str> {
        self.values.get(key).map(String::as_str).ok_or_else(|| format!("{}: {key} is missing", self.command).into())
    }

    pub fn number<T: FromStr>(&self, key: &str) -> Outcome<T> {
        self.text(key)?.parse().map_err(|_| format!("{}: {key} must be a number", self.command).into())
    }

    pub fn path(&self, key: &str) -> Outcome<&Path> {
        self.text(key).map(Path::new)
    }

    /// All events, one after another.
    pub fn events(&self) -> Outcome<Vec<u8>> {
        let events = std::fs::read(self.path("events")?)?;
        let whole = !events.is_empty() && events.len().is_multiple_of(EVENT_BYTES);
        if whole { Ok(events) } else { Err("the file of events holds no whole number of them".into()) }
    }
}
