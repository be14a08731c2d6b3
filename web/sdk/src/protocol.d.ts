// The signaling messages of madang, version 1.
// Generated from crates/protocol by `cargo run -p madang-protocol --example generate`. Do not edit.

/**
 * Acknowledges events.
 */
export type Ack = { 
/**
 * The last event handled.
 */
s: Seq, };

/**
 * The most that this client may send on a link.
 */
export type Bitrate = { 
/**
 * Which link; absent means all links together.
 */
link?: LinkId, 
/**
 * Which of one's own tracks; absent means all on that link.
 */
track?: TrackId, 
/**
 * The most; 0 stops it, absent means no limit.
 */
max_send_bps?: BitsPerSecond, 
/**
 * The largest height in pixels that is shown to anyone on this link, where known.
 */
max_height?: number, 
/**
 * The simulcast layers, by RID, that somebody watches; the others can rest. Absent means
 * all. From the server's forwarder only.
 */
layers?: Array<Rid>, 
/**
 * Why.
 */
reason: BitrateReason, };

/**
 * Why a bit rate is limited.
 */
export type BitrateReason = "unlimited" | "room_limit" | "participant_limit" | "congestion" | "not_watched";

/**
 * Bits per second.
 */
export type BitsPerSecond = number;

/**
 * The connection ends.
 */
export type Bye = { 
/**
 * What to do now.
 */
action: ByeAction, 
/**
 * Why; absent after `leave`.
 */
code?: ErrorCode, 
/**
 * Why, for people.
 */
message: string, 
/**
 * When to come back, in milliseconds.
 */
retry_after_ms?: number, };

/**
 * What to do after the connection ended.
 */
export type ByeAction = "stop" | "resume" | "rejoin";

/**
 * What a client brings.
 */
export type Capabilities = { 
/**
 * Codecs that this client can both send and receive.
 */
codecs: Codecs, 
/**
 * Whether it can send several layers of a picture by RID.
 */
simulcast: boolean, 
/**
 * Topologies that it can take part in; empty means all.
 */
topologies: Array<Topology>, };

/**
 * What happened to a participant or a track.
 */
export type Change = "added" | "changed" | "removed";

/**
 * A line of text. The writer gets it too, so that everyone sees one order.
 */
export type ChatEvent = { 
/**
 * Who wrote it.
 */
from: ParticipantId, 
/**
 * The text.
 */
text: string, 
/**
 * When, in milliseconds since 1970-01-01T00:00:00Z.
 */
at_ms: number, 
/**
 * Whether it went to some alone.
 */
private: boolean, };

/**
 * A line of text.
 */
export type ChatLine = { 
/**
 * The text, at most `limits.chat_bytes`.
 */
text: string, 
/**
 * To these alone; empty means everyone.
 */
to?: Array<ParticipantId>, };

/**
 * What a client sends: a message, and an `id` where it wants a reply.
 */
export type ClientFrame = { 
/**
 * Asks for an `ok` or an `error` whose `re` is this number.
 */
id?: RequestId, } & ({ "t": "hello" } & Hello | { "t": "desc" } & Description | { "t": "ice" } & Ice | { "t": "restart" } & Restart | { "t": "publish" } & Publish | { "t": "unpublish" } & Unpublish | { "t": "mute" } & Mute | { "t": "subscribe" } & Subscribe | { "t": "take_mix" } & TakeMix | { "t": "chat" } & ChatLine | { "t": "data" } & DataMessage | { "t": "state" } & State | { "t": "mod" } & Moderation | { "t": "stats" } & Stats | { "t": "ack" } & Ack | { "t": "ping" } & Ping | { "t": "leave" } & Leave);

/**
 * Codec names as in SDP `a=rtpmap`, upper case: `OPUS`, `VP8`, `VP9`, `H264`, `AV1`.
 */
export type Codecs = { 
/**
 * Audio codecs, best first.
 */
audio: Array<string>, 
/**
 * Video codecs, best first.
 */
video: Array<string>, };

/**
 * How well somebody is connected.
 */
export type ConnectionQuality = "excellent" | "good" | "poor" | "lost";

/**
 * Bytes. The sender does not get them back.
 */
export type DataEvent = { 
/**
 * Who sent them.
 */
from: ParticipantId, 
/**
 * Base64 (RFC 4648 §4).
 */
payload: string, 
/**
 * What they are about.
 */
topic?: string, };

/**
 * Bytes by way of signaling.
 */
export type DataMessage = { 
/**
 * Base64 (RFC 4648 §4), at most `limits.data_bytes` before encoding.
 */
payload: string, 
/**
 * To these alone; empty means everyone.
 */
to?: Array<ParticipantId>, 
/**
 * What the bytes are about, at most 64 bytes.
 */
topic?: string, };

/**
 * In which layer the server forwards a track to this client, in a room whose topology is `sfu`.
 * Told when it changes; it has no `s`, and is told again after a resume.
 */
export type Delivery = { 
/**
 * On which link.
 */
link: LinkId, 
/**
 * Which track.
 */
track: TrackId, 
/**
 * Whether nothing of it is forwarded at present.
 */
paused: boolean, 
/**
 * The simulcast layer, by RID; absent where the track has but one, or is paused.
 */
layer?: Rid, 
/**
 * The layer's height in pixels, where known.
 */
height?: number, 
/**
 * The highest temporal layer forwarded, from 0, where some are left out.
 */
temporal?: number, 
/**
 * What the server believes that it can send to this client in all, where it has measured it.
 */
available_bps?: BitsPerSecond, 
/**
 * Why this layer.
 */
reason: DeliveryReason, };

/**
 * Why a track is forwarded in the layer in which it is.
 */
export type DeliveryReason = "best" | "size" | "bandwidth" | "publisher" | "not_watched" | "not_speaking" | "muted";

/**
 * An SDP offer or answer.
 */
export type Description = { 
/**
 * Which link.
 */
link: LinkId, 
/**
 * The link's epoch.
 */
epoch: Epoch, 
/**
 * The offer's number on this link, from 1.
 */
n: Negotiation, 
/**
 * Offer or answer.
 */
kind: SdpType, 
/**
 * The session description, RFC 8866.
 */
sdp: string, 
/**
 * Which of the sender's own tracks each media description carries. In an offer of the
 * server's: your own track where you are to send it, somebody else's where you are to
 * receive it.
 */
tracks: { [key in Mid]: TrackId }, 
/**
 * The sender. Stamped by the server; ignored from clients. Absent on links to the server.
 */
from?: ParticipantId, };

/**
 * A request done.
 */
export type Done = { 
/**
 * The track that `publish` made.
 */
track?: TrackId, };

/**
 * Grows by one each time a room changes its topology.
 */
export type Epoch = number;

/**
 * What went wrong. The names are stable; the message beside them is for people.
 */
export type ErrorCode = "bad_request" | "bad_version" | "unauthorized" | "token_expired" | "forbidden" | "room_not_found" | "room_locked" | "room_full" | "lobby_wait" | "duplicate_identity" | "not_found" | "conflict_stale" | "rate_limited" | "too_large" | "slow_consumer" | "codec_unsupported" | "ice_failed" | "kicked" | "server_draining" | "internal";

/**
 * A request refused, or a fault of the connection.
 */
export type Failure = { 
/**
 * What, for programs.
 */
code: ErrorCode, 
/**
 * What and what to do, for people.
 */
message: string, 
/**
 * When to try again, in milliseconds.
 */
retry_after_ms?: number, 
/**
 * Whether the connection ends with this.
 */
fatal: boolean, };

/**
 * A fresh join token.
 */
export type FreshToken = { 
/**
 * The JWT.
 */
token: string, };

/**
 * The first message of a connection.
 */
export type Hello = { 
/**
 * Protocol versions that the client speaks, best first.
 */
versions: Array<number>, 
/**
 * A join token (JWT), where the server has keys.
 */
token?: string, 
/**
 * The room to join.
 */
room: RoomName, 
/**
 * The name to show, 1 to 64 characters. A token's `name` overrides it.
 */
name: string, 
/**
 * What the client brings.
 */
capabilities?: Capabilities, 
/**
 * Tracks to publish at once, so that the first offer has them. `welcome` gives their ids.
 */
tracks?: Array<PublishTrack>, 
/**
 * The topology wished for by whoever creates the room.
 */
topology?: TopologyPolicy, 
/**
 * Takes up an earlier session.
 */
resume?: Resume, };

/**
 * A candidate, or `null` for the last of its generation.
 */
export type Ice = { 
/**
 * Which link.
 */
link: LinkId, 
/**
 * The link's epoch.
 */
epoch: Epoch, 
/**
 * The negotiation that it was gathered for.
 */
n: Negotiation, 
/**
 * The candidate.
 */
candidate: IceCandidate | null, 
/**
 * The sender. Stamped by the server; ignored from clients. Absent on links to the server.
 */
from?: ParticipantId, };

/**
 * `RTCIceCandidateInit` of W3C WebRTC, with its own names.
 */
export type IceCandidate = { 
/**
 * The candidate-attribute, RFC 8839 §5.1. Empty means end of candidates of this
 * generation.
 */
candidate: string, 
/**
 * The media description's identification.
 */
sdpMid?: string, 
/**
 * The media description's place, from 0.
 */
sdpMLineIndex?: number, 
/**
 * The ICE username fragment that it belongs to.
 */
usernameFragment?: string, };

/**
 * `RTCIceServer` of W3C WebRTC.
 */
export type IceServer = { 
/**
 * `stun:`, `turn:` and `turns:` URIs, RFC 7064 and RFC 7065.
 */
urls: Array<string>, 
/**
 * TURN user name.
 */
username?: string, 
/**
 * TURN password.
 */
credential?: string, };

/**
 * Fresh relay credentials.
 */
export type IceServers = { 
/**
 * In place of the former.
 */
ice_servers: Array<IceServer>, };

/**
 * Says goodbye.
 */
export type Leave = Record<symbol, never>;

/**
 * Why a participant left.
 */
export type LeaveReason = "left" | "lost" | "kicked" | "duplicate_identity";

/**
 * What a client may do; past a limit it gets `too_large` or `rate_limited`.
 */
export type Limits = { 
/**
 * Largest WebSocket message, in bytes.
 */
frame_bytes: number, 
/**
 * Longest chat line, in bytes of UTF-8.
 */
chat_bytes: number, 
/**
 * Largest payload of `data`, in bytes before Base64.
 */
data_bytes: number, 
/**
 * Sustained messages per second.
 */
messages_per_second: number, 
/**
 * Messages at once above that rate.
 */
message_burst: number, 
/**
 * Tracks that one participant may publish.
 */
tracks: number, 
/**
 * Participants in the room.
 */
participants: number, };

/**
 * A link to open or close, told apart by `op`.
 */
export type LinkEvent = { "op": "open" } & OpenLink | { "op": "close", 
/**
 * Which.
 */
link: LinkId, 
/**
 * The epoch that it belonged to.
 */
epoch: Epoch, };

/**
 * One PeerConnection between a participant and another participant or the server,
 * given by the server: `l_` and 10 letters or digits.
 */
export type LinkId = string;

/**
 * How a link's chosen candidate pair travels.
 */
export type LinkPath = "direct" | "relay_udp" | "relay_tcp" | "relay_tls" | "relay_remote";

/**
 * What a client measured on one link since its last report.
 */
export type LinkStats = { 
/**
 * Which link.
 */
link: LinkId, 
/**
 * How it travels, once a candidate pair is chosen.
 */
path?: LinkPath, 
/**
 * Round-trip time in milliseconds.
 */
rtt_ms?: number, 
/**
 * Share of packets lost towards this client, 0 to 1.
 */
loss_down?: number, 
/**
 * Share of packets lost from this client, 0 to 1.
 */
loss_up?: number, 
/**
 * Sent.
 */
up_bps: BitsPerSecond, 
/**
 * Received.
 */
down_bps: BitsPerSecond, 
/**
 * What the sender's bandwidth estimation allows, where it says.
 */
available_up_bps?: BitsPerSecond, };

/**
 * The media description's identification (`a=mid`, RFC 9143) in an SDP.
 */
export type Mid = string;

/**
 * The mix that a client gets in place of everybody's tracks.
 */
export type Mix = { 
/**
 * The track of its sound, as the server's offers name it. It is in nobody's list of tracks.
 */
audio: TrackId, 
/**
 * The track of its picture. It can be named in `subscribe`, for its size on screen.
 */
video: TrackId, 
/**
 * The arrangement.
 */
layout: MixLayout, 
/**
 * Whether one's own tile is left out.
 */
hide_self: boolean, };

/**
 * A client gets the mix from now on, another one, or none any more.
 */
export type MixEvent = { 
/**
 * Absent: everybody's tracks are forwarded.
 */
mix?: Mix, };

/**
 * What fills a region of a custom layout, told apart by `what`.
 */
export type MixFill = { "what": "participant", 
/**
 * Whose.
 */
participant: ParticipantId, } | { "what": "screen", 
/**
 * Whose.
 */
participant: ParticipantId, } | { "what": "speaker" } | { "what": "any_screen" } | { "what": "next" };

/**
 * How a picture fills a region of another shape.
 */
export type MixFit = "cover" | "contain";

/**
 * How people are arranged in a mixed picture, told apart by `kind`.
 */
export type MixLayout = { "kind": "auto" } | { "kind": "grid" } | { "kind": "speaker" } | { "kind": "presentation" } | { "kind": "picture_in_picture" } | { "kind": "custom", 
/**
 * In the order in which they are filled, 1 to 25.
 */
regions: Array<MixRegion>, };

/**
 * Where somebody is in a mixed picture. Lengths are shares of its width or height, 0 to 1.
 */
export type MixPlace = { 
/**
 * Who.
 */
participant: ParticipantId, 
/**
 * Their camera (or in its place their avatar), or their screen.
 */
source: TrackSource, 
/**
 * From the left edge.
 */
left: number, 
/**
 * From the upper edge.
 */
top: number, 
/**
 * Width.
 */
width: number, 
/**
 * Height.
 */
height: number, };

/**
 * A region of a custom layout. Lengths are shares of the picture's width or height, 0 to 1.
 */
export type MixRegion = { 
/**
 * From the left edge.
 */
left: number, 
/**
 * From the upper edge.
 */
top: number, 
/**
 * Width.
 */
width: number, 
/**
 * Height.
 */
height: number, 
/**
 * Higher is in front.
 */
z?: number, 
/**
 * What fills it.
 */
fill: MixFill, 
/**
 * How; by itself, cameras cover their region and screens are contained in it.
 */
fit?: MixFit, };

/**
 * How a mix is made at present. Told when the places change, and every two seconds while the
 * mixer works; it has no `s`.
 */
export type MixState = { 
/**
 * Who is where, from the backmost.
 */
places: Array<MixPlace>, 
/**
 * Pictures per second at most.
 */
fps: number, 
/**
 * The height in pixels of the largest rendition that is offered.
 */
max_height: number, 
/**
 * Why it is less than the server's usual, for people.
 */
limited?: string, 
/**
 * What the room's mixer does, for all of its viewers.
 */
work: MixWork, };

/**
 * What a room's mixer does.
 */
export type MixWork = { 
/**
 * Pictures that are decoded, of so many sources.
 */
decoding: number, 
/**
 * Pictures that are encoded, in so many renditions.
 */
encoding: number, 
/**
 * Listeners.
 */
listeners: number, 
/**
 * Processor time for decoding, in milliseconds per second.
 */
decode_ms: number, 
/**
 * Processor time for composing and encoding, in milliseconds per second.
 */
encode_ms: number, 
/**
 * Processor time for sound, in milliseconds per second.
 */
sound_ms: number, };

/**
 * What a host can do, told apart by `action`.
 */
export type Moderation = { "action": "kick", 
/**
 * Who.
 */
participant: ParticipantId, } | { "action": "mute", 
/**
 * Which.
 */
track: TrackId, } | { "action": "lock", 
/**
 * Whether the room is locked.
 */
locked: boolean, } | { "action": "role", 
/**
 * Who.
 */
participant: ParticipantId, 
/**
 * What they may do from now on.
 */
role: Role, } | { "action": "bitrate", 
/**
 * Whom; absent means everyone in the room.
 */
participant?: ParticipantId, 
/**
 * The most in all; absent lifts the limit.
 */
max_send_bps?: BitsPerSecond, } | { "action": "topology", 
/**
 * The policy from now on.
 */
policy: TopologyPolicy, };

/**
 * Mutes or unmutes.
 */
export type Mute = { 
/**
 * The track.
 */
track: TrackId, 
/**
 * Whether it is silent or dark from now on.
 */
muted: boolean, };

/**
 * Offer (again).
 */
export type Negotiate = { 
/**
 * Which link.
 */
link: LinkId, 
/**
 * Its epoch.
 */
epoch: Epoch, 
/**
 * Whether the offer has to restart ICE.
 */
restart: boolean, };

/**
 * Grows by one with every offer on a link; its answer and its candidates carry it too.
 */
export type Negotiation = number;

/**
 * Which end of a link makes its offers.
 */
export type Offerer = "you" | "peer";

/**
 * A link to open.
 */
export type OpenLink = { 
/**
 * Its name.
 */
link: LinkId, 
/**
 * The epoch that it belongs to.
 */
epoch: Epoch, 
/**
 * What it is for.
 */
kind: Topology, 
/**
 * The participant at the other end; absent where that is the server.
 */
peer?: ParticipantId, 
/**
 * Who makes the offers on it.
 */
offerer: Offerer, };

/**
 * Somebody came, changed or left.
 */
export type ParticipantEvent = { 
/**
 * What happened.
 */
change: Change, 
/**
 * The participant, whole; after `removed`, as it was.
 */
participant: ParticipantInfo, 
/**
 * Why it left: `left`, `lost`, `kicked`, `duplicate_identity`.
 */
reason?: LeaveReason, };

/**
 * A participant in a room, given by the server: `p_` and 10 letters or digits. It stays
 * the same over a resume.
 */
export type ParticipantId = string;

/**
 * A participant, as everyone in the room sees it.
 */
export type ParticipantInfo = { 
/**
 * The server's name for it.
 */
id: ParticipantId, 
/**
 * From the token's `sub`, or the id where the server runs open.
 */
identity: string, 
/**
 * The name to show, 1 to 64 characters.
 */
name: string, 
/**
 * What it may do.
 */
role: Role, 
/**
 * Whether its signaling is connected.
 */
presence: Presence, 
/**
 * Whether its hand is raised.
 */
hand: boolean, 
/**
 * Its place in the room: grows with every join.
 */
order: number, 
/**
 * Its tracks.
 */
tracks: Array<TrackInfo>, };

/**
 * Asks whether the server is there.
 */
export type Ping = Record<symbol, never>;

/**
 * Answers `ping`.
 */
export type Pong = Record<symbol, never>;

/**
 * Whether a participant's signaling is connected.
 */
export type Presence = "present" | "away";

/**
 * Publishes a track.
 */
export type Publish = { 
/**
 * The track.
 */
track: PublishTrack, };

/**
 * A track that a client wants to publish.
 */
export type PublishTrack = { 
/**
 * The client's own name for it, 1 to 64 bytes (a `MediaStreamTrack.id` does well).
 */
cid: string, 
/**
 * Sound or picture.
 */
kind: TrackKind, 
/**
 * Where it comes from.
 */
source: TrackSource, 
/**
 * Whether it starts muted.
 */
muted?: boolean, 
/**
 * Whether it will be sent in several layers.
 */
simulcast?: boolean, 
/**
 * Codecs that it can be sent in; empty means all of the capabilities.
 */
codecs?: Array<string>, 
/**
 * Width in pixels, where known.
 */
width?: number, 
/**
 * Height in pixels, where known.
 */
height?: number, };

/**
 * How well somebody is connected.
 */
export type Quality = { 
/**
 * Who.
 */
participant: ParticipantId, 
/**
 * How well.
 */
quality: ConnectionQuality, };

/**
 * The number that a client gives a request; the reply carries it as `re`.
 */
export type RequestId = number;

/**
 * Asks for an ICE restart.
 */
export type Restart = { 
/**
 * Which link.
 */
link: LinkId, 
/**
 * The link's epoch.
 */
epoch: Epoch, 
/**
 * Asks for a new PeerConnection instead: the server closes this link and opens another.
 */
replace?: boolean, };

/**
 * Takes up an earlier session, within 60 s of its loss.
 */
export type Resume = { 
/**
 * From `welcome`. One that the server does not know (any more) makes this a fresh join.
 */
session: SessionId, 
/**
 * The newest secret, from `welcome` or `resumed`. It is spent once the client has sent
 * anything after receiving the next one.
 */
secret: string, 
/**
 * The last event handled. Without it the client has lost its state (a reloaded page): it
 * keeps its identity, its former tracks and links are closed, and a `welcome` follows.
 */
last_s?: Seq, };

/**
 * A session taken up.
 */
export type Resumed = { 
/**
 * The secret for the next resume.
 */
secret: string, 
/**
 * `true`: the events after `last_s` follow. `false`: too many were missed, or the client
 * had lost its state; a `welcome` follows.
 */
replay: boolean, 
/**
 * The `id` of the last request that the server had from this session. Its reply, and
 * earlier ones, may have been lost with the connection; send again only what came after.
 */
last_id?: RequestId, };

/**
 * A simulcast layer of a track (RFC 8851): `h`, `m`, `l` from the largest to the smallest
 * of a camera, `h` and `l` of a screen.
 */
export type Rid = string;

/**
 * What a participant may do.
 */
export type Role = "viewer" | "participant" | "host";

/**
 * The room, as everyone in it sees it.
 */
export type RoomInfo = { 
/**
 * Its name.
 */
name: RoomName, 
/**
 * Whether newcomers are refused.
 */
locked: boolean, 
/**
 * The codecs that everyone in the room has, best first.
 */
codecs: Codecs, 
/**
 * The most that each participant may send in all, where a limit is set.
 */
max_send_bps?: BitsPerSecond, };

/**
 * A room's name: 1 to 64 letters, digits, `-`, `_`, as it stands in `/r/{room}`.
 */
export type RoomName = string;

/**
 * Offer or answer, RFC 9429.
 */
export type SdpType = "offer" | "answer";

/**
 * The sequence number of a server event within a session, from 1, without gaps.
 */
export type Seq = number;

/**
 * What the server sends.
 */
export type ServerFrame = { 
/**
 * The request that this replies to.
 */
re?: RequestId, 
/**
 * The place of this event in the session, from 1 without gaps. `participant`, `track`,
 * `link`, `negotiate`, `desc`, `ice`, `chat`, `data`, `room` and `topology` have one;
 * everything else has none and is not replayed.
 */
s?: Seq, } & ({ "t": "welcome" } & Welcome | { "t": "resumed" } & Resumed | { "t": "ok" } & Done | { "t": "error" } & Failure | { "t": "participant" } & ParticipantEvent | { "t": "track" } & TrackEvent | { "t": "link" } & LinkEvent | { "t": "negotiate" } & Negotiate | { "t": "desc" } & Description | { "t": "ice" } & Ice | { "t": "bitrate" } & Bitrate | { "t": "delivery" } & Delivery | { "t": "mix" } & MixEvent | { "t": "mix_state" } & MixState | { "t": "speakers" } & Speakers | { "t": "quality" } & Quality | { "t": "chat" } & ChatEvent | { "t": "data" } & DataEvent | { "t": "room" } & RoomInfo | { "t": "topology" } & TopologyEvent | { "t": "ice_servers" } & IceServers | { "t": "token" } & FreshToken | { "t": "pong" } & Pong | { "t": "bye" } & Bye);

/**
 * A signaling session: what a resume names. `s_` and 16 letters or digits.
 */
export type SessionId = string;

/**
 * Who speaks.
 */
export type Speakers = { 
/**
 * Loudest first.
 */
participants: Array<ParticipantId>, };

/**
 * Changes of one's own state; absent fields stay.
 */
export type State = { 
/**
 * Raises or lowers the hand.
 */
hand?: boolean, 
/**
 * A new name to show.
 */
name?: string, };

/**
 * What a client measured.
 */
export type Stats = { 
/**
 * One entry for each link.
 */
links: Array<LinkStats>, };

/**
 * Says whether and how a track of somebody else is watched. Tracks never named are watched.
 */
export type Subscribe = { 
/**
 * The track.
 */
track: TrackId, 
/**
 * Whether to receive it.
 */
on: boolean, 
/**
 * Width on screen in device pixels.
 */
width?: number, 
/**
 * Height on screen in device pixels.
 */
height?: number, 
/**
 * Frames per second wanted.
 */
fps?: number, 
/**
 * 0 to 255; higher is served first.
 */
priority?: number, };

/**
 * Asks for the mix in place of everybody's tracks, or for those again; or changes how it looks.
 */
export type TakeMix = { 
/**
 * Whether to get the mix. In a room whose topology is `mcu` everybody gets it.
 */
on: boolean, 
/**
 * The arrangement; absent leaves it as it is.
 */
layout?: MixLayout, 
/**
 * Whether one's own tile is left out; absent leaves it as it is.
 */
hide_self?: boolean, };

/**
 * How a room's media travels.
 */
export type Topology = "mesh" | "sfu" | "mcu";

/**
 * The room moves to another topology.
 */
export type TopologyEvent = { 
/**
 * The epoch that the move leads to.
 */
epoch: Epoch, 
/**
 * The new topology.
 */
kind: Topology, 
/**
 * Why, for people.
 */
reason: string, 
/**
 * Which step.
 */
phase: TopologyPhase, };

/**
 * The step of a move between topologies.
 */
export type TopologyPhase = "prepare" | "commit";

/**
 * The policy by which a room finds its topology.
 */
export type TopologyPolicy = "auto" | "mesh" | "sfu" | "mcu";

/**
 * A track came, changed or left.
 */
export type TrackEvent = { 
/**
 * What happened.
 */
change: Change, 
/**
 * Whose.
 */
participant: ParticipantId, 
/**
 * The track, whole; after `removed`, as it was.
 */
track: TrackInfo, 
/**
 * Who muted it, when that was a host.
 */
by?: ParticipantId, };

/**
 * A published track, given by the server: `t_` and 10 letters or digits.
 */
export type TrackId = string;

/**
 * A published track, as everyone in the room sees it.
 */
export type TrackInfo = { 
/**
 * The server's name for it. SDK tracks are keyed by this alone.
 */
id: TrackId, 
/**
 * The publisher's own name for it.
 */
cid: string, 
/**
 * Sound or picture.
 */
kind: TrackKind, 
/**
 * Where it comes from.
 */
source: TrackSource, 
/**
 * Whether its publisher has muted it.
 */
muted: boolean, 
/**
 * Whether it is sent in several layers.
 */
simulcast: boolean, 
/**
 * Width in pixels, where known.
 */
width?: number, 
/**
 * Height in pixels, where known.
 */
height?: number, };

/**
 * Sound or picture.
 */
export type TrackKind = "audio" | "video";

/**
 * Where a track comes from.
 */
export type TrackSource = "camera" | "microphone" | "screen";

/**
 * Withdraws a track.
 */
export type Unpublish = { 
/**
 * The track.
 */
track: TrackId, };

/**
 * The whole room.
 */
export type Welcome = { 
/**
 * The protocol version chosen.
 */
version: number, 
/**
 * The session, for a resume.
 */
session: SessionId, 
/**
 * The secret, for a resume.
 */
secret: string, 
/**
 * The sequence number that the next event follows.
 */
last_s: Seq, 
/**
 * This client, with the tracks that its `hello` published.
 */
self: ParticipantInfo, 
/**
 * The room.
 */
room: RoomInfo, 
/**
 * Everyone else, in the order in which they came.
 */
participants: Array<ParticipantInfo>, 
/**
 * How media travels.
 */
topology: Topology, 
/**
 * The current epoch.
 */
epoch: Epoch, 
/**
 * All links of this client. Open those that it has not; on a `welcome` after `resumed`,
 * keep the PeerConnections of links that it has, and close those not listed. Further
 * ones come as `link` events.
 */
links: Array<OpenLink>, 
/**
 * The mix that this client gets in place of everybody's tracks, if it does.
 */
mix?: Mix, 
/**
 * STUN and TURN servers with this participant's credentials.
 */
ice_servers: Array<IceServer>, 
/**
 * What this client may do.
 */
limits: Limits, 
/**
 * Send a `ping` this often, in milliseconds.
 */
ping_interval_ms: number, 
/**
 * How long a lost session can be resumed, in milliseconds.
 */
resume_grace_ms: number, };
