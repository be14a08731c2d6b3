//! The mixers' jobs: what decodes, draws and encodes runs here, off the shards.
//!
//! A mixer is a part of its shard's forwarder and runs no codec by itself
//! ([`madang_media::mcu`]): it gives out jobs, which take milliseconds, and goes on when they come
//! back. A shard that ran them would keep every packet waiting meanwhile.
//!
//! | module | what it does |
//! | --- | --- |
//! | `pool` | threads, and the queue before them |
//! | `codecs` | our codecs, as mixers ask for them |
//! | `fonts` | what is missing to draw names, said once |
//! | `metrics` | what mixers and the pool tell |

mod codecs;
mod fonts;
mod metrics;
mod pool;

use std::{sync::Arc, time::Duration};

use madang_media::mcu::{Job, MixerConfig};
use madang_mixer::canvas::SharedFonts;

pub(crate) use fonts::warn_of_fonts;
pub(crate) use metrics::MixMetrics;
pub(crate) use pool::{JobSender, Pool};

use crate::config::Mix;
use codecs::NativeCodecs;
use pool::Work;

/// How the mixers of all forwarders are set up.
pub(crate) fn mixer_config(mix: &Mix) -> MixerConfig {
    MixerConfig {
        fonts: SharedFonts::new(mix.fonts()),
        size: (mix.size.width, mix.size.height),
        bitrates: mix.bitrates(),
        ..MixerConfig::new(Arc::new(NativeCodecs))
    }
}

impl Work for Job {
    fn is_urgent(&self) -> bool {
        self.is_urgent()
    }

    fn part(&self) -> &'static str {
        self.kind().name()
    }

    fn run(&mut self) {
        self.run();
    }

    fn set_took(&mut self, took: Duration) {
        self.set_took(took);
    }

    fn set_failed(&mut self) {
        self.set_failed();
    }
}
