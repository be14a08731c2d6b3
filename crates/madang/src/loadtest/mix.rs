//! `madang loadtest mix`: the mixer by itself, as fast as it can: files are decoded, composed and
//! encoded into one file of 30 pictures a second.

use std::{
    error::Error,
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use madang_client::{
    clip::{Clip, Codec, Size},
    webm::{Patch, Track, Writer},
};
use madang_codec::{
    PictureLimit, VideoCodec, make_decoder,
    vpx::{Vp8Encoder, Vp8Settings},
};
use madang_mixer::{
    canvas::{Canvas, FontSources, Fonts, Theme},
    codec::{EncodeWish, VideoDecoder, VideoEncoder},
    layout::{Arrangement, Fit, Layout, Participant, ParticipantId, Rect, Region, Source, arrange},
};

/// Pictures per second of the mix.
const RATE: u32 = 30;
/// Ticks of the encoder's clock for each.
const TICKS: u64 = 90_000 / RATE as u64;
/// A picture that does not change is encoded so often, in pictures: once a second.
const REFRESH: u64 = RATE as u64;

#[derive(Args)]
pub(crate) struct Options {
    /// WebM files with a picture in VP8 or VP9, one for each person.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the mix goes, as WebM with VP8.
    #[arg(long)]
    out: PathBuf,
    /// The mix's width and height in pixels.
    #[arg(long, default_value = "1280x720", value_parser = size)]
    size: (usize, usize),
    /// Bits per second.
    #[arg(long, default_value_t = 1_500_000)]
    bitrate: u32,
    /// Tiles side by side in a square, without gaps, names or frames, as other mixers have them.
    #[arg(long)]
    bare: bool,
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |side: &usize| (16..=4096).contains(side) && side.is_multiple_of(2);
    sides
        .filter(|(width, height)| fits(width) && fits(height))
        .ok_or_else(|| format!("`{text}`: two even numbers from 16 to 4096, such as 1280x720"))
}

/// Somebody's file, played.
struct Person {
    id: ParticipantId,
    clip: Clip,
    next: usize,
    decoder: Box<dyn VideoDecoder>,
}

impl Person {
    fn open(id: u64, path: &Path) -> Result<Self, Box<dyn Error>> {
        let fault = |what: &str| format!("{}: {what}", path.display());
        let bytes = fs::read(path).map_err(|why| fault(&why.to_string()))?;
        let clips = Clip::from_webm(&bytes).map_err(|why| fault(&why.to_string()))?;
        let clip = clips.into_iter().find(|clip| clip.codec != Codec::Opus).ok_or_else(|| fault("no picture in it"))?;
        let codec = match clip.codec {
            Codec::Vp8 => VideoCodec::Vp8,
            Codec::Vp9 => VideoCodec::Vp9,
            codec => return Err(fault(&format!("{} cannot be mixed from a file", codec.name())).into()),
        };
        let decoder = make_decoder(codec, PictureLimit::default())?;
        Ok(Self { id: ParticipantId(id), clip, next: 0, decoder })
    }

    fn named(&self) -> Participant {
        Participant::new(self.id, &format!("Person {}", self.id.0 + 1))
    }

    /// Decodes what is due, and shows the newest.
    fn play(&mut self, at: Duration, now: Instant, canvas: &mut Canvas) -> Result<(), Box<dyn Error>> {
        while let Some(frame) = self.clip.frame(self.next).filter(|frame| frame.at <= at) {
            self.next += 1;
            // An earlier picture of the same tick is not worth the scaling.
            let is_last = self.clip.frame(self.next).is_none_or(|frame| frame.at > at);
            let picture = self.decoder.decode(frame.data)?;
            if let Some(view) = picture.filter(|_| is_last) {
                canvas.show(Source::Camera(self.id), &view, now);
            }
        }
        Ok(())
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let people = options.files.iter().zip(0..).map(|(path, id)| Person::open(id, path));
    let mut people = people.collect::<Result<Vec<_>, _>>()?;
    let (width, height) = options.size;
    let fonts = Fonts::new(&FontSources::default());
    let mut canvas = Canvas::new(width, height, Theme::default(), fonts);
    canvas.arrange(&if options.bare { bare(&people, options.size) } else { grid(&people, options.size) });
    let mut encoder = Vp8Encoder::new(Vp8Settings {
        // A file has no receiver who would have to wait; so other encoders have it by themselves.
        keyframe_share: 0,
        buffer: (750, 833),
        drop_frames: false,
        ..Vp8Settings::new(width, height, options.bitrate)
    })?;
    let mut out = Output::create(&options.out, options.size)?;

    let length = people.iter().map(|person| person.clip.length()).max().unwrap_or_default();
    let pictures = (length.as_secs_f64() * f64::from(RATE)).round() as u64;
    let (begin, mut spent, mut last) = (Instant::now(), Spent::default(), None);
    for index in 0..pictures {
        let at = Duration::from_secs(1) * u32::try_from(index)? / RATE;
        // A millisecond early or late is the rounding of the file's times.
        let (due, now) = (at + Duration::from_millis(1), begin + at);
        spent.decoding.measure(|| people.iter_mut().try_for_each(|person| person.play(due, now, &mut canvas)))?;
        let changed = spent.composing.measure(|| !canvas.compose(now).is_empty());
        if !changed && encoder.has_settled() && last.is_some_and(|last| index - last < REFRESH) {
            continue;
        }
        let wish = EncodeWish {
            keyframe: last.is_none(),
            timestamp: index * TICKS,
            duration: TICKS,
            active: last.map(|_| &canvas.changes().active),
        };
        let mut frame = Vec::new();
        let encoded = spent.encoding.measure(|| encoder.encode(&canvas.view(), &wish, &mut frame))?;
        last = Some(index);
        if let Some(encoded) = encoded {
            out.frame(at, encoded.keyframe, &frame)?;
            spent.pictures += 1;
            spent.bytes += frame.len() as u64;
        }
    }
    out.finish()?;
    spent.print(people.len(), length);
    Ok(())
}

/// What it took.
#[derive(Default)]
struct Spent {
    /// And scaling.
    decoding: Clock,
    composing: Clock,
    encoding: Clock,
    pictures: u64,
    bytes: u64,
}

impl Spent {
    fn print(&self, people: usize, length: Duration) {
        let seconds = length.as_secs_f64().max(0.001);
        let each = |clock: &Clock| clock.0.as_secs_f64() / seconds;
        println!(
            "{people} people, {seconds:.1} s: {:.4} s of processor time for each second (decoding and scaling {:.4}, \
             composing {:.4}, encoding {:.4}); {} pictures, {:.0} kbit/s",
            each(&self.decoding) + each(&self.composing) + each(&self.encoding),
            each(&self.decoding),
            each(&self.composing),
            each(&self.encoding),
            self.pictures,
            self.bytes as f64 * 8.0 / seconds / 1000.0,
        );
    }
}

/// Processor time of this thread.
#[derive(Default)]
struct Clock(Duration);

impl Clock {
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = super::cpu::so_far();
        let done = work();
        self.0 += super::cpu::so_far().saturating_sub(began);
        done
    }
}

fn grid(people: &[Person], (width, height): (usize, usize)) -> Vec<Region> {
    let participants: Vec<Participant> = people.iter().map(Person::named).collect();
    let ask = Arrangement {
        width,
        height,
        gap: 8,
        layout: &Layout::Grid,
        participants: &participants,
        speaker: None,
        viewer: None,
    };
    arrange(&ask).regions
}

/// As ffmpeg's xstack and GStreamer's compositor are told to in `benches/mixer`.
fn bare(people: &[Person], (width, height): (usize, usize)) -> Vec<Region> {
    let columns = (1..).find(|columns| columns * columns >= people.len()).unwrap_or(1);
    let (wide, high) = (width / columns / 2 * 2, height / columns / 2 * 2);
    let place = |(index, person): (usize, &Person)| Region {
        source: Source::Camera(person.id),
        rect: Rect::new(index % columns * wide, index / columns * high, wide, high),
        z: 0,
        fit: Fit::Cover,
        corner: 0,
        opacity: 255,
        live: true,
        name: Arc::from(""),
        muted: false,
        speaking: false,
        needs: (wide, high),
    };
    people.iter().enumerate().map(place).collect()
}

/// The file in the making.
struct Output {
    file: File,
    writer: Writer,
}

impl Output {
    fn create(path: &Path, (width, height): (usize, usize)) -> Result<Self, Box<dyn Error>> {
        let size = Size { width: u32::try_from(width)?, height: u32::try_from(height)? };
        let (writer, head) = Writer::new(&[Track { codec: Codec::Vp8, size, channels: 0 }]);
        let mut file = File::create(path).map_err(|why| format!("{}: {why}", path.display()))?;
        file.write_all(&head)?;
        Ok(Self { file, writer })
    }

    fn frame(&mut self, at: Duration, is_keyframe: bool, data: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(self.file.write_all(&self.writer.frame(0, at, is_keyframe, data))?)
    }

    fn finish(mut self) -> Result<(), Box<dyn Error>> {
        let (tail, patches) = self.writer.finish();
        self.file.write_all(&tail)?;
        for Patch { at, bytes } in patches {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(&bytes)?;
        }
        Ok(())
    }
}
