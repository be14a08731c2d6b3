//! Draws canvases of all layouts into PNG files, to be looked at.
//!
//! `cargo run --release -p madang-mixer --example gallery [directory]`

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use madang_mixer::canvas::{Canvas, FontSources, Fonts, Rendition, Theme};
use madang_mixer::layout::{
    Animation, Arrangement, Fill, Fraction, Layout, NamedRegion, Participant, ParticipantId, Region, Source, arrange,
};
use madang_mixer::picture::{Picture, View};

const NAMES: [&str; 12] = [
    "김민준",
    "Zoë Miller",
    "山田太郎",
    "이서연 (마당)",
    "Wolfeschlegelsteinhausenbergerdorff-Hohenzollern der Ältere",
    "Ольга Иванова",
    "王小明",
    "مريم الأحمد",
    "\u{1107}\u{1161}\u{11a8}\u{1109}\u{1165}\u{110c}\u{116e}\u{11ab}",
    "Ada",
    "김수한무거북이와두루미삼천갑자동방삭치치카포사리사리센타",
    "Noah 🦊",
];

/// Somebody in front of a wall with a window.
fn portrait(id: u64) -> Picture {
    let (width, height) = (640, 360);
    let mut picture = Picture::new(width, height);
    let seed = |salt: u64| (id.wrapping_mul(7919) ^ salt.wrapping_mul(104_729)) % 97;
    let middle = 320.0 + seed(1) as f64 - 48.0;
    for plane in 0..3 {
        let step = if plane == 0 { 1 } else { 2 };
        let columns = picture.size_of(plane).0;
        let wall = [95 + seed(2) as i32 / 2, 118 + seed(3) as i32 / 5, 118 + seed(4) as i32 / 5];
        let skin = [120 + seed(5) as i32 / 2, 112, 148];
        let shirt = [50 + seed(6) as i32, 90 + seed(7) as i32 / 2, 100 + seed(8) as i32 / 2];
        for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
            let (x, y) = ((at % columns * step) as f64, (at / columns * step) as f64);
            let face = ((x - middle) / 62.0).hypot((y - 165.0) / 80.0);
            let hair = ((x - middle) / 74.0).hypot((y - 140.0) / 82.0);
            let body = ((x - middle) / 165.0).hypot((y - 400.0) / 150.0);
            let window = (x - 520.0).abs() < 70.0 && (y - 110.0).abs() < 80.0;
            let texture =
                if plane == 0 { ((x / 3.0).sin() * (y / 4.0).cos() * 4.0) as i32 - (y / 9.0) as i32 } else { 0 };
            let value = match () {
                () if face < 1.0 => skin[plane] - if plane == 0 { (face * 22.0) as i32 } else { 0 },
                () if hair < 1.0 => [38, 122, 132][plane],
                () if body < 1.0 => shirt[plane] + texture,
                () if window => [205, 138, 122][plane],
                () => wall[plane] + texture,
            };
            *sample = value.clamp(16, 235) as u8;
        }
    }
    picture
}

/// A document with lines of text.
fn document() -> Picture {
    let mut picture = Picture::new(1280, 800);
    for (at, sample) in picture.plane_mut(0).iter_mut().enumerate() {
        let (x, y) = (at % 1280, at / 1280);
        let letters = (120..1160).contains(&x)
            && y > 120
            && y % 28 < 14
            && (x * 7 / 5 + y / 28 * 31) % 11 < 5
            && (x / 9 + y / 28) % 6 != 0;
        *sample = if y < 64 {
            90
        } else if letters {
            40
        } else {
            232
        };
    }
    picture
}

fn save(path: &Path, view: &View<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = (view.width(), view.height());
    let mut rgb = Vec::with_capacity(width * height * 3);
    let [luma, blue, red] = view.planes();
    for y in 0..height {
        for x in 0..width {
            let (luma, u, v) = (luma.row(y)[x], blue.row(y / 2)[x / 2], red.row(y / 2)[x / 2]);
            let (luma, u, v) = (1.164 * (f64::from(luma) - 16.0), f64::from(u) - 128.0, f64::from(v) - 128.0);
            let channels = [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u];
            rgb.extend(channels.map(|value| value.clamp(0.0, 255.0) as u8));
        }
    }
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(path)?), u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&rgb)?;
    println!("{}", path.display());
    Ok(())
}

fn people(count: u64, sharing: bool) -> Vec<Participant> {
    let mut people: Vec<_> = (0..count)
        .map(|id| {
            let mut someone = Participant::new(ParticipantId(id), NAMES[id as usize % NAMES.len()]);
            someone.muted = id % 3 == 1;
            someone.camera = id % 5 != 3;
            someone.speaking = id == 2.min(count - 1);
            someone
        })
        .collect();
    if sharing {
        people[0].screen_aspect = Some(1.6);
    }
    people
}

fn show_all(canvas: &mut Canvas, regions: &[Region], now: Instant) {
    canvas.arrange(regions);
    for region in regions {
        let picture = match region.source {
            Source::Camera(id) => portrait(id.0),
            Source::Screen(_) => document(),
        };
        canvas.show(region.source, &picture.view(), now);
    }
    canvas.compose(now);
}

fn regions(layout: &Layout, people: &[Participant]) -> Vec<Region> {
    let speaker = people.iter().find(|someone| someone.speaking).map(|someone| someone.id);
    let ask = Arrangement { width: 1280, height: 720, gap: 8, layout, participants: people, speaker, viewer: None };
    arrange(&ask).regions
}

fn custom() -> Layout {
    let region = |left, top, width, height, z, fill| NamedRegion {
        left: Fraction(left),
        top: Fraction(top),
        width: Fraction(width),
        height: Fraction(height),
        z,
        fill,
        fit: None,
    };
    Layout::Custom(vec![
        region(0.0, 0.0, 0.7, 1.0, 0, Fill::AnyScreen),
        region(0.7, 0.0, 0.3, 0.5, 0, Fill::Speaker),
        region(0.7, 0.5, 0.3, 0.5, 0, Fill::Next),
        region(0.04, 0.68, 0.2, 0.28, 1, Fill::Next),
    ])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".into());
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    let now = Instant::now();
    let make = || {
        let fonts = Fonts::new(&FontSources::default());
        fonts.warnings().iter().for_each(|warning| println!("{warning}"));
        Canvas::new(1280, 720, Theme::default(), fonts)
    };
    let scenes = [
        ("grid-1", Layout::Grid, 1, false),
        ("grid-2", Layout::Grid, 2, false),
        ("grid-3", Layout::Grid, 3, false),
        ("grid-4", Layout::Grid, 4, false),
        ("grid-9", Layout::Grid, 9, false),
        ("grid-25", Layout::Grid, 25, false),
        ("speaker", Layout::Speaker, 7, false),
        ("presentation", Layout::Presentation, 7, true),
        ("presentation-2", Layout::Presentation, 2, true),
        ("pip", Layout::PictureInPicture, 3, false),
        ("custom", custom(), 5, true),
    ];
    for (name, layout, count, sharing) in scenes {
        let mut canvas = make();
        show_all(&mut canvas, &regions(&layout, &people(count, sharing)), now);
        save(&directory.join(format!("{name}.png")), &canvas.view())?;
        if name == "grid-9" {
            let mut half = Rendition::new(1280, 720);
            half.follow(&canvas.view(), canvas.changes());
            save(&directory.join("grid-9-360p.png"), &half.view())?;
            canvas.compose(now + Duration::from_secs(3));
            save(&directory.join("grid-9-frozen.png"), &canvas.view())?;
        }
    }
    let mut canvas = make();
    let mut animation = Animation::default();
    animation.go(now, regions(&Layout::Grid, &people(4, false)));
    show_all(&mut canvas, &animation.at(now), now);
    animation.go(now, regions(&Layout::Speaker, &people(6, false)));
    let middle = now + Duration::from_millis(60);
    show_all(&mut canvas, &animation.at(middle), middle);
    save(&directory.join("animation.png"), &canvas.view())
}
