/** Accepts client connections on one address. */
import net from 'node:net';
import tls from 'node:tls';
import { CertificateFiles } from '../../stdx/certificate-files.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import type { ConnectionGate } from './connection-gate.ts';

export interface ListenerDeps extends Omit<ConnectionDeps, 'onClose'> {
  readonly clock: Clock;
  /** Of all listeners of a broker. */
  readonly gate: Pick<ConnectionGate, 'enter'>;
}

export interface ListenerOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly idleMs: number;
  /** Folder of `tls.crt` and `tls.key`; null: clients speak plainly. */
  readonly tlsFolder: string | null;
}

interface RawSocket {
  _handle: unknown;
}

const IDLE_CHECK_MS = 10_000;
const STALL_CHECK_MS = 1_000;
/** Who needs longer to agree on keys is closed. */
const HANDSHAKE_MS = 10_000;
const ignored = () => {};

export class Listener implements AsyncDisposable {
  private readonly server: net.Server;
  readonly connections = new Set<Connection>();
  private readonly deps: ListenerDeps;
  private readonly options: ListenerOptions;
  private nextId = 1;
  accepted = 0;
  closed = 0;
  private readonly idle: Disposable;
  private readonly stalled: Disposable;
  private files: CertificateFiles | null = null;

  constructor(deps: ListenerDeps, options: ListenerOptions) {
    this.deps = deps;
    this.options = options;
    const open =
      options.tlsFolder === null
        ? (socket: net.Socket, leave: () => void) =>
            this.accept(socket, leave, (connection) => this.adopt(socket, connection))
        : this.openTls(options.tlsFolder);
    this.server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) =>
      deps.gate.enter(socket, (leave) => open(socket, leave)),
    );
    this.idle = deps.clock.every(IDLE_CHECK_MS, () => {
      const before = deps.clock.monotonicMs() - options.idleMs;
      for (const connection of this.connections) {
        if (connection.isIdleSince(before)) connection.close(null);
      }
    });
    this.stalled = deps.clock.every(STALL_CHECK_MS, () => {
      // While nobody waits for memory, everybody may take their time.
      if (deps.budget.waiting > 0) this.closeStalled();
    });
  }

  private closeStalled(): void {
    const nowMs = this.deps.clock.monotonicMs();
    for (const connection of this.connections) {
      if (!connection.isStalled(nowMs)) continue;
      this.deps.budget.stalled++;
      connection.close(null);
    }
  }

  /** @throws Error EADDRINUSE and the like. Resolves with the port in use. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port, this.options.host, 1024, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as net.AddressInfo).port);
      });
    });
  }

  /** Handshakes: they count as connections from the first byte on, and have an end. */
  private openTls(folder: string): (socket: net.Socket, leave: () => void) => void {
    const files = new CertificateFiles(this.deps.clock, folder, (renewed) =>
      handshakes.setSecureContext(renewed),
    );
    const handshakes = tls.createServer({
      ...files.current,
      minVersion: 'TLSv1.2',
      noDelay: true,
      handshakeTimeout: HANDSHAKE_MS,
    });
    handshakes.on('secureConnection', (socket) => {
      this.accept(socket, ignored, (connection) => {
        socket.on('data', (bytes: Buffer) => connection.onBytes(bytes));
        return socket;
      });
    });
    // A handshake that fails is its client's trouble.
    handshakes.on('tlsClientError', (_, socket) => socket.destroy());
    this.files = files;
    return (socket, leave) => {
      this.inHandshake.add(socket);
      socket.once('close', () => {
        this.inHandshake.delete(socket);
        leave();
      });
      handshakes.emit('connection', socket);
    };
  }
  /** Sockets below TLS, for as long as they are open. */
  private readonly inHandshake = new Set<net.Socket>();

  private accept(
    accepted: net.Socket,
    leave: () => void,
    open: (connection: Connection) => net.Socket,
  ): void {
    this.accepted++;
    const peer = `${accepted.remoteAddress ?? 'unknown'}`;
    const onClose = (connection: Connection) => {
      this.connections.delete(connection);
      this.closed++;
      leave();
    };
    const connection = new Connection(
      { ...this.deps, onClose },
      { id: this.nextId++, peer, listener: this.options.name },
    );
    this.connections.add(connection);
    connection.attach(open(connection));
  }

  /**
   * Takes the system handle over into a socket that reads into our buffers: half the CPU of the
   * default, which allocates for every read. Servers offer no public way to ask for that.
   */
  private adopt(accepted: net.Socket, connection: Connection): net.Socket {
    const raw = accepted as unknown as RawSocket;
    const handle = raw._handle;
    if (handle === null || typeof handle !== 'object' || handle === undefined) {
      accepted.on('data', (bytes: Buffer) => connection.onBytes(bytes));
      accepted.resume();
      return accepted;
    }
    raw._handle = null;
    accepted.destroy();
    const socket = new net.Socket({
      handle,
      readable: true,
      writable: true,
      onread: {
        buffer: () => connection.readBuffer(),
        callback: (byteCount: number) => connection.onRead(byteCount),
      },
    } as unknown as net.SocketConstructorOpts);
    socket.resume();
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.idle[Symbol.dispose]();
    this.stalled[Symbol.dispose]();
    this.files?.[Symbol.dispose]();
    this.server.close();
    for (const connection of this.connections) connection.close(null);
    for (const socket of this.inHandshake) socket.destroy();
  }
}
