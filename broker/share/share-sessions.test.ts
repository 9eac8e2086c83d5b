import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShareSessions } from './share-sessions.ts';

const none = { added: [], forgotten: [] };
const member = (memberId: string, connection: object = {}) => ({
  groupId: 'g',
  memberId,
  connection,
});

test('members that went away make room for others, the one not seen for longest first', () => {
  const sessions = new ShareSessions(() => 2);
  assert.equal(typeof sessions.advance(member('a'), 0, none, 0), 'object');
  assert.equal(typeof sessions.advance(member('b'), 0, none, 1), 'object');
  assert.equal(sessions.advance(member('c'), 0, none, 2), 'SHARE_SESSION_LIMIT_REACHED');
  assert.equal(typeof sessions.advance(member('a'), 1, none, 60_000), 'object');
  assert.equal(typeof sessions.advance(member('c'), 0, none, 120_001), 'object');
  assert.equal(sessions.advance(member('b'), 1, none, 120_002), 'SHARE_SESSION_NOT_FOUND');
  assert.equal(typeof sessions.advance(member('a'), 2, none, 120_003), 'object');
});

test('epochs count one by one; a session that ended is not found', () => {
  const sessions = new ShareSessions(() => 2);
  sessions.advance(member('a'), 0, none, 0);
  assert.equal(sessions.advance(member('a'), 2, none, 0), 'INVALID_SHARE_SESSION_EPOCH');
  sessions.advance(member('a'), -1, none, 0);
  assert.equal(sessions.advance(member('a'), 1, none, 0), 'SHARE_SESSION_NOT_FOUND');
});

test('sessions end with the connection that their member last spoke through', () => {
  const sessions = new ShareSessions(() => 9);
  const [one, two] = [{}, {}];
  const added = [{ topicId: 't', partition: 0 }];
  sessions.advance(member('a', one), 0, { ...none, added }, 0);
  sessions.advance(member('b', one), 0, none, 0);
  sessions.advance(member('b', two), 1, none, 0);
  const ended = sessions.endOf(one).map(({ memberId, partitions }) => [memberId, [...partitions]]);
  assert.deepEqual(ended, [['a', added]]);
  assert.equal(sessions.advance(member('a', two), 1, none, 0), 'SHARE_SESSION_NOT_FOUND');
  assert.equal(typeof sessions.advance(member('b', two), 2, none, 0), 'object');
});

test('partitions of all sessions are bounded', () => {
  const sessions = new ShareSessions(() => 9, 10);
  const added = (count: number) => ({
    ...none,
    added: Array.from({ length: count }, (_, partition) => ({ topicId: 't', partition })),
  });
  sessions.advance(member('a'), 0, added(6), 0);
  assert.equal(sessions.advance(member('b'), 0, added(6), 0), 'SHARE_SESSION_LIMIT_REACHED');
  assert.equal(typeof sessions.advance(member('b'), 0, added(4), 0), 'object');
  assert.equal(sessions.advance(member('b'), 1, added(5), 0), 'SHARE_SESSION_LIMIT_REACHED');
  assert.equal(typeof sessions.advance(member('b'), 1, none, 0), 'object');
  sessions.advance(member('a'), -1, none, 0);
  assert.equal(sessions.partitionCount, 4);
});
