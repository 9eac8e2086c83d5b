/**
 * ListTransactions (66). The transactional ids of this coordinator, by state, producer, age (v1)
 * and a pattern of the id (v2, KIP-1152).
 */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  listTransactionsRequest,
  listTransactionsResponse,
} from '../../proto/kafka/messages/66-list-transactions.ts';
import { compilePattern } from '../coordinator/patterns.ts';
import { transactionStates } from '../coordinator/txn-records.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const KNOWN_STATES: ReadonlySet<string> = new Set(transactionStates);

export function listTransactions({ clock, transactions }: Ports) {
  return api({
    key: 66,
    name: 'ListTransactions',
    request: listTransactionsRequest,
    response: listTransactionsResponse,
    handle({ stateFilters, producerIdFilters, durationFilter, transactionalIdPattern }) {
      if (transactions.shards.isLoading) throw new KafkaError('COORDINATOR_LOAD_IN_PROGRESS');
      const unknownStateFilters = stateFilters.filter((state) => !KNOWN_STATES.has(state));
      const states = new Set(stateFilters.filter((state) => KNOWN_STATES.has(state)));
      const producers = new Set(producerIdFilters);
      const pattern = transactionalIdPattern ? compilePattern(transactionalIdPattern) : null;
      const nowMs = clock.nowMs();
      const picked = transactions.list().filter((txn) => {
        if (stateFilters.length > 0 && !states.has(txn.state)) return false;
        if (producers.size > 0 && !producers.has(txn.producerId)) return false;
        if (durationFilter >= 0 && (txn.startedMs < 0 || nowMs - txn.startedMs <= durationFilter))
          return false;
        return pattern === null || pattern(txn.transactionalId);
      });
      return {
        errorCode: 0,
        unknownStateFilters,
        transactionStates: picked.map(({ transactionalId, producerId, state }) => ({
          transactionalId,
          producerId,
          transactionState: state,
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
