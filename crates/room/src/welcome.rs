//! The whole room in one message, and what is told beside it because it is never replayed.

use std::sync::Arc;

use madang_protocol::{
    Bitrate, IceServer, LinkId, Quality, RequestId, Seq, ServerMessage, Speakers, Topology, TrackId, VERSION, Welcome,
};

use crate::{
    io::ConnectionId,
    room::Room,
    roster::{Order, Participant},
    session::Attachment,
    subscription::Wish,
};

impl Room {
    /// Sends `welcome` on a connection and attaches it: events flow from here on.
    pub(crate) fn welcome(
        &mut self,
        order: Order,
        connection: ConnectionId,
        request: Option<RequestId>,
        ice_servers: Vec<IceServer>,
    ) {
        let Some(welcome) = self.roster.get(order).map(|me| self.picture(me, ice_servers)) else { return };
        self.attach(order, Attachment::Connected(connection));
        self.reply(connection, request, ServerMessage::Welcome(Box::new(welcome)));
        self.tell_unnumbered(order);
    }

    fn picture(&self, me: &Participant, ice_servers: Vec<IceServer>) -> Welcome {
        let others = self.roster.iter().filter(|participant| participant.order != me.order);
        let open = |link: &crate::link::Link| link.open_for(me.order, self.id_of(link.peer_of(me.order)));
        Welcome {
            version: VERSION,
            session: me.session.id.clone(),
            secret: me.session.reveal_secret(),
            last_s: me.session.ring.last(),
            me: me.info.clone(),
            room: self.info(),
            participants: others.map(|participant| participant.info.clone()).collect(),
            topology: self.topology,
            epoch: self.epoch,
            links: self.links.of(me.order).map(open).collect(),
            mix: me.mix.clone(),
            ice_servers,
            limits: self.settings.limits,
            ping_interval_ms: millis(self.settings.ping_interval),
            resume_grace_ms: millis(self.settings.resume_grace),
        }
    }

    /// Everybody's quality, who speaks, and what this participant may send and receives, which a
    /// replay does not bring.
    pub(crate) fn tell_unnumbered(&mut self, order: Order) {
        let qualities: Vec<Quality> = self.roster.iter().filter_map(Participant::told_quality).collect();
        for quality in qualities {
            self.tell(order, Arc::new(ServerMessage::Quality(quality)));
        }
        if self.topology != Topology::Mesh {
            let speakers = Speakers { participants: self.speakers.clone() };
            self.tell(order, Arc::new(ServerMessage::Speakers(speakers)));
        }
        for link in self.links.ids_of(order) {
            self.tell_bounds_again(order, &link);
        }
    }

    /// Tells one end of a link what was told before about it, and what the other end watches.
    pub(crate) fn tell_bounds_again(&mut self, order: Order, link: &LinkId) {
        let Some(found) = self.links.get(link) else { return };
        let (told, peer) = (found.end(order).told, found.peer_of(order));
        let served: Vec<_> = found.served.iter().flat_map(|served| served.told()).collect();
        if let Some(bound) = told {
            self.tell_bound(order, link, bound);
        }
        for message in served {
            self.tell(order, message);
        }
        self.tell_mix_state(order, link);
        for (track, wish) in self.wishes_about(peer, order) {
            self.tell_wish(order, link, &track, wish);
        }
    }

    /// What a participant wants of another's tracks, where that is not the default.
    fn wishes_about(&self, subscriber: Order, publisher: Order) -> Vec<(TrackId, Wish)> {
        let (Some(subscriber), Some(publisher)) = (self.roster.get(subscriber), self.roster.get(publisher)) else {
            return Vec::new();
        };
        let about = |track: &madang_protocol::TrackInfo| Some((track.id.clone(), subscriber.wishes.about(&track.id)?));
        publisher.info.tracks.iter().filter_map(about).collect()
    }

    pub(crate) fn tell_wish(&mut self, publisher: Order, link: &LinkId, track: &TrackId, wish: Wish) {
        let (max_send_bps, reason) = wish.bound();
        let bitrate = Bitrate {
            link: Some(link.clone()),
            track: Some(track.clone()),
            max_send_bps,
            max_height: wish.height,
            layers: None,
            reason,
        };
        self.tell(publisher, Arc::new(ServerMessage::Bitrate(bitrate)));
    }

    /// Offers again, with an ICE restart, on the links whose signaling the client missed. On a
    /// link to the server it can only have missed an offer, which waits for its answer still.
    pub(crate) fn mend_links(&mut self, order: Order, heard: Seq) {
        let missed = self.links.of(order).filter(|link| link.end(order).last_signal > heard);
        let offer = |link: &crate::link::Link| link.served.as_ref().map(|served| served.offer.clone());
        let missed: Vec<_> = missed.map(|link| (link.id.clone(), offer(link))).collect();
        for (link, offer) in missed {
            match offer {
                None => self.ask_offerer(&link, true),
                Some(Some(offer)) => self.signal(order, &link, offer),
                Some(None) => {}
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
