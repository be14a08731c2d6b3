//! What a source's sound went through.

use std::time::Duration;

/// Sums since the source came, and what is now. Samples are of one channel, at 48 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SourceStatistics {
    /// Packets that arrived.
    pub received: u64,
    /// Packets that arrived when what they have was due before.
    pub late: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets that no decoder would take.
    pub malformed: u64,
    /// Packets that had no room, so many came ahead of time.
    pub overflowed: u64,
    /// How often the sender began to count from another base.
    pub restarts: u64,
    /// Times a decoder failed.
    pub faults: u64,
    /// Samples played, in frames that were mixed.
    pub played: u64,
    /// Samples made up of nothing while something was missing.
    pub concealed: u64,
    /// Samples made up from the packet after (in-band FEC).
    pub recovered: u64,
    /// Samples put in to make the delay longer.
    pub inserted: u64,
    /// Samples taken out to make the delay shorter.
    pub removed: u64,
    /// How long what plays now has waited, against the fastest packet of late.
    pub delay: Duration,
    /// How long it should.
    pub target: Duration,
    /// Packets that wait.
    pub waiting: usize,
    /// The gain that balances its level, in dB.
    pub gain: f32,
    /// It is in the mix now.
    pub mixed: bool,
    /// Its decoder is at fault and has to be replaced; until then it is not heard.
    pub failed: bool,
}

/// Sums since the mixer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MixerStatistics {
    /// Frames of 20 ms that were made.
    pub frames: u64,
    /// Frames that were left out because ticks came too late.
    pub left_out: u64,
    /// Packets that were encoded, for however many listeners.
    pub encoded: u64,
    /// Times an encoder failed, and was made anew.
    pub encoder_faults: u64,
}
