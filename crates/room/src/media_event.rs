//! What the media server says of a room's links, and what follows from it.

use std::{collections::BTreeMap, sync::Arc};

use madang_protocol::{
    Bitrate, BitrateReason, BitsPerSecond, Delivery, Description, ErrorCode, Failure, LinkId, MediaEvent, Mid,
    MixState, Negotiation, ParticipantId, Rid, SdpType, ServerMessage, Speakers, Topology, TrackId,
};

use crate::{link::Link, room::Room, roster::Order, served::Reach};

impl Room {
    /// Takes in what the media server says. Links are named once: what is about one that has
    /// been closed is late, and dropped.
    pub(crate) fn media_event(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Offer { link, n, sdp, tracks } => self.pass_offer(link, n, sdp, tracks),
            MediaEvent::AnswerRefused { link, n, why } => self.answer_refused(&link, n, &why),
            MediaEvent::Connected { link } => self.link_connected(&link),
            MediaEvent::Failed { link, .. } => self.link_broke(&link),
            MediaEvent::Demand { track, layers, max_height } => self.tell_demand(track, layers, max_height),
            MediaEvent::MixState { link, state } => self.keep_mix_state(&link, state),
            MediaEvent::MixFull { why } => self.mixer_full = why,
            MediaEvent::Delivery(delivery) => self.tell_delivery(delivery),
            MediaEvent::Speakers { participants } => self.tell_speakers(participants),
        }
    }

    /// A link to the server that is still open, and whose it is.
    fn open_served(&mut self, id: &LinkId) -> Option<(Order, &mut Link)> {
        let link = self.links.get_mut(id).filter(|link| link.is_served())?;
        Some((link.answerer(), link))
    }

    fn pass_offer(&mut self, id: LinkId, n: Negotiation, sdp: String, mut tracks: BTreeMap<Mid, TrackId>) {
        tracks.retain(|_, track| self.roster.track_owner(track).is_some() || self.mix_tracks.contain(track));
        let Some((order, link)) = self.open_served(&id) else { return };
        if link.negotiating.describe(SdpType::Offer, n, &sdp).is_err() {
            return;
        }
        let desc = Description { link: id, epoch: link.epoch, n, kind: SdpType::Offer, sdp, tracks, from: None };
        let id = desc.link.clone();
        let message = Arc::new(ServerMessage::Desc(desc));
        if let Some(served) = &mut link.served {
            served.offer = Some(Arc::clone(&message));
        }
        self.signal(order, &id, message);
    }

    /// A client whose answer is no answer is told so, and gets one more try.
    fn answer_refused(&mut self, id: &LinkId, n: Negotiation, why: &str) {
        let Some((order, link)) = self.open_served(id) else { return };
        if !link.negotiating.is_newest(n) {
            return;
        }
        let Some(served) = &mut link.served else { return };
        let gives_up = std::mem::replace(&mut served.is_second_try, true);
        let failure = Failure {
            code: ErrorCode::BadRequest,
            message: format!("the answer {n} on {id} was refused: {why}"),
            retry_after_ms: None,
            fatal: false,
        };
        self.tell(order, Arc::new(ServerMessage::Error(failure)));
        if !gives_up {
            self.link_broke(id);
        }
    }

    fn link_connected(&mut self, id: &LinkId) {
        let Some((_, link)) = self.open_served(id) else { return };
        if let Some(served) = &mut link.served
            && served.reach == Reach::Connecting
        {
            served.reach = Reach::Connected;
            served.is_second_try = false;
        }
    }

    fn link_broke(&mut self, id: &LinkId) {
        let Some((order, link)) = self.open_served(id) else { return };
        if let Some(served) = &mut link.served {
            served.reach = Reach::Broken;
        }
        self.mend_server_link(order);
    }

    fn tell_demand(&mut self, track: TrackId, layers: Option<Vec<Rid>>, max_height: Option<u32>) {
        let Some(order) = self.roster.track_owner(&track).map(|owner| owner.order) else { return };
        let Some(link) = self.server_link(order).map(|link| link.id.clone()) else { return };
        let is_watched = layers.as_ref().is_none_or(|layers| !layers.is_empty());
        let message = Arc::new(ServerMessage::Bitrate(Bitrate {
            link: Some(link),
            track: Some(track.clone()),
            max_send_bps: (!is_watched).then_some(BitsPerSecond(0)),
            max_height,
            layers,
            reason: if is_watched { BitrateReason::Unlimited } else { BitrateReason::NotWatched },
        }));
        if let Some(served) = self.served_mut(order) {
            served.demand(track, Arc::clone(&message));
        }
        self.tell(order, message);
    }

    fn tell_delivery(&mut self, delivery: Delivery) {
        let gets_mix = self.gets_mix(&delivery.link);
        let is_mix = gets_mix && delivery.track == self.mix_tracks.video;
        if !is_mix && self.roster.track_owner(&delivery.track).is_none() {
            return;
        }
        let (track, message) = (delivery.track.clone(), Arc::new(ServerMessage::Delivery(delivery.clone())));
        let Some((order, link)) = self.open_served(&delivery.link) else { return };
        // Others' tracks still come until the mix flows; that is nothing to be told again.
        if let Some(served) = &mut link.served
            && is_mix == gets_mix
        {
            served.delivery(track, Arc::clone(&message));
        }
        self.tell(order, message);
    }

    /// Whether the participant of this link gets the mix. What the media server says of one that
    /// was given up is late.
    fn gets_mix(&self, id: &LinkId) -> bool {
        let Some(link) = self.links.get(id).filter(|link| link.is_served()) else { return false };
        self.roster.get(link.answerer()).is_some_and(|participant| participant.mix.is_some())
    }

    fn keep_mix_state(&mut self, id: &LinkId, state: MixState) {
        if !self.gets_mix(id) {
            return;
        }
        let Some((order, link)) = self.open_served(id) else { return };
        if let Some(served) = &mut link.served {
            served.mix_state = Some(state);
        }
        self.tell_mix_state(order, id);
    }

    /// Tells how a participant's mix is made, as the media server said last. Those who have left
    /// since have no place in it.
    pub(crate) fn tell_mix_state(&mut self, order: Order, id: &LinkId) {
        let state = self.links.get(id).and_then(|link| link.served.as_ref()?.mix_state.clone());
        let Some(mut state) = state else { return };
        state.places.retain(|place| self.roster.by_id(&place.participant).is_some());
        self.tell(order, Arc::new(ServerMessage::MixState(state)));
    }

    fn tell_speakers(&mut self, mut participants: Vec<ParticipantId>) {
        participants.retain(|speaker| self.roster.by_id(speaker).is_some());
        if self.topology == Topology::Mesh || participants == self.speakers {
            return;
        }
        self.speakers.clone_from(&participants);
        self.tell_everyone(ServerMessage::Speakers(Speakers { participants }));
    }
}
