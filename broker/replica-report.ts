/** What a broker tells a controller of what it holds: made, sent, and read again. */
import type { ConfigMapOf } from '../kube/kafka-objects.ts';
import { formatLine, type Member, parseLine } from '../kube/partition-line.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { BrokerImage } from './metadata/image.ts';
import type { PageAge } from './metadata/page-age.ts';
import type { BrokerReport, HeldReplica } from './metadata/recovery-core.ts';
import type { Partitions } from './partition/partitions.ts';
import { PeerChannels } from './replication/peer-channels.ts';
import type { PeerNetwork } from './replication/peer-network.ts';
import type { ControlPeer, ReplicaMessage, ReplicasReportMessage } from './replication/services.ts';

/** A controller takes over meanwhile: who does not answer at once is asked later. */
const PART_TIMEOUT_MS = 500;
const FULL_TIMEOUT_MS = 10_000;

export interface Reporter {
  readonly self: Member;
  readonly keptSince: number;
  readonly clusterId: string;
  readonly directories: LogDirectories;
  readonly partitions: Partitions;
  readonly pages: readonly PageAge[];
  readonly held: readonly HeldReplica[];
}

export function reportOf(of: Reporter): BrokerReport {
  const { clusterId, directories, held, keptSince, pages, partitions, self } = of;
  let producerIdEnd = directories.producerIdEnd;
  for (const { log } of partitions)
    producerIdEnd = Math.max(producerIdEnd, log.producers.idMax + 1);
  return {
    id: self.id,
    epoch: self.epoch,
    keptSince,
    formerEpoch: directories.former?.epoch ?? -1,
    clusterId,
    storeGeneration: directories.storeGeneration,
    producerIdEnd,
    pages,
    replicas: held,
  };
}

export function reportMessage({
  epoch,
  id,
  replicas,
  ...rest
}: BrokerReport): ReplicasReportMessage {
  return {
    ...rest,
    broker: { id, epoch },
    replicas: replicas.map(({ config, line, ...held }) => ({
      ...held,
      line: line === null ? '' : formatLine(line),
      config: config === null ? '' : JSON.stringify(config),
    })),
  };
}

function heldOf({ config, line, ...held }: ReplicaMessage): HeldReplica {
  return {
    ...held,
    line: line === '' ? null : parseLine(line),
    config: config === '' ? null : (JSON.parse(config) as ConfigMapOf),
  };
}

/** @throws SyntaxError where it is not such a report */
export function readReport({ broker, replicas, ...rest }: ReplicasReportMessage): BrokerReport {
  return { ...rest, id: broker.id, epoch: broker.epoch, replicas: replicas.map(heldOf) };
}

/** Asks other brokers for their reports. */
export class ReplicaReports implements Disposable {
  private readonly channels: PeerChannels<ControlPeer>;
  private readonly brokerOf: (id: number) => BrokerImage | null;

  constructor(network: PeerNetwork, brokerOf: (id: number) => BrokerImage | null) {
    this.channels = new PeerChannels(network, brokerOf, network.control);
    this.brokerOf = brokerOf;
  }

  /** Of those who answer in time, and in the life that is registered. */
  async ask(ids: readonly number[], full: boolean): Promise<BrokerReport[]> {
    const answers = await Promise.all(ids.map((id) => this.askOne(id, full)));
    return answers.filter((report) => report !== null);
  }

  private async askOne(id: number, full: boolean): Promise<BrokerReport | null> {
    const timeoutMs = full ? FULL_TIMEOUT_MS : PART_TIMEOUT_MS;
    try {
      const message = await this.channels.call<ReplicasReportMessage>(
        id,
        (peer, options, done) => peer.ReportReplicas({ full }, options, done),
        timeoutMs,
      );
      const report = readReport(message);
      return report.id === id && report.epoch === this.brokerOf(id)?.epoch ? report : null;
    } catch (cause) {
      expectNoBug('reading a report', cause);
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.channels[Symbol.dispose]();
  }
}
