/**
 * Produce (0). v9 flexible; v10 tells who leads instead (KIP-951); v12 joins the transaction by
 * itself (KIP-890); v13 names topics by id.
 * Versions 0-2 are advertised, because old clients look there for compression, and not served.
 */
import { codecOf } from '../../proto/kafka/batch-body.ts';
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  type ProduceRequest,
  produceRequest,
  produceResponse,
} from '../../proto/kafka/messages/00-produce.ts';
import { BATCH_HEADER_BYTES, batch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Infer, Partially } from '../../proto/kafka/schema.ts';
import { Later } from '../../stdx/later.ts';
import { failed, type ProduceResult } from '../partition/ack-waiters.ts';
import { isPacked, type RecordsVerdict } from '../partition/packed-core.ts';
import type { Partition, ProduceRequestOf } from '../partition/partition.ts';
import { judgeBatch } from '../partition/produce-core.ts';
import { api, type RequestContext } from './handler.ts';
import { InOrder } from './in-order.ts';
import { endpointOf, INTERNAL_TOPICS, type Ports } from './ports.ts';

type Response = Infer<typeof produceResponse>;
type PartitionAnswer = Response['responses'][number]['partitionResponses'][number];

function answerFor(
  index: number,
  error: ErrorName,
  message: string | null = null,
): Partially<PartitionAnswer> {
  return { index, errorCode: codeOf(error), baseOffset: -1, errorMessage: message };
}

/** From here on a partition joins the producer's transaction by itself (KIP-890). */
const IMPLICIT_ADD_VERSION = 12;
/** From here on clients know an error that asks them to abort. */
const ABORTABLE_VERSION = 11;

/** Clients before it cannot read what they would write. */
const ZSTD_VERSION = 7;

/** Outcomes that come with the start of the log. */
const told: ReadonlySet<ErrorName> = new Set(['NONE', 'INVALID_TIMESTAMP', 'INVALID_RECORD']);

/** What a batch that could not join the transaction means to the producer. */
function admissionError(error: ErrorName, apiVersion: number): ErrorName {
  switch (error) {
    case 'COORDINATOR_LOAD_IN_PROGRESS':
    case 'COORDINATOR_NOT_AVAILABLE':
    case 'NOT_COORDINATOR':
      // Producers try this one again; they do not expect coordinator errors here.
      return 'NOT_ENOUGH_REPLICAS';
    case 'CONCURRENT_TRANSACTIONS':
      return apiVersion >= IMPLICIT_ADD_VERSION ? error : 'NOT_ENOUGH_REPLICAS';
    case 'PRODUCER_FENCED':
      return 'INVALID_PRODUCER_EPOCH';
    case 'TRANSACTION_ABORTABLE':
      return apiVersion >= ABORTABLE_VERSION ? error : 'INVALID_TXN_STATE';
    default:
      return error;
  }
}

/** The same, in memory of its own. */
function lastingOf(judged: RecordsVerdict & { readonly kind: 'ok' }): RecordsVerdict {
  return { ...judged, bytes: Buffer.from(judged.bytes) };
}

export function produce(ports: Ports) {
  const { image, traffic } = ports;
  const order = new InOrder();

  const append = (
    topicId: string,
    index: number,
    records: Buffer | null,
    request: ProduceRequest,
    { apiVersion, connection }: RequestContext,
    done: (answer: Partially<PartitionAnswer>) => void,
  ): void => {
    const name = image.topicById(topicId)?.name ?? '';
    if (records === null || records.length === 0)
      return done(answerFor(index, 'INVALID_RECORD', 'a partition must be given a record batch'));
    const isWhole = records.length >= BATCH_HEADER_BYTES;
    if (isWhole && apiVersion < ZSTD_VERSION && codecOf(records) === 'zstd')
      return done(answerFor(index, 'UNSUPPORTED_COMPRESSION_TYPE', 'zstd came with version 7'));
    const partition = ports.partition(topicId, index);
    if (partition === null) {
      const known = image.line(topicId, index) !== null;
      return done(
        answerFor(index, known ? 'NOT_LEADER_OR_FOLLOWER' : 'UNKNOWN_TOPIC_OR_PARTITION'),
      );
    }
    if (!isWhole || !partition.isLeader) return appendTo(partition, records, request, name, done);
    const admitted = admit(partition, records, request, apiVersion);
    const judged = judge(partition, records, connection);
    const isReady = admitted === null && !(judged instanceof Promise);
    if (isReady && !order.isWaiting(connection, partition)) {
      if (judged === null) return appendTo(partition, records, request, name, done);
      return finish({ partition, records, request, name, judged, done });
    }
    // The frame's memory is used again as soon as this call returns.
    connection.keepRequest();
    const kept = Buffer.from(judged === null ? records : []);
    const lasting = judged instanceof Promise || judged?.kind !== 'ok' ? judged : lastingOf(judged);
    order.run(
      { connection, partition },
      Promise.all([admitted ?? 'NONE', lasting] as const),
      ([error, verdict]) => {
        if (error !== 'NONE')
          return done(answerFor(index, error, 'the partition could not join the transaction'));
        const { acks, timeoutMs } = request;
        const how = { acks, timeoutMs, mustBeVerified: admitted !== null };
        finish({ partition, records: kept, request: how, name, judged: verdict, done });
      },
      () => done(answerFor(index, 'UNKNOWN_SERVER_ERROR')),
    );
  };

  /** What packed records come to; a promise where that is work for others; null: they are not packed. */
  const judge = (
    partition: Partition,
    records: Buffer,
    connection: object,
  ): RecordsVerdict | Promise<RecordsVerdict> | null => {
    const { rules } = partition;
    if (!isPacked(records, rules)) return null;
    const refusal = judgeBatch(records, rules);
    if (refusal !== null) return { ...refusal, faults: [] };
    const nowMs = ports.clock.nowMs();
    const verdict = ports.records.now(records, rules, nowMs);
    if (verdict !== null) return verdict;
    const own = Buffer.allocUnsafeSlow(records.length);
    records.copy(own);
    return ports.records.later(own, rules, nowMs, connection);
  };

  const finish = (of: {
    partition: Partition;
    records: Buffer;
    request: ProduceRequestOf;
    name: string;
    judged: RecordsVerdict | null;
    done: (answer: Partially<PartitionAnswer>) => void;
  }): void => {
    const { partition, records, request, name, judged, done } = of;
    if (judged === null) return appendTo(partition, records, request, name, done);
    if (judged.kind === 'ok' && judged.bytes.length <= partition.rules.maxMessageBytes) {
      const { acks, timeoutMs, mustBeVerified = false } = request;
      const { bytes, maxTimestamp } = judged;
      const how = { acks, timeoutMs, mustBeVerified, maxTimestamp };
      return appendTo(partition, bytes, how, name, done);
    }
    const tooLarge = 'the batch is too large in the topic’s codec';
    const { error, message, faults } =
      judged.kind === 'ok'
        ? { error: 'MESSAGE_TOO_LARGE' as const, message: tooLarge, faults: [] }
        : judged;
    traffic.onProduceFailed(name);
    done(answerOf(partition, { ...failed(error, message), faults }));
  };

  /** The first records of a transaction wait for its coordinator; null: nothing to wait for. */
  const admit = (
    partition: Partition,
    records: Buffer,
    { transactionalId }: ProduceRequest,
    apiVersion: number,
  ): Promise<ErrorName> | null => {
    if ((batch.attributes(records) & TRANSACTIONAL_BIT) === 0) return null;
    if (transactionalId === null) return Promise.resolve('TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
    const add = apiVersion >= IMPLICIT_ADD_VERSION;
    if (!add && !ports.config.flag('transaction.partition.verification.enable')) return null;
    const producerId = batch.producerId(records);
    const producerEpoch = batch.producerEpoch(records);
    const baseSequence = batch.baseSequence(records);
    if (!partition.isLeader || partition.log.producers.isOpen(producerId, producerEpoch))
      return null;
    const { topic, partition: index } = partition;
    const who = { transactionalId, producerId, producerEpoch, baseSequence };
    return ports.gate
      .admit({ ...who, topic, partition: index, add })
      .then((error) => admissionError(error, apiVersion));
  };

  const appendTo = (
    partition: Partition,
    records: Buffer,
    request: ProduceRequestOf,
    name: string,
    done: (answer: Partially<PartitionAnswer>) => void,
  ): void => {
    const byteCount = records.length;
    const count = byteCount >= BATCH_HEADER_BYTES ? batch.count(records) : 0;
    partition.produce(records, request, (result: ProduceResult) => {
      if (result.error === 'NONE') traffic.onProduced(name, byteCount, count);
      else traffic.onProduceFailed(name);
      done(answerOf(partition, result));
    });
  };

  const answerOf = (partition: Partition, result: ProduceResult): Partially<PartitionAnswer> => {
    const core = result.error === 'NOT_LEADER_OR_FOLLOWER' ? partition.line : null;
    return {
      index: partition.partition,
      errorCode: codeOf(result.error),
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.logAppendTimeMs,
      logStartOffset: told.has(result.error) ? partition.log.startOffset : -1,
      errorMessage: result.message ?? null,
      recordErrors: (result.faults ?? []).map(({ batchIndex, message }) => ({
        batchIndex,
        batchIndexErrorMessage: message,
      })),
      ...(core === null
        ? {}
        : { currentLeader: { leaderId: core.leader?.id ?? -1, leaderEpoch: core.leaderEpoch } }),
    };
  };

  return api({
    key: 0,
    name: 'Produce',
    request: produceRequest,
    response: produceResponse,
    advertised: [0, 13],
    // Everything of the request is appended (copied) before the handler returns.
    synchronous: true,
    overlapping: true,
    handle(request: ProduceRequest, context: RequestContext) {
      const { apiVersion, listener } = context;
      let left = 1;
      const answered = new Later<Partially<Response>>();
      const responses = request.topicData.map(() => ({
        name: '',
        topicId: '',
        partitionResponses: [] as Partially<PartitionAnswer>[],
      }));
      const leaders = new Set<number>();
      const finish = () => {
        left--;
        if (left > 0) return;
        const nodeEndpoints = [...leaders].flatMap((id) => {
          const broker = image.broker(id);
          return broker === null ? [] : [endpointOf(ports, broker, listener)];
        });
        answered.settle({ responses, nodeEndpoints });
      };
      request.topicData.forEach((topic, t) => {
        const known = apiVersion >= 13 ? image.topicById(topic.topicId) : image.topic(topic.name);
        const answer = responses[t] as (typeof responses)[number];
        answer.name = known?.name ?? topic.name;
        answer.topicId = known?.id ?? topic.topicId;
        traffic.onProduceRequest(answer.name);
        for (const { index, records } of topic.partitionData) {
          left++;
          const done = (partition: Partially<PartitionAnswer>) => {
            answer.partitionResponses.push(partition);
            const leader = partition.currentLeader?.leaderId;
            if (leader !== undefined && leader >= 0) leaders.add(leader);
            finish();
          };
          if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1)
            done(answerFor(index, 'INVALID_REQUIRED_ACKS'));
          else if (known === null)
            done(
              answerFor(
                index,
                apiVersion >= 13 ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION',
              ),
            );
          else if (INTERNAL_TOPICS.has(known.name))
            done(
              answerFor(
                index,
                'INVALID_TOPIC_EXCEPTION',
                'clients must not write to internal topics',
              ),
            );
          else append(known.id, index, records as Buffer | null, request, context, done);
        }
      });
      if (request.acks === 0) return null;
      finish();
      return answered;
    },
    failed: (request, error) => ({
      responses: request.topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index }) => answerFor(index, error)),
      })),
    }),
  });
}
