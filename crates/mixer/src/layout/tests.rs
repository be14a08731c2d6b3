use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn people(count: u64) -> Vec<Participant> {
    (1..=count).map(|id| Participant::new(ParticipantId(id), "someone")).collect()
}

fn ask<'a>(layout: &'a Layout, participants: &'a [Participant]) -> Arrangement<'a> {
    Arrangement { width: 1280, height: 720, gap: 8, layout, participants, speaker: None, viewer: None }
}

fn camera(id: u64) -> Source {
    Source::Camera(ParticipantId(id))
}

fn screen(id: u64) -> Source {
    Source::Screen(ParticipantId(id))
}

/// The canvas in cells of 40 × 40 samples: the last digit of who is in the middle of each.
fn drawing(arranged: &Arranged) -> String {
    let mut out = String::new();
    for y in 0..18 {
        for x in 0..32 {
            let middle = Rect::new(x * 40 + 20, y * 40 + 20, 1, 1);
            let top = arranged.regions.iter().filter(|region| region.rect.holds(&middle)).max_by_key(|region| region.z);
            let letter = top.map_or('.', |region| match region.source {
                Source::Camera(id) => char::from(b'0' + (id.0 % 10) as u8),
                Source::Screen(_) => 'S',
            });
            out.push(letter);
        }
        let _ = writeln!(out);
    }
    out
}

#[test]
fn five_in_a_grid_have_their_last_row_centred() {
    let expected = "\
................................
................................
................................
11111111111222222222233333333333
11111111111222222222233333333333
11111111111222222222233333333333
11111111111222222222233333333333
11111111111222222222233333333333
11111111111222222222233333333333
.....444444444445555555555......
.....444444444445555555555......
.....444444444445555555555......
.....444444444445555555555......
.....444444444445555555555......
.....444444444445555555555......
................................
................................
................................
";
    assert_eq!(drawing(&arrange(&ask(&Layout::Grid, &people(5)))), expected);
}

#[test]
fn grids_have_these_columns_rows_and_tiles() {
    let table: Vec<_> = (1..=25)
        .map(|count| {
            let regions = arrange(&ask(&Layout::Grid, &people(count))).regions;
            let rows: std::collections::BTreeSet<_> = regions.iter().map(|region| region.rect.top).collect();
            let first = regions.iter().filter(|region| region.rect.top == regions[0].rect.top).count();
            format!("{count}: {first}x{} of {}x{}", rows.len(), regions[0].rect.width, regions[0].rect.height)
        })
        .collect();
    let expected = [
        "1: 1x1 of 1280x720",
        "2: 2x1 of 628x352",
        "3: 2x2 of 628x348",
        "4: 2x2 of 628x348",
        "5: 3x2 of 416x234",
        "6: 3x2 of 416x234",
        "7: 3x3 of 416x228",
        "8: 3x3 of 416x228",
        "9: 3x3 of 416x228",
        "10: 4x3 of 310x174",
        "11: 4x3 of 310x174",
        "12: 4x3 of 310x174",
        "13: 4x4 of 310x170",
        "14: 4x4 of 310x170",
        "15: 4x4 of 310x170",
        "16: 4x4 of 310x170",
        "17: 5x4 of 246x138",
        "18: 5x4 of 246x138",
        "19: 5x4 of 246x138",
        "20: 5x4 of 246x138",
        "21: 5x5 of 246x134",
        "22: 5x5 of 246x134",
        "23: 5x5 of 246x134",
        "24: 5x5 of 246x134",
        "25: 5x5 of 246x134",
    ];
    assert_eq!(table, expected);
}

#[test]
fn without_gaps_four_tiles_are_a_quarter_each() {
    let people = people(4);
    let regions = arrange(&Arrangement { gap: 0, ..ask(&Layout::Grid, &people) }).regions;
    assert_eq!(regions[3].rect, Rect::new(640, 360, 640, 360));
    assert_eq!((regions[3].corner, regions[3].needs), (0, (640, 360)));
}

#[test]
fn the_speaker_is_large_and_the_others_keep_their_order() {
    let people = people(4);
    let arranged = arrange(&Arrangement { speaker: Some(ParticipantId(3)), ..ask(&Layout::Speaker, &people) });
    let sources: Vec<_> = arranged.regions.iter().map(|region| region.source).collect();
    assert_eq!(sources, [camera(3), camera(1), camera(2), camera(4)]);
    let large = arranged.regions[0].rect;
    assert!(arranged.regions[1..].iter().all(|region| region.rect.width * 3 < large.width));
}

#[test]
fn beside_the_screen_is_the_speaker_and_below_the_others() {
    let mut people = people(9);
    people[4].screen_aspect = Some(1.6);
    let arranged = arrange(&Arrangement { speaker: Some(ParticipantId(2)), ..ask(&Layout::Presentation, &people) });
    let region = |index: usize| &arranged.regions[index];
    assert_eq!((region(0).source, region(0).fit), (screen(5), Fit::Contain));
    assert_eq!((region(1).source, region(1).fit), (camera(2), Fit::Cover));
    assert_eq!(region(2).source, camera(1));
    assert!(region(1).rect.left == region(2).rect.left && region(1).rect.bottom() < region(2).rect.top);
    assert_eq!(arranged.regions.len() + arranged.left_out.len(), 10);
}

#[test]
fn without_a_screen_a_presentation_is_a_speaker_with_a_strip() {
    let people = people(3);
    assert_eq!(arrange(&ask(&Layout::Presentation, &people)), arrange(&ask(&Layout::Speaker, &people)));
}

#[test]
fn the_small_picture_is_in_front_of_the_large_one() {
    let people = people(3);
    let arranged = arrange(&Arrangement { speaker: Some(ParticipantId(2)), ..ask(&Layout::PictureInPicture, &people) });
    assert_eq!(arranged.regions.len(), 2);
    let (large, small) = (&arranged.regions[0], &arranged.regions[1]);
    assert_eq!((large.source, small.source), (camera(2), camera(1)));
    assert!(large.rect.holds(&small.rect) && small.z > large.z);
    assert_eq!(arranged.left_out, [camera(3)]);
}

#[test]
fn ones_own_tile_is_left_out() {
    let people = people(5);
    for layout in [Layout::Grid, Layout::Speaker, Layout::Presentation, Layout::PictureInPicture] {
        let own =
            Arrangement { viewer: Some(ParticipantId(1)), speaker: Some(ParticipantId(1)), ..ask(&layout, &people) };
        let arranged = arrange(&own);
        assert!(!arranged.regions.is_empty());
        assert!(arranged.regions.iter().all(|region| region.source != camera(1)), "{layout:?}");
        assert!(!arranged.left_out.contains(&camera(1)), "{layout:?}");
    }
}

#[test]
fn beyond_twenty_five_those_who_spoke_last_stay_and_one_tile_stands_for_the_rest() {
    let mut people = people(30);
    people[29].last_spoke = Some(Instant::now());
    let arranged = arrange(&ask(&Layout::Grid, &people));
    assert_eq!(arranged.regions.len(), 25);
    assert_eq!(arranged.regions[23].source, camera(30));
    let rest = &arranged.regions[24];
    assert_eq!((rest.source, &*rest.name, rest.live, rest.needs), (camera(24), "+6", false, (0, 0)));
    assert_eq!(arranged.left_out, (25..30).map(camera).collect::<Vec<_>>());
}

#[test]
fn named_regions_are_filled_by_rank() {
    let named = |left: f32, fill| NamedRegion {
        left: Fraction(left),
        top: Fraction(0.0),
        width: Fraction(0.25),
        height: Fraction(1.0),
        z: 0,
        fill,
        fit: None,
    };
    let fills = [Fill::Next, Fill::Speaker, Fill::Participant(ParticipantId(2)), Fill::AnyScreen];
    let regions = fills.iter().enumerate().map(|(index, fill)| named(index as f32 * 0.25, *fill)).collect();
    let mut people = people(4);
    people[2].screen_aspect = Some(WIDE);
    let layout = Layout::Custom(regions);
    let arranged = arrange(&Arrangement { speaker: Some(ParticipantId(2)), ..ask(&layout, &people) });
    let sources: Vec<_> = arranged.regions.iter().map(|region| region.source).collect();
    assert_eq!(sources, [camera(3), camera(1), camera(2), screen(3)], "the speaker has a region of their own already");
    assert_eq!(arranged.left_out, [camera(4)]);
    assert_eq!(arranged.regions[3].rect, Rect::new(960, 0, 320, 720));
}

#[test]
fn a_portrait_camera_needs_as_many_rows_as_fill_the_width() {
    assert_eq!(needs(&Rect::new(0, 0, 320, 180), Fit::Cover, 9.0 / 16.0), (320, 569));
    assert_eq!(needs(&Rect::new(0, 0, 320, 180), Fit::Contain, 9.0 / 16.0), (101, 180));
    assert_eq!(needs(&Rect::new(0, 0, 320, 180), Fit::Contain, f64::NAN), (320, 180));
}

fn any_layout() -> impl Strategy<Value = Layout> {
    let fill = prop_oneof![
        (0..30_u64).prop_map(|id| Fill::Participant(ParticipantId(id))),
        (0..30_u64).prop_map(|id| Fill::Screen(ParticipantId(id))),
        Just(Fill::Speaker),
        Just(Fill::AnyScreen),
        Just(Fill::Next),
    ];
    let fraction = || prop_oneof![-0.5..1.5_f32, Just(f32::NAN), Just(f32::INFINITY)].prop_map(Fraction);
    let region = (fraction(), fraction(), fraction(), fraction(), -2..3, fill)
        .prop_map(|(left, top, width, height, z, fill)| NamedRegion { left, top, width, height, z, fill, fit: None });
    prop_oneof![
        Just(Layout::Grid),
        Just(Layout::Speaker),
        Just(Layout::Presentation),
        Just(Layout::PictureInPicture),
        proptest::collection::vec(region, 0..12).prop_map(Layout::Custom),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_region_is_even_within_the_canvas_and_each_source_has_one_at_most(
        layout in any_layout(),
        count in 0..40_u64,
        (width, height) in (8..1000_usize, 8..600_usize),
        gap in 0..10_usize,
        screens in proptest::collection::vec(0..40_usize, 0..4),
        speaker in proptest::option::of(0..40_u64),
        viewer in proptest::option::of(0..40_u64),
    ) {
        let mut people = people(count);
        for index in screens {
            if let Some(someone) = people.get_mut(index) {
                someone.screen_aspect = Some(1.6);
            }
        }
        let ask = Arrangement {
            width: width * 2,
            height: height * 2,
            gap: gap * 2,
            layout: &layout,
            participants: &people,
            speaker: speaker.map(ParticipantId),
            viewer: viewer.map(ParticipantId),
        };
        let arranged = arrange(&ask);
        let mut sources = std::collections::HashSet::new();
        for region in &arranged.regions {
            let Rect { left, top, width, height } = region.rect;
            prop_assert!([left, top, width, height].iter().all(|number| number % 2 == 0), "{:?}", region.rect);
            prop_assert!(width >= 2 && height >= 2);
            prop_assert!(region.rect.right() <= ask.width && region.rect.bottom() <= ask.height, "{:?}", region.rect);
            prop_assert!(region.corner * 2 <= width.min(height));
            prop_assert!(sources.insert(region.source));
            prop_assert!(Some(region.source.participant()) != ask.viewer);
        }
        let all = ask.seen().map(|someone| 1 + usize::from(someone.screen_aspect.is_some())).sum::<usize>();
        prop_assert_eq!(arranged.regions.len() + arranged.left_out.len(), all);
        if !matches!(layout, Layout::Custom(_) | Layout::PictureInPicture) {
            for (index, one) in arranged.regions.iter().enumerate() {
                for other in &arranged.regions[index + 1..] {
                    prop_assert!(one.rect.meet(&other.rect).is_none(), "{:?} and {:?}", one.rect, other.rect);
                }
            }
        }
    }
}
