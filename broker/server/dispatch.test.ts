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
import { Dispatch } from './dispatch.ts';
import { Quotas } from './quotas.ts';

const clock = {
  monotonicMs: () => 0,
  every: () => ({ [Symbol.dispose]() {} }),
} as unknown as Clock;
const unsayable = { results: [{ groupId: 'x'.repeat(0x8000), errorCode: 0 }] };
const wrong = { results: [{ groupId: 'g', errorCode: 1e9 }] };

/** One request to a handler; what was answered, and what became of the connection. */
async function ask(handle: () => HandlerResult<object>, failed: () => object = () => unsayable) {
  const lines: string[] = [];
  const bugs: string[] = [];
  const answers: unknown[] = [];
  let closed = 0;
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
          handle: (_request, context) => {
            context.afterwards = () => sent++;
            return handle() as never;
          },
          failed: failed as never,
        }),
      ],
    ]),
    observer: { onRequest: () => {} },
    quotas: new Quotas({ clock, isUsed: () => false, limit: () => Infinity }),
    look: () => {},
  });
  const connection = { close: () => closed++ } as unknown as Connection;
  const w = new Writer();
  const header = { requestApiKey: 42, requestApiVersion: 2, correlationId: 1, clientId: 'c' };
  requestHeader.write(w, 2, header);
  deleteGroupsRequest.write(w, 2, { groupsNames: ['g'] });
  for (let i = 0; i < 3; i++)
    dispatch.onRequest(connection, w.toBuffer(), true, (answer, whenSent) => {
      answers.push(answer);
      whenSent?.();
    });
  await new Promise((done) => setImmediate(done));
  return { lines, bugs, answers, closed, sent };
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
  const { bugs, closed } = await ask(
    () => Promise.reject(new Error('the world')),
    () => {
      throw new TypeError('planted');
    },
  );
  assert.deepEqual(bugs, []);
  assert.equal(closed, 3);
});
