/** DescribeTransactions (65). What a coordinator knows of transactional ids (KIP-664). */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  describeTransactionsRequest,
  describeTransactionsResponse,
} from '../../proto/kafka/messages/65-describe-transactions.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function describeTransactions({ transactions, turn }: Ports) {
  const describe = (transactionalId: string) => {
    const failed = (errorCode: number) => ({ errorCode, transactionalId });
    try {
      if (transactionalId === '') return failed(codeOf('INVALID_REQUEST'));
      const txn = transactions.describe(transactionalId);
      if (txn === null) return failed(codeOf('TRANSACTIONAL_ID_NOT_FOUND'));
      return {
        errorCode: 0,
        transactionalId,
        transactionState: txn.state,
        transactionTimeoutMs: txn.timeoutMs,
        transactionStartTimeMs: txn.startedMs,
        producerId: txn.producerId,
        producerEpoch: txn.epoch,
        topics: [...txn.partitions].map(([topic, ids]) => ({ topic, partitions: [...ids] })),
      };
    } catch (cause) {
      if (cause instanceof KafkaError) return failed(cause.errorCode);
      throw cause;
    }
  };
  return api({
    key: 65,
    name: 'DescribeTransactions',
    request: describeTransactionsRequest,
    response: describeTransactionsResponse,
    handle: async ({ transactionalIds }, { connection }) => ({
      transactionStates: await mapInTurns(
        new Pace(turn.share, connection),
        new Set(transactionalIds),
        describe,
      ),
    }),
    failed: ({ transactionalIds }, error) => ({
      transactionStates: transactionalIds.map((transactionalId) => ({
        errorCode: codeOf(error),
        transactionalId,
      })),
    }),
  });
}
