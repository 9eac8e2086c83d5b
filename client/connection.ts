/** One connection to a broker, speaking our own codec: requests in, responses by correlation id. */
import net from 'node:net';
import { Reader, Writer } from '../proto/kafka/cursor.ts';
import { requestHeader } from '../proto/kafka/messages/headers.ts';
import type { Message, Partially } from '../proto/kafka/schema.ts';

/** The two schemas of an API, as in proto/kafka/messages/index.ts. */
export interface ApiSchemas<Request, Response> {
  readonly key: number;
  readonly request: Message<Request>;
  readonly response: Message<Response>;
}

/** The broker cannot be reached or went away. */
export class ConnectionLost extends Error {}

const API_VERSIONS = 18;
const REQUEST_TIMEOUT_MS = 40_000;

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (cause: Error) => void;
}

export class BrokerConnection implements Disposable {
  readonly address: string;
  private readonly socket: net.Socket;
  private readonly waiting = new Map<number, Waiting>();
  private received: Buffer = Buffer.alloc(0);
  private nextId = 1;

  private constructor(address: string, socket: net.Socket) {
    this.address = address;
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    const lost = (why: string) => {
      for (const { reject } of this.waiting.values())
        reject(new ConnectionLost(`${address}: ${why}`));
      this.waiting.clear();
    };
    socket.on('error', (cause) => lost(cause.message));
    socket.on('close', () => lost('the broker closed the connection'));
  }

  /** @throws ConnectionLost */
  static open(host: string, port: number, timeoutMs = 5_000): Promise<BrokerConnection> {
    const address = `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port });
      socket.setTimeout(timeoutMs, () =>
        socket.destroy(new Error(`no connection within ${timeoutMs} ms`)),
      );
      socket.once('error', (cause) =>
        reject(new ConnectionLost(`${address} cannot be reached: ${cause.message}`)),
      );
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.removeAllListeners('error');
        resolve(new BrokerConnection(address, socket));
      });
    });
  }

  private onData(bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes]);
    while (this.received.length >= 4) {
      const end = this.received.readInt32BE(0) + 4;
      if (this.received.length < end) return;
      const frame = this.received.subarray(4, end);
      this.received = this.received.subarray(end);
      const id = frame.readInt32BE(0);
      this.waiting.get(id)?.resolve(frame);
      this.waiting.delete(id);
    }
  }

  /** @throws ConnectionLost, MalformedMessage */
  async send<Request, Response>(
    api: ApiSchemas<Request, Response>,
    version: number,
    body: Partially<Request>,
  ): Promise<Response> {
    const id = this.nextId++;
    const w = new Writer(256);
    w.int32(0);
    const flexible = api.request.isFlexible(version);
    requestHeader.write(w, flexible ? 2 : 1, {
      requestApiKey: api.key,
      requestApiVersion: version,
      correlationId: id,
      clientId: 'tenure-cli',
    });
    api.request.write(w, version, body);
    const frame = w.toBuffer();
    frame.writeInt32BE(frame.length - 4, 0);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new ConnectionLost(`${this.address}: no answer within ${REQUEST_TIMEOUT_MS} ms`));
      }, REQUEST_TIMEOUT_MS);
      const settle = <T>(run: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          run(value);
        };
      };
      this.waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.socket.write(frame);
    });
    const reader = new Reader(answer, 4);
    if (api.response.isFlexible(version) && api.key !== API_VERSIONS) reader.take(1);
    return api.response.read(reader, version);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
