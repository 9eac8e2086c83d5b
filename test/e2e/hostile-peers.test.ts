/** Messages of every method between brokers, wrong in any place: the broker refuses or answers, and lives on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import {
  controlService,
  replicationService,
  shareStateService,
  transactionsService,
} from '../../broker/replication/services.ts';
import { ROOT } from '../../stdx/root.ts';
import { type BrokerRig, startBrokerRig } from '../support/broker-rig.ts';
import { sleepMs } from '../support/wait.ts';

const DEADLINE_MS = 10_000;
/** What an entrance may answer to what it does not understand, and what those behind it may. */
const ANSWERS: readonly number[] = [
  grpc.status.OK,
  grpc.status.INVALID_ARGUMENT,
  grpc.status.FAILED_PRECONDITION,
  // Bytes that are no message; the library answers by itself.
  grpc.status.INTERNAL,
];

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}
interface Type {
  readonly field: readonly Field[];
  readonly nestedType: readonly (Type & { readonly name: string })[];
}
type Method = grpc.MethodDefinition<unknown, unknown> & { readonly requestType: { type: Type } };

let rig: BrokerRig;
let hello: object;
const services = { controlService, replicationService, shareStateService, transactionsService };
const methods = Object.values(services).flatMap(
  (service) => Object.entries(service) as [string, Method][],
);
const raw = (bytes: Buffer) => bytes;

before(async () => {
  rig = await startBrokerRig();
  const [report] = (await call('ReportReplicas', [encode('ReportReplicas', { full: true })]))
    .answers;
  const { broker, clusterId } = report as { broker: object; clusterId: string };
  hello = { clusterId, follower: { id: 1, epoch: 0 }, leader: broker };
});
after(() => rig?.[Symbol.asyncDispose]());

const methodOf = (name: string) => methods.find(([one]) => one === name)?.[1] as Method;
const encode = (name: string, message: object) => methodOf(name).requestSerialize(message);

/** Sends bytes as messages of one call. */
async function call(
  name: string,
  messages: readonly Buffer[],
): Promise<{ code: number; answers: unknown[] }> {
  const method = methodOf(name);
  const client = new grpc.Client(
    `127.0.0.1:${rig.replicationPort}`,
    grpc.credentials.createInsecure(),
  );
  const { path, responseDeserialize } = method;
  const deadline = Date.now() + DEADLINE_MS;
  const answers: unknown[] = [];
  try {
    if (!method.requestStream)
      return await new Promise((resolve) => {
        const [bytes = Buffer.alloc(0)] = messages;
        client.makeUnaryRequest(
          path,
          raw,
          responseDeserialize,
          bytes,
          { deadline },
          (error, answer) => resolve({ code: error?.code ?? grpc.status.OK, answers: [answer] }),
        );
      });
    return await new Promise((resolve) => {
      const stream = client.makeBidiStreamRequest(path, raw, responseDeserialize, { deadline });
      stream.on('data', (answer) => answers.push(answer));
      stream.on('error', () => {});
      stream.on('status', ({ code }) => resolve({ code, answers }));
      for (const bytes of messages) stream.write(bytes);
      stream.end();
    });
  } finally {
    client.close();
  }
}

const extreme = (min: string, max: string) =>
  fc.constantFrom(0, 1, -1, 2, 7, 1e6, 2 ** 31 - 1, min, max);
function valueOf({ type, typeName }: Field, within: readonly Type[]): fc.Arbitrary<unknown> {
  switch (type) {
    case 'TYPE_STRING':
      return fc.oneof(
        fc.constantFrom(
          '',
          'ready',
          '__consumer_offsets',
          'a/b',
          '\0',
          'elect',
          'withdraw',
          'x'.repeat(70_000),
        ),
        fc.string({ maxLength: 5 }),
      );
    case 'TYPE_BOOL':
      return fc.boolean();
    case 'TYPE_UINT32':
      return fc.constantFrom(0, 1, 7, 2 ** 32 - 1);
    case 'TYPE_INT32':
      return fc.constantFrom(0, 1, -1, 2, 7, 2 ** 31 - 1, -(2 ** 31));
    case 'TYPE_INT64':
      return extreme('-9223372036854775808', '9223372036854775807');
    default:
      return messageOf(
        (within.flatMap(({ nestedType }) => nestedType).find(({ name }) => name === typeName) ??
          shared.get(typeName)) as Type,
        within,
      );
  }
}
/** Types that several messages share. */
const shared = new Map<string, Type>(
  Object.entries(
    loadSync(
      ['replication', 'control', 'transactions', 'share'].map((name) => `${name}.proto`),
      {
        includeDirs: [join(ROOT, 'proto')],
      },
    ),
  ).map(([name, of]) => [name.split('.').at(-1) as string, (of as unknown as { type: Type }).type]),
);
function messageOf(type: Type, within: readonly Type[]): fc.Arbitrary<object> {
  const fields = type.field.map((field) => {
    const one = valueOf(field, [...within, type]);
    const value = field.label === 'LABEL_REPEATED' ? fc.array(one, { maxLength: 3 }) : one;
    return [field.name, value] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<object>;
}

for (const [name, { requestType }] of methods) {
  test(`${name}: any message is answered or refused`, { timeout: 120_000 }, async () => {
    const message = messageOf(requestType.type, []).map((value) => encode(name, value));
    const bytes = fc.oneof(
      { weight: 8, arbitrary: message },
      {
        weight: 2,
        arbitrary: fc.tuple(message, fc.nat(), fc.nat(255)).map(([whole, at, byte]) => {
          const changed = Buffer.from(whole);
          if (changed.length > 0) changed[at % changed.length] = byte;
          return changed;
        }),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((any) => Buffer.from(any)) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(bytes, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (all, greets) => {
          const first = name === 'Follow' && greets ? [encode(name, { hello })] : [];
          const { code } = await call(name, [...first, ...all]);
          assert.ok(ANSWERS.includes(code), `${name} was answered with ${code}`);
          assert.deepEqual(rig.bugs, []);
        },
      ),
      { numRuns: 120 },
    );
  });
}

test('who says hello without a leader is told so', async () => {
  const { leader: _, ...half } = hello as { leader: object };
  for (const message of [
    { hello: half },
    { hello: {} },
    {},
    { hello: { ...hello, follower: null } },
  ]) {
    const { code } = await call('Follow', [encode('Follow', message)]);
    assert.ok(code === grpc.status.INVALID_ARGUMENT || code === grpc.status.FAILED_PRECONDITION);
  }
  assert.deepEqual(rig.bugs, []);
});

test('a message is bounded, and what it claims to have taken gives no more than everybody has', async () => {
  const { code } = await call('ChangePartitions', [
    encode('ChangePartitions', { wishes: [{ topicId: 'x', kind: 'elect', replicas: [-1] }] }),
  ]);
  assert.equal(code, grpc.status.INVALID_ARGUMENT);
  const claims = Array.from({ length: 20 }, () => encode('Follow', { takenBytes: 2 ** 32 - 1 }));
  assert.equal(
    (await call('Follow', [encode('Follow', { hello }), ...claims])).code,
    grpc.status.OK,
  );
  await sleepMs(50);
  assert.deepEqual(rig.bugs, []);
});
