import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionLimits, type ConnectionRules } from './connection-limits-core.ts';

const rules = (more: Partial<ConnectionRules> = {}): ConnectionRules => ({
  max: Infinity,
  maxPerIp: Infinity,
  maxOf: new Map(),
  creationRate: Infinity,
  creationRateOf: () => Infinity,
  ...more,
});
const kinds = (limits: ConnectionLimits, ips: readonly string[], nowMs = 0) =>
  ips.map((ip) => limits.admit(ip, nowMs).kind);

test('max.connections.per.ip is refused, with another number for single addresses', () => {
  const limits = new ConnectionLimits(() => rules({ maxPerIp: 2, maxOf: new Map([['b', 0]]) }));
  assert.deepEqual(kinds(limits, ['a', 'a', 'a', 'b', 'c']), [
    'accepted',
    'accepted',
    'refused',
    'refused',
    'accepted',
  ]);
  limits.release('a');
  assert.deepEqual(kinds(limits, ['a', 'a']), ['accepted', 'refused']);
});

test('above max.connections nobody comes in until somebody leaves', () => {
  const limits = new ConnectionLimits(() => rules({ max: 2 }));
  assert.deepEqual(kinds(limits, ['a', 'b', 'c']), ['accepted', 'accepted', 'full']);
  limits.release('a');
  assert.deepEqual(kinds(limits, ['c', 'd']), ['accepted', 'full']);
});

test('an address above its connection_creation_rate is refused until its rate is down, others are not', () => {
  const of = { creationRateOf: (ip: string) => (ip === 'quick' ? 2 : Infinity) };
  const limits = new ConnectionLimits(() => rules(of));
  let accepted = 0;
  for (let ms = 0; ms < 60_000; ms += 10)
    if (limits.admit('quick', ms).kind === 'accepted') accepted++;
  assert.ok(accepted >= 100 && accepted <= 150, `${accepted} of 6,000 in a minute, at 2 a second`);
  assert.equal(limits.admit('other', 60_000).kind, 'accepted');
  const refused = limits.admit('quick', 60_000);
  assert.ok(refused.kind === 'refused' && refused.afterMs > 0 && refused.afterMs <= 1000);
});

test('above max.connection.creation.rate the next one comes after a pause', () => {
  const limits = new ConnectionLimits(() => rules({ creationRate: 5 }));
  let nowMs = 0;
  let accepted = 0;
  while (nowMs < 60_000) {
    const admission = limits.admit(`${accepted}`, nowMs);
    assert.equal(admission.kind, 'accepted');
    accepted++;
    nowMs += admission.kind === 'accepted' ? admission.pauseMs : 0;
  }
  assert.ok(accepted >= 270 && accepted <= 400, `${accepted} in a minute, at 5 a second`);
});

test('what is counted is what is open, whatever comes and goes (property)', () => {
  const step = fc.record({ ip: fc.constantFrom('a', 'b', 'c'), ends: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), fc.nat(5), fc.nat(3), (steps, max, maxPerIp) => {
      const limits = new ConnectionLimits(() => rules({ max, maxPerIp }));
      const open = new Map<string, number>();
      const total = () => [...open.values()].reduce((sum, n) => sum + n, 0);
      for (const { ip, ends } of steps) {
        const held = open.get(ip) ?? 0;
        if (ends && held > 0) {
          limits.release(ip);
          open.set(ip, held - 1);
        } else if (!ends) {
          const expected = total() >= max ? 'full' : held >= maxPerIp ? 'refused' : 'accepted';
          assert.equal(limits.admit(ip, 0).kind, expected);
          if (expected === 'accepted') open.set(ip, held + 1);
        }
        assert.equal(limits.count, total());
      }
    }),
  );
});
