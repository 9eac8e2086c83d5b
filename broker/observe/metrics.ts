/**
 * The broker's metrics under the names that Kafka's dashboards ask for (jmx_exporter with
 * Strimzi's rules): counters end in _total, percentages in _percent, histograms are gauges with a
 * quantile label. Values that can be read off are read when scraped and cost nothing before.
 */
import { performance } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { isMoving } from '../../kube/partition-line.ts';
import { type Clock, sleep } from '../../stdx/clock.ts';
import type { TrafficObserver } from '../api/ports.ts';
import type { MemoryBudget, MemoryShare } from '../memory/memory-budget-core.ts';
import type { Partition } from '../partition/partition.ts';
import type { RequestObserver } from '../server/dispatch.ts';
import { exposition, type Pace, type Table } from './exposition.ts';
import type { LoopDelay } from './loop-delay.ts';
import { Sample } from './quantiles.ts';
import { type TopicCounters, TopicTraffic } from './topic-traffic.ts';

/** The longest that a timer takes. */
const NEVER_MS = 0x7fff_ffff;
const QUANTILES = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999] as const;

export interface IntegrityFigures {
  /** Damage that was found, and of that what is healed; replicas where it is not yet. */
  readonly found: number;
  readonly healed: number;
  readonly open: number;
  readonly scrubbedBytes: number;
  readonly scrubAgeMs: number;
}
/** What is read at scrape time. */
export interface BrokerFacts {
  /** Null where several brokers run in one process: its figures are then of none of them. */
  readonly loopDelay: LoopDelay | null;
  readonly partitions: () => Iterable<Partition>;
  readonly hasTopic: (name: string) => boolean;
  readonly isController: () => boolean;
  readonly offlinePartitions: () => number;
  readonly globalTopics: () => number;
  readonly globalPartitions: () => number;
  readonly activeBrokers: () => number;
  readonly fencedBrokers: () => number;
  readonly connections: () => ReadonlyMap<string, number>;
  readonly offlineLogDirectories: () => number;
  readonly groupStates: () => ReadonlyMap<string, number>;
  readonly state: () => number;
  readonly tailBytes: () => number;
  /** Null until it is known how large it is. */
  readonly memory: () => MemoryBudget | null;
  readonly integrity: () => IntegrityFigures;
  /** Producers that were forgotten for want of room. */
  readonly producersEvicted: () => number;
  readonly connectionsRefused: () => number;
  readonly connectionsWaiting: () => number;
}

const COUNTERS = {
  bytesIn: ['bytesin', 'Bytes of records that producers wrote.'],
  bytesOut: ['bytesout', 'Bytes of records that consumers read.'],
  messagesIn: ['messagesin', 'Records that producers wrote.'],
  produceRequests: ['totalproducerequests', 'Produce requests.'],
  fetchRequests: ['totalfetchrequests', 'Fetch requests.'],
  failedProduce: ['failedproducerequests', 'Produce requests that failed.'],
  failedFetch: ['failedfetchrequests', 'Fetch requests that failed.'],
} as const;

/** Others are served between two slices of a scrape. */
export function paceOf(clock: Clock): Pace {
  return { nowMs: () => clock.monotonicMs(), pause: () => sleep(clock, 0) };
}

export class BrokerMetrics implements TrafficObserver, RequestObserver {
  readonly registry = new Registry();
  private readonly topics: TopicTraffic;
  /** Those with many rows, which are not the library's to hold. */
  private readonly tables: Table[] = [];
  private readonly requestTimes = new Map<string, Sample>();
  private readonly requestErrors = new Map<string, number>();
  private readonly isrChanges = { expand: 0, shrink: 0 };
  private replicationIn = 0;
  private replicationOut = 0;
  private unclean = 0;
  private utilization = performance.eventLoopUtilization();

  constructor(facts: BrokerFacts) {
    this.topics = new TopicTraffic(facts.hasTopic);
    if (facts.loopDelay !== null) this.nodeMetrics(facts.loopDelay);
    this.trafficMetrics();
    this.requestMetrics();
    this.replicaMetrics(facts);
    this.partitionMetrics(facts);
    this.integrityMetrics(facts);
    this.controllerMetrics(facts);
    this.processMetrics(facts);
    this.memoryMetrics(facts);
  }

  private of(topic: string): TopicCounters {
    return this.topics.of(topic);
  }

  // ---- what is told -------------------------------------------------------------------------

  onProduced(topic: string, byteCount: number, records: number): void {
    const counters = this.of(topic);
    counters.bytesIn += byteCount;
    counters.messagesIn += records;
  }
  onProduceFailed(topic: string): void {
    this.of(topic).failedProduce++;
  }
  onProduceRequest(topic: string): void {
    this.of(topic).produceRequests++;
  }
  onFetched(topic: string, byteCount: number): void {
    if (byteCount > 0) this.of(topic).bytesOut += byteCount;
  }
  onFetchFailed(topic: string): void {
    this.of(topic).failedFetch++;
  }
  onFetchRequest(topic: string): void {
    this.of(topic).fetchRequests++;
  }
  onRequest(name: string, elapsedMs: number, error: boolean): void {
    let sample = this.requestTimes.get(name);
    if (sample === undefined) {
      sample = new Sample();
      this.requestTimes.set(name, sample);
    }
    sample.add(elapsedMs);
    if (error) this.requestErrors.set(name, (this.requestErrors.get(name) ?? 0) + 1);
  }
  onIsrChange(kind: 'expand' | 'shrink'): void {
    this.isrChanges[kind]++;
  }
  onReplicationIn(byteCount: number): void {
    this.replicationIn += byteCount;
  }
  onReplicationOut(byteCount: number): void {
    this.replicationOut += byteCount;
  }
  onUnclean(): void {
    this.unclean++;
  }

  /** Everything, as Prometheus reads it, in pieces that nobody has to wait for. */
  async *scrape(pace: Pace): AsyncGenerator<string> {
    this.topics.prune();
    yield await this.registry.metrics();
    await pace.pause();
    yield* exposition(this.tables, pace);
  }

  // ---- what is shown --------------------------------------------------------------------------

  private counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  private nodeMetrics(loopDelay: LoopDelay): void {
    // The library would wake the process every 10 ms to look how late it is, and call those 10 ms a delay.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: NEVER_MS });
    for (const figure of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'])
      this.registry.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`);
    const figures = { p50: 0.5, p90: 0.9, p99: 0.99, max: 1 };
    for (const [name, quantile] of Object.entries(figures))
      this.gauge(
        `nodejs_eventloop_lag_${name}_seconds`,
        'How late the event loop was with what was due, of the last three minutes.',
        () => (loopDelay.quantiles([quantile])[0] as number) / 1000,
      );
  }

  private gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }

  private labelled(name: string, help: string, rows: Table['rows']): void {
    this.tables.push({ name, help, type: 'gauge', rows });
  }

  private trafficMetrics(): void {
    const { topics } = this;
    for (const [key, [name, help]] of Object.entries(COUNTERS)) {
      const field = key as keyof TopicCounters;
      this.tables.push({
        name: `kafka_server_brokertopicmetrics_${name}_total`,
        help,
        type: 'counter',
        *rows(): Generator<readonly [Record<string, string>, number]> {
          // The aggregate stands beside the topics, without a label.
          for (const [topic, value] of topics.rows(field))
            yield [topic === null ? {} : { topic }, value] as const;
        },
      });
    }
    this.counter(
      'kafka_server_brokertopicmetrics_replicationbytesin_total',
      'Bytes received from leaders.',
      () => this.replicationIn,
    );
    this.counter(
      'kafka_server_brokertopicmetrics_replicationbytesout_total',
      'Bytes sent to followers.',
      () => this.replicationOut,
    );
  }

  private requestMetrics(): void {
    const { requestTimes } = this;
    this.labelled(
      'kafka_network_requestmetrics_totaltimems',
      'Time from a request to its answer, in milliseconds.',
      function* () {
        for (const [request, sample] of requestTimes) {
          const values = sample.quantiles(QUANTILES);
          for (const [i, q] of QUANTILES.entries())
            yield [{ request, quantile: q === 0.5 ? '0.50' : String(q) }, values[i] as number];
        }
      },
    );
    for (const name of [
      'kafka_network_requestmetrics_totaltimems_count_total',
      'kafka_network_requestmetrics_requests_total',
    ]) {
      this.labelled(name, 'Requests answered.', function* () {
        for (const [request, sample] of requestTimes) yield [{ request }, sample.count];
      });
    }
    const errors = this.requestErrors;
    this.labelled(
      'kafka_network_requestmetrics_errors_total',
      'Requests that failed as a whole.',
      function* () {
        for (const [request, count] of errors) yield [{ request }, count];
      },
    );
  }

  private replicaMetrics(facts: BrokerFacts): void {
    const count = (holds: (partition: Partition) => boolean) => () => {
      let n = 0;
      for (const partition of facts.partitions()) if (holds(partition)) n++;
      return n;
    };
    const isr = (p: Partition) => p.leaderCore?.line.isr.length ?? 0;
    const minIsr = (p: Partition) => p.leaderCore?.effectiveMinIsr(p.rules) ?? 0;
    const rm = 'kafka_server_replicamanager_';
    this.gauge(
      `${rm}leadercount`,
      'Partitions led by this broker.',
      count((p) => p.isLeader),
    );
    this.gauge(
      `${rm}partitioncount`,
      'Replicas on this broker.',
      count(() => true),
    );
    this.gauge(
      `${rm}underreplicatedpartitions`,
      'Led partitions with fewer in-sync replicas than replicas.',
      count((p) => p.isLeader && isr(p) < (p.line?.replicas.length ?? 0)),
    );
    this.gauge(
      `${rm}underminisrpartitioncount`,
      'Led partitions below min.insync.replicas.',
      count((p) => p.isLeader && isr(p) < minIsr(p)),
    );
    this.gauge(
      `${rm}atminisrpartitioncount`,
      'Led partitions exactly at min.insync.replicas.',
      count((p) => p.isLeader && isr(p) === minIsr(p)),
    );
    this.gauge(
      `${rm}offlinereplicacount`,
      'Replicas whose disk failed.',
      count((p) => p.log.failure !== null),
    );
    this.gauge(
      `${rm}reassigningpartitions`,
      'Led partitions being moved.',
      count((p) => p.isLeader && p.line !== null && isMoving(p.line)),
    );
    this.gauge(`${rm}produceridcount`, 'Idempotent producers remembered.', () => {
      let n = 0;
      for (const { log } of facts.partitions()) n += log.producers.producerCount;
      return n;
    });
    this.counter(
      'tenure_log_producers_evicted_total',
      'Producers that were forgotten before their time because there were too many.',
      facts.producersEvicted,
    );
    this.counter(`${rm}isrexpands_total`, 'Times an ISR grew.', () => this.isrChanges.expand);
    this.counter(`${rm}isrshrinks_total`, 'Times an ISR shrank.', () => this.isrChanges.shrink);
    this.gauge(
      'kafka_log_logmanager_offlinelogdirectorycount',
      'Log directories that failed.',
      facts.offlineLogDirectories,
    );
  }

  /** What is stored, and whether it is what was written. */
  private integrityMetrics(facts: BrokerFacts): void {
    this.counter(
      'tenure_log_damage_found_total',
      'Replicas and indexes that were found to be damaged.',
      () => facts.integrity().found,
    );
    this.counter(
      'tenure_log_damage_healed_total',
      'Of those: copied from another replica and in sync again, made anew, or gone with their records.',
      () => facts.integrity().healed,
    );
    this.gauge(
      'tenure_log_damaged_replicas',
      'Replicas with damage that is not healed yet.',
      () => facts.integrity().open,
    );
    this.counter(
      'tenure_log_scrubbed_bytes_total',
      'Bytes of stored records that were read and compared with their checksums in idle time.',
      () => facts.integrity().scrubbedBytes,
    );
    this.gauge(
      'tenure_log_scrub_age_seconds',
      'How long ago the replica was read through that has waited longest.',
      () => facts.integrity().scrubAgeMs / 1000,
    );
  }

  private partitionMetrics(facts: BrokerFacts): void {
    const rows = (value: (partition: Partition) => number, leadersOnly: boolean) =>
      function* (): Generator<readonly [Record<string, string>, number]> {
        for (const p of facts.partitions()) {
          if (leadersOnly && !p.isLeader) continue;
          yield [{ topic: p.topic, partition: String(p.partition) }, value(p)];
        }
      };
    const isr = (p: Partition) => p.leaderCore?.line.isr.length ?? 0;
    const minIsr = (p: Partition) => p.leaderCore?.effectiveMinIsr(p.rules) ?? 0;
    this.labelled(
      'kafka_cluster_partition_underminisr',
      '1 below min.insync.replicas.',
      rows((p) => Number(isr(p) < minIsr(p)), true),
    );
    this.labelled(
      'kafka_cluster_partition_atminisr',
      '1 exactly at min.insync.replicas.',
      rows((p) => Number(isr(p) === minIsr(p)), true),
    );
    this.labelled(
      'kafka_cluster_partition_underreplicated',
      '1 with fewer in-sync replicas than replicas.',
      rows((p) => Number(isr(p) < (p.line?.replicas.length ?? 0)), true),
    );
    this.labelled(
      'kafka_cluster_partition_replicascount',
      'Replicas.',
      rows((p) => p.line?.replicas.length ?? 0, true),
    );
    this.labelled(
      'kafka_cluster_partition_insyncreplicascount',
      'In-sync replicas.',
      rows(isr, true),
    );
    this.labelled(
      'kafka_log_log_size',
      'Bytes of a log on disk.',
      rows((p) => p.log.byteCount, false),
    );
    this.labelled(
      'kafka_log_log_logstartoffset',
      'First offset of a log.',
      rows((p) => p.log.startOffset, false),
    );
    this.labelled(
      'kafka_log_log_logendoffset',
      'Offset of the next record.',
      rows((p) => p.log.endOffset, false),
    );
    this.labelled(
      'kafka_log_log_numlogsegments',
      'Segments of a log.',
      rows((p) => p.log.segmentCount, false),
    );
  }

  private controllerMetrics(facts: BrokerFacts): void {
    const kc = 'kafka_controller_kafkacontroller_';
    const own = (value: () => number) => () => (facts.isController() ? value() : 0);
    this.gauge(`${kc}activecontrollercount`, '1 on the controller.', () =>
      Number(facts.isController()),
    );
    this.gauge(
      `${kc}offlinepartitionscount`,
      'Partitions without a leader, on the controller.',
      own(facts.offlinePartitions),
    );
    this.gauge(
      `${kc}globaltopiccount`,
      'Topics of the cluster, on the controller.',
      own(facts.globalTopics),
    );
    this.gauge(
      `${kc}globalpartitioncount`,
      'Partitions of the cluster, on the controller.',
      own(facts.globalPartitions),
    );
    this.gauge(
      `${kc}activebrokercount`,
      'Live brokers, on the controller.',
      own(facts.activeBrokers),
    );
    this.gauge(
      `${kc}fencedbrokercount`,
      'Fenced brokers, on the controller.',
      own(facts.fencedBrokers),
    );
    this.counter(
      'kafka_controller_controllerstats_uncleanleaderelections_total',
      'Elections that may have lost records.',
      () => this.unclean,
    );
    const states = ['stable', 'preparingrebalance', 'completingrebalance', 'empty', 'dead'];
    const gm = 'kafka_coordinator_group_groupmetadatamanager_numgroups';
    this.gauge(gm, 'Groups on this broker.', () =>
      [...facts.groupStates().values()].reduce((sum, n) => sum + n, 0),
    );
    for (const state of states)
      this.gauge(
        `${gm}${state}`,
        `Groups in state ${state}.`,
        () => facts.groupStates().get(state) ?? 0,
      );
  }

  private processMetrics(facts: BrokerFacts): void {
    this.labelled(
      'kafka_server_socket_server_metrics_connection_count',
      'Client connections.',
      function* () {
        for (const [listener, count] of facts.connections())
          yield [{ listener, networkProcessor: '0' }, count];
      },
    );
    this.counter(
      'tenure_connections_refused_total',
      'Connections that were closed because their address had too many, or was too quick.',
      facts.connectionsRefused,
    );
    this.gauge(
      'tenure_connections_waiting',
      'Connections that wait for others to end, or for their turn.',
      facts.connectionsWaiting,
    );
    // One event loop does the work of Kafka's network and request threads.
    let idle = 1;
    const refresh = () => {
      const now = performance.eventLoopUtilization();
      const since = performance.eventLoopUtilization(now, this.utilization);
      if (since.active + since.idle > 1000) {
        idle = 1 - since.utilization;
        this.utilization = now;
      }
      return idle;
    };
    this.gauge(
      'kafka_network_socketserver_networkprocessoravgidle_percent',
      'Share of time that the event loop is idle.',
      refresh,
    );
    this.gauge(
      'kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent',
      'Share of time that the event loop is idle.',
      refresh,
    );
    this.gauge(
      'kafka_server_kafkaserver_brokerstate',
      '1 starting, 2 recovering, 3 running, 6 draining, 7 stopping.',
      facts.state,
    );
    this.gauge('tenure_broker_tail_bytes', 'Newest records held in memory.', facts.tailBytes);
    this.labelled(
      'jvm_memory_used_bytes',
      'Memory in use, under the name that Kafka dashboards ask for.',
      function* () {
        const { heapUsed, rss } = process.memoryUsage();
        yield [{ area: 'heap' }, heapUsed];
        yield [{ area: 'nonheap' }, rss - heapUsed];
      },
    );
  }

  private memoryMetrics({ memory }: BrokerFacts): void {
    const each = (value: (share: MemoryShare) => number) =>
      function* (): Generator<[Record<string, string>, number]> {
        for (const share of memory()?.shares ?? []) yield [{ class: share.name }, value(share)];
      };
    const name = 'tenure_memory_budget';
    this.labelled(
      `${name}_bytes`,
      'Most memory that a class of work may take.',
      each(({ bytesMax }) => bytesMax),
    );
    this.labelled(
      `tenure_memory_budget_used_bytes`,
      'Memory that a class of work takes.',
      each(({ usedBytes }) => usedBytes),
    );
    this.labelled(
      `tenure_memory_budget_paused_total`,
      'How often somebody had to wait for memory.',
      each(({ paused }) => paused),
    );
    this.counter(
      `${name}_stalled_total`,
      'Connections that were closed because they were slow with memory that others waited for.',
      () => memory()?.stalled ?? 0,
    );
  }
}
