/**
 * Clients that want a broker's memory, as a program of its own: each connection is of one kind, and when it
 * is hung up on it comes again. `node memory-attackers.ts HOST PORT TOPIC CONNECTIONS`, until it is killed;
 * says on its standard output once a second how many requests and connections there were.
 */
import net from 'node:net';
import { pathToFileURL } from 'node:url';
import { Writer } from '../../proto/kafka/cursor.ts';
import { fetchRequest } from '../../proto/kafka/messages/01-fetch.ts';
import { metadataRequest } from '../../proto/kafka/messages/03-metadata.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';

const MIB = 1024 * 1024;
const LARGE_BYTES = 98 * MIB;
/** For so long one connection goes on before it leaves as it is and comes again. */
const STAY_MS = 4_000;
const SLOW_READ_MS = 500;

function frame(key: number, version: number, write: (w: Writer) => void): Buffer {
  const w = new Writer(256);
  w.int32(0);
  requestHeader.write(w, 2, {
    requestApiKey: key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: 'attacker',
  } as never);
  write(w);
  const bytes = w.toBuffer();
  bytes.writeInt32BE(bytes.length - 4, 0);
  return bytes;
}

function fetchFrame(topic: string, maxWaitMs = 0): Buffer {
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 50 * MIB };
  return frame(1, 12, (w) =>
    fetchRequest.write(w, 12, {
      maxWaitMs,
      minBytes: maxWaitMs === 0 ? 1 : 100 * MIB,
      maxBytes: 50 * MIB,
      topics: [{ topic, partitions: [partition] }],
    } as never),
  );
}

/** What a connection does once it stands; whatever it sends is sent no faster than it is taken. */
export const attacks: Readonly<Record<string, (socket: net.Socket, topic: string) => void>> = {
  'pipelined fetches that nobody reads': (socket, topic) => {
    socket.pause();
    const one = fetchFrame(topic);
    socket.write(Buffer.concat(Array.from({ length: 200 }, () => one)));
  },
  'pipelined fetches that wait for ever': (socket, topic) => {
    const one = fetchFrame(topic, 0x7fff_ffff);
    socket.write(Buffer.concat(Array.from({ length: 200 }, () => one)));
  },
  'a slow reader': (socket, topic) => {
    socket.pause();
    const timer = setInterval(() => void socket.read(1000), SLOW_READ_MS);
    socket.once('close', () => clearInterval(timer));
    socket.write(fetchFrame(topic));
  },
  'a large frame without its end': (socket) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(LARGE_BYTES);
    socket.write(head);
    const piece = Buffer.alloc(64 * 1024);
    let left = LARGE_BYTES - piece.length;
    const send = () => {
      while (left > 0 && !socket.destroyed) {
        left -= piece.length;
        if (!socket.write(piece)) return;
      }
    };
    socket.on('drain', send);
    send();
  },
  'only the size of a large frame': (socket) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(LARGE_BYTES);
    socket.write(head);
  },
  'large frames, whole and without sense': (socket) => {
    const head = Buffer.alloc(4 + 8 * MIB);
    head.writeInt32BE(8 * MIB);
    head.writeInt16BE(3, 6);
    socket.write(head);
    socket.on('drain', () => socket.write(head));
  },
  'metadata that nobody reads': (socket) => {
    socket.pause();
    const one = frame(3, 12, (w) => metadataRequest.write(w, 12, { topics: null } as never));
    socket.write(Buffer.concat(Array.from({ length: 1000 }, () => one)));
  },
  'a frame byte by byte': (socket) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(60_000);
    socket.write(head);
    const timer = setInterval(() => void socket.write(Buffer.from([0])), 100);
    socket.once('close', () => clearInterval(timer));
  },
};

function main([host = '', port = '', topic = '', connections = '64']: readonly string[]): void {
  const kinds = Object.keys(attacks);
  const counts = { opened: 0, ended: 0 };
  const begin = (kind: string) => {
    const socket = net.connect(Number(port), host);
    let leave: NodeJS.Timeout;
    socket.on('error', () => {});
    socket.once('connect', () => {
      counts.opened++;
      // Those who do nothing stay, for that is their way; the others come again and again.
      const stays = kind.startsWith('only') || kind.startsWith('a ');
      leave = setTimeout(() => socket.destroy(), stays ? 10 * STAY_MS : STAY_MS);
      attacks[kind]?.(socket, topic);
    });
    socket.once('close', () => {
      counts.ended++;
      clearTimeout(leave);
      setTimeout(() => begin(kind), 100);
    });
  };
  for (let i = 0; i < Number(connections); i++) begin(kinds[i % kinds.length] as string);
  setInterval(() => process.stdout.write(`${JSON.stringify(counts)}\n`), 1_000);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
