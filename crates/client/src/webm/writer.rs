//! Writes a WebM file as it grows: what was written so far can be played at any time. At the end
//! two places are patched, so that players know how long it is.

use std::time::Duration;

use super::ebml::{element, float, text, uint, unknown_size};
use crate::clip::{Codec, Size};

/// Milliseconds: one tick of all times in the file.
const TICK_NS: u64 = 1_000_000;
/// A new cluster begins after so long, or with a keyframe after a fifth of it.
const CLUSTER: Duration = Duration::from_secs(5);
/// Opus needs so much before a place where decoding begins (RFC 7845 §4.6).
const PRE_ROLL_NS: u64 = 80_000_000;

/// A track of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// What it is encoded in.
    pub codec: Codec,
    /// The picture's size; not used for sound.
    pub size: Size,
    /// Channels of sound, 1 or 2; not used for a picture.
    pub channels: u8,
}

/// Bytes to be written over those at that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// From the file's beginning.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A file in the making. Each method returns the bytes to append.
#[derive(Debug)]
pub struct Writer {
    /// Bytes returned so far.
    written: u64,
    segment_size_at: u64,
    duration_at: u64,
    cluster: Option<Cluster>,
    end: Duration,
}

#[derive(Debug)]
struct Cluster {
    begins: Duration,
    body: Vec<u8>,
}

impl Writer {
    /// Begins a file with these tracks; gives its first bytes.
    #[must_use]
    pub fn new(tracks: &[Track]) -> (Self, Vec<u8>) {
        let mut out = Vec::new();
        element(&mut out, 0x1A45_DFA3, &header());
        unknown_size(&mut out, 0x1853_8067);
        let segment_size_at = out.len() as u64 - 8;

        let mut info = Vec::new();
        uint(&mut info, 0x2A_D7B1, TICK_NS);
        text(&mut info, 0x4D80, "madang");
        text(&mut info, 0x5741, "madang");
        float(&mut info, 0x4489, 0.0);
        element(&mut out, 0x1549_A966, &info);
        let duration_at = out.len() as u64 - 8;

        let mut entries = Vec::new();
        for (index, track) in tracks.iter().enumerate() {
            element(&mut entries, 0xAE, &track_entry(index as u64 + 1, track));
        }
        element(&mut out, 0x1654_AE6B, &entries);
        let written = out.len() as u64;
        (Self { written, segment_size_at, duration_at, cluster: None, end: Duration::ZERO }, out)
    }

    /// Adds a frame of the track at that place in the list; `at` from the file's beginning,
    /// never going back by more than a cluster. The bytes may be empty: they come with the next
    /// cluster.
    pub fn frame(&mut self, track: usize, at: Duration, is_keyframe: bool, data: &[u8]) -> Vec<u8> {
        self.end = self.end.max(at);
        let is_full = self.cluster.as_ref().is_some_and(|cluster| {
            let age = at.saturating_sub(cluster.begins);
            age >= CLUSTER || (is_keyframe && age >= CLUSTER / 5) || at < cluster.begins
        });
        let out = if is_full { self.end_cluster() } else { Vec::new() };
        let cluster = self.cluster.get_or_insert_with(|| {
            let mut body = Vec::new();
            uint(&mut body, 0xE7, millis(at));
            Cluster { begins: at, body }
        });
        let relative = millis(at).saturating_sub(millis(cluster.begins));
        let mut block = Vec::with_capacity(data.len() + 4);
        // At most 126 tracks: their number takes one byte.
        block.push(0x80 | (track as u8 + 1));
        block.extend_from_slice(&i16::try_from(relative).unwrap_or(i16::MAX).to_be_bytes());
        block.push(if is_keyframe { 0x80 } else { 0 });
        block.extend_from_slice(data);
        element(&mut cluster.body, 0xA3, &block);
        out
    }

    /// Ends the file: its last bytes, and what has to be patched.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, [Patch; 2]) {
        let out = self.end_cluster();
        let segment = self.written - self.segment_size_at - 8;
        let size = (segment | 1 << 56).to_be_bytes().to_vec();
        let duration = (millis(self.end) as f64).to_be_bytes().to_vec();
        (out, [Patch { at: self.segment_size_at, bytes: size }, Patch { at: self.duration_at, bytes: duration }])
    }

    fn end_cluster(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(cluster) = self.cluster.take() {
            element(&mut out, 0x1F43_B675, &cluster.body);
        }
        self.written += out.len() as u64;
        out
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn header() -> Vec<u8> {
    let mut body = Vec::new();
    uint(&mut body, 0x4286, 1);
    uint(&mut body, 0x42F7, 1);
    uint(&mut body, 0x42F2, 4);
    uint(&mut body, 0x42F3, 8);
    text(&mut body, 0x4282, "webm");
    uint(&mut body, 0x4287, 4);
    uint(&mut body, 0x4285, 2);
    body
}

fn track_entry(number: u64, track: &Track) -> Vec<u8> {
    let mut body = Vec::new();
    uint(&mut body, 0xD7, number);
    uint(&mut body, 0x73C5, number);
    uint(&mut body, 0x9C, 0); // no lacing
    text(&mut body, 0x22_B59C, "und");
    let mut details = Vec::new();
    if track.codec == Codec::Opus {
        uint(&mut body, 0x83, 2);
        text(&mut body, 0x86, "A_OPUS");
        element(&mut body, 0x63A2, &opus_head(track.channels));
        uint(&mut body, 0x56BB, PRE_ROLL_NS);
        float(&mut details, 0xB5, 48_000.0);
        uint(&mut details, 0x9F, u64::from(track.channels));
        element(&mut body, 0xE1, &details);
    } else {
        uint(&mut body, 0x83, 1);
        text(&mut body, 0x86, if track.codec == Codec::Vp9 { "V_VP9" } else { "V_VP8" });
        uint(&mut details, 0xB0, u64::from(track.size.width.max(1)));
        uint(&mut details, 0xBA, u64::from(track.size.height.max(1)));
        element(&mut body, 0xE0, &details);
    }
    body
}

/// RFC 7845 §5.1. Nothing is skipped: the stream was joined in the middle.
fn opus_head(channels: u8) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&0u16.to_le_bytes());
    head.extend_from_slice(&48_000u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::{Clip, Layer, pattern};

    const VIDEO: Track = Track { codec: Codec::Vp8, size: Size { width: 320, height: 180 }, channels: 0 };
    const AUDIO: Track = Track { codec: Codec::Opus, size: Size { width: 0, height: 0 }, channels: 1 };

    /// The test picture and a made-up packet of sound for every 20 ms.
    fn file() -> Vec<u8> {
        let clip = pattern(Layer::Low);
        let (mut writer, mut file) = Writer::new(&[VIDEO, AUDIO]);
        let mut sound = 0u32;
        for index in 0..clip.len() {
            let frame = clip.frame(index).expect("one of them");
            file.extend(writer.frame(0, frame.at, frame.is_keyframe, frame.data));
            while Duration::from_millis(20) * sound < frame.at {
                file.extend(writer.frame(1, Duration::from_millis(20) * sound, true, &sound.to_be_bytes()));
                sound += 1;
            }
        }
        let (tail, patches) = writer.finish();
        file.extend(tail);
        for patch in patches {
            let at = usize::try_from(patch.at).expect("small");
            file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
        }
        file
    }

    #[test]
    fn what_was_written_is_read_again_frame_by_frame() {
        let clips = Clip::from_webm(&file()).expect("a WebM file");
        assert_eq!(clips.len(), 2);
        let (video, audio) = (&clips[0], &clips[1]);
        let origin = pattern(Layer::Low);
        assert_eq!((video.codec, video.size, video.len()), (Codec::Vp8, VIDEO.size, origin.len()));
        for index in 0..origin.len() {
            let (read, written) = (video.frame(index).expect("read"), origin.frame(index).expect("written"));
            assert_eq!((read.data, read.is_keyframe), (written.data, written.is_keyframe));
            assert!(written.at.abs_diff(read.at) < Duration::from_millis(1), "{index}");
        }
        assert_eq!((audio.codec, audio.frame(7).expect("an eighth").data), (Codec::Opus, &[0, 0, 0, 7][..]));
    }

    #[test]
    fn a_file_that_was_not_finished_can_be_read_up_to_its_last_cluster() {
        let clip = pattern(Layer::Low);
        let (mut writer, mut file) = Writer::new(&[VIDEO]);
        for index in 0..clip.len() {
            let frame = clip.frame(index).expect("one of them");
            file.extend(writer.frame(0, frame.at, frame.is_keyframe, frame.data));
        }
        let clips = Clip::from_webm(&file).expect("a WebM file");
        assert_eq!(clips[0].len(), 96, "the fourth second was still to come");
    }
}
