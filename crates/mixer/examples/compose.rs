//! What scaling and composing cost: CPU time for 1000 pictures of 1280 × 720, by kind of scene.
//!
//! `cargo run --release -p madang-mixer --example compose [scene [pictures]]`

use std::time::{Duration, Instant};

use madang_mixer::canvas::{Canvas, FontSources, Fonts, Rendition, Theme};
use madang_mixer::layout::{Arrangement, Layout, Participant, ParticipantId, Source, arrange};
use madang_mixer::picture::Picture;

struct Scene {
    name: &'static str,
    people: u64,
    size: (usize, usize),
    gap: usize,
    /// How many of them move.
    moving: u64,
    renditions: bool,
}

const SCENES: [Scene; 8] = [
    Scene { name: "4", people: 4, size: (640, 360), gap: 8, moving: 4, renditions: false },
    Scene { name: "9", people: 9, size: (640, 360), gap: 8, moving: 9, renditions: false },
    Scene { name: "9-bare", people: 9, size: (640, 360), gap: 0, moving: 9, renditions: false },
    Scene { name: "9-180p", people: 9, size: (320, 180), gap: 8, moving: 9, renditions: false },
    Scene { name: "9-still", people: 9, size: (640, 360), gap: 8, moving: 2, renditions: false },
    Scene { name: "9-all-still", people: 9, size: (640, 360), gap: 8, moving: 0, renditions: false },
    Scene { name: "9-renditions", people: 9, size: (640, 360), gap: 8, moving: 9, renditions: true },
    Scene { name: "25-180p", people: 25, size: (320, 180), gap: 8, moving: 25, renditions: false },
];

/// Something like a camera's picture that goes on changing everywhere.
fn frame((width, height): (usize, usize), shift: usize) -> Picture {
    let mut picture = Picture::new(width, height);
    for plane in 0..3 {
        let columns = picture.size_of(plane).0;
        for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
            let (x, y) = (at % columns + shift * 3, at / columns + shift);
            *sample = (60 + (x * x / 97 + y * y / 61) % 120) as u8;
        }
    }
    picture
}

/// What the scheduler has given to this process so far (Linux; elsewhere nothing).
fn cpu() -> Duration {
    let line = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(line.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0))
}

fn run(scene: &Scene, pictures: u32) {
    let people: Vec<_> = (0..scene.people).map(|id| Participant::new(ParticipantId(id), "민준 Zoë")).collect();
    let arranged = arrange(&Arrangement {
        width: 1280,
        height: 720,
        gap: scene.gap,
        layout: &Layout::Grid,
        participants: &people,
        speaker: None,
        viewer: None,
    });
    let frames: Vec<_> = (0..8).map(|shift| frame(scene.size, shift)).collect();
    let mut canvas = Canvas::new(1280, 720, Theme::default(), Fonts::new(&FontSources::default()));
    canvas.arrange(&arranged.regions);
    let mut renditions = scene.renditions.then(|| (Rendition::new(1280, 720), Rendition::new(640, 360)));
    let start = Instant::now();
    let mut began = cpu();
    let mut blocks = 0;
    for index in 0..pictures + 8 {
        if index == 8 {
            began = cpu();
            blocks = 0;
        }
        let now = start + Duration::from_millis(33) * index;
        canvas.arrange(&arranged.regions);
        for id in 0..scene.people {
            let shift = if id < scene.moving { index as usize % frames.len() } else { 0 };
            canvas.show(Source::Camera(ParticipantId(id)), &frames[shift].view(), now);
        }
        blocks += canvas.compose(now).active.count();
        if let Some((half, quarter)) = renditions.as_mut() {
            half.follow(&canvas.view(), canvas.changes());
            quarter.follow(&half.view(), half.changes());
        }
    }
    let spent = (cpu() - began).as_secs_f64();
    println!(
        "{:13} {:7.1} ms per 1000 pictures, {:.4} CPU-s per second at 30/s, {:.0} of 3600 blocks changed",
        scene.name,
        spent * 1e6 / f64::from(pictures),
        spent * 30.0 / f64::from(pictures),
        blocks as f64 / f64::from(pictures),
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().filter(|name| name != "all");
    let pictures = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1000);
    for scene in SCENES.iter().filter(|scene| wanted.as_deref().is_none_or(|name| name == scene.name)) {
        run(scene, pictures);
    }
}
