/** A connection of somebody who means harm: bytes as they are, answers read as slowly as one likes. */
import net from 'node:net';
import type { ApiSchemas } from '../../client/connection.ts';
import { Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import type { Partially } from '../../proto/kafka/schema.ts';

/** A frame as any client sends it. */
export function frameOf<Request, Response>(
  api: ApiSchemas<Request, Response>,
  version: number,
  body: Partially<Request>,
): Buffer {
  const w = new Writer(256);
  w.int32(0);
  requestHeader.write(w, api.request.isFlexible(version) ? 2 : 1, {
    requestApiKey: api.key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: 'hostile',
  });
  api.request.write(w, version, body);
  const frame = w.toBuffer();
  frame.writeInt32BE(frame.length - 4, 0);
  return frame;
}

export class HostileSocket implements Disposable {
  private readonly socket: net.Socket;
  isClosed = false;
  bytesRead = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Null where the broker does not take the connection. */
  static open({ host, port }: { host: string; port: number }): Promise<HostileSocket | null> {
    return new Promise((resolve) => {
      const socket = net.connect({ host, port });
      socket.once('connect', () => resolve(new HostileSocket(socket)));
      socket.once('error', () => resolve(null));
    });
  }

  /** @param readsTo how much is read; what comes beyond stays where it is. */
  reading(readsTo = Infinity): this {
    this.socket.on('data', ({ length }: Buffer) => {
      this.bytesRead += length;
      if (this.bytesRead >= readsTo) this.socket.pause();
    });
    return this;
  }

  /** Reads a little, of what came and waits. */
  sip(byteCount: number): void {
    this.bytesRead += (this.socket.read(byteCount) as Buffer | null)?.length ?? 0;
  }

  /** Resolves when the system took it; false: the broker closed, or takes nothing any more for so long. */
  write(bytes: Buffer, timeoutMs = 2_000): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.socket.write(bytes, (cause) => {
        clearTimeout(timer);
        resolve(cause === undefined || cause === null);
      });
    });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
