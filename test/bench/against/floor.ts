/**
 * What client and loopback take by themselves: a server that speaks as much of the protocol as a
 * producer needs, acknowledges everything at once and keeps nothing. No broker can be faster here.
 */
import net from 'node:net';
import { Reader, Writer } from '../../../proto/kafka/cursor.ts';
import { produceRequest, produceResponse } from '../../../proto/kafka/messages/00-produce.ts';
import { metadataRequest, metadataResponse } from '../../../proto/kafka/messages/03-metadata.ts';
import {
  apiVersionsRequest,
  apiVersionsResponse,
} from '../../../proto/kafka/messages/18-api-versions.ts';
import { requestHeader } from '../../../proto/kafka/messages/headers.ts';
import type { Message, Partially } from '../../../proto/kafka/schema.ts';

/** A port, then topics as name=partitions. */
const [port, ...topicArguments] = process.argv.slice(2);
const PORT = Number(port);
const partitionsOf = new Map(
  topicArguments.map((text) => [text.split('=')[0] ?? '', Number(text.split('=')[1])]),
);
const ID = '10000000-0000-0000-0000-000000000000';

interface Api {
  readonly key: number;
  readonly versions: readonly [number, number];
  answer(body: Reader, version: number, w: Writer): void;
  isFlexible(version: number): boolean;
}

function api<Request, Response>(
  key: number,
  versions: readonly [number, number],
  request: Message<Request>,
  response: Message<Response>,
  answer: (request: Request) => Partially<Response>,
): Api {
  return {
    key,
    versions,
    isFlexible: (version) => request.isFlexible(version),
    answer: (body, version, w) =>
      response.write(w, version, answer(request.read(body, version)) as never),
  };
}

const apis: readonly Api[] = [
  api(0, [3, 12], produceRequest, produceResponse, ({ topicData }) => ({
    responses: topicData.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData.map(({ index }) => ({
        index,
        errorCode: 0,
        baseOffset: 0,
      })),
    })),
  })),
  api(3, [9, 12], metadataRequest, metadataResponse, ({ topics }) => ({
    brokers: [{ nodeId: 0, host: '127.0.0.1', port: PORT }],
    clusterId: 'floor',
    controllerId: 0,
    topics: (topics ?? []).map(({ name }) => ({
      name,
      topicId: ID,
      partitions: Array.from(
        { length: partitionsOf.get(name ?? '') ?? 0 },
        (_, partitionIndex) => ({
          partitionIndex,
          leaderId: 0,
          leaderEpoch: 0,
          replicaNodes: [0],
          isrNodes: [0],
        }),
      ),
    })),
  })),
  api(18, [0, 3], apiVersionsRequest, apiVersionsResponse, () => ({
    apiKeys: apis.map(({ key, versions }) => ({
      apiKey: key,
      minVersion: versions[0],
      maxVersion: versions[1],
    })),
  })),
];

function answer(frame: Buffer): Buffer {
  const key = frame.readInt16BE(0);
  const version = frame.readInt16BE(2);
  const served = apis.find((one) => one.key === key);
  if (served === undefined) throw new Error(`API key ${key} is not served`);
  const body = new Reader(frame);
  requestHeader.read(body, served.isFlexible(version) ? 2 : 1);
  const w = new Writer(512);
  w.int32(0);
  w.int32(frame.readInt32BE(4));
  if (served.isFlexible(version) && key !== 18) w.int8(0);
  served.answer(body, version, w);
  const bytes = Buffer.concat(w.finish());
  bytes.writeInt32BE(bytes.length - 4, 0);
  return bytes;
}

net
  .createServer({ noDelay: true }, (socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      while (received.length >= 4 && received.length >= received.readInt32BE(0) + 4) {
        const end = received.readInt32BE(0) + 4;
        socket.write(answer(received.subarray(4, end)));
        received = received.subarray(end);
      }
    });
  })
  .listen(PORT, '127.0.0.1');
