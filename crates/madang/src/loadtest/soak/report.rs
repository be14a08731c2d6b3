//! What a soak found, as a table or as JSON.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    crowd::Books,
    reading::Reading,
    verdict::{allowance, is_memory_judged},
};

/// Times in seconds, memory in bytes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) warm_up_seconds: f64,
    #[serde(flatten)]
    pub(super) books: Books,
    /// With nobody inside: when it had just begun, after the warm-up, and at the end.
    pub(super) fresh: Reading,
    pub(super) before: Reading,
    pub(super) after: Reading,
    pub(super) most: Most,
    pub(super) samples: Vec<Sample>,
    /// What may be said against the server.
    pub(super) against: Vec<String>,
}

/// The most that was seen at any time.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Most {
    pub(super) memory: u64,
    pub(super) descriptors: usize,
}

impl Most {
    pub(super) fn note(&mut self, reading: &Reading) {
        self.memory = self.memory.max(reading.memory);
        self.descriptors = self.descriptors.max(reading.descriptors);
    }
}

/// How it was at some time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) at: f64,
    pub(super) people: usize,
    pub(super) joined: u64,
    pub(super) failures: u64,
    #[serde(flatten)]
    pub(super) server: Reading,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, people, joined, failures, server } = self;
        let held = &server.held;
        write!(
            f,
            "{at:4.0} s: {people} people, {joined} joins, {failures} failures; server: {} KiB, {} descriptors, \
             {} rooms, {} sessions, {} links, {} relays",
            server.memory / 1024,
            server.descriptors,
            held.rooms,
            held.participants,
            held.media_links,
            held.allocations
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24}{value}");
        let Books { joined, begun, impatient, failures, .. } = &self.books;
        row("seed", self.seed.to_string())?;
        row("time", format!("{:.0} s, {:.0} s of it warm-up", self.seconds, self.warm_up_seconds))?;
        row("joins", format!("{joined} of {begun}; {impatient} went before they were inside"))?;
        let Books { left, pages_closed, vanished, fell_silent, .. } = &self.books;
        row(
            "went",
            format!("{left} politely, {pages_closed} closed the page, {vanished} vanished, {fell_silent} fell silent"),
        )?;
        let Books { connections_lost, resumed, relays, streams, data_sent, data_received, .. } = &self.books;
        row("lost connections", format!("{connections_lost}; {resumed} resumed"))?;
        row("at once", format!("{} people at most; {relays} came by a relay", self.books.most_inside))?;
        row("received", format!("{streams} streams, {data_received} messages of {data_sent}"))?;
        let failed: Vec<String> = failures
            .all()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        row("failures", if failed.is_empty() { "none".into() } else { failed.join(", ") })?;
        let refused: Vec<String> = self.books.refused.iter().map(|(code, count)| format!("{count} {code}")).collect();
        row("requests refused", if refused.is_empty() { "none".into() } else { refused.join(", ") })?;
        let kibi = |bytes: u64| bytes / 1024;
        let (before, after) = (&self.before, &self.after);
        let bound = if is_memory_judged(Duration::from_secs_f64(self.warm_up_seconds)) {
            format!("{} KiB would be all right", kibi(before.memory + allowance(before.memory)))
        } else {
            "not judged after so short a warm-up".into()
        };
        let [fresh, warm, last] = [&self.fresh, before, after].map(|reading| kibi(reading.memory));
        row(
            "memory, nobody inside",
            format!("{fresh} KiB fresh, {warm} KiB after the warm-up, {last} KiB at the end; {bound}"),
        )?;
        row(
            "file descriptors",
            format!(
                "{} fresh, {} after the warm-up, {} at the end",
                self.fresh.descriptors, before.descriptors, after.descriptors
            ),
        )?;
        row("at most", format!("{} KiB, {} descriptors", kibi(self.most.memory), self.most.descriptors))?;
        let held: Vec<String> = after.held.all().iter().map(|(what, count)| format!("{count} {what}")).collect();
        row("held at the end", held.join(", "))?;
        row("verdict", if self.against.is_empty() { "flat".into() } else { self.against.join("; ") })
    }
}
