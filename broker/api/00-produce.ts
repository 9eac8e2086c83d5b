/**
 * Produce (0). v9 flexible; v10 tells who leads instead (KIP-951); v13 names topics by id.
 * Versions 0-2 are advertised, because old clients look there for compression, and not served.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  type ProduceRequest,
  produceRequest,
  produceResponse,
} from '../../proto/kafka/messages/00-produce.ts';
import { batch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Infer, Partially } from '../../proto/kafka/schema.ts';
import type { ProduceResult } from '../partition/partition.ts';
import { api, type RequestContext } from './handler.ts';
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

export function produce(ports: Ports) {
  const { image, traffic } = ports;

  const append = (
    topicId: string,
    index: number,
    records: Buffer | null,
    request: ProduceRequest,
    done: (answer: Partially<PartitionAnswer>) => void,
  ): void => {
    const name = image.topicById(topicId)?.name ?? '';
    if (records === null || records.length === 0)
      return done(answerFor(index, 'INVALID_RECORD', 'a partition must be given a record batch'));
    if (records.length >= 61 && (batch.attributes(records) & TRANSACTIONAL_BIT) !== 0) {
      return done(
        answerFor(index, 'INVALID_REQUEST', 'transactions are not served by this version'),
      );
    }
    const partition = ports.partition(topicId, index);
    if (partition === null) {
      const known = image.line(topicId, index) !== null;
      return done(
        answerFor(index, known ? 'NOT_LEADER_OR_FOLLOWER' : 'UNKNOWN_TOPIC_OR_PARTITION'),
      );
    }
    const byteCount = records.length;
    const count = byteCount >= 61 ? batch.count(records) : 0;
    partition.produce(records, request, (result: ProduceResult) => {
      if (result.error === 'NONE') traffic.onProduced(name, byteCount, count);
      else traffic.onProduceFailed(name);
      const core = result.error === 'NOT_LEADER_OR_FOLLOWER' ? partition.line : null;
      done({
        index,
        errorCode: codeOf(result.error),
        baseOffset: result.baseOffset,
        logAppendTimeMs: result.logAppendTimeMs,
        logStartOffset: result.error === 'NONE' ? partition.log.startOffset : -1,
        errorMessage: result.message ?? null,
        ...(core === null
          ? {}
          : { currentLeader: { leaderId: core.leader?.id ?? -1, leaderEpoch: core.leaderEpoch } }),
      });
    });
  };

  return api({
    key: 0,
    name: 'Produce',
    request: produceRequest,
    response: produceResponse,
    advertised: [0, 13],
    // Everything of the request is appended (copied) before the handler returns.
    synchronous: true,
    handle(request: ProduceRequest, { apiVersion }: RequestContext) {
      let left = 1;
      let resolve: ((response: Partially<Response>) => void) | null = null;
      const responses = request.topicData.map(() => ({
        name: '',
        topicId: '',
        partitionResponses: [] as Partially<PartitionAnswer>[],
      }));
      const leaders = new Set<number>();
      const finish = () => {
        left--;
        if (left > 0 || resolve === null) return;
        const nodeEndpoints = [...leaders].flatMap((id) => {
          const broker = image.broker(id);
          return broker === null ? [] : [endpointOf(broker)];
        });
        resolve({ responses, nodeEndpoints });
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
          else append(known.id, index, records as Buffer | null, request, done);
        }
      });
      if (request.acks === 0) return null;
      return new Promise<Partially<Response>>((settle) => {
        resolve = settle;
        finish();
      });
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
