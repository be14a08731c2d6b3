//! What a server holds: from `/proc`, and from what `/metrics` tells.

use std::{
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde::Serialize;

use crate::loadtest::process;

const PATIENCE: Duration = Duration::from_secs(5);

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reading {
    pub(super) memory: u64,
    pub(super) descriptors: usize,
    #[serde(flatten)]
    pub(super) held: Held,
}

/// What has to be nothing when nobody is inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    pub(super) rooms: u64,
    /// Sessions: those inside, and those that may be resumed.
    pub(super) participants: u64,
    /// Links, as rooms count them.
    pub(super) links: u64,
    /// Links, as the forwarder counts them.
    pub(super) media_links: u64,
    /// WebSockets.
    pub(super) connections: u64,
    /// Relays.
    pub(super) allocations: u64,
}

impl Reading {
    pub(super) fn take(pid: u32, server: SocketAddr) -> Result<Self, Box<dyn Error>> {
        // Before the question for the metrics, which needs a descriptor too.
        let (memory, descriptors) = (process::usage(pid)?.memory, process::descriptors(pid)?);
        Ok(Self { memory, descriptors, held: Held::of(&metrics(server)?)? })
    }
}

impl Held {
    fn of(metrics: &str) -> Result<Self, String> {
        Ok(Self {
            rooms: sum(metrics, "madang_room_rooms")?,
            participants: sum(metrics, "madang_room_participants")?,
            links: sum(metrics, "madang_room_links")?,
            media_links: sum(metrics, "madang_media_links")?,
            connections: sum(metrics, "madang_signaling_connections")?,
            allocations: sum(metrics, "madang_turn_allocations")?,
        })
    }

    /// Each with its name.
    pub(super) fn all(&self) -> [(&'static str, u64); 6] {
        [
            ("rooms", self.rooms),
            ("participants", self.participants),
            ("links of rooms", self.links),
            ("links of the forwarder", self.media_links),
            ("WebSockets", self.connections),
            ("relays", self.allocations),
        ]
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The sum of a metric over its labels. One that is not there was renamed: an error, for it would
/// be nothing forever.
fn sum(metrics: &str, name: &str) -> Result<u64, String> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.split_once('}')?.1,
            None => rest,
        };
        value.strip_prefix(' ')?.trim().parse::<f64>().ok()
    });
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return Err(format!("/metrics does not tell {name}"));
    }
    Ok(values.iter().sum::<f64>() as u64)
}

fn metrics(server: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if !text.starts_with("HTTP/1.1 200") {
        return Err(format!("/metrics is refused: {}", text.lines().next().unwrap_or_default()).into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP madang_room_rooms Rooms.\n# TYPE madang_room_rooms gauge\n\
        madang_room_rooms{topology=\"mesh\"} 1\nmadang_room_rooms{topology=\"sfu\"} 4\n\
        madang_room_rooms_more 9\nmadang_media_links 7\n# EOF\n";

    #[test]
    fn a_metric_is_summed_over_its_labels_alone() {
        assert_eq!(sum(TEXT, "madang_room_rooms"), Ok(5));
        assert_eq!(sum(TEXT, "madang_media_links"), Ok(7));
    }

    #[test]
    fn a_metric_that_is_not_told_is_an_error() {
        assert!(sum(TEXT, "madang_media").is_err());
        assert!(Held::of(TEXT).is_err());
    }
}
