//! What runs elsewhere: off the shard, at lower priority.

use std::time::Duration;

use super::{decode::DecodeWork, sound::SoundWork, studio::StudioWork};

/// A mixer, numbered by its forwarder; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MixerId(pub u64);

/// What a job does, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Mixes sound.
    Sound,
    /// Decodes pictures.
    Decode,
    /// Draws and encodes a picture.
    Picture,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sound, Self::Decode, Self::Picture];

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Decode => "decode",
            Self::Picture => "picture",
        }
    }
}

/// Work on a part of a mixer that was moved out of it. Run it, and give it back with
/// [`crate::sfu::Input::Done`], in any case: the part does nothing until then.
#[must_use = "a part of a mixer is in it, which stands still without"]
pub struct Job {
    pub(super) mixer: MixerId,
    pub(super) work: Work,
    pub(super) took: Duration,
    pub(super) failed: bool,
}

pub(super) enum Work {
    Sound(Box<SoundWork>),
    Decode(Box<DecodeWork>),
    Picture(Box<StudioWork>),
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("mixer", &self.mixer).field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Job {
    pub(super) fn new(mixer: MixerId, work: Work) -> Box<Self> {
        Box::new(Self { mixer, work, took: Duration::ZERO, failed: false })
    }

    /// Whose part it works on.
    #[must_use]
    pub fn mixer(&self) -> MixerId {
        self.mixer
    }

    /// What it does.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        match self.work {
            Work::Sound(_) => JobKind::Sound,
            Work::Decode(_) => JobKind::Decode,
            Work::Picture(_) => JobKind::Picture,
        }
    }

    /// Sound goes before pictures: it is short, and a gap in it is heard.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.kind() == JobKind::Sound
    }

    /// Does it. It takes milliseconds.
    pub fn run(&mut self) {
        match &mut self.work {
            Work::Sound(work) => work.run(),
            Work::Decode(work) => work.run(),
            Work::Picture(work) => work.run(),
        }
    }

    /// It has panicked: what is in it is not to be trusted.
    pub fn set_failed(&mut self) {
        self.failed = true;
    }

    /// How much processor time it took, as the caller measured.
    pub fn set_took(&mut self, took: Duration) {
        self.took = took;
    }

    /// What was set.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }
}
