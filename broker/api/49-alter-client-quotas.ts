/** AlterClientQuotas (49). Limits are part of the KafkaCluster object (KIP-546). */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  type AlterClientQuotasRequest,
  alterClientQuotasRequest,
  alterClientQuotasResponse,
} from '../../proto/kafka/messages/49-alter-client-quotas.ts';
import { nameRoomFault } from '../metadata/client-room-core.ts';
import {
  DEFAULT_ENTITY,
  type Entity,
  type EntityType,
  entityFields,
  quotaFault,
  withQuota,
} from '../metadata/quotas-core.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

type Entry = AlterClientQuotasRequest['entries'][number];

/** @throws KafkaError where the entity makes no sense */
function entityOf({ entity }: Entry): Entity {
  const found: { user?: string; clientId?: string; ip?: string } = {};
  for (const { entityType, entityName } of entity) {
    if (!(entityType in entityFields))
      throw new KafkaError('INVALID_REQUEST', `entity type ${entityType} is unknown`);
    const tooLong = nameRoomFault(`a ${entityType}`, entityName ?? '');
    if (tooLong !== null) throw new KafkaError('POLICY_VIOLATION', tooLong);
    found[entityFields[entityType as EntityType]] = entityName ?? DEFAULT_ENTITY;
  }
  return found;
}

export function alterClientQuotas({ admin }: Ports) {
  const alter = async (entry: Entry, validateOnly: boolean) => {
    const { entity } = entry;
    try {
      const whom = entityOf(entry);
      const changes = new Map<string, number | null>();
      for (const { key, value, remove } of entry.ops) {
        const next = remove ? null : value;
        const fault = quotaFault(whom, key, next);
        if (fault !== null) throw new KafkaError('INVALID_REQUEST', fault);
        changes.set(key, next);
      }
      if (!validateOnly) await admin.changeQuotas((quotas) => withQuota(quotas, whom, changes));
      return { errorCode: 0, errorMessage: null, entity };
    } catch (cause) {
      if (!(cause instanceof KafkaError)) throw cause;
      return { errorCode: cause.errorCode, errorMessage: cause.message, entity };
    }
  };
  return api({
    key: 49,
    name: 'AlterClientQuotas',
    request: alterClientQuotasRequest,
    response: alterClientQuotasResponse,
    async handle({ entries, validateOnly }) {
      const answers = [];
      // One after the other: each is a change of the same object.
      for (const entry of entries) answers.push(await alter(entry, validateOnly));
      return { entries: answers };
    },
    failed: ({ entries }, error) => ({
      entries: entries.map(({ entity }) => ({
        errorCode: codeOf(error),
        errorMessage: null,
        entity,
      })),
    }),
  });
}
