/** AlterConfigs (33): replaces everything that a resource has configured. */
import { codeOf, KafkaError } from '../../proto/kafka/errors.ts';
import {
  alterConfigsRequest,
  alterConfigsResponse,
} from '../../proto/kafka/messages/33-alter-configs.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { changesOf, configTarget, OPERATION, RESOURCES_AT_ONCE } from './config-changes.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { namedOnce, resourceKey } from './repeats.ts';

export function alterConfigs(ports: Ports) {
  return api({
    key: 33,
    name: 'AlterConfigs',
    request: alterConfigsRequest,
    response: alterConfigsResponse,
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
            const set = changesOf(
              target,
              configs.map(({ name, value }) => ({ name, value, operation: OPERATION.set })),
            );
            const known = Object.keys(target.current).filter((name) => !target.isReadOnly(name));
            const removed = Object.fromEntries(known.map((name) => [name, null]));
            if (!validateOnly) await target.apply({ ...removed, ...set });
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
