use std::time::Duration;

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::SmallRng};

use super::*;
use crate::layout::{Animation, Arrangement, Layout, Participant, ParticipantId, arrange};

const SIZE: (usize, usize) = (640, 360);

fn canvas() -> Canvas {
    Canvas::new(SIZE.0, SIZE.1, Theme::default(), Fonts::new(&FontSources::default()))
}

fn people(names: &[&str]) -> Vec<Participant> {
    names.iter().enumerate().map(|(id, name)| Participant::new(ParticipantId(id as u64), name)).collect()
}

fn regions(layout: &Layout, participants: &[Participant]) -> Vec<Region> {
    let ask = Arrangement { width: SIZE.0, height: SIZE.1, gap: 8, layout, participants, speaker: None, viewer: None };
    arrange(&ask).regions
}

fn camera(id: u64) -> Source {
    Source::Camera(ParticipantId(id))
}

fn flat(width: usize, height: usize, luma: u8) -> Picture {
    let mut picture = Picture::new(width, height);
    picture.plane_mut(0).fill(luma);
    picture
}

fn noise(width: usize, height: usize, random: &mut SmallRng) -> Picture {
    let mut picture = Picture::new(width, height);
    (0..3).for_each(|plane| random.fill_bytes(picture.plane_mut(plane)));
    picture
}

/// Whatever is not the same in two pictures lies within the rectangles and in active blocks.
fn assert_covered(before: &Picture, after: &Picture, changes: &Changes) {
    for plane in 0..3 {
        let (width, _) = after.size_of(plane);
        let scale = if plane == 0 { 1 } else { 2 };
        let pairs = before.plane(plane).iter().zip(after.plane(plane)).enumerate();
        for (at, _) in pairs.filter(|(_, (old, new))| old != new) {
            let (x, y) = (at % width * scale, at / width * scale);
            let sample = Rect::new(x, y, scale, scale);
            assert!(changes.rectangles.iter().any(|rect| rect.holds(&sample)), "plane {plane} at {x}, {y}");
            let block = y / ActiveMap::BLOCK * changes.active.columns() + x / ActiveMap::BLOCK;
            assert_eq!(changes.active.cells()[block], 1, "plane {plane} at {x}, {y}");
        }
    }
}

/// One random step of a room's life.
fn step(
    canvas: &mut Canvas,
    animation: &mut Animation,
    people: &mut [Participant],
    now: Instant,
    random: &mut SmallRng,
) {
    let someone = random.random_range(0..people.len());
    match random.random_range(0..10) {
        0 => people[someone].muted ^= true,
        1 => people[someone].speaking ^= true,
        2 => people[someone].camera ^= true,
        3 => people[someone].screen_aspect = people[someone].screen_aspect.is_none().then_some(1.6),
        _ => {}
    }
    let layouts = [Layout::Grid, Layout::Speaker, Layout::Presentation, Layout::PictureInPicture];
    if random.random_range(0..12) == 0 {
        let count = random.random_range(1..=people.len());
        animation.go(now, regions(&layouts[random.random_range(0..4)], &people[..count]));
    }
    canvas.arrange(&animation.at(now));
    for _ in 0..random.random_range(0..3) {
        let id = ParticipantId(random.random_range(0..people.len() as u64));
        let source = if random.random() { Source::Camera(id) } else { Source::Screen(id) };
        let size = [(320, 180), (160, 90), (97, 61)][random.random_range(0..3)];
        let picture = if random.random() { noise(size.0, size.1, random) } else { flat(size.0, size.1, 99) };
        canvas.show(source, &picture.view(), now);
    }
}

#[test]
fn only_what_is_named_is_touched_and_the_canvas_is_what_its_tiles_make() {
    for seed in 0..4 {
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut canvas, mut animation) = (canvas(), Animation::default());
        let mut half = Rendition::new(SIZE.0, SIZE.1);
        let mut people = people(&["민준", "Zoë", "山田太郎", "Ada", ""]);
        let mut now = Instant::now();
        animation.go(now, regions(&Layout::Grid, &people));
        for _ in 0..80 {
            now += Duration::from_millis(if random.random_range(0..20) == 0 { 2500 } else { 33 });
            let before = canvas.picture.clone();
            step(&mut canvas, &mut animation, &mut people, now, &mut random);
            canvas.compose(now);
            assert_covered(&before, &canvas.picture, &canvas.changes);

            let mut anew = Picture::new(SIZE.0, SIZE.1);
            let all = Rect::new(0, 0, SIZE.0, SIZE.1);
            paint(&canvas.tiles, Kernels::plain(), canvas.dresser.theme().background, &mut anew, &all);
            assert!(anew == canvas.picture, "a part was not drawn, or drawn twice");

            let before = half.view().planes()[0].data().to_vec();
            half.follow(&canvas.view(), &canvas.changes);
            assert!(half.changes().is_empty() == canvas.changes().is_empty());
            assert!(!half.changes().is_empty() || before == half.view().planes()[0].data());
            let mut whole = Rendition::new(SIZE.0, SIZE.1);
            assert_eq!(*whole.refresh(&canvas.view()), Changes::everything(SIZE.0 / 2, SIZE.1 / 2));
            assert!(whole.view().planes().iter().zip(half.view().planes()).all(|(one, two)| one.data() == two.data()));
        }
    }
}

#[test]
fn a_still_source_changes_nothing() {
    let (mut canvas, now) = (canvas(), Instant::now());
    canvas.arrange(&regions(&Layout::Grid, &people(&["a", "b", "c", "d"])));
    let picture = noise(320, 180, &mut SmallRng::seed_from_u64(1));
    canvas.show(camera(0), &picture.view(), now);
    assert!(!canvas.compose(now).is_empty());
    for tick in 1..10 {
        let now = now + Duration::from_millis(33) * tick;
        assert!(canvas.show(camera(0), &picture.view(), now));
        assert!(canvas.compose(now).is_empty());
        assert_eq!(canvas.changes().active.count(), 0);
    }
}

#[test]
fn a_small_movement_makes_few_blocks_active() {
    let (mut canvas, now) = (canvas(), Instant::now());
    canvas.arrange(&regions(&Layout::Grid, &people(&["", "", "", ""])));
    let mut picture = noise(320, 180, &mut SmallRng::seed_from_u64(1));
    canvas.show(camera(3), &picture.view(), now);
    canvas.compose(now);
    picture.plane_mut(0)[90 * 320 + 160] ^= 0x80;
    canvas.show(camera(3), &picture.view(), now);
    let changes = canvas.compose(now);
    assert_eq!(changes.active.count(), 1, "the tile is cut from the picture, not scaled");
    assert_eq!(changes.rectangles.len(), 1);
}

#[test]
fn who_has_no_region_is_not_drawn() {
    let (mut canvas, now) = (canvas(), Instant::now());
    canvas.arrange(&regions(&Layout::Grid, &people(&["a"])));
    canvas.compose(now);
    assert!(!canvas.show(camera(7), &flat(320, 180, 200).view(), now));
    assert!(canvas.compose(now).is_empty());
}

#[test]
fn a_frozen_camera_is_dimmed_then_an_avatar_and_comes_back() {
    let (mut canvas, start) = (canvas(), Instant::now());
    canvas.arrange(&regions(&Layout::Grid, &people(&["Zoë", "Ada"])));
    let middle = |canvas: &Canvas| canvas.picture.plane(0)[180 * SIZE.0 + 20];
    canvas.compose(start);
    let avatar = middle(&canvas);
    canvas.show(camera(0), &flat(320, 180, 200).view(), start);
    canvas.compose(start + DIMMED_AFTER - Duration::from_millis(1));
    assert_eq!(middle(&canvas), 200);
    assert!(!canvas.compose(start + DIMMED_AFTER).is_empty());
    assert!((100..150).contains(&middle(&canvas)));
    assert!(canvas.compose(start + AVATAR_AFTER - Duration::from_millis(1)).is_empty());
    assert!(!canvas.compose(start + AVATAR_AFTER).is_empty());
    assert_eq!(middle(&canvas), avatar);
    assert!(canvas.compose(start + AVATAR_AFTER * 2).is_empty());
    canvas.show(camera(0), &flat(320, 180, 200).view(), start + AVATAR_AFTER * 2);
    canvas.compose(start + AVATAR_AFTER * 2);
    assert_eq!(middle(&canvas), 200);
}

#[test]
fn a_screen_that_stands_still_stays_as_it_is() {
    let (mut canvas, start) = (canvas(), Instant::now());
    let mut people = people(&["Zoë"]);
    people[0].screen_aspect = Some(1.6);
    canvas.arrange(&regions(&Layout::Presentation, &people));
    canvas.show(Source::Screen(ParticipantId(0)), &flat(320, 200, 220).view(), start);
    canvas.compose(start);
    assert!(canvas.compose(start + AVATAR_AFTER * 100).is_empty());
}

#[test]
fn a_camera_that_is_switched_off_is_an_avatar_at_once() {
    let (mut canvas, now) = (canvas(), Instant::now());
    let mut people = people(&["Zoë", "Ada"]);
    canvas.arrange(&regions(&Layout::Grid, &people));
    canvas.compose(now);
    let avatar = canvas.picture.clone();
    canvas.show(camera(1), &flat(320, 180, 200).view(), now);
    canvas.compose(now);
    assert!(avatar != canvas.picture);
    people[1].camera = false;
    canvas.arrange(&regions(&Layout::Grid, &people));
    canvas.show(camera(1), &flat(320, 180, 200).view(), now);
    canvas.compose(now);
    assert!(avatar == canvas.picture, "a late picture is not shown either");
}

#[test]
fn a_still_screen_is_sharp_after_its_tile_has_grown() {
    let (mut canvas, now) = (canvas(), Instant::now());
    let mut people = people(&["a", "b", "c", "d"]);
    people[0].screen_aspect = Some(16.0 / 9.0);
    let picture = noise(640, 360, &mut SmallRng::seed_from_u64(3));
    let screen = Source::Screen(ParticipantId(0));
    canvas.arrange(&regions(&Layout::Grid, &people));
    canvas.show(screen, &picture.view(), now);
    canvas.compose(now);
    let large = regions(&Layout::Presentation, &people);
    canvas.arrange(&large);
    canvas.compose(now);
    let mut fresh = self::canvas();
    fresh.arrange(&large);
    fresh.show(screen, &picture.view(), now);
    fresh.compose(now);
    assert!(fresh.picture == canvas.picture);
}

#[test]
fn labels_of_all_scripts_are_on_the_picture_and_composed_or_not_they_are_the_same() {
    let drawn = |name: &str| {
        let (mut canvas, now) = (canvas(), Instant::now());
        canvas.arrange(&regions(&Layout::Grid, &people(&[name, ""])));
        canvas.show(camera(0), &flat(320, 180, 120).view(), now);
        canvas.compose(now);
        canvas.picture
    };
    let bright = |picture: &Picture| picture.plane(0).iter().filter(|luma| **luma > 160).count();
    let nothing = bright(&drawn(""));
    for name in ["민준", "Zoë", "山田太郎"] {
        assert!(bright(&drawn(name)) > nothing + 30, "{name}");
    }
    assert!(drawn("민준") == drawn("\u{1106}\u{1175}\u{11ab}\u{110c}\u{116e}\u{11ab}"));
}

#[test]
fn regions_that_do_not_fit_the_canvas_are_left_out() {
    let mut canvas = canvas();
    let mut wrong = regions(&Layout::Grid, &people(&["a", "b", "c", "d"]));
    wrong[0].rect.left += 1;
    wrong[1].rect.width = 10_000;
    wrong[2].corner = 1000;
    wrong[3].opacity = 0;
    canvas.arrange(&wrong);
    canvas.compose(Instant::now());
    let background = Theme::default().background.yuv()[0];
    assert!(canvas.picture.plane(0).iter().all(|luma| *luma == background));
}

#[test]
fn a_source_may_change_its_shape_between_two_pictures_of_the_canvas() {
    let (mut canvas, now) = (canvas(), Instant::now());
    let mut people = people(&["a", "b"]);
    people[0].screen_aspect = Some(1.0);
    canvas.arrange(&regions(&Layout::Grid, &people));
    let screen = Source::Screen(ParticipantId(0));
    canvas.show(screen, &flat(240, 180, 60).view(), now);
    canvas.compose(now);
    let before = canvas.picture.clone();
    for (width, luma) in [(240, 90), (320, 120)] {
        canvas.show(screen, &flat(width, 180, luma).view(), now);
    }
    canvas.compose(now);
    assert_covered(&before, &canvas.picture, &canvas.changes);
    let mut anew = Picture::new(SIZE.0, SIZE.1);
    let all = Rect::new(0, 0, SIZE.0, SIZE.1);
    paint(&canvas.tiles, Kernels::plain(), canvas.dresser.theme().background, &mut anew, &all);
    assert!(anew == canvas.picture);
}
