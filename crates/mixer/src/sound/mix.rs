//! The sum of what sounds, and for each listener who is part of it the sum without itself.

use std::collections::BTreeMap;

use super::limiter::{FRAME, Limiter};
use super::packet::{ListenerId, SourceId, SourceKind};
use super::source::Source;
use super::stream::{Mix, Stream, WARM_UP};

/// Listeners who have the same sources of their own: mostly none, or one listener's microphone and
/// screen.
#[derive(Default)]
pub(super) struct Group {
    pub(super) listeners: Vec<ListenerId>,
    /// The mix without their own, from when one of these begins to sound until all have been out of
    /// the mix for some frames, in which both encoders come to the same state.
    pub(super) own: Option<Stream>,
    lingers: usize,
}

impl Group {
    /// Takes note of whether something of their own is in the mix now.
    pub(super) fn follow(&mut self, own_sounds: bool, common: &Limiter) {
        if own_sounds {
            self.lingers = WARM_UP;
            self.own.get_or_insert_with(|| Stream::new(common.clone()));
        } else if self.lingers > 0 {
            self.lingers -= 1;
        } else {
            self.own = None;
        }
    }
}

/// What the sources add up to.
pub(super) struct Bus {
    voices: Vec<f32>,
    screens: [Vec<f32>; 2],
}

impl Bus {
    pub(super) fn new() -> Self {
        Self { voices: vec![0.0; FRAME], screens: [vec![0.0; FRAME], vec![0.0; FRAME]] }
    }

    pub(super) fn clear(&mut self) {
        self.voices.fill(0.0);
        self.screens.iter_mut().for_each(|channel| channel.fill(0.0));
    }

    /// Adds a source's frame.
    pub(super) fn add(&mut self, source: &Source) {
        match source.kind {
            SourceKind::Voice => {
                self.voices.iter_mut().zip(source.frame()).for_each(|(sum, sample)| *sum += sample);
            }
            SourceKind::Screen => {
                let [left, right] = &mut self.screens;
                for ((left, right), pair) in left.iter_mut().zip(right).zip(source.frame().chunks_exact(2)) {
                    *left += pair[0];
                    *right += pair[1];
                }
            }
        }
    }

    /// The sum without some of the sources, in one channel or two.
    pub(super) fn without(
        &self,
        own: &[SourceId],
        sources: &BTreeMap<SourceId, Source>,
        channels: usize,
        mix: &mut Mix,
    ) {
        mix.channels = channels;
        mix.left.copy_from_slice(&self.voices);
        for source in own.iter().filter_map(|id| sources.get(id)).filter(|source| source.kind == SourceKind::Voice) {
            mix.left.iter_mut().zip(source.frame()).for_each(|(sum, sample)| *sum -= sample);
        }
        if channels == 1 {
            return;
        }
        mix.right.copy_from_slice(&mix.left);
        for (sum, screen) in [(&mut mix.left, &self.screens[0]), (&mut mix.right, &self.screens[1])] {
            sum.iter_mut().zip(screen).for_each(|(sum, sample)| *sum += sample);
        }
        for source in own.iter().filter_map(|id| sources.get(id)).filter(|source| source.kind == SourceKind::Screen) {
            for ((left, right), pair) in mix.left.iter_mut().zip(&mut mix.right).zip(source.frame().chunks_exact(2)) {
                *left -= pair[0];
                *right -= pair[1];
            }
        }
    }
}
