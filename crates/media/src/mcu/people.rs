//! Who is there, who speaks, and where they are to be seen.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use madang_mixer::layout::{
    Arrangement, Fill, Fit, Floor, Fraction, Layout, NamedRegion, Participant, ParticipantId as Number, Region, Source,
    arrange,
};
use madang_protocol::{MixFill, MixFit, MixLayout, MixPlace, MixRegion, ParticipantId, Person, TrackSource};

/// Between tiles and around them, at a height of 720.
const GAP: usize = 8;

/// Numbers that are remembered for people who may come back to their place.
const REMEMBERED: usize = 1024;

/// Everybody who can be seen or heard.
#[derive(Debug, Default)]
pub(super) struct People {
    /// By their place, which is their number.
    all: BTreeMap<u64, Somebody>,
    by_link: HashMap<usize, u64>,
    /// Somebody whose link is replaced keeps their place.
    numbers: HashMap<ParticipantId, u64>,
    next: u64,
    floor: Floor,
}

#[derive(Debug)]
struct Somebody {
    id: ParticipantId,
    link: usize,
    is_shown: bool,
    seen: Participant,
}

/// What a room's mixer knows of somebody's tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sends {
    /// A camera that is not muted, and its shape once a picture of it has come.
    pub(super) camera: bool,
    pub(super) camera_aspect: Option<f64>,
    /// A screen that is shared, with its shape.
    pub(super) screen_aspect: Option<f64>,
    /// No microphone that is not muted.
    pub(super) silent: bool,
}

impl People {
    pub(super) fn set(&mut self, link: usize, id: &ParticipantId, person: &Person) {
        let number = *self.numbers.entry(id.clone()).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let somebody = self.all.entry(number).or_insert_with(|| Somebody {
            id: id.clone(),
            link,
            is_shown: person.is_shown,
            seen: Participant { camera: false, muted: true, ..Participant::new(Number(number), &person.name) },
        });
        if somebody.link != link {
            self.by_link.remove(&somebody.link);
        }
        (somebody.link, somebody.is_shown, somebody.seen.name) = (link, person.is_shown, person.name.as_str().into());
        self.by_link.insert(link, number);
        if self.numbers.len() > REMEMBERED {
            let Self { numbers, all, .. } = self;
            numbers.retain(|_, number| all.contains_key(number));
        }
    }

    pub(super) fn remove(&mut self, link: usize) {
        if let Some(number) = self.by_link.remove(&link) {
            self.all.remove(&number);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// What somebody sends has changed. Says whether it makes a difference.
    pub(super) fn sends(&mut self, link: usize, sends: Sends) -> bool {
        let Some(seen) = self.of(link) else { return false };
        let before = (seen.camera, seen.camera_aspect, seen.screen_aspect, seen.muted);
        seen.camera = sends.camera;
        seen.camera_aspect = sends.camera_aspect.unwrap_or(seen.camera_aspect);
        seen.screen_aspect = sends.screen_aspect;
        seen.muted = sends.silent;
        before != (seen.camera, seen.camera_aspect, seen.screen_aspect, seen.muted)
    }

    fn of(&mut self, link: usize) -> Option<&mut Participant> {
        let number = self.by_link.get(&link)?;
        self.all.get_mut(number).map(|somebody| &mut somebody.seen)
    }

    /// Takes whose microphones speak. Says whether anything looks different now.
    pub(super) fn listen(&mut self, now: Instant, speaking: &[usize]) -> bool {
        let mut changed = false;
        for somebody in self.all.values_mut() {
            let speaks = speaking.contains(&somebody.link);
            changed |= speaks != somebody.seen.speaking;
            somebody.seen.speaking = speaks;
            if speaks {
                somebody.seen.last_spoke = Some(coarse(now, somebody.seen.last_spoke));
            }
        }
        let before = self.floor.holder();
        self.floor.update(now, &self.shown());
        changed | (self.floor.holder() != before)
    }

    fn shown(&self) -> Vec<Participant> {
        let shown = self.all.values().filter(|somebody| somebody.is_shown);
        shown.map(|somebody| somebody.seen.clone()).collect()
    }

    /// Where everybody is to be seen in a picture of that size.
    pub(super) fn arrange(
        &self,
        (width, height): (usize, usize),
        layout: &MixLayout,
        hidden: Option<usize>,
    ) -> Vec<Region> {
        let participants = self.shown();
        let shares = participants.iter().any(|somebody| somebody.screen_aspect.is_some());
        let ask = Arrangement {
            width,
            height,
            gap: (GAP * height / 720).max(2) & !1,
            layout: &self.layout(layout, shares),
            participants: &participants,
            speaker: self.floor.holder(),
            viewer: hidden.and_then(|link| self.by_link.get(&link)).map(|number| Number(*number)),
        };
        arrange(&ask).regions
    }

    fn layout(&self, layout: &MixLayout, shares: bool) -> Layout {
        match layout {
            MixLayout::Auto if shares => Layout::Presentation,
            MixLayout::Auto | MixLayout::Grid => Layout::Grid,
            MixLayout::Speaker => Layout::Speaker,
            MixLayout::Presentation => Layout::Presentation,
            MixLayout::PictureInPicture => Layout::PictureInPicture,
            MixLayout::Custom { regions } => Layout::Custom(regions.iter().map(|region| self.region(region)).collect()),
        }
    }

    fn region(&self, region: &MixRegion) -> NamedRegion {
        // Somebody who is not there has no number; 0 is nobody's.
        let number = |id: &ParticipantId| Number(self.numbers.get(id).copied().unwrap_or(0));
        NamedRegion {
            left: Fraction(region.left),
            top: Fraction(region.top),
            width: Fraction(region.width),
            height: Fraction(region.height),
            z: region.z,
            fill: match &region.fill {
                MixFill::Participant { participant } => Fill::Participant(number(participant)),
                MixFill::Screen { participant } => Fill::Screen(number(participant)),
                MixFill::Speaker => Fill::Speaker,
                MixFill::AnyScreen => Fill::AnyScreen,
                MixFill::Next => Fill::Next,
            },
            fit: region.fit.map(|fit| match fit {
                MixFit::Cover => Fit::Cover,
                MixFit::Contain => Fit::Contain,
            }),
        }
    }

    /// Whose link a source belongs to.
    pub(super) fn link_of(&self, source: Source) -> Option<usize> {
        self.all.get(&source.participant().0).map(|somebody| somebody.link)
    }

    /// The name of a link's camera or screen on canvases.
    pub(super) fn source(&self, link: usize, is_screen: bool) -> Option<Source> {
        let number = Number(*self.by_link.get(&link)?);
        Some(if is_screen { Source::Screen(number) } else { Source::Camera(number) })
    }

    /// The places of regions, as clients are told.
    pub(super) fn places(&self, (width, height): (usize, usize), regions: &[Region]) -> Vec<MixPlace> {
        // What stands for several people is nobody's place.
        let mut regions: Vec<&Region> = regions.iter().filter(|region| region.needs != (0, 0)).collect();
        regions.sort_by_key(|region| region.z);
        let share = |part: usize, all: usize| part as f32 / all.max(1) as f32;
        let place = |region: &&Region| {
            let somebody = self.all.get(&region.source.participant().0)?;
            Some(MixPlace {
                participant: somebody.id.clone(),
                source: if matches!(region.source, Source::Screen(_)) {
                    TrackSource::Screen
                } else {
                    TrackSource::Camera
                },
                left: share(region.rect.left, width),
                top: share(region.rect.top, height),
                width: share(region.rect.width, width),
                height: share(region.rect.height, height),
            })
        };
        regions.iter().filter_map(place).collect()
    }
}

/// When somebody spoke last orders tiles: not finer than that two who talk at once keep their order.
fn coarse(now: Instant, before: Option<Instant>) -> Instant {
    before.filter(|before| now.saturating_duration_since(*before) < Duration::from_secs(2)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person { name: name.into(), is_shown: true }
    }

    fn names(people: &People) -> Vec<(u64, String)> {
        let regions = people.arrange((640, 360), &MixLayout::Grid, None);
        regions.iter().map(|region| (region.source.participant().0, region.name.to_string())).collect()
    }

    #[test]
    fn a_new_name_is_on_the_label() {
        let mut people = People::default();
        people.set(7, &ParticipantId("p_1".into()), &person("Ada"));
        people.set(7, &ParticipantId("p_1".into()), &person("에이다"));
        assert_eq!(names(&people), [(1, "에이다".to_owned())]);
    }

    #[test]
    fn a_link_that_is_replaced_keeps_its_person_s_place_whichever_end_comes_first() {
        let mut people = People::default();
        for (link, id) in [(1, "p_1"), (2, "p_2"), (3, "p_3")] {
            people.set(link, &ParticipantId(id.into()), &person(id));
        }
        let before = names(&people);
        people.set(9, &ParticipantId("p_2".into()), &person("p_2"));
        people.remove(2);
        assert_eq!(names(&people), before);
        people.remove(9);
        people.set(2, &ParticipantId("p_2".into()), &person("p_2"));
        assert_eq!(names(&people), before);
        assert_eq!(people.link_of(Source::Camera(Number(2))), Some(2));
    }

    #[test]
    fn people_who_are_gone_are_forgotten_when_there_are_too_many() {
        let mut people = People::default();
        for number in 0..3 * REMEMBERED {
            people.set(1, &ParticipantId(format!("p_{number}")), &person(""));
            people.remove(1);
        }
        assert!(people.numbers.len() <= REMEMBERED + 1);
        assert_eq!((people.count(), people.by_link.len()), (0, 0));
    }
}
