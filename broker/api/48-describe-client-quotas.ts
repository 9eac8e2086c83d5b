/** DescribeClientQuotas (48). Which limits there are, by entity (KIP-546). */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  describeClientQuotasRequest,
  describeClientQuotasResponse,
} from '../../proto/kafka/messages/48-describe-client-quotas.ts';
import {
  DEFAULT_ENTITY,
  type Entity,
  type EntityType,
  entityFields,
} from '../metadata/quotas-core.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const EXACT = 0;
const DEFAULT = 1;

export const shownEntity = (entity: Entity) =>
  (Object.keys(entityFields) as EntityType[]).flatMap((entityType) => {
    const value = entity[entityFields[entityType]];
    if (value === undefined) return [];
    return [{ entityType, entityName: value === DEFAULT_ENTITY ? null : value }];
  });

export function describeClientQuotas({ image }: Ports) {
  return api({
    key: 48,
    name: 'DescribeClientQuotas',
    request: describeClientQuotasRequest,
    response: describeClientQuotasResponse,
    handle({ components, strict }) {
      const odd = components.find(({ entityType }) => !(entityType in entityFields));
      if (odd !== undefined) {
        const errorMessage = `${odd.entityType} must be one of ${Object.keys(entityFields).join(', ')}`;
        return { errorCode: codeOf('UNSUPPORTED_VERSION'), errorMessage, entries: null };
      }
      if (new Set(components.map(({ entityType }) => entityType)).size < components.length)
        throw new KafkaError('INVALID_REQUEST', 'a type of entity must be named once');
      const picked = image.quotas.filter((quota) => {
        const fits = components.every(({ entityType, matchType, match }) => {
          const value = quota[entityFields[entityType as EntityType]];
          if (value === undefined) return false;
          if (matchType === EXACT) return value === match;
          return matchType === DEFAULT ? value === DEFAULT_ENTITY : true;
        });
        return fits && (!strict || shownEntity(quota).length === components.length);
      });
      const entries = picked.map((quota) => ({
        entity: shownEntity(quota),
        values: Object.entries(quota.config).map(([key, value]) => ({ key, value: Number(value) })),
      }));
      return { errorCode: 0, errorMessage: '', entries };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null, entries: null }),
  });
}
