// Two aiortc peers who may use our relay and nothing else: other people's TURN client, end to end.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PythonClient } from './lib/python_client.mjs';
import { freshRoom } from './lib/rig.mjs';
import { Server } from './lib/server.mjs';
import { until } from './lib/until.mjs';

/** @type {Server} */
let server;
let folder;
let cert;

before(async () => {
  // A certificate that Python can be told to trust.
  folder = mkdtempSync(path.join(os.tmpdir(), 'madang-e2e-'));
  cert = path.join(folder, 'cert.pem');
  const key = path.join(folder, 'key.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ],
    { stdio: 'pipe' },
  );
  server = await Server.start({ 'tls.mode': 'files', 'tls.cert': cert, 'tls.key': key });
});

after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

for (const relay of ['udp', 'tcp', 'tls']) {
  test(`two aiortc peers exchange pictures and sound through TURN over ${relay.toUpperCase()} alone`, async (t) => {
    const room = freshRoom();
    const before = await server.metric('madang_turn_relayed_bytes_total');
    const looks = {
      One: { tone: 500, hear: 900, colour: '200,40,40' },
      Two: { tone: 900, hear: 500, colour: '50,70,200' },
    };
    const clients = {};
    for (const [name, look] of Object.entries(looks)) {
      const options = {
        url: server.webSocketUrl,
        room,
        name,
        tone: look.tone,
        'listen-for': look.hear,
        colour: look.colour,
        relay,
      };
      clients[name] = new PythonClient(options, { SSL_CERT_FILE: cert });
      t.after(() => clients[name].end());
      await clients[name].event(`${name} is in`, ({ event }) => event === 'welcome');
    }
    for (const [name, client] of Object.entries(clients)) {
      await client.event(`${name} decodes the other`, ({ event, frames }) => event === 'video' && frames >= 40, {
        timeout: 20_000,
      });
      await client.event(`${name} hears the other`, ({ event, share }) => event === 'audio' && share > 0.5);
    }
    const relayed = (await server.metric('madang_turn_relayed_bytes_total')) - before;
    assert.ok(relayed > 50_000, `${relayed} bytes were relayed`);
    assert.ok((await server.metric('madang_turn_allocations', { transport: relay })) >= 2);
    for (const client of Object.values(clients)) client.say({ leave: true });
    await until('the room is empty', async () => (await server.metric('madang_room_participants')) === 0);
  });
}
