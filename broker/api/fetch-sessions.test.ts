import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FetchRequest } from '../../proto/kafka/messages/01-fetch.ts';
import { FetchSessions } from './fetch-sessions.ts';

const MINUTES = 60_000;

function request(sessionId: number, sessionEpoch: number, added: number[], gone: number[] = []) {
  const partitions = added.map((partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: 1,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
  }));
  return {
    sessionId,
    sessionEpoch,
    topics: [{ topic: 't', topicId: '', partitions }],
    forgottenTopicsData: [{ topic: 't', topicId: '', partitions: gone }],
  } as unknown as FetchRequest;
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const opened = (sessions: FetchSessions, partitions: number[], nowMs = 0) => {
  const plan = sessions.plan(request(0, 0, partitions), 12, nowMs);
  return plan.kind === 'full' ? plan.sessionId : -1;
};

test('partitions of all sessions are bounded: who asks for too many is answered without a session', () => {
  const sessions = new FetchSessions(() => 1000, 100);
  const first = opened(sessions, range(0, 60));
  assert.ok(first > 0);
  assert.equal(opened(sessions, range(0, 60)), 0);
  assert.ok(opened(sessions, range(0, 40)) > 0);
  assert.equal(sessions.partitionCount, 100);
  const grown = sessions.plan(request(first, 1, range(60, 61)), 12, 0);
  assert.deepEqual(grown, { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' });
  assert.equal(sessions.partitionCount, 40);
});

test('a session that nobody used for two minutes makes room for another one', () => {
  const sessions = new FetchSessions(() => 1, 100);
  const first = opened(sessions, [1]);
  assert.equal(opened(sessions, [2], MINUTES), 0);
  assert.ok(opened(sessions, [2], 2 * MINUTES) > 0);
  assert.deepEqual(sessions.plan(request(first, 1, []), 12, 2 * MINUTES), {
    kind: 'error',
    error: 'FETCH_SESSION_ID_NOT_FOUND',
  });
  assert.deepEqual([sessions.count, sessions.partitionCount, sessions.evictions], [1, 1, 1]);
});

test('the count of partitions is that of the sessions that are open (property)', () => {
  const partitions = fc.array(fc.nat(9), { maxLength: 10 });
  const step = fc.record({
    of: fc.nat(5),
    epoch: fc.integer({ min: -1, max: 3 }),
    partitions,
    gone: partitions,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const sessions = new FetchSessions(() => 4, 20);
      const held = new Map<number, number>();
      for (const { of, epoch, partitions: added, gone } of steps) {
        const plan = sessions.plan(request(of, epoch, added, gone), 12, 0);
        if (plan.kind === 'incremental') held.set(plan.session.id, plan.session.partitions.size);
        else held.delete(of);
        if (plan.kind === 'full' && plan.sessionId > 0)
          held.set(plan.sessionId, plan.partitions.size);
        if (plan.kind === 'error' && plan.error === 'INVALID_FETCH_SESSION_EPOCH') return;
        assert.equal(sessions.count, held.size);
        assert.equal(
          sessions.partitionCount,
          [...held.values()].reduce((sum, n) => sum + n, 0),
        );
        assert.ok(sessions.partitionCount <= 20);
      }
    }),
  );
});
