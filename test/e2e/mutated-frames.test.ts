/** Random and mutated requests of every API at a real broker: it answers or hangs up, and lives on. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { BrokerConnection } from '../../client/connection.ts';
import { Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { sleepMs, startTestCluster, type TestCluster } from '../support/local.ts';

const RUNS = Number(process.env.TENURE_FUZZ_RUNS ?? 600);
const FRAMES_PER_RUN = 8;

let cluster: TestCluster;
let host = '';
before(async () => {
  cluster = await startTestCluster({ manifests: 'test/compare/cluster.yaml' });
  host = await cluster.address(0);
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const all = Object.values(apis);

/** A request as a client would encode it, with defaults everywhere. */
function frameOf(api: (typeof all)[number], version: number): Buffer {
  const w = new Writer(256);
  const flexible = api.request.isFlexible(version);
  requestHeader.write(w, flexible ? 2 : 1, {
    requestApiKey: api.key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: 'mutant',
  });
  api.request.write(w, version, {} as never);
  return w.toBuffer();
}

const frame = fc
  .record({
    which: fc.nat(all.length - 1),
    version: fc.nat(20),
    edits: fc.array(fc.record({ at: fc.nat(200), value: fc.nat(255) }), { maxLength: 6 }),
    cut: fc.option(fc.nat(100), { freq: 3 }),
    tail: fc.uint8Array({ maxLength: 60 }),
    noise: fc.option(fc.uint8Array({ minLength: 1, maxLength: 80 }), { freq: 8 }),
  })
  .map(({ which, version, edits, cut, tail, noise }) => {
    if (noise !== null) return Buffer.from(noise);
    const api = all[which] as (typeof all)[number];
    const [min, max] = api.request.versions;
    const body = Buffer.concat([frameOf(api, Math.min(min + version, max)), tail]);
    // The API key stays: a frame for nobody is only one kind of noise.
    for (const { at, value } of edits) if (at + 4 < body.length) body[at + 4] = value;
    return cut === null ? body : body.subarray(0, Math.max(body.length - cut, 1));
  });

/** Sends frames; resolves when the broker answered all, hung up, or said nothing for a while. */
function send(frames: readonly Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(9092, host);
    const over = () => {
      socket.destroy();
      resolve();
    };
    socket.on('error', over);
    socket.on('close', over);
    socket.setTimeout(150, over);
    socket.on('connect', () => {
      for (const one of frames) {
        const size = Buffer.alloc(4);
        size.writeInt32BE(one.length);
        socket.write(Buffer.concat([size, one]));
      }
    });
    socket.resume();
  });
}

async function isAlive(): Promise<boolean> {
  using connection = await BrokerConnection.open(host, 9092);
  const answer = await connection.send(apis.ApiVersions, 3, {
    clientSoftwareName: 'test',
    clientSoftwareVersion: '1',
  });
  return answer.errorCode === 0 && answer.apiKeys.length > 50;
}

test('no frame ends the broker or makes it deaf', { timeout: 200_000 }, async (t) => {
  const pid = cluster.pid(0);
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: FRAMES_PER_RUN }),
      async (frames) => {
        await send(frames);
        sent += frames.length;
        assert.equal(cluster.pid(0), pid, 'the process is the same');
      },
    ),
    { numRuns: RUNS },
  );
  await sleepMs(500);
  assert.ok(await isAlive());
  assert.equal(cluster.pid(0), pid);
  t.diagnostic(`${sent} frames`);
});
