//! The client core against answers that a test makes by hand: what it does that not every server
//! can be had to answer.
#![allow(clippy::panic, reason = "a test fails where it has to")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Failed, Families, Wishes};
use madang_wire::{
    Transport,
    stun::{
        ALLOCATE, AdditionalAddressFamily, AddressErrorCode, AddressFamily, AlternateDomain, AlternateServer,
        AttributeStaticType, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION, DATA, Data, DontFragment, ErrorCode,
        IcmpAttribute, IntegrityAlgorithm, IntegrityKey, Lifetime, LongTermKeyCredentials, MOBILITY_TICKET, Message,
        MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method, Nonce, PasswordAlgorithm,
        PasswordAlgorithmValue, PasswordAlgorithms, REFRESH, RawAttribute, Realm, RequestedAddressFamily, SEND,
        UnknownAttributes, Userhash, Username, XorPeerAddress, XorRelayedAddress,
    },
};

const PLAIN: &str = "plain nonce";
const SHA256: &str = "obMatJos2gAAAnonce";
const ANONYMOUS: &str = "obMatJos2wAAAnonce";
const ALGORITHMS: [PasswordAlgorithmValue; 2] = [PasswordAlgorithmValue::SHA256, PasswordAlgorithmValue::MD5];

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn peer() -> SocketAddr {
    addr("203.0.113.9:5000")
}

fn key(algorithm: IntegrityAlgorithm) -> IntegrityKey {
    LongTermKeyCredentials::new("alice".into(), "wonder".into(), "realm".into()).make_key(algorithm)
}

/// The client, and what it has put out.
struct Table {
    client: Client,
    now: Instant,
    sent: Vec<Vec<u8>>,
    outputs: Vec<ClientOutput>,
    algorithm: IntegrityAlgorithm,
}

impl Table {
    fn new(wishes: Wishes) -> Self {
        let mut table = Self {
            client: Client::new(ClientConfig {
                username: "alice".into(),
                password: "wonder".into(),
                transport: Transport::Udp,
                seed: [5; 32],
                server: Some(addr("198.51.100.1:3478")),
                wishes,
            }),
            now: Instant::now(),
            sent: Vec::new(),
            outputs: Vec::new(),
            algorithm: IntegrityAlgorithm::Sha1,
        };
        table.input(ClientInput::Timeout);
        table
    }

    fn input(&mut self, input: ClientInput<'_>) {
        self.client.handle_input(self.now, input);
        loop {
            match self.client.poll_output() {
                ClientOutput::Timeout(_) => return,
                ClientOutput::Transmit(bytes) => self.sent.push(bytes),
                output => self.outputs.push(output),
            }
        }
    }

    /// The last request of a method.
    fn request(&self, method: Method) -> Message<'_> {
        let messages = self.sent.iter().rev().filter_map(|bytes| Message::from_bytes(bytes).ok());
        let found = { messages }.find(|message| message.method() == method);
        found.unwrap_or_else(|| panic!("no {method}"))
    }

    fn count(&self, method: Method) -> usize {
        self.sent.iter().filter_map(|bytes| Message::from_bytes(bytes).ok()).filter(|m| m.method() == method).count()
    }

    fn answer(&mut self, method: Method, class: MessageClass, signed: bool, attributes: &[&dyn AttributeWrite]) {
        let id = self.request(method).transaction_id();
        let mut message = Message::builder(MessageType::from_class_method(class, method), id, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).expect("room");
        }
        if signed {
            message.add_message_integrity_with_key(&key(self.algorithm), self.algorithm).expect("room");
        }
        let bytes = message.finish();
        self.input(ClientInput::Packet(&bytes));
    }

    fn challenge(&mut self, code: u16, nonce: &str, algorithms: &[PasswordAlgorithmValue]) {
        let (error, realm) = (ErrorCode::new(code, "no").expect("a code"), Realm::new("realm").expect("short"));
        let (nonce, offered) = (Nonce::new(nonce).expect("short"), PasswordAlgorithms::new(algorithms));
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&error, &realm, &nonce];
        if !algorithms.is_empty() {
            attributes.push(&offered);
            self.algorithm = algorithms[0].as_integrity();
        }
        self.answer(ALLOCATE, MessageClass::Error, false, &attributes);
    }

    fn allocate(&mut self, more: &[&dyn AttributeWrite]) {
        let id = self.request(ALLOCATE).transaction_id();
        let (relayed, lifetime) = (XorRelayedAddress::new(addr("198.51.100.1:50000"), id), Lifetime::new(600));
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&relayed, &lifetime];
        attributes.extend_from_slice(more);
        self.answer(ALLOCATE, MessageClass::Success, true, &attributes);
    }

    /// A relay and a channel to the peer.
    fn bound(wishes: Wishes, ticket: &[u8]) -> Self {
        let mut table = Self::new(wishes);
        table.challenge(401, SHA256, &ALGORITHMS);
        table.allocate(&[&RawAttribute::new(MOBILITY_TICKET, ticket)]);
        table.input(ClientInput::Send { peer: peer(), data: b"hello" });
        table.answer(CREATE_PERMISSION, MessageClass::Success, true, &[]);
        table.answer(CHANNEL_BIND, MessageClass::Success, true, &[]);
        table
    }

    fn error(&mut self, method: Method, code: u16, signed: bool, more: &[&dyn AttributeWrite]) {
        let error = ErrorCode::new(code, "no").expect("a code");
        let mut attributes: Vec<&dyn AttributeWrite> = vec![&error];
        attributes.extend_from_slice(more);
        self.answer(method, MessageClass::Error, signed, &attributes);
    }
}

fn ticket_of<'a>(message: &'a Message<'a>) -> Option<Vec<u8>> {
    message.raw_attribute(MOBILITY_TICKET).map(|raw| raw.value.to_vec())
}

#[test]
fn with_a_nonce_that_says_so_the_user_name_is_sent_as_a_hash() {
    let mut table = Table::new(Wishes::default());
    table.challenge(401, ANONYMOUS, &ALGORITHMS);
    let request = table.request(ALLOCATE);
    assert_eq!(request.attribute::<Userhash>().expect("a hash").hash(), &Userhash::compute("alice", "realm"));
    assert!(!request.has_attribute(Username::TYPE));
    let signed = request.validate_integrity_with_key(&key(IntegrityAlgorithm::Sha256));
    assert!(matches!(signed, Ok(IntegrityAlgorithm::Sha256)), "{signed:?}");

    let mut table = Table::new(Wishes::default());
    table.challenge(401, SHA256, &ALGORITHMS);
    assert!(table.request(ALLOCATE).has_attribute(Username::TYPE));
}

#[test]
fn an_offer_that_lacks_the_algorithms_its_nonce_tells_of_is_not_taken() {
    let mut table = Table::new(Wishes::default());
    table.challenge(401, SHA256, &[]);
    assert_eq!(table.outputs, [ClientOutput::Failed(Failed::Weakened)]);
    assert_eq!(table.sent.len(), 1, "no password was used");
}

#[test]
fn a_fresh_nonce_does_not_take_back_what_the_first_one_has_offered() {
    let mut table = Table::new(Wishes::default());
    table.challenge(401, SHA256, &ALGORITHMS);
    table.challenge(438, PLAIN, &[]);
    assert_eq!(table.outputs, [ClientOutput::Failed(Failed::Weakened)]);
}

#[test]
fn an_offer_goes_back_as_it_came_with_algorithms_that_nobody_knows() {
    let mut table = Table::new(Wishes::default());
    let (realm, nonce) = (Realm::new("realm").expect("short"), Nonce::new(SHA256).expect("short"));
    let offered = [0, 9, 0, 4, 1, 2, 3, 4, 0, 1, 0, 0];
    let offer = RawAttribute::new(PasswordAlgorithms::TYPE, &offered);
    table.error(ALLOCATE, 401, false, &[&realm, &nonce, &offer]);
    let request = table.request(ALLOCATE);
    assert_eq!(request.raw_attribute(PasswordAlgorithms::TYPE).expect("an offer").value.to_vec(), offered);
    let chosen = request.attribute::<PasswordAlgorithm>().expect("a choice").algorithm();
    assert_eq!(chosen, PasswordAlgorithmValue::MD5);
}

#[test]
fn both_families_are_asked_for_and_both_addresses_or_a_refusal_are_told() {
    let wishes = Wishes { families: Families::Both, ..Wishes::default() };
    let mut table = Table::new(wishes);
    assert!(table.request(ALLOCATE).has_attribute(AdditionalAddressFamily::TYPE));
    assert!(!table.request(ALLOCATE).has_attribute(RequestedAddressFamily::TYPE));
    table.challenge(401, PLAIN, &[]);
    let id = table.request(ALLOCATE).transaction_id();
    table.allocate(&[&XorRelayedAddress::new(addr("[2001:db8::1]:50001"), id)]);
    let wanted = Some(addr("[2001:db8::1]:50001"));
    assert!(matches!(table.outputs[..], [ClientOutput::Allocated { additional, .. }] if additional == wanted));

    let mut table = Table::new(wishes);
    table.challenge(401, PLAIN, &[]);
    let refusal = AddressErrorCode::new(AddressFamily::IPV6, ErrorCode::new(440, "no").expect("a code"));
    table.allocate(&[&refusal]);
    let refused = ClientOutput::FamilyRefused { family: AddressFamily::IPV6, code: 440 };
    assert!(matches!(&table.outputs[..], [ClientOutput::Allocated { additional: None, .. }, last] if *last == refused));

    let table = Table::new(Wishes { families: Families::Only(AddressFamily::IPV6), ..Wishes::default() });
    let asked = table.request(ALLOCATE);
    assert_eq!(asked.attribute::<RequestedAddressFamily>().expect("asked for").family(), AddressFamily::IPV6);
}

#[test]
fn the_df_bit_is_asked_for_with_each_indication_and_given_up_where_the_server_can_not() {
    let wishes = Wishes { dont_fragment: true, ..Wishes::default() };
    let table = Table::new(wishes);
    assert!(table.request(ALLOCATE).has_attribute(DontFragment::TYPE));

    let mut table = Table::new(wishes);
    table.challenge(401, PLAIN, &[]);
    table.allocate(&[]);
    table.input(ClientInput::Send { peer: peer(), data: b"whole" });
    table.answer(CREATE_PERMISSION, MessageClass::Success, true, &[]);
    assert!(table.request(SEND).has_attribute(DontFragment::TYPE));
    assert_eq!(table.count(CHANNEL_BIND), 0, "a channel can't carry the wish");

    let mut table = Table::new(wishes);
    table.challenge(401, PLAIN, &[]);
    table.error(ALLOCATE, 420, true, &[&UnknownAttributes::new(&[DontFragment::TYPE])]);
    assert!(!table.request(ALLOCATE).has_attribute(DontFragment::TYPE));
    table.allocate(&[]);
    assert!(matches!(table.outputs[..], [ClientOutput::Allocated { .. }]));
}

#[test]
fn a_relay_with_a_ticket_follows_its_client_and_one_without_does_not() {
    let wishes = Wishes { mobility: true, ..Wishes::default() };
    let mut table = Table::bound(wishes, b"first");
    assert_eq!(ticket_of(&table.request(ALLOCATE)), Some(vec![]));
    table.outputs.clear();
    table.input(ClientInput::AddressChanged);
    assert_eq!(ticket_of(&table.request(REFRESH)), Some(b"first".to_vec()));
    let before = table.sent.len();
    table.input(ClientInput::Send { peer: peer(), data: b"lost" });
    assert_eq!(table.sent.len(), before, "nothing gets through yet");
    table.answer(
        REFRESH,
        MessageClass::Success,
        true,
        &[&Lifetime::new(600), &RawAttribute::new(MOBILITY_TICKET, b"second")],
    );
    assert_eq!(table.outputs, [ClientOutput::Moved]);
    table.input(ClientInput::Send { peer: peer(), data: b"there" });
    assert_eq!(&table.sent.last().expect("sent")[4..], b"there", "by the channel of before");
    table.input(ClientInput::AddressChanged);
    assert_eq!(ticket_of(&table.request(REFRESH)), Some(b"second".to_vec()));

    let mut table = Table::bound(Wishes::default(), b"unasked");
    table.input(ClientInput::AddressChanged);
    assert_eq!(table.outputs.last(), Some(&ClientOutput::Failed(Failed::AddressChanged)));
}

#[test]
fn what_was_on_its_way_from_the_old_address_is_asked_for_from_the_new_one() {
    let mut table = Table::new(Wishes { mobility: true, ..Wishes::default() });
    table.challenge(401, SHA256, &ALGORITHMS);
    table.allocate(&[&RawAttribute::new(MOBILITY_TICKET, b"ticket")]);
    table.input(ClientInput::Send { peer: peer(), data: b"waits" });
    table.input(ClientInput::AddressChanged);
    table.answer(REFRESH, MessageClass::Success, true, &[&Lifetime::new(600)]);
    assert_eq!(table.count(CREATE_PERMISSION), 2);
    table.answer(CREATE_PERMISSION, MessageClass::Success, true, &[]);
    assert_eq!(table.request(SEND).attribute::<Data<'_>>().expect("data").data(), b"waits");
}

#[test]
fn a_server_that_forbids_mobility_gives_a_relay_that_stays() {
    let mut table = Table::new(Wishes { mobility: true, ..Wishes::default() });
    table.challenge(401, PLAIN, &[]);
    table.error(ALLOCATE, 405, true, &[]);
    assert_eq!(ticket_of(&table.request(ALLOCATE)), None);
    table.allocate(&[]);
    assert!(matches!(table.outputs[..], [ClientOutput::Allocated { .. }]));
}

#[test]
fn a_redirection_is_followed_with_the_same_credentials_and_not_in_a_circle() {
    let mut table = Table::new(Wishes::default());
    let to = |text: &str| AlternateServer::new(addr(text));
    table.error(ALLOCATE, 300, false, &[&to("198.51.100.2:3478"), &AlternateDomain::new("two.example")]);
    let domain = Some("two.example".to_owned());
    assert_eq!(table.outputs, [ClientOutput::Redirected { to: addr("198.51.100.2:3478"), domain }]);
    table.challenge(401, PLAIN, &[]);
    assert_eq!(table.request(ALLOCATE).attribute::<Username>().expect("a name").username(), "alice");
    table.error(ALLOCATE, 300, true, &[&to("198.51.100.1:3478")]);
    assert_eq!(table.outputs.last(), Some(&ClientOutput::Failed(Failed::Circle)));

    let mut table = Table::new(Wishes::default());
    for last in 2..=4 {
        table.error(ALLOCATE, 300, false, &[&to(&format!("198.51.100.{last}:3478"))]);
    }
    assert_eq!(table.outputs.len(), 3);
    table.error(ALLOCATE, 300, false, &[&to("198.51.100.5:3478")]);
    assert_eq!(table.outputs.last(), Some(&ClientOutput::Failed(Failed::Circle)));
}

#[test]
fn once_there_is_a_password_to_sign_with_an_unsigned_redirection_leads_nowhere() {
    let mut table = Table::new(Wishes::default());
    table.challenge(401, PLAIN, &[]);
    table.error(ALLOCATE, 300, false, &[&AlternateServer::new(addr("203.0.113.66:3478"))]);
    assert_eq!(table.outputs, []);
    table.allocate(&[]);
    assert!(matches!(table.outputs[..], [ClientOutput::Allocated { .. }]));
}

#[test]
fn what_icmp_says_of_a_peer_is_told_and_strangers_are_not_heard() {
    let mut table = Table::bound(Wishes::default(), b"");
    table.outputs.clear();
    let mut indicate = |from: SocketAddr, attribute: &dyn AttributeWrite| {
        let kind = MessageType::from_class_method(MessageClass::Indication, DATA);
        let mut message = Message::builder(kind, 7.into(), MessageWriteVec::new());
        message.add_attribute(&XorPeerAddress::new(from, 7.into())).expect("room");
        message.add_attribute(attribute).expect("room");
        let bytes = message.finish();
        table.input(ClientInput::Packet(&bytes));
        std::mem::take(&mut table.outputs)
    };
    let told = indicate(peer(), &IcmpAttribute::new(3, 4, 1280));
    assert_eq!(told, [ClientOutput::Icmp { peer: peer(), kind: 3, code: 4, data: 1280 }]);
    assert_eq!(indicate(addr("203.0.113.10:5000"), &Data::new(b"hello")), []);
    let same_host = addr("203.0.113.9:6000");
    let heard = ClientOutput::Data { peer: same_host, data: b"hello".to_vec() };
    assert_eq!(indicate(same_host, &Data::new(b"hello")), [heard], "permissions are for addresses, not ports");
}

#[test]
fn a_move_that_nobody_answers_ends_the_relay() {
    let mut table = Table::bound(Wishes { mobility: true, ..Wishes::default() }, b"ticket");
    table.input(ClientInput::AddressChanged);
    for _ in 0..7 {
        table.now += Duration::from_secs(20);
        table.input(ClientInput::Timeout);
    }
    assert_eq!(table.outputs.last(), Some(&ClientOutput::Failed(Failed::Unreachable)));
}
