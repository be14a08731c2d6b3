//! Writes each received track to a WebM file of its own, and a mix to one file.

mod mix;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use madang_client::{
    clip::{Codec, Size},
    receive::Received,
    stamp::Stamp,
    webm::{Track, Writer},
};
use madang_protocol::TrackId;

use mix::MixRecording;

/// All files of one participant.
pub(crate) struct Recorder {
    folder: PathBuf,
    files: HashMap<TrackId, Recording>,
    mix: MixRecording,
}

struct Recording {
    codec: Codec,
    path: PathBuf,
    file: WebmFile,
    /// The first frame's time stamp, and the last one's place in time.
    first: u32,
    last: Duration,
}

impl Recorder {
    /// Records into a folder, which is made if it is not there.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), files: HashMap::new(), mix: MixRecording::new(folder) })
    }

    /// Adds a frame of the mix.
    pub(crate) fn mixed(&mut self, codec: Codec, received: &Received) -> io::Result<()> {
        self.mix.frame(codec, received)
    }

    /// Adds a frame. A picture's file begins with its first keyframe, and leaves out what can't
    /// be shown.
    pub(crate) fn frame(&mut self, owner: &str, track: &TrackId, codec: Codec, received: &Received) -> io::Result<()> {
        if !received.is_shown {
            return Ok(());
        }
        let data = &received.frame.data;
        if !self.files.contains_key(track) {
            let size = codec.size(data).unwrap_or_default();
            if codec != Codec::Opus && size == Size::default() {
                return Ok(());
            }
            let path = self.folder.join(file_name(owner, track, codec));
            let channels = if codec == Codec::Opus { opus_channels(data) } else { 0 };
            let file = WebmFile::create(&path, &[Track { codec, size, channels }])?;
            let first = received.frame.timestamp;
            self.files.insert(track.clone(), Recording { codec, path, file, first, last: Duration::ZERO });
        }
        let Some(recording) = self.files.get_mut(track) else { return Ok(()) };
        recording.write(received)
    }

    /// Ends all files; gives their names.
    pub(crate) fn finish(self) -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> = self.files.into_values().map(Recording::finish).collect::<io::Result<_>>()?;
        paths.extend(self.mix.finish()?);
        paths.sort();
        Ok(paths)
    }
}

impl Recording {
    fn write(&mut self, received: &Received) -> io::Result<()> {
        // Frames come in order, so the distance to the last one is short either way.
        let ticks = received.frame.timestamp.wrapping_sub(self.first);
        let rate = u64::from(self.codec.clock_rate());
        let within = Duration::from_micros(u64::from(ticks) * 1_000_000 / rate);
        let wrap = Duration::from_micros((1 << 32) * 1_000_000 / rate);
        let mut at = within;
        while at + wrap / 2 < self.last {
            at += wrap;
        }
        self.last = self.last.max(at);
        // Played again, an old stamp would tell a delay of days.
        let data = Stamp::strip(&received.frame.data);
        self.file.frame(0, at, received.is_keyframe, data)
    }

    fn finish(self) -> io::Result<PathBuf> {
        self.file.finish()?;
        Ok(self.path)
    }
}

/// A WebM file on the disk.
struct WebmFile {
    file: File,
    writer: Writer,
}

impl WebmFile {
    fn create(path: &Path, tracks: &[Track]) -> io::Result<Self> {
        let (writer, head) = Writer::new(tracks);
        let mut file = File::create(path)?;
        file.write_all(&head)?;
        Ok(Self { file, writer })
    }

    fn frame(&mut self, track: usize, at: Duration, is_keyframe: bool, data: &[u8]) -> io::Result<()> {
        let bytes = self.writer.frame(track, at, is_keyframe, data);
        self.file.write_all(&bytes)
    }

    fn finish(mut self) -> io::Result<()> {
        let (tail, patches) = self.writer.finish();
        self.file.write_all(&tail)?;
        for patch in patches {
            self.file.seek(SeekFrom::Start(patch.at))?;
            self.file.write_all(&patch.bytes)?;
        }
        Ok(())
    }
}

/// The S bit of the packet's first byte (RFC 6716 §3.1).
fn opus_channels(packet: &[u8]) -> u8 {
    if packet.first().is_some_and(|toc| toc & 0x04 != 0) { 2 } else { 1 }
}

/// Names come from others: nothing but letters, digits, `-` and `_` gets into a path.
fn file_name(owner: &str, track: &TrackId, codec: Codec) -> String {
    let safe = |text: &str| -> String {
        let keep = |letter: char| if letter.is_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
        text.chars().take(40).map(keep).collect()
    };
    format!("{}-{}-{}.webm", safe(owner), safe(track.as_str()), codec.name().to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use madang_client::{
        clip::{Clip, Layer, pattern},
        receive::{Frame, FrameInfo},
    };

    use super::*;

    fn received(timestamp: u32, data: &[u8], is_keyframe: bool) -> Received {
        let frame = Frame { timestamp, info: FrameInfo::default(), data: data.to_vec(), at: Instant::now() };
        Received { frame, is_keyframe, is_shown: true, captured_us: None }
    }

    #[test]
    fn a_track_becomes_a_file_that_can_be_read_again_over_a_wrap_of_its_time_stamps() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorder = Recorder::new(folder.path()).expect("a recorder");
        let clip = pattern(Layer::Low);
        let begin = u32::MAX - 90_000;
        for index in 1..100 {
            let frame = clip.frame(index).expect("one of them");
            let timestamp = begin.wrapping_add(index as u32 * 3000);
            recorder
                .frame("../Mina", &"t_cam".into(), Codec::Vp8, &received(timestamp, frame.data, frame.is_keyframe))
                .expect("written");
        }
        let paths = recorder.finish().expect("files");
        assert_eq!(paths, [folder.path().join("___Mina-t_cam-vp8.webm")]);
        let clips = Clip::from_webm(&std::fs::read(&paths[0]).expect("a file")).expect("WebM");
        // The first keyframe is frame 32.
        assert_eq!((clips[0].len(), clips[0].size), (68, clip.size));
        let last = clips[0].frame(67).expect("the last");
        assert!(last.at.abs_diff(Duration::from_millis(67 * 1000 / 30)) < Duration::from_millis(2), "{:?}", last.at);
    }
}
