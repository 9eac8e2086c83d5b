/** DescribeConfigs (32). v1 synonyms; v3 types and documentation. */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  type DescribeConfigsRequest,
  describeConfigsRequest,
  describeConfigsResponse,
} from '../../proto/kafka/messages/32-describe-configs.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { distinct, resourceKey } from './repeats.ts';
import {
  BROKER_RESOURCE,
  describeBrokerConfig,
  describeGroupConfig,
  GROUP_RESOURCE,
  TOPIC_RESOURCE,
  type TopicConfigView,
  topicConfigView,
} from './topic-config-answers.ts';

export function describeConfigs(ports: Ports) {
  const { image } = ports;
  const describe = (
    resource: DescribeConfigsRequest['resources'][number],
    shown: { synonyms: boolean; documentation: boolean },
    topicConfig: TopicConfigView,
  ) => {
    const { resourceType, resourceName, configurationKeys } = resource;
    const keys =
      configurationKeys === null || configurationKeys.length === 0
        ? null
        : new Set(configurationKeys);
    const failed = (error: ErrorName, errorMessage: string) => ({
      errorCode: codeOf(error),
      errorMessage,
      resourceType,
      resourceName,
    });
    const ok = { errorCode: 0, errorMessage: null, resourceType, resourceName };
    if (resourceType === TOPIC_RESOURCE) {
      const topic = image.topic(resourceName);
      if (topic === null)
        return failed('UNKNOWN_TOPIC_OR_PARTITION', `topic ${resourceName} is unknown`);
      return {
        ...ok,
        configs: topicConfig(image.topicConfig(topic.id), keys),
      };
    }
    if (resourceType === BROKER_RESOURCE) {
      if (resourceName !== '' && Number(resourceName) !== ports.self) {
        return failed('INVALID_REQUEST', `broker ${resourceName} must be asked itself`);
      }
      const own = resourceName === '' ? {} : (image.brokerConfig[resourceName] ?? {});
      return {
        ...ok,
        configs: describeBrokerConfig(image.clusterConfig, own, keys, shown, ports.self),
      };
    }
    if (resourceType === GROUP_RESOURCE) {
      const own = image.groupConfig[resourceName] ?? {};
      return { ...ok, configs: describeGroupConfig(own, image.clusterConfig, keys) };
    }
    return failed(
      'INVALID_REQUEST',
      `resources of type ${resourceType} are not served by this version`,
    );
  };
  return api({
    key: 32,
    name: 'DescribeConfigs',
    request: describeConfigsRequest,
    response: describeConfigsResponse,
    async handle({ resources, includeSynonyms, includeDocumentation }, { connection }) {
      const shown = { synonyms: includeSynonyms, documentation: includeDocumentation };
      const topicConfig = topicConfigView(image.clusterConfig, shown);
      const pace = new Pace(ports.turn.share, connection);
      const results = await mapInTurns(
        pace,
        await distinct(pace, resources, resourceKey),
        (resource) => describe(resource, shown, topicConfig),
      );
      return { results };
    },
    failed: ({ resources }, error) => ({
      results: resources.map(({ resourceType, resourceName }) => ({
        errorCode: codeOf(error),
        errorMessage: null,
        resourceType,
        resourceName,
      })),
    }),
  });
}
