/**
 * The network between simulated nodes: messages take their time, directions can be cut one by one,
 * connections break when a process dies or when nothing came through for too long.
 */
import { EventEmitter } from 'node:events';
import type * as grpc from '@grpc/grpc-js';
import { ConnectionMemory } from '../../broker/memory/connection-memory.ts';
import type { BrokerNetwork, ClientListener } from '../../broker/network.ts';
import type { PeerNetwork, PeerService } from '../../broker/replication/peer-network.ts';
import {
  controlService,
  replicationMessages,
  shareStateService,
  transactionsService,
} from '../../broker/replication/services.ts';
import type { Connection, ConnectionDeps } from '../../broker/server/connection.ts';
import type { Random } from './random.ts';
import type { Process, Scheduler } from './scheduler.ts';

/** As gRPC's keepalive and TCP's patience together. */
const SILENCE_MS = 6_000;
const KNOCK_TIMEOUT_MS = 1_000;

/** A machine: processes come and go on it, its address stays. */
export interface Machine {
  readonly name: string;
  /** Whether the machine itself is there to answer, if only with a refusal. */
  isUp: boolean;
}

/** When the last message of a stream arrives. */
interface Lane {
  lastMs: number;
}

/** Where an answer waits for those before it. */
interface Slot {
  send: (() => void) | null;
}
interface Answers {
  readonly slots: Slot[];
  readonly lane: Lane;
}

interface Endpoint {
  readonly process: Process;
  readonly machine: Machine;
  readonly methods: ReadonlyMap<string, (...args: never[]) => void>;
}
type Emitter = EventEmitter & Record<string, unknown>;
type Done = (cause: Error | null, response?: unknown) => void;

export class SimNetwork {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly machines = new Map<string, Machine>();
  private readonly clientPorts = new Map<string, { process: Process; deps: ConnectionDeps }>();
  private readonly liveness = new Map<Process, () => string | null>();
  private readonly readiness = new Map<Process, () => string | null>();
  /** Breaks a stream; by the machines at its ends. */
  private readonly streams = new Map<() => void, readonly [string, string]>();
  private readonly cuts = new Set<string>();
  private readonly held = new Map<string, (() => void)[]>();
  /** Beyond the usual, in milliseconds. */
  slownessMs = 0;
  private nextConnection = 1;

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  addMachine(machine: Machine): void {
    this.machines.set(machine.name, machine);
  }

  /** What a kubelet hears from the process; null: all is well. */
  unhealthyBecause(process: Process): string | null {
    return this.liveness.get(process)?.() ?? null;
  }

  isReady(process: Process): boolean {
    return this.readiness.get(process)?.() === null;
  }

  /** Every connection of the machine breaks, and may be made again at once. */
  reset(machine: string): void {
    for (const [fail, ends] of [...this.streams]) if (ends.includes(machine)) fail();
  }

  /** Nothing gets from one machine to the other any more; the way back is another matter. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`);
  }
  heal(): void {
    this.cuts.clear();
    this.slownessMs = 0;
    const late = [...this.held.values()].flat();
    this.held.clear();
    for (const send of late) send();
  }

  private latency(): number {
    const usual = this.random.chance(0.01)
      ? this.random.between(5, 60)
      : this.random.between(0.05, 1);
    return usual + this.random.fraction() * this.slownessMs;
  }

  /**
   * Carries one message; held back while the way is cut. What shares a lane arrives in the order in
   * which it was sent.
   */
  private carry(
    from: string,
    to: string,
    process: Process | null,
    run: () => void,
    lane: Lane = { lastMs: 0 },
  ): void {
    const way = `${from}>${to}`;
    if (this.cuts.has(way)) {
      const waiting = this.held.get(way) ?? [];
      this.held.set(way, waiting);
      waiting.push(() => this.carry(from, to, process, run, lane));
      return;
    }
    lane.lastMs = Math.max(lane.lastMs, this.scheduler.nowMs + this.latency());
    this.scheduler.at(lane.lastMs, process, run);
  }

  private reaches(a: string, b: string): boolean {
    return !this.cuts.has(`${a}>${b}`) && !this.cuts.has(`${b}>${a}`);
  }

  /** The network as a process on a machine sees it. */
  for(process: Process, machine: Machine): BrokerNetwork {
    return {
      peers: this.peersOf(process, machine),
      serveAdmin: async (routes) => {
        this.liveness.set(process, routes.live);
        this.readiness.set(process, routes.ready);
        return { port: 0, [Symbol.asyncDispose]: async () => undefined };
      },
      listen: async (deps, { host, port }): Promise<ClientListener> => {
        const address = `${host}:${port}`;
        this.clientPorts.set(address, { process, deps: { ...deps, onClose: () => undefined } });
        return {
          connections: new Set(),
          [Symbol.asyncDispose]: async () => {
            if (this.clientPorts.get(address)?.process === process)
              this.clientPorts.delete(address);
          },
        };
      },
    };
  }

  private peersOf(process: Process, machine: Machine): PeerNetwork {
    const unary = (definition: grpc.ServiceDefinition) => (address: string) =>
      this.unaryPeer(process, machine, definition, address);
    return {
      callerOf: () => 'anybody',
      replication: (address) =>
        ({
          Follow: () => this.stream(process, machine, address, 'Follow'),
          close: () => undefined,
        }) as never,
      control: (address) =>
        Object.assign(unary(controlService)(address) as object, {
          Presence: () => this.stream(process, machine, address, 'Presence'),
        }) as never,
      transactions: unary(transactionsService) as never,
      shareState: unary(shareStateService) as never,
      serve: async (services, { host, port }) => {
        const address = `${host}:${port}`;
        this.endpoints.set(address, { process, machine, methods: methodsOf(services) });
        return {
          [Symbol.asyncDispose]: async () => {
            if (this.endpoints.get(address)?.process === process) this.endpoints.delete(address);
          },
        };
      },
      deadline: (timeoutMs) => this.scheduler.nowMs + timeoutMs,
      knock: ({ host, port }, done) => {
        const endpoint = this.endpoints.get(`${host}:${port}`);
        const answers = this.machines.get(host)?.isUp === true && this.reaches(machine.name, host);
        const isOpen = endpoint?.process.alive === true;
        return this.scheduler.after(answers ? this.latency() : KNOCK_TIMEOUT_MS, process, () =>
          done(answers ? (isOpen ? 'accepted' : 'refused') : 'silent'),
        );
      },
    };
  }

  private unaryPeer(
    process: Process,
    machine: Machine,
    definition: grpc.ServiceDefinition,
    address: string,
  ): object {
    const peer: Record<string, unknown> = { close: () => undefined };
    for (const [name, method] of Object.entries(definition)) {
      if (method.requestStream || method.responseStream) continue;
      peer[name] = (request: unknown, options: { deadline: number }, done: Done) => {
        let over = false;
        const finish: Done = (cause, response) => {
          if (over) return;
          over = true;
          done(cause, response);
        };
        this.scheduler.at(options.deadline, process, () => finish(new Error('DEADLINE_EXCEEDED')));
        const bytes = method.requestSerialize(request);
        const [host = ''] = address.split(':');
        this.carry(machine.name, host, null, () => {
          const endpoint = this.endpoints.get(address);
          const handler = endpoint?.methods.get(name);
          if (endpoint === undefined || !endpoint.process.alive || handler === undefined) {
            // Whoever answers for a machine that is gone says nothing.
            if (this.machines.get(host)?.isUp === true)
              process.run(() => finish(new Error('UNAVAILABLE')));
            return;
          }
          endpoint.process.run(() =>
            (handler as (call: object, done: Done) => void)(
              { request: method.requestDeserialize(bytes) },
              (cause, response) => {
                const answer = cause === null ? method.responseSerialize(response) : null;
                this.carry(host, machine.name, process, () =>
                  answer === null
                    ? finish(new Error((cause as { details?: string }).details ?? 'INTERNAL'))
                    : finish(null, method.responseDeserialize(answer)),
                );
              },
            ),
          );
        });
      };
    }
    return peer;
  }

  /** A bidirectional stream; both ends are told when it breaks. */
  private stream(process: Process, machine: Machine, address: string, name: string): Emitter {
    const [host = ''] = address.split(':');
    const codec = replicationMessages[name as keyof typeof replicationMessages];
    const near = new EventEmitter() as Emitter;
    const far = new EventEmitter() as Emitter;
    near.on('error', () => undefined);
    let endpoint: Endpoint | undefined;
    let state: 'opening' | 'open' | 'broken' = 'opening';
    const out: Lane = { lastMs: 0 };
    const back: Lane = { lastMs: 0 };
    const fail = (why: string) => {
      if (state === 'broken') return;
      state = 'broken';
      this.streams.delete(reset);
      process.run(() => near.emit('error', new Error(why)));
    };
    /** The far end hears of it when it can. */
    const hangUp = () => {
      if (endpoint === undefined) return;
      const { process: server } = endpoint;
      const tell = () => server.run(() => EventEmitter.prototype.emit.call(far, 'cancelled'));
      if (this.reaches(machine.name, host)) this.scheduler.after(this.latency(), null, tell);
      else this.scheduler.after(SILENCE_MS, null, tell);
    };
    const reset = () => {
      hangUp();
      fail('ECONNRESET');
    };
    this.streams.set(reset, [machine.name, host]);
    const open = () => {
      endpoint = this.endpoints.get(address);
      const handler = endpoint?.methods.get(name);
      if (endpoint?.process.alive !== true || handler === undefined) {
        if (this.machines.get(host)?.isUp === true) fail('UNAVAILABLE');
        return;
      }
      state = 'open';
      const server = endpoint.process;
      far.write = (message: unknown) => {
        if (state !== 'open') return false;
        const bytes = codec.responseSerialize(message);
        this.carry(
          host,
          machine.name,
          process,
          () => {
            if (state === 'open') near.emit('data', codec.responseDeserialize(bytes));
          },
          back,
        );
        return true;
      };
      far.end = () => undefined;
      far.emit = ((event: string, ...args: unknown[]) => {
        if (event !== 'error') return EventEmitter.prototype.emit.call(far, event, ...args);
        // A status that is no success ends the stream for the other side.
        this.carry(host, machine.name, process, () => fail('refused'), back);
        return true;
      }) as never;
      server.run(() => (handler as (call: unknown) => void)(far));
    };
    near.write = (message: unknown) => {
      if (state === 'broken') return false;
      const bytes = codec.requestSerialize(message);
      this.carry(
        machine.name,
        host,
        null,
        () => {
          if (state !== 'open' || endpoint === undefined) return;
          endpoint.process.run(() =>
            EventEmitter.prototype.emit.call(far, 'data', codec.requestDeserialize(bytes)),
          );
        },
        out,
      );
      return true;
    };
    near.cancel = () => {
      if (state === 'broken') return;
      state = 'broken';
      this.streams.delete(reset);
      hangUp();
    };
    this.carry(machine.name, host, null, open, out);
    // Each side notices that the other is gone: at once where the machine says so, else by silence.
    let silentMs = 0;
    let turnsSeen = -1;
    const look = () => {
      if (state === 'broken') return;
      const isGone = endpoint !== undefined && !endpoint.process.alive;
      const answers = this.machines.get(host)?.isUp === true && this.reaches(machine.name, host);
      if (isGone && answers) return fail('ECONNRESET');
      // Who gets to run now and then answers, if late.
      const turns = endpoint?.process.turns ?? 0;
      const stands = endpoint?.process.isStopped === true && turns === turnsSeen;
      turnsSeen = turns;
      silentMs = answers && !stands ? 0 : silentMs + LOOK_MS;
      if (silentMs >= SILENCE_MS) {
        hangUp();
        return fail('keepalive');
      }
      this.scheduler.after(LOOK_MS, process, look);
    };
    this.scheduler.after(LOOK_MS, process, look);
    return near;
  }

  /** Requests of a client to one broker arrive in the order in which they were sent. */
  private laneOf(client: Process, address: string): Lane {
    const name = `${client.name}>${address}`;
    let lane = this.lanes.get(name);
    if (lane === undefined) this.lanes.set(name, (lane = { lastMs: 0 }));
    return lane;
  }
  private readonly lanes = new Map<string, Lane>();

  /** Answers of one broker process to a client leave in the order of the requests, as on one connection. */
  private answersOf(client: Process, server: Process): Answers {
    const name = `${client.name}<${server.name}`;
    let answers = this.answers.get(name);
    if (answers === undefined)
      this.answers.set(name, (answers = { slots: [], lane: { lastMs: 0 } }));
    return answers;
  }
  private readonly answers = new Map<string, Answers>();

  /** One request of a client outside of the cluster; rejects where the connection breaks. */
  request(client: Process, address: string, frame: Buffer, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const { scheduler } = this;
      const [host = ''] = address.split(':');
      let over = false;
      let giveUpSlot = () => {};
      const finish = (settle: () => void) => {
        if (over) return;
        over = true;
        giveUpSlot();
        settle();
      };
      const lost = (why: string) => finish(() => reject(new Error(why)));
      scheduler.after(timeoutMs, client, () => lost('no answer in time'));
      const arrive = () => {
        const port = this.clientPorts.get(address);
        if (port?.process.alive !== true) {
          if (this.machines.get(host)?.isUp === true) lost('connection refused');
          return;
        }
        const { deps, process } = port;
        const watch = () => {
          if (over) return;
          if (!process.alive && this.machines.get(host)?.isUp === true)
            return lost('connection reset');
          scheduler.after(LOOK_MS, client, watch);
        };
        scheduler.after(LOOK_MS, client, watch);
        const connection = {
          id: this.nextConnection++,
          peer: '127.0.0.1',
          listener: 'INTERNAL',
          software: { name: 'sim', version: '1' },
          mute: () => undefined,
          usedMs: 0,
          usedAtMs: 0,
          isClosed: false,
          close: (cause: unknown) => answer(() => lost(`closed: ${cause}`)),
          whenClosed: () => undefined,
          keepRequest: () => undefined,
          memory: new ConnectionMemory(deps.budget),
        } as unknown as Connection;
        const { lane, slots } = this.answersOf(client, process);
        const slot: Slot = { send: null };
        slots.push(slot);
        const sendReady = () => {
          while (slots[0]?.send != null) slots.shift()?.send?.();
        };
        giveUpSlot = () => {
          if (slots.includes(slot)) slots.splice(slots.indexOf(slot), 1);
          sendReady();
        };
        const answer = (settle: () => void) => {
          slot.send = () => this.carry(host, 'client', client, settle, lane);
          sendReady();
        };
        process.run(() => {
          try {
            deps.onRequest(connection, frame, true, (chunks, whenSent) => {
              const bytes = Buffer.concat(chunks ?? []);
              connection.memory.trim(0);
              whenSent?.();
              answer(() => finish(() => resolve(bytes)));
            });
          } catch (cause) {
            answer(() => lost(`closed: ${cause}`));
          }
        });
      };
      this.carry('client', host, null, arrive, this.laneOf(client, address));
    });
  }
}

/** How often it is looked whether the other end is there still. */
const LOOK_MS = 75;

function methodsOf(services: readonly PeerService[]): Map<string, (...args: never[]) => void> {
  return new Map(
    services.flatMap(({ implementation }) =>
      Object.entries(implementation).map(
        ([name, handler]) => [name, handler as (...args: never[]) => void] as const,
      ),
    ),
  );
}
