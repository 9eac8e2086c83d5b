/**
 * The port at which peers come in, where some of them speak TLS and some do not yet: the first byte tells. What
 * this broker does not take is hung up on, and so is who says nothing.
 */
import net from 'node:net';
import type * as grpc from '@grpc/grpc-js';
import { systemClock } from '../../stdx/clock.ts';

/** A connection that begins with a TLS handshake begins so. */
const HANDSHAKE_BYTE = 0x16;
const FIRST_BYTE_TIMEOUT_MS = 10_000;
/** Each peer has a handful. */
const CONNECTIONS_MAX = 4_096;

export interface TakenCredentials {
  readonly tls: grpc.ServerCredentials;
  /** Null: who does not speak TLS is refused. */
  readonly plain: grpc.ServerCredentials | null;
}

/** Serves until disposed. @throws Error where the address cannot be had */
export async function listenForPeers(
  server: grpc.Server,
  { plain, tls }: TakenCredentials,
  at: { readonly host: string; readonly port: number },
): Promise<AsyncDisposable> {
  const forTls = server.createConnectionInjector(tls);
  const forPlain = plain === null ? null : server.createConnectionInjector(plain);
  const waiting = new Set<net.Socket>();
  const front = net.createServer((socket) => {
    waiting.add(socket);
    const timer = systemClock.after(FIRST_BYTE_TIMEOUT_MS, () => socket.destroy());
    const isOver = () => {
      waiting.delete(socket);
      timer[Symbol.dispose]();
    };
    const onReadable = () => {
      const first = socket.read() as Buffer | null;
      // Nothing yet, or the end: 'close' follows.
      if (first === null) return;
      socket.off('readable', onReadable);
      socket.off('close', isOver);
      isOver();
      const injector = first[0] === HANDSHAKE_BYTE ? forTls : forPlain;
      if (injector === null) return void socket.destroy();
      socket.unshift(first);
      injector.injectConnection(socket);
    };
    socket.setNoDelay(true);
    // Whoever takes it over listens as well.
    socket.on('error', () => socket.destroy());
    socket.on('close', isOver);
    socket.on('readable', onReadable);
  });
  front.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    front.once('error', reject);
    front.listen(at.port, at.host, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      front.close();
      for (const socket of waiting) socket.destroy();
      forTls.destroy();
      forPlain?.destroy();
      server.forceShutdown();
    },
  };
}
