//! The mix in one file: its picture and its sound, as they were captured.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use madang_client::{
    clip::{Codec, Size},
    receive::Received,
    webm::Track,
};

use super::{WebmFile, opus_channels};

/// So long is waited for both picture and sound before the file begins without one of them.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames that wait for a sender report at most: some twenty seconds of picture and sound.
const UNPLACED: usize = 1500;
/// Frames wait so long for earlier ones of the other kind.
const ORDER: Duration = Duration::from_millis(300);
/// A frame further away than this from the last one belongs to another clock.
const LEAP: Duration = Duration::from_secs(60);

/// Where pictures and sound come among a file's tracks.
const PICTURE: usize = 0;

/// A mix on its way into a file.
pub(super) struct MixRecording {
    folder: PathBuf,
    began: Option<Instant>,
    waiting: BTreeMap<(i64, u64), (Kind, Frame)>,
    /// What came before the first sender report of its stream (RFC 3550 §6.4.1), which comes within
    /// some seconds: nobody knows yet when it was captured.
    unplaced: Vec<(Kind, u32, Instant, Frame)>,
    frames: u64,
    file: Option<Open>,
    done: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture(Codec),
    Sound,
}

struct Frame {
    is_keyframe: bool,
    data: Vec<u8>,
}

struct Open {
    file: WebmFile,
    path: PathBuf,
    /// The moment at which it begins, in microseconds of the server's clock.
    base: i64,
    picture: Option<Codec>,
    sound: Option<usize>,
    last: Duration,
}

impl MixRecording {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            began: None,
            waiting: BTreeMap::new(),
            unplaced: Vec::new(),
            frames: 0,
            file: None,
            done: Vec::new(),
        }
    }

    /// Takes a frame of the mix.
    pub(super) fn frame(&mut self, codec: Codec, received: &Received) -> io::Result<()> {
        if !received.is_shown {
            return Ok(());
        }
        let (now, timestamp) = (received.frame.at, received.frame.timestamp);
        let began = *self.began.get_or_insert(now);
        let kind = if codec == Codec::Opus { Kind::Sound } else { Kind::Picture(codec) };
        let frame = Frame { is_keyframe: received.is_keyframe, data: received.frame.data.clone() };
        let Some(at) = received.captured_us else {
            if self.unplaced.len() < UNPLACED {
                self.unplaced.push((kind, timestamp, now, frame));
            }
            return Ok(());
        };
        for (kind, early, _, frame) in self.unplaced.extract_if(.., |(of, ..)| *of == kind) {
            let before = i64::from(timestamp.wrapping_sub(early).cast_signed());
            self.frames += 1;
            let early = at - before * 1_000_000 / i64::from(codec.clock_rate());
            self.waiting.insert((early, self.frames), (kind, frame));
        }
        self.frames += 1;
        self.waiting.insert((at, self.frames), (kind, frame));
        if self.file.is_none() && !self.begin(now.saturating_duration_since(began) >= PATIENCE)? {
            return Ok(());
        }
        let until = self.waiting.keys().next_back().map_or(at, |(newest, _)| newest - micros(ORDER));
        self.write(until)
    }

    /// Begins a file when what is to be in it is there. Says whether it has begun.
    fn begin(&mut self, is_late: bool) -> io::Result<bool> {
        let frames = || self.waiting.iter();
        let picture = frames().find_map(|((at, _), (kind, frame))| match kind {
            Kind::Picture(codec) if frame.is_keyframe => {
                codec.size(&frame.data).filter(|size| *size != Size::default()).map(|size| (*at, *codec, size))
            }
            _ => None,
        });
        let sound = frames()
            .find_map(|((at, _), (kind, frame))| (*kind == Kind::Sound).then(|| (*at, opus_channels(&frame.data))));
        if !(picture.is_some() && sound.is_some() || is_late && (picture.is_some() || sound.is_some())) {
            return Ok(false);
        }
        let mut tracks = Vec::new();
        tracks.extend(picture.map(|(_, codec, size)| Track { codec, size, channels: 0 }));
        let sound_at = sound.map(|_| tracks.len());
        tracks.extend(sound.map(|(_, channels)| Track { codec: Codec::Opus, size: Size::default(), channels }));
        // What was said before the first picture is not lost for the sake of it.
        let base = [picture.map(|(at, ..)| at), sound.map(|(at, _)| at)].into_iter().flatten().min().unwrap_or(0);
        let path = self.free_path();
        let file = WebmFile::create(&path, &tracks)?;
        let picture = picture.map(|(_, codec, _)| codec);
        self.file = Some(Open { file, path, base, picture, sound: sound_at, last: Duration::ZERO });
        Ok(true)
    }

    /// A name that no file has yet.
    fn free_path(&self) -> PathBuf {
        let name = |number: u32| self.folder.join(format!("mix-{number}.webm"));
        (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
    }

    fn write(&mut self, until: i64) -> io::Result<()> {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, order), (kind, frame)) = entry.remove_entry();
            let Some(open) = &mut self.file else { return Ok(()) };
            let time = Duration::from_micros(u64::try_from(at - open.base).unwrap_or(0));
            if time > open.last + LEAP {
                // Another clock, another file.
                self.waiting.insert((at, order), (kind, frame));
                self.end()?;
                self.began = None;
                return Ok(());
            }
            let track = match kind {
                Kind::Sound => open.sound,
                Kind::Picture(codec) => open.picture.filter(|own| *own == codec).map(|_| PICTURE),
            };
            open.last = open.last.max(time);
            if let Some(track) = track {
                open.file.frame(track, time, frame.is_keyframe, &frame.data)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(open) = self.file.take() {
            open.file.finish()?;
            self.done.push(open.path);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.place_by_arrival();
        while !self.waiting.is_empty() && (self.file.is_some() || self.begin(true)?) {
            self.write(i64::MAX)?;
        }
        self.end()?;
        Ok(self.done)
    }

    /// What no sender report has come for is placed by its arrival: better than not at all.
    fn place_by_arrival(&mut self) {
        let Some(first) = self.unplaced.iter().map(|(.., at, _)| *at).min() else { return };
        let start = self.waiting.keys().next().map_or(0, |(at, _)| *at);
        for (kind, _, at, frame) in std::mem::take(&mut self.unplaced) {
            self.frames += 1;
            self.waiting.insert((start + micros(at.saturating_duration_since(first)), self.frames), (kind, frame));
        }
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use madang_client::{
        clip::{Clip, Layer, pattern},
        receive::{self, FrameInfo},
    };

    use super::*;

    const START: i64 = 1_700_000_000_000_000;

    fn received(at_ms: i64, data: &[u8], is_keyframe: bool, now: Instant) -> Received {
        let frame = receive::Frame { timestamp: 0, info: FrameInfo::default(), data: data.to_vec(), at: now };
        Received { frame, is_keyframe, is_shown: true, captured_us: Some(START + at_ms * 1000) }
    }

    #[test]
    fn picture_and_sound_are_in_one_file_at_the_times_at_which_they_were_captured() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recording = MixRecording::new(folder.path());
        let (clip, now) = (pattern(Layer::Low), Instant::now());
        // The picture comes 80 ms after the sound that was captured with it, and begins later.
        for tick in 0..400_i64 {
            let at = tick * 10;
            let now = now + Duration::from_millis(at as u64);
            if at % 20 == 0 {
                recording.frame(Codec::Opus, &received(at, &[0xF8, 1], true, now)).expect("written");
            }
            let captured = at - 80;
            if captured >= 500 && captured % 40 == 0 {
                let index = usize::try_from((captured - 500) / 40).expect("small") % clip.len();
                let frame = clip.frame(index).expect("one of them");
                recording.frame(Codec::Vp8, &received(captured, frame.data, frame.is_keyframe, now)).expect("written");
            }
        }
        let paths = recording.finish().expect("files");
        assert_eq!(paths, [folder.path().join("mix-1.webm")]);
        let clips = Clip::from_webm(&std::fs::read(&paths[0]).expect("a file")).expect("WebM");
        assert_eq!(clips.len(), 2);
        let sound = clips.iter().find(|clip| clip.codec == Codec::Opus).expect("sound");
        let picture = clips.iter().find(|clip| clip.codec == Codec::Vp8).expect("a picture");
        assert_eq!(sound.frame(10).expect("the tenth").at, Duration::from_millis(200));
        // The pattern's first keyframe is its first frame, captured at 520 ms.
        assert_eq!(picture.frame(0).expect("the first").at, Duration::from_millis(520));
        assert_eq!(picture.frame(10).expect("the tenth").at, Duration::from_millis(920));
    }

    #[test]
    fn what_comes_before_the_first_sender_report_is_placed_when_it_has_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recording = MixRecording::new(folder.path());
        let (clip, now) = (pattern(Layer::Low), Instant::now());
        for tick in 0..600_i64 {
            let at = tick * 10;
            let now = now + Duration::from_millis(at as u64);
            if at % 20 == 0 {
                let mut sound = received(at, &[0xF8, 1], true, now);
                sound.frame.timestamp = (at * 48) as u32;
                sound.captured_us = sound.captured_us.filter(|_| at >= 5000);
                recording.frame(Codec::Opus, &sound).expect("written");
            }
            if at % 40 == 0 {
                let frame = clip.frame(usize::try_from(at / 40).expect("small") % clip.len()).expect("one of them");
                let mut picture = received(at, frame.data, frame.is_keyframe, now);
                picture.frame.timestamp = (at * 90) as u32;
                picture.captured_us = picture.captured_us.filter(|_| at >= 1000);
                recording.frame(Codec::Vp8, &picture).expect("written");
            }
        }
        let paths = recording.finish().expect("files");
        let clips = Clip::from_webm(&std::fs::read(&paths[0]).expect("a file")).expect("WebM");
        for (codec, step, count) in [(Codec::Opus, 20, 300), (Codec::Vp8, 40, 150)] {
            let clip = clips.iter().find(|clip| clip.codec == codec).expect("both are there");
            assert_eq!(clip.len(), count);
            assert_eq!(clip.frame(10).expect("the tenth").at, Duration::from_millis(10 * step));
        }
    }

    #[test]
    fn a_recording_too_short_for_sender_reports_is_written_by_the_times_of_arrival() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recording = MixRecording::new(folder.path());
        let now = Instant::now();
        for at in (0..2000).step_by(20) {
            let mut sound = received(at, &[0xF8, 1], true, now + Duration::from_millis(at as u64));
            sound.captured_us = None;
            recording.frame(Codec::Opus, &sound).expect("written");
        }
        let paths = recording.finish().expect("a file");
        let clips = Clip::from_webm(&std::fs::read(&paths[0]).expect("a file")).expect("WebM");
        assert_eq!((clips[0].len(), clips[0].frame(50).expect("one").at), (100, Duration::from_secs(1)));
    }

    #[test]
    fn a_mix_without_picture_is_recorded_too_and_names_are_not_used_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let mut recording = MixRecording::new(folder.path());
            let now = Instant::now();
            for at in (0..7000).step_by(20) {
                let now = now + Duration::from_millis(at as u64);
                recording.frame(Codec::Opus, &received(at, &[0xF8, 1], true, now)).expect("written");
            }
            recording.finish().expect("a file");
        }
        for name in ["mix-1.webm", "mix-2.webm"] {
            let bytes = std::fs::read(folder.path().join(name)).expect("a file");
            assert_eq!(Clip::from_webm(&bytes).expect("WebM")[0].len(), 350);
        }
    }
}
