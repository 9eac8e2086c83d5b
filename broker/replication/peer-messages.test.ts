/** What messages of other brokers must be: every field of every message has its rule. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { ROOT } from '../../stdx/root.ts';
import { faultIn, leaderMessage, requests } from './peer-messages.ts';

interface Type {
  readonly field: readonly { readonly name: string; readonly typeName: string }[];
  readonly nestedType: readonly (Type & { readonly name: string })[];
}
type Rule = Parameters<typeof faultIn>[0];

const protos = loadSync(
  ['replication', 'control', 'transactions', 'share'].map((name) => `${name}.proto`),
  { includeDirs: [join(ROOT, 'proto')] },
);
function typeOf(name: string): Type {
  const found = Object.entries(protos).find(([path]) => path.endsWith(`.${name}`));
  return (found as unknown as [string, { type: Type }])[1].type;
}

function expectRules(rule: Rule, type: Type, path: string): void {
  const fields = rule.fields ?? [];
  const names = type.field.map(({ name }) => name);
  // `why` is which of a oneof is there, not a field.
  const ruled = fields.map(({ name }) => name).filter((name) => name !== 'why');
  assert.deepEqual(ruled.sort(), [...names].sort(), path);
  for (const { name, typeName } of type.field) {
    const below = fields.find((one) => one.name === name) as Rule;
    if (typeName === '') continue;
    const nested = type.nestedType.find((one) => one.name === typeName) ?? typeOf(typeName);
    expectRules(below, nested, `${path}.${name}`);
  }
}

test('every method has a rule for its request, and every field has one', () => {
  const methods = Object.values(protos).flatMap((of) =>
    'format' in of ? [] : Object.entries(of as object),
  );
  assert.deepEqual(methods.map(([name]) => name).sort(), Object.keys(requests).sort());
  for (const [name, { requestType }] of methods)
    expectRules(requests[name as keyof typeof requests], requestType.type, name);
  expectRules(leaderMessage, typeOf('LeaderMessage'), 'LeaderMessage');
});

const member = { id: 1, epoch: 3 };
test('members that are not there, numbers beyond what can be counted, names without end', () => {
  const follow = (message: object) => faultIn(requests.Follow, message);
  assert.equal(follow({}), null);
  assert.equal(follow({ hello: { clusterId: 'c', follower: member, leader: member } }), null);
  assert.match(follow({ hello: { clusterId: 'c', follower: member } }) ?? '', /leader is missing/);
  assert.match(
    follow({ hello: { clusterId: 'c', follower: null, leader: member } }) ?? '',
    /missing/,
  );
  const ack = { handle: 1, leaderEpoch: 1, logEndOffset: 5 };
  assert.equal(follow({ ack: [ack] }), null);
  for (const logEndOffset of [-1, 2 ** 53, Number.NaN, 1.5, Infinity, '5'])
    assert.match(follow({ ack: [ack, { ...ack, logEndOffset }] }) ?? '', /logEndOffset/);
  assert.match(follow({ ack: [null] }) ?? '', /missing/);
  assert.match(follow({ ack: 7 }) ?? '', /list/);
  assert.match(follow({ unsubscribe: [2 ** 32] }) ?? '', /unsubscribe/);
  assert.match(faultIn(requests.Leave, { broker: null }) ?? '', /missing/);
  assert.match(faultIn(requests.Leave, null) ?? '', /missing/);
  const wish = { topicId: 't', partition: 0, kind: 'elect' };
  assert.equal(faultIn(requests.ChangePartitions, { wishes: [wish] }), null);
  assert.match(
    faultIn(requests.ChangePartitions, { wishes: [{ ...wish, kind: 'steal' }] }) ?? '',
    /kind is not known/,
  );
  assert.match(
    faultIn(requests.ChangePartitions, { wishes: [{ ...wish, topicId: 'x'.repeat(300) }] }) ?? '',
    /longer/,
  );
});
