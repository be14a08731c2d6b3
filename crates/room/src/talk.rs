//! Chat, data, names and hands.

use std::{collections::BTreeSet, sync::Arc};

use madang_protocol::{Change, ChatEvent, ChatLine, DataEvent, DataMessage, ParticipantId, ServerMessage, State};

use crate::{refusal::Refusal, room::Room, roster::Order, validate};

const TOPIC_BYTES: usize = 64;
const NOBODY: Refusal = Refusal::NotFound("there is no such participant (any more)");

impl Room {
    /// The writer hears its line too, so that everyone sees one order.
    pub(crate) fn chat(&mut self, order: Order, line: ChatLine, unix_ms: u64) -> Result<(), Refusal> {
        let limit = self.settings.limits.chat_bytes as usize;
        if line.text.len() > limit {
            return Err(Refusal::TooLarge { what: "the text", limit, unit: "bytes" });
        }
        if line.text.trim().is_empty() {
            return Err(Refusal::Malformed("`text` is empty"));
        }
        let private = !line.to.is_empty();
        let mut readers = self.audience(order, &line.to)?;
        readers.insert(order);
        let from = self.id_of(order).ok_or(NOBODY)?;
        let event = ChatEvent { from, text: line.text, at_ms: unix_ms, private };
        self.emit_to(readers, ServerMessage::Chat(event));
        Ok(())
    }

    pub(crate) fn data(&mut self, order: Order, data: DataMessage) -> Result<(), Refusal> {
        let limit = self.settings.limits.data_bytes as usize;
        if validate::base64_bytes(&data.payload)? > limit {
            return Err(Refusal::TooLarge { what: "the payload", limit, unit: "bytes" });
        }
        if data.topic.as_ref().is_some_and(|topic| topic.len() > TOPIC_BYTES) {
            return Err(Refusal::TooLarge { what: "the topic", limit: TOPIC_BYTES, unit: "bytes" });
        }
        let mut readers = self.audience(order, &data.to)?;
        readers.remove(&order);
        let from = self.id_of(order).ok_or(NOBODY)?;
        self.emit_to(readers, ServerMessage::Data(DataEvent { from, payload: data.payload, topic: data.topic }));
        Ok(())
    }

    pub(crate) fn change_state(&mut self, order: Order, state: State) -> Result<(), Refusal> {
        let name = state.name.as_deref().map(validate::name).transpose()?;
        let Some(participant) = self.roster.get_mut(order) else { return Err(NOBODY) };
        if participant.name_is_granted && name.as_ref().is_some_and(|name| *name != participant.info.name) {
            return Err(Refusal::GrantedName);
        }
        let info = &mut participant.info;
        let hand = state.hand.unwrap_or(info.hand);
        let name = name.unwrap_or_else(|| info.name.clone());
        if hand != info.hand || name != info.name {
            info.hand = hand;
            info.name = name;
            self.tell_participant(order, Change::Changed);
        }
        Ok(())
    }

    /// Everyone, or those named. If one of them is not here, nobody hears it.
    fn audience(&self, from: Order, to: &[ParticipantId]) -> Result<BTreeSet<Order>, Refusal> {
        if to.is_empty() {
            return Ok(self.roster.others(from).into_iter().collect());
        }
        to.iter().map(|id| self.roster.by_id(id).map(|participant| participant.order).ok_or(NOBODY)).collect()
    }

    fn emit_to(&mut self, readers: BTreeSet<Order>, message: ServerMessage) {
        let message = Arc::new(message);
        for reader in readers {
            self.emit(reader, Arc::clone(&message));
        }
    }
}
