// What is true of people in a room whose media the server forwards.
import assert from 'node:assert/strict';

/** PeerConnections of a page that are not closed. */
export const connections = (person) =>
  person.page.evaluate(() => window.__probe.connections.filter((each) => each.connectionState !== 'closed').length);

/** One link to the server, and nothing else. */
export async function isForwarded(person) {
  assert.equal(await connections(person), 1, `${person.name} has one PeerConnection`);
  const links = await person.room((r) => [...r.links.values()].map(({ kind, peer }) => ({ kind, peer })));
  assert.deepEqual(links, [{ kind: 'sfu', peer: null }]);
}

/** The layers that somebody's camera is sent in at present. */
export const layersSent = (person) =>
  person.room(async (r) => {
    const { links } = await r.getStats();
    const camera = r.localParticipant.getTrack('camera');
    const layers = links.flatMap(({ tracks }) => tracks.filter(({ id, rid }) => id === camera?.id && rid));
    return layers.flatMap(({ rid, active }) => (active ? rid : [])).sort();
  });
