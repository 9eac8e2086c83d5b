/** IncrementalAlterConfigs (44): set, delete, append, subtract (KIP-339). */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../../proto/kafka/messages/44-incremental-alter-configs.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { changesOf, configTarget, RESOURCES_AT_ONCE } from './config-changes.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce, resourceKey } from './repeats.ts';

export function incrementalAlterConfigs(ports: Ports) {
  return api({
    key: 44,
    name: 'IncrementalAlterConfigs',
    request: incrementalAlterConfigsRequest,
    response: incrementalAlterConfigsResponse,
    async handle({ resources, validateOnly }, { connection }) {
      const pace = new Pace(ports.turn.share, connection);
      const responses = await mapSomeAtOnce(
        pace,
        await namedOnce(pace, resources, resourceKey),
        RESOURCES_AT_ONCE,
        async ({ again, item: { resourceType, resourceName, configs } }) => {
          try {
            if (again) throw new KafkaError('INVALID_REQUEST', 'a resource must be named once');
            const target = configTarget(ports, resourceType, resourceName);
            const changes = changesOf(
              target,
              configs.map(({ name, value, configOperation }) => ({
                name,
                value,
                operation: configOperation,
              })),
            );
            if (!validateOnly) await target.apply(changes);
            return { errorCode: 0, errorMessage: null, resourceType, resourceName };
          } catch (cause) {
            if (!(cause instanceof KafkaError)) throw cause;
            return {
              errorCode: cause.errorCode,
              errorMessage: cause.message,
              resourceType,
              resourceName,
            };
          }
        },
      );
      return { responses };
    },
    failed: ({ resources }, error) => ({
      responses: resources.map(({ resourceType, resourceName }) => ({
        errorCode: codeOf(error),
        errorMessage: null,
        resourceType,
        resourceName,
      })),
    }),
  });
}
