/** What a peer, or whoever pretends to be one, may send: over the real network of this machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { freePort } from '../../test/support/local.ts';
import { grpcNetwork } from './peer-network.ts';
import { controlService } from './services.ts';

const MIB = 1024 * 1024;

interface Outcome {
  readonly code: number;
  readonly asked: number;
}

/** One call with a request of that size, and metadata of that size. */
async function call(bodyBytes: number, metadataBytes = 0): Promise<Outcome> {
  const network = grpcNetwork(null);
  let asked = 0;
  const method = controlService.ReportReplicas as grpc.MethodDefinition<object, object>;
  const port = await freePort();
  await using server = await network.serve(
    [
      {
        definition: controlService,
        implementation: {
          ReportReplicas: (_call: object, done: (cause: null, answer: object) => void) => {
            asked++;
            done(null, {});
          },
        } as never,
      },
    ],
    { host: '127.0.0.1', port },
  );
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (metadataBytes > 0) metadata.set('filler', 'x'.repeat(metadataBytes));
  const code = await new Promise<number>((resolve) => {
    client.makeUnaryRequest(
      method.path,
      // A field that nobody knows: length-delimited, number 100.
      () => body(bodyBytes),
      (bytes: Buffer) => bytes,
      {},
      metadata,
      (cause: grpc.ServiceError | null) => resolve(cause?.code ?? grpc.status.OK),
    );
  });
  client.close();
  void server;
  return { code, asked };
}

function body(byteCount: number): Buffer {
  const head = [0xa2, 0x06];
  for (let left = byteCount; ; left >>>= 7) {
    if (left < 0x80) {
      head.push(left);
      break;
    }
    head.push((left & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from(head), Buffer.alloc(byteCount)]);
}

test('a message of a megabyte is taken, one of 20 is refused before anybody sees it', async () => {
  assert.deepEqual(await call(MIB), { code: grpc.status.OK, asked: 1 });
  assert.deepEqual(await call(20 * MIB), {
    code: grpc.status.RESOURCE_EXHAUSTED,
    asked: 0,
  });
});

test('metadata of a megabyte is refused', async () => {
  const { asked, code } = await call(10, MIB);
  assert.notEqual(code, grpc.status.OK);
  assert.equal(asked, 0);
});
