// Two people who can reach each other only through our TURN server, with its default peer policy.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Rig, freshRoom } from './lib/rig.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start({ config: { 'tls.mode': 'self-signed' } })));
after(() => rig.stop());

for (const transport of ['udp', 'tcp', 'tls']) {
  test(`two people meet through TURN over ${transport.toUpperCase()} alone`, async (t) => {
    const room = freshRoom();
    const bytesBefore = await rig.server.metric('madang_turn_relayed_bytes_total');
    const ann = await rig.person(t, 'Ann', room, { query: { relay: transport } });
    const bo = await rig.person(t, 'Bo', room, { query: { relay: transport } });
    await Promise.all([ann.meets([bo]), bo.meets([ann])]);

    for (const person of [ann, bo]) {
      const pairs = await person.page.evaluate(() => window.__probe.pairs());
      assert.equal(pairs.length, 1, JSON.stringify(pairs));
      assert.equal(pairs[0].local, 'relay');
      assert.equal(pairs[0].remote, 'relay');
      assert.equal(pairs[0].relayProtocol, transport);
      await person.goesBy(`relay_${transport}`);
      person.unharmed();
    }
    const relayed = (await rig.server.metric('madang_turn_relayed_bytes_total')) - bytesBefore;
    assert.ok(relayed > 100_000, `${relayed} bytes were relayed`);
    const allocations = await rig.server.metric('madang_turn_allocations', { transport });
    assert.ok(allocations >= 2, `${allocations} allocations over ${transport}`);

    await ann.click('leave');
    await bo.click('leave');
    await until(
      'the allocations are gone',
      async () => (await rig.server.metric('madang_turn_allocations', { transport })) === 0,
    );
  });
}

test('someone behind the relay meets someone who is not', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query: { relay: 'udp' } });
  const bo = await rig.person(t, 'Bo', room);
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  await ann.goesBy('relay_udp');
});
