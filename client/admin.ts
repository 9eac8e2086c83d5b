/** The admin calls that our own tools make: any broker, the coordinator of a group, leaders of partitions. */
import { type ErrorName, errorName, errors, KafkaError } from '../proto/kafka/errors.ts';
import { apis } from '../proto/kafka/messages/index.ts';
import type { Partially } from '../proto/kafka/schema.ts';
import { type ApiSchemas, BrokerConnection, ConnectionLost } from './connection.ts';

export interface BootstrapServer {
  readonly host: string;
  readonly port: number;
}

/** `host:port,host:port`; the port is 9092 where there is none. @throws Error with a sentence. */
export function parseBootstrap(text: string): BootstrapServer[] {
  return text.split(',').map((one) => {
    const match = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(one.trim());
    const port = Number(match?.[2] ?? 9092);
    if (match === null || port < 1 || port > 65535)
      throw new Error(`a bootstrap server must read host:port, not "${one}"`);
    return { host: match[1] as string, port };
  });
}

/** Throws where a code is an error. */
export function check(code: number, message?: string | null): void {
  if (code !== 0)
    throw new KafkaError(
      errorName(code),
      message ? `${errorName(code)}: ${message}` : errorName(code),
    );
}

const RETRIES = 20;
const RETRY_MS = 250;

export class AdminClient implements Disposable {
  private readonly bootstrap: readonly BootstrapServer[];
  private readonly connections = new Map<string, BrokerConnection>();

  constructor(bootstrap: readonly BootstrapServer[]) {
    this.bootstrap = bootstrap;
  }

  private async connect(host: string, port: number): Promise<BrokerConnection> {
    const key = `${host}:${port}`;
    const known = this.connections.get(key);
    if (known !== undefined) return known;
    const opened = await BrokerConnection.open(host, port);
    this.connections.set(key, opened);
    return opened;
  }

  /** Asks any broker. @throws ConnectionLost where none answers. */
  async any<Request, Response>(
    api: ApiSchemas<Request, Response>,
    version: number,
    body: Partially<Request>,
  ): Promise<Response> {
    let lost: unknown;
    for (const { host, port } of this.bootstrap) {
      try {
        return await (await this.connect(host, port)).send(api, version, body);
      } catch (cause) {
        if (!(cause instanceof ConnectionLost)) throw cause;
        this.connections.delete(`${host}:${port}`);
        lost = cause;
      }
    }
    throw lost;
  }

  async broker<Request, Response>(
    id: number,
    api: ApiSchemas<Request, Response>,
    version: number,
    body: Partially<Request>,
  ): Promise<Response> {
    const { brokers } = await this.cluster();
    const broker = brokers.find(({ brokerId }) => brokerId === id);
    if (broker === undefined) throw new Error(`broker ${id} is not available`);
    return (await this.connect(broker.host, broker.port)).send(api, version, body);
  }

  cluster() {
    return this.any(apis.DescribeCluster, 1, {});
  }

  /** Topics with their partitions; null names all. */
  async topics(names: readonly string[] | null) {
    const topics = names?.map((name) => ({ name })) ?? null;
    return (await this.any(apis.Metadata, 12, { topics, allowAutoTopicCreation: false } as never))
      .topics;
  }

  /** The coordinator of a group; waits while it is being found. */
  async coordinator(groupId: string): Promise<BrokerConnection> {
    for (let attempt = 0; ; attempt++) {
      const { coordinators } = await this.any(apis.FindCoordinator, 4, {
        coordinatorKeys: [groupId],
      });
      const [found] = coordinators;
      if (found !== undefined && found.errorCode === 0) return this.connect(found.host, found.port);
      const code = found?.errorCode ?? -1;
      if (!isRetriable(errorName(code)) || attempt >= RETRIES)
        check(code, found?.errorMessage ?? null);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Offsets by special or real timestamp, asked of each partition's leader. */
  async listOffsets(
    wanted: readonly { topic: string; partition: number }[],
    timestamp: number,
  ): Promise<Map<string, number>> {
    const offsets = new Map<string, number>();
    const topics = await this.topics([...new Set(wanted.map(({ topic }) => topic))]);
    const byLeader = new Map<number, Map<string, number[]>>();
    for (const { topic, partition } of wanted) {
      const leader =
        topics
          .find(({ name }) => name === topic)
          ?.partitions.find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
      if (leader < 0) continue;
      const of = byLeader.get(leader) ?? new Map<string, number[]>();
      of.set(topic, [...(of.get(topic) ?? []), partition]);
      byLeader.set(leader, of);
    }
    for (const [leader, of] of byLeader) {
      const body = {
        replicaId: -1,
        topics: [...of].map(([name, list]) => ({
          name,
          partitions: list.map((partitionIndex) => ({ partitionIndex, timestamp })),
        })),
      };
      const answer = await this.broker(leader, apis.ListOffsets, 7, body);
      for (const { name, partitions } of answer.topics) {
        for (const { partitionIndex, offset, errorCode } of partitions)
          if (errorCode === 0) offsets.set(`${name}:${partitionIndex}`, offset);
      }
    }
    return offsets;
  }

  [Symbol.dispose](): void {
    for (const connection of this.connections.values()) connection[Symbol.dispose]();
  }
}

function isRetriable(name: ErrorName): boolean {
  return errors[name].retriable;
}
