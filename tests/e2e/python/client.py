"""A madang client that shares no code with madang: it speaks docs/protocol.md over a WebSocket
and carries media with aiortc.

It prints one JSON object a line about what it sees and hears, and takes commands on standard
input, one JSON object a line: {"chat": "text"}, {"data": "text"}, {"hand": true}, {"leave": true}.
"""

import argparse
import asyncio
import itertools
import json
import ssl
import sys

import websockets
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

from media import Picture, Tone, colour_of, colours_at, mono, power_at


def say(**what):
    print(json.dumps(what), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="ws://HOST/v1/ws")
    parser.add_argument("--room", required=True)
    parser.add_argument("--name", default="Py")
    parser.add_argument("--token")
    parser.add_argument("--tone", type=int, default=300)
    parser.add_argument("--listen-for", type=int, default=440, help="the others' tone in Hz")
    parser.add_argument("--colour", default="120,120,120")
    parser.add_argument("--relay", choices=["udp", "tcp", "tls"], help="use this relay and nothing else")
    parser.add_argument(
        "--via",
        choices=["stun", "udp", "tcp", "tls"],
        help="offer the way that STUN finds, and that by a relay of this transport",
    )
    return parser.parse_args()


class Link:
    """One PeerConnection to one participant, or to the server, which forwards."""

    def __init__(self, client, opened, ice_servers, options):
        self.client = client
        self.id = opened["link"]
        self.epoch = opened["epoch"]
        self.peer = opened.get("peer")
        self.is_offerer = opened["offerer"] == "you"
        self.n = 0
        self.waiting = []
        self.connection = RTCPeerConnection(configuration(ice_servers, options.relay, options.via))
        self.channel = self.connection.createDataChannel("reliable", negotiated=True, id=0)
        self.channel.on("message", self.data)
        lossy = {"ordered": False, "maxRetransmits": 0}
        self.connection.createDataChannel("lossy", negotiated=True, id=1, **lossy)
        self.connection.on("track", lambda track: client.task(self.receive(track)))
        self.connection.on("connectionstatechange", self.state)

    def state(self):
        state = self.connection.connectionState
        say(event="link", peer=self.peer, state=state, **(self.path() if state == "connected" else {}))

    def path(self):
        """What kinds of candidates the pair in use has. aiortc does not tell, so aioice is asked."""
        ice = self.connection.sctp.transport.transport._connection
        pair = ice._nominated[1]
        return {"local": pair.local_candidate.type, "remote": pair.remote_candidate.type}

    def data(self, message):
        peer = self.peer
        if peer is None:
            # From a server: the sender comes first.
            length = message[0]
            peer, message = message[1 : 1 + length].decode(), message[1 + length :]
        length = message[0]
        topic, payload = message[1 : 1 + length], message[1 + length :]
        say(event="data", peer=peer, topic=topic.decode(), payload=payload.decode())

    def send_data(self, text):
        # To a server: no receiver named means everyone.
        everyone = b"\x00" if self.peer is None else b""
        self.channel.send(everyone + b"\x00" + text.encode())

    async def offer(self):
        self.n += 1
        if not self.connection.getTransceivers():
            self.add_tracks()
        await self.connection.setLocalDescription(await self.connection.createOffer())
        await self.describe("offer")

    def add_tracks(self):
        for track in self.client.media.values():
            self.connection.addTrack(track)

    def share_transport(self):
        """aiortc leaves a second medium of a kind that comes in one offer on a transport that has ended."""
        shared = self.connection.sctp.transport
        for transceiver in self.connection.getTransceivers():
            for end in (transceiver.sender, transceiver.receiver):
                if end.transport is not shared:
                    end.setTransport(shared)

    def place_tracks(self, mids):
        """Puts our tracks where a server's offer names them, and sends nothing elsewhere."""
        media = {self.client.track_ids[track.id]: track for track in self.client.media.values()}
        for transceiver in self.connection.getTransceivers():
            name = mids.get(transceiver.mid)
            track = media.get(name)
            transceiver.sender.replaceTrack(track)
            transceiver.direction = "sendonly" if track else "recvonly" if name else "inactive"

    async def describe(self, kind):
        """Sends the local description, and which of our tracks each of its media carries."""
        mids = {}
        for transceiver in self.connection.getTransceivers():
            track = transceiver.sender.track
            if self.peer and track is not None and transceiver.mid is not None:
                mids[transceiver.mid] = self.client.track_ids[track.id]
        sdp = self.connection.localDescription.sdp
        place = {"link": self.id, "epoch": self.epoch, "n": self.n}
        await self.client.send(t="desc", kind=kind, sdp=sdp, tracks=mids, **place)
        # aiortc gathers before it describes: its candidates are all in the description.
        await self.client.send(t="ice", candidate=None, **place)

    async def described(self, message):
        description = RTCSessionDescription(sdp=message["sdp"], type=message["kind"])
        self.n = message["n"]
        await self.connection.setRemoteDescription(description)
        for candidate in self.waiting:
            await self.add(candidate)
        self.waiting = []
        if message["kind"] == "offer":
            if self.peer is None:
                self.share_transport()
                self.place_tracks(message["tracks"])
            elif all(t.sender.track is None for t in self.connection.getTransceivers()):
                self.add_tracks()
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            await self.describe("answer")

    async def candidate(self, message):
        if self.connection.remoteDescription is None:
            self.waiting.append(message["candidate"])
        else:
            await self.add(message["candidate"])

    async def add(self, candidate):
        if not candidate or not candidate["candidate"]:
            return
        parsed = candidate_from_sdp(candidate["candidate"].split(":", 1)[1])
        parsed.sdpMid = candidate.get("sdpMid")
        parsed.sdpMLineIndex = candidate.get("sdpMLineIndex")
        await self.connection.addIceCandidate(parsed)

    async def receive(self, track):
        """Reports a picture every 20 frames, and a sound every half second."""
        sound = []
        for count in itertools.count(1):
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if track.kind == "video" and count % 20 == 0:
                size = {"width": frame.width, "height": frame.height}
                say(event="video", peer=self.peer, frames=count, colour=colour_of(frame), **size)
                if self.client.places:
                    say(event="mix", frames=count, colours=colours_at(frame, self.client.places))
            elif track.kind == "audio":
                sound = (sound + list(mono(frame)))[-9600:]
                if count % 25 == 0:
                    power = power_at(sound, self.client.options.listen_for)
                    say(event="audio", peer=self.peer, share=round(power, 3))


def configuration(ice_servers, relay, via):
    """The server's list; with `relay`, the one relay of that transport; with `via`, STUN beside it."""
    wanted = {"udp": ("turn:", "transport=udp"), "tcp": ("turn:", "transport=tcp"), "tls": ("turns:", "")}
    kinds = [wanted[name] for name in (relay, via) if name in wanted] + ([("stun:", "")] if via else [])
    servers = []
    for server in ice_servers:
        urls = server["urls"]
        if kinds:
            urls = [url for url in urls if any(url.startswith(start) and end in url for start, end in kinds)]
        if urls:
            servers.append(
                RTCIceServer(urls=urls, username=server.get("username"), credential=server.get("credential"))
            )
    policy = RTCIceTransportPolicy.RELAY if relay else RTCIceTransportPolicy.ALL
    return RTCConfiguration(iceServers=servers, iceTransportPolicy=policy)


class Client:
    def __init__(self, options):
        self.options = options
        rgb = [int(part) for part in options.colour.split(",")]
        self.media = {"microphone": Tone(options.tone), "camera": Picture(rgb)}
        self.track_ids = {}
        # Where everybody is in the server's mix.
        self.places = []
        self.links = {}
        self.ice_servers = []
        self.tasks = set()
        self.request = itertools.count(1)

    def task(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            say(event="fault", what=repr(task.exception()))

    async def send(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def run(self):
        trust = None
        if self.options.url.startswith("wss:"):
            trust = ssl.create_default_context()
        async with websockets.connect(self.options.url, subprotocols=["madang.v1"], ssl=trust) as socket:
            self.socket = socket
            await self.hello()
            self.task(self.commands())
            async for text in socket:
                message = json.loads(text)
                await self.handle(message)
                if "s" in message:
                    await self.send(t="ack", s=message["s"])
        for link in self.links.values():
            await link.connection.close()

    async def hello(self):
        tracks = [
            {"cid": track.id, "kind": track.kind, "source": source}
            for source, track in self.media.items()
        ]
        await self.send(
            t="hello",
            versions=[1],
            room=self.options.room,
            name=self.options.name,
            capabilities={"codecs": {"audio": ["OPUS"], "video": ["VP8"]}},
            tracks=tracks,
            **({"token": self.options.token} if self.options.token else {}),
        )

    async def handle(self, message):
        kind = message["t"]
        if kind == "welcome":
            self.ice_servers = message["ice_servers"]
            self.track_ids = {track["cid"]: track["id"] for track in message["self"]["tracks"]}
            say(event="welcome", id=message["self"]["id"], others=[p["id"] for p in message["participants"]])
            self.task(self.pings(message["ping_interval_ms"] / 1000))
            for link in message["links"]:
                await self.open(link)
        elif kind == "link" and message["op"] == "open":
            await self.open(message)
        elif kind == "link":
            link = self.links.pop(message["link"], None)
            if link:
                await link.connection.close()
        elif kind in ("negotiate", "desc", "ice"):
            link = self.links.get(message["link"])
            if link and link.epoch == message["epoch"]:
                handler = {"negotiate": lambda _: link.offer(), "desc": link.described, "ice": link.candidate}
                await handler[kind](message)
        elif kind == "mix_state":
            self.places = message["places"]
        elif kind in ("chat", "error", "bye"):
            say(event=kind, **{key: value for key, value in message.items() if key not in ("t", "s", "re")})

    async def open(self, opened):
        link = Link(self, opened, self.ice_servers, self.options)
        self.links[link.id] = link
        if link.is_offerer:
            await link.offer()

    async def pings(self, seconds):
        while True:
            await asyncio.sleep(seconds)
            await self.send(t="ping")

    async def commands(self):
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            if "chat" in command:
                await self.send(t="chat", id=next(self.request), text=command["chat"])
            if "data" in command:
                for link in self.links.values():
                    link.send_data(command["data"])
            if "hand" in command:
                await self.send(t="state", hand=command["hand"])
            if "leave" in command:
                await self.send(t="leave")


if __name__ == "__main__":
    asyncio.run(Client(arguments()).run())
