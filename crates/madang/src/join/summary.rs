//! What `madang join` received in all.

use std::fmt;

use madang_client::{clip::Codec, receive::Figures};
use madang_protocol::{LinkId, TrackId};
use serde::Serialize;

/// The end of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Always `summary`.
    pub(crate) event: &'static str,
    pub(crate) seconds: f64,
    /// How the media travelled: on a link to another participant, where there was one.
    pub(crate) path: &'static str,
    /// Links to other participants.
    pub(crate) links: Vec<LinkSummary>,
    pub(crate) tracks: Vec<TrackSummary>,
    /// Files that were written.
    pub(crate) files: Vec<String>,
}

/// The way that a link to another participant went last.
#[derive(Debug, Serialize)]
pub(crate) struct LinkSummary {
    pub(crate) link: LinkId,
    /// Who was at its other end, by name.
    pub(crate) peer: String,
    /// `host`, `srflx`, `prflx`, or by which relay.
    pub(crate) path: &'static str,
    /// The kinds of both candidates.
    pub(crate) local: &'static str,
    pub(crate) remote: &'static str,
}

/// One received track. Times in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct TrackSummary {
    pub(crate) track: TrackId,
    /// Who published it, by name.
    pub(crate) from: String,
    pub(crate) kind: &'static str,
    pub(crate) codec: &'static str,
    pub(crate) frames: u64,
    /// Those of them that a decoder could show.
    pub(crate) shown: u64,
    /// Frames shown per second.
    pub(crate) fps: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
    /// How often the size changed.
    pub(crate) layer_changes: u64,
    /// Packets that never came.
    pub(crate) lost: u64,
    pub(crate) freezes: u64,
    pub(crate) frozen_ms: f64,
    pub(crate) bytes: u64,
    /// From the first packet to the first frame shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_frame_ms: Option<f64>,
    /// From the sender's stamp to the frame's last packet, where the sender stamps its frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_p99_ms: Option<f64>,
}

impl TrackSummary {
    pub(crate) fn new(track: TrackId, from: String, codec: Codec, figures: &Figures) -> Self {
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
        let delay = |share| (figures.delays.count() > 0).then(|| millis(figures.delays.percentile(share)));
        Self {
            track,
            from,
            kind: if codec == Codec::Opus { "audio" } else { "video" },
            codec: codec.name(),
            frames: figures.frames,
            shown: figures.shown,
            fps: figures.frame_rate(),
            width: figures.size.map(|size| size.width),
            height: figures.size.map(|size| size.height),
            layer_changes: figures.size_changes,
            lost: figures.lost,
            freezes: figures.freezes,
            frozen_ms: millis(figures.frozen),
            bytes: figures.bytes,
            first_frame_ms: figures.first_shown.map(millis),
            delay_p50_ms: delay(0.5),
            delay_p99_ms: delay(0.99),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:.1} s, {}; {} tracks received", self.seconds, self.path, self.tracks.len())?;
        for LinkSummary { link, peer, path, local, remote } in &self.links {
            writeln!(f, "  link {link} to {peer}: {path} ({local} to {remote})")?;
        }
        for track in &self.tracks {
            let TrackSummary { from, codec, shown, frames, fps, layer_changes, lost, freezes, .. } = track;
            write!(f, "  {from} {codec}: {shown} of {frames} frames, {fps:.1}/s")?;
            if let (Some(width), Some(height)) = (track.width, track.height) {
                write!(f, ", {width}x{height}, {layer_changes} layer changes")?;
            }
            write!(f, ", {lost} packets lost, {freezes} freezes, {} kB", track.bytes / 1000)?;
            if let (Some(p50), Some(p99)) = (track.delay_p50_ms, track.delay_p99_ms) {
                write!(f, ", delay p50 {p50:.1} ms p99 {p99:.1} ms")?;
            }
            writeln!(f)?;
        }
        for file in &self.files {
            writeln!(f, "  written: {file}")?;
        }
        Ok(())
    }
}
