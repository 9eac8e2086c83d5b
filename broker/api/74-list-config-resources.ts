/** ListConfigResources (74). What has configuration; v0 asks for client metrics only (KIP-1142). */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  listConfigResourcesRequest,
  listConfigResourcesResponse,
} from '../../proto/kafka/messages/74-list-config-resources.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { BROKER_RESOURCE, TOPIC_RESOURCE } from './topic-config-answers.ts';

const BROKER_LOGGER = 8;
const CLIENT_METRICS = 16;
const GROUP = 32;
const LISTABLE = [TOPIC_RESOURCE, BROKER_RESOURCE, BROKER_LOGGER, CLIENT_METRICS, GROUP];

export function listConfigResources({ image }: Ports) {
  return api({
    key: 74,
    name: 'ListConfigResources',
    request: listConfigResourcesRequest,
    response: listConfigResourcesResponse,
    handle({ resourceTypes }, { apiVersion }) {
      const asked = apiVersion === 0 ? [CLIENT_METRICS] : resourceTypes;
      if (asked.some((type) => !LISTABLE.includes(type)))
        return { errorCode: codeOf('UNSUPPORTED_VERSION') };
      const types = asked.length === 0 ? LISTABLE : [...new Set(asked)];
      const namesOf = (type: number): string[] => {
        if (type === TOPIC_RESOURCE) return image.topics().map(({ name }) => name);
        if (type === BROKER_RESOURCE || type === BROKER_LOGGER)
          return image.brokers().map(({ id }) => String(id));
        if (type === GROUP)
          return Object.entries(image.groupConfig).flatMap(([groupId, config]) =>
            Object.keys(config).length > 0 ? [groupId] : [],
          );
        return [];
      };
      const configResources = types.flatMap((resourceType) =>
        namesOf(resourceType).map((resourceName) => ({ resourceName, resourceType })),
      );
      return { errorCode: 0, configResources };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
