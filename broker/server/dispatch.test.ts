import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Writer } from '../../proto/kafka/cursor.ts';
import {
  deleteGroupsRequest,
  deleteGroupsResponse,
} from '../../proto/kafka/messages/42-delete-groups.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { setFate } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Later } from '../../stdx/later.ts';
import type { Logger } from '../../stdx/logger.ts';
import { Turn } from '../../stdx/turn.ts';
import { type Api, api, type HandlerResult } from '../api/handler.ts';
import type { Connection } from './connection.ts';
import { Dispatch, REQUEST_ELEMENTS_MAX } from './dispatch.ts';
import { Quotas } from './quotas.ts';

const ends: (() => void)[] = [];
const clock = {
  monotonicMs: () => 0,
  endOfTurn: (run: () => void) => void ends.push(run),
  every: () => ({ [Symbol.dispose]() {} }),
} as unknown as Clock;
const unsayable = { results: [{ groupId: 'x'.repeat(0x8000), errorCode: 0 }] };
const wrong = { results: [{ groupId: 'g', errorCode: 1e9 }] };

/** One request to a handler; what was answered, and what became of the connection. */
async function ask(
  handle: (groups: readonly string[]) => HandlerResult<object>,
  {
    failed = () => unsayable,
    groupsNames = ['g'],
  }: { failed?: () => object; groupsNames?: string[] } = {},
) {
  const lines: string[] = [];
  const bugs: string[] = [];
  const answers: unknown[] = [];
  let closed = 0;
  let turns = 0;
  let sent = 0;
  using _ = setFate((doing) => void bugs.push(doing));
  const dispatch = new Dispatch({
    clock,
    turn: new Turn(clock, 1, () => assert.fail()),
    logger: { error: (message: string) => void lines.push(message) } as unknown as Logger,
    apis: new Map<number, Api>([
      [
        42,
        api({
          key: 42,
          name: 'DeleteGroups',
          request: deleteGroupsRequest,
          response: deleteGroupsResponse,
          handle: (request, context) => {
            context.afterwards = () => sent++;
            return handle(request.groupsNames) as never;
          },
          failed: failed as never,
        }),
      ],
    ]),
    observer: { onRequest: () => {} },
    quotas: new Quotas({ clock, isUsed: () => false, limit: () => Infinity }),
    look: () => {},
  });
  const connection = {
    close: () => closed++,
    usedMs: 0,
    usedAtMs: 0,
    isClosed: false,
  } as unknown as Connection;
  const w = new Writer();
  const header = { requestApiKey: 42, requestApiVersion: 2, correlationId: 1, clientId: 'c' };
  requestHeader.write(w, 2, header);
  deleteGroupsRequest.write(w, 2, { groupsNames });
  for (let i = 0; i < 3; i++)
    dispatch.onRequest(connection, w.toBuffer(), true, (answer, whenSent) => {
      answers.push(answer);
      whenSent?.();
    });
  for (turns = 0; answers.length < 3; turns++) {
    await new Promise((done) => setImmediate(done));
    for (const run of ends.splice(0)) run();
  }
  return { lines, bugs, answers, closed, sent, turns };
}

const handlers: Record<string, () => HandlerResult<object>> = {
  'that is there at once': () => unsayable,
  'that comes later': async () => unsayable,
  'that is settled later': () => {
    const later = new Later<object>();
    queueMicrotask(() => later.settle(unsayable));
    return later;
  },
  'of what failed': () => {
    throw new Error('the world');
  },
  'with a number out of range': () => wrong,
};
for (const [which, handle] of Object.entries(handlers)) {
  test(`an answer ${which} and cannot be encoded ends its connection, with one line`, async () => {
    const { answers, bugs, closed, lines, sent } = await ask(handle);
    assert.deepEqual(bugs, []);
    assert.deepEqual(answers, [null, null, null]);
    assert.equal(closed, 3);
    assert.equal(sent, 3, 'what the answer held is released');
    assert.deepEqual(
      lines.filter((line) => line !== 'request failed'),
      ['an answer could not be encoded'],
    );
  });
}

test('a failure of making the answer to a failure ends the connection as well', async () => {
  const { bugs, closed } = await ask(() => Promise.reject(new Error('the world')), {
    failed: () => {
      throw new TypeError('planted');
    },
  });
  assert.deepEqual(bugs, []);
  assert.equal(closed, 3);
});

const names = (count: number) => Array.from({ length: count }, () => 'g');

test('what has many elements is read and answered in slices, and between them others have their turns', async () => {
  const groupsNames = names(20_000);
  const { answers, closed, turns } = await ask(
    (groups) => ({ results: groups.map((groupId) => ({ groupId, errorCode: 0 })) }),
    { groupsNames },
  );
  assert.equal(closed, 0);
  for (const answer of answers as Buffer[][]) {
    const bytes = Buffer.concat(answer);
    assert.equal(bytes.readInt32BE(0), bytes.length - 4);
    const { results } = deleteGroupsResponse.decode(bytes.subarray(9), 2);
    assert.equal(results.length, groupsNames.length);
  }
  assert.ok(turns > 4, `${turns} turns`);
});

test('a request of too many elements ends its connection', async () => {
  const { bugs, closed, lines } = await ask(() => assert.fail('it is not handled'), {
    groupsNames: names(REQUEST_ELEMENTS_MAX + 1),
  });
  assert.deepEqual([bugs, lines, closed], [[], [], 3]);
});

test('an answer that is too large is not made', async () => {
  const groupId = 'g'.repeat(0x7fff);
  const results = Array.from({ length: 4_000 }, () => ({ groupId, errorCode: 0 }));
  const { answers, closed } = await ask(() => ({ results }));
  assert.deepEqual([answers, closed], [[null, null, null], 3]);
});
