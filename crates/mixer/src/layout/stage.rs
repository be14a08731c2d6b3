//! One picture large, the others small.

use super::rect::{Rect, centred};
use super::{Arranged, Arrangement, ParticipantId, Source, WIDE, grid, rounding, sane};

/// The speaker large, the others in a strip at the right.
pub(super) fn speaker(ask: &Arrangement<'_>) -> Arranged {
    let Some(main) = ask.by_speech().first().map(|someone| someone.id) else {
        return Arranged::default();
    };
    let others = others(ask, &[Source::Camera(main)]);
    if others.is_empty() {
        return grid::arrange(ask);
    }
    let (stage, column) = halves(ask);
    let strip = strip(ask, column, others.len());
    finish(ask, [(Source::Camera(main), stage)].into_iter().collect(), others, strip)
}

/// The screen large; at the right the speaker, somewhat higher than those below.
pub(super) fn presentation(ask: &Arrangement<'_>) -> Arranged {
    let Some(sharer) = ask.sharers().first().copied() else { return speaker(ask) };
    let screen = Source::Screen(sharer.id);
    let (stage, column) = halves(ask);
    // As large as the screen is, so that its corners and its label are on the picture.
    let stage = centred(stage, sane(sharer.screen_aspect.unwrap_or(WIDE)));
    let beside = ask.by_speech().first().map(|someone| Source::Camera(someone.id));
    let mut placed = vec![(screen, stage)];
    let taken: Vec<_> = [Some(screen), beside].into_iter().flatten().collect();
    let others = others(ask, &taken);
    let Some(beside) = beside else { return finish(ask, placed, others, Vec::new()) };
    let height = (column.width * 3 / 4).min(column.height) & !1;
    let top = if others.is_empty() { column.top + (column.height - height) / 2 } else { column.top };
    let large = Rect::new(column.left, top & !1, column.width, height);
    placed.push((beside, large));
    let below = large.bottom() + ask.gap;
    let rest = Rect::new(column.left, below, column.width, column.bottom().saturating_sub(below));
    let mut strip = strip(ask, rest, others.len());
    // The speaker's tile begins the column, so the others follow it closely.
    let shift = strip.first().map_or(0, |first| (first.top - rest.top) & !1);
    strip.iter_mut().for_each(|tile| tile.top -= shift);
    finish(ask, placed, others, strip)
}

/// One on all of the canvas, another small in the lower right corner.
pub(super) fn picture_in_picture(ask: &Arrangement<'_>) -> Arranged {
    let cameras = ask.by_speech().into_iter().map(|someone| Source::Camera(someone.id));
    let screens = ask.sharers().into_iter().take(1).map(|someone| Source::Screen(someone.id));
    let chosen: Vec<_> = screens.chain(cameras).take(2).collect();
    let width = (ask.width * 24 / 100) & !15;
    let height = (width as f64 / WIDE) as usize & !1;
    let margin = (ask.height / 36).max(ask.gap) & !1;
    let small = Rect::new(
        (ask.width.saturating_sub(width + margin)) & !1,
        (ask.height.saturating_sub(height + margin)) & !1,
        width.max(2),
        height.max(2),
    );
    let full = Rect::new(0, 0, ask.width & !1, ask.height & !1);
    let mut arranged = Arranged { left_out: others(ask, &chosen), ..Arranged::default() };
    for (depth, (source, rect)) in chosen.into_iter().zip([full, small]).enumerate() {
        let region = ask.region(source, rect, i32::from(depth > 0));
        arranged.regions.extend(region.map(|mut region| {
            region.corner = if depth > 0 { rounding(ask, &region.rect) } else { 0 };
            region
        }));
    }
    arranged
}

/// All that is not on stage, in the order of the participants.
pub(super) fn others(ask: &Arrangement<'_>, taken: &[Source]) -> Vec<Source> {
    let of = |someone: &super::Participant| {
        let screen = someone.screen_aspect.map(|_| Source::Screen(someone.id));
        screen.into_iter().chain([Source::Camera(someone.id)])
    };
    ask.seen().flat_map(of).filter(|source| !taken.contains(source)).collect()
}

/// The stage at the left, and the column at its right.
fn halves(ask: &Arrangement<'_>) -> (Rect, Rect) {
    let gap = ask.gap & !1;
    let column = (ask.width * 18 / 100) & !15;
    let height = ask.height.saturating_sub(2 * gap) & !1;
    let width = ask.width.saturating_sub(column + 3 * gap) & !1;
    (Rect::new(gap, gap, width, height), Rect::new(2 * gap + width, gap, column, height))
}

/// Tiles below each other, as many as fit, in the middle of the column.
fn strip(ask: &Arrangement<'_>, column: Rect, count: usize) -> Vec<Rect> {
    let tile = centred(Rect::new(0, 0, column.width, column.height), WIDE);
    let gap = ask.gap & !1;
    let fit = ((column.height + gap) / (tile.height + gap).max(1)).min(count);
    let used = (fit * (tile.height + gap)).saturating_sub(gap);
    let top = (column.top + column.height.saturating_sub(used) / 2) & !1;
    (0..fit).map(|index| Rect::new(column.left, top + index * (tile.height + gap), tile.width, tile.height)).collect()
}

/// Of those who want a place in the strip, the ones who spoke last get it, and sit in the order of
/// the participants.
fn finish(ask: &Arrangement<'_>, placed: Vec<(Source, Rect)>, others: Vec<Source>, strip: Vec<Rect>) -> Arranged {
    let speech: Vec<ParticipantId> = ask.by_speech().into_iter().map(|someone| someone.id).collect();
    let rank = |source: &Source| {
        let spoke = speech.iter().position(|id| *id == source.participant());
        (matches!(source, Source::Camera(_)), spoke)
    };
    let mut ranked = others.clone();
    ranked.sort_by_key(rank);
    ranked.truncate(strip.len());
    let (kept, left_out): (Vec<_>, Vec<_>) = others.into_iter().partition(|source| ranked.contains(source));
    let all = placed.into_iter().chain(kept.into_iter().zip(strip));
    Arranged { regions: all.filter_map(|(source, rect)| ask.region(source, rect, 0)).collect(), left_out }
}
