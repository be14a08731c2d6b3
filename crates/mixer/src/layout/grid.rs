//! Equal tiles in rows, the last row centred.

use super::rect::{Rect, centred};
use super::{Arranged, Arrangement, Participant, Region, Source, WIDE};

/// As many tiles as there are at most. Where that is not enough, those who spoke last have all but
/// the last, which says how many have none.
pub const MOST: usize = 25;

pub(super) fn arrange(ask: &Arrangement<'_>) -> Arranged {
    let (kept, mut left_out) = choose(ask);
    let rest = (!left_out.is_empty()).then(|| left_out.remove(0));
    let mut tiles = tiles(ask.width, ask.height, ask.gap, kept.len() + usize::from(rest.is_some())).into_iter();
    let regions = kept.into_iter().zip(&mut tiles).filter_map(|(source, rect)| ask.region(source, rect, 0));
    let mut regions: Vec<_> = regions.collect();
    if let Some(region) = rest.zip(tiles.next()).and_then(|(source, rect)| ask.region(source, rect, 0)) {
        let name = format!("+{}", left_out.len() + 1).into();
        regions.push(Region { live: false, name, muted: false, speaking: false, needs: (0, 0), ..region });
    }
    Arranged { regions, left_out }
}

/// Screens have a tile of their own, before their owner's.
fn choose(ask: &Arrangement<'_>) -> (Vec<Source>, Vec<Source>) {
    let sources = |someone: &Participant| {
        let screen = someone.screen_aspect.map(|_| Source::Screen(someone.id));
        screen.into_iter().chain([Source::Camera(someone.id)])
    };
    let ranked = ask.by_speech().into_iter().flat_map(sources);
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|source| matches!(source, Source::Camera(_)));
    ranked.truncate(if ranked.len() > MOST { MOST - 1 } else { MOST });
    ask.seen().flat_map(sources).partition(|source| ranked.contains(source))
}

/// Places of `count` tiles of 16:9: as many columns as make them largest.
pub(super) fn tiles(width: usize, height: usize, gap: usize, count: usize) -> Vec<Rect> {
    if count == 1 {
        return vec![centred(Rect::new(0, 0, width, height), width as f64 / height as f64)];
    }
    let fitting = |columns: usize| {
        let rows = count.div_ceil(columns);
        let room = |length: usize, tiles: usize| length.saturating_sub(gap * (tiles + 1)) / tiles;
        let cell = Rect::new(0, 0, room(width, columns), room(height, rows));
        (columns, rows, shape(cell))
    };
    let best = (1..=count).map(fitting).max_by_key(|(columns, rows, cell)| {
        // Of the same size, the fuller rows.
        (cell.width * cell.height, std::cmp::Reverse(columns * rows - count))
    });
    let Some((columns, rows, cell)) = best else { return Vec::new() };
    let start =
        |length: usize, tiles: usize, tile: usize| (length.saturating_sub(tiles * tile + (tiles - 1) * gap) / 2) & !1;
    let top = start(height, rows, cell.height);
    let place = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let in_row = (count - row * columns).min(columns);
        let left = start(width, in_row, cell.width) + column * (cell.width + gap);
        Rect::new(left & !1, (top + row * (cell.height + gap)) & !1, cell.width, cell.height)
    };
    (0..count).map(place).collect()
}

/// 16:9 within a cell; but a cell that is nearly so is filled, so that gaps stay even.
fn shape(cell: Rect) -> Rect {
    let aspect = cell.width as f64 / cell.height.max(1) as f64;
    let near = (aspect / WIDE - 1.0).abs() < 0.06;
    let tile = centred(cell, if near { aspect } else { WIDE });
    Rect::new(0, 0, tile.width.max(2), tile.height.max(2))
}
