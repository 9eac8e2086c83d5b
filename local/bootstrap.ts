/** The bootstrap Service of one machine: a forwarder from localhost to any broker that is ready. */
import net from 'node:net';

export interface BootstrapOptions {
  readonly hosts: readonly string[];
  readonly port: number;
  /** Addresses of ready brokers. */
  readonly backends: () => readonly { host: string; port: number }[];
}

export class Bootstrap implements AsyncDisposable {
  private readonly options: BootstrapOptions;
  private readonly servers: net.Server[] = [];
  private readonly sockets = new Set<net.Socket>();
  private next = 0;

  constructor(options: BootstrapOptions) {
    this.options = options;
  }

  /** @throws Error where the port is in use. */
  async listen(): Promise<void> {
    for (const host of this.options.hosts) {
      const server = net.createServer((client) => this.forward(client));
      try {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen(this.options.port, host, resolve);
        });
      } catch (cause) {
        // A machine without IPv6 has only one localhost.
        if (
          host === '::1' &&
          ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((cause as NodeJS.ErrnoException).code ?? '')
        )
          continue;
        throw cause;
      }
      this.servers.push(server);
    }
  }

  private forward(client: net.Socket): void {
    const backends = this.options.backends();
    const backend = backends[this.next++ % Math.max(backends.length, 1)];
    client.on('error', () => client.destroy());
    if (backend === undefined) {
      client.destroy();
      return;
    }
    const upstream = net.connect(backend);
    const both = [client, upstream] as const;
    for (const socket of both) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => {
        this.sockets.delete(socket);
        for (const other of both) other.destroy();
      });
    }
    upstream.on('error', () => upstream.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(
      this.servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }
}
