/** ApiVersions (18). Advertises what is served, in Kafka's ranges; v3 features; v5 cluster and node check (KIP-1242). */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  apiVersionsRequest,
  apiVersionsResponse,
} from '../../proto/kafka/messages/18-api-versions.ts';
import { features } from './features.ts';
import { type Api, api } from './handler.ts';
import type { Ports } from './ports.ts';

const METADATA_VERSION_MIN = 7;
const SOFTWARE = /^[a-zA-Z0-9]([a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export function apiVersions(ports: Ports, served: () => readonly Api[]) {
  return api({
    key: 18,
    name: 'ApiVersions',
    request: apiVersionsRequest,
    response: apiVersionsResponse,
    urgent: true,
    handle(
      { clientSoftwareName, clientSoftwareVersion, clusterId, nodeId },
      { apiVersion, connection },
    ) {
      if (apiVersion >= 3) {
        const valid = SOFTWARE.test(clientSoftwareName) && SOFTWARE.test(clientSoftwareVersion);
        if (!valid) return { errorCode: codeOf('INVALID_REQUEST') };
        connection.software = { name: clientSoftwareName, version: clientSoftwareVersion };
      }
      if ((clusterId === null) !== nodeId < 0) return { errorCode: codeOf('INVALID_REQUEST') };
      const otherCluster = clusterId !== null && clusterId !== ports.image.clusterId;
      if (otherCluster || (nodeId >= 0 && nodeId !== ports.self))
        return { errorCode: codeOf('REBOOTSTRAP_REQUIRED') };
      const apiKeys = served().map(({ key, versions, advertised }) => {
        const [minVersion, maxVersion] = advertised ?? versions;
        return { apiKey: key, minVersion, maxVersion };
      });
      return {
        errorCode: 0,
        apiKeys,
        supportedFeatures: features.map(({ name, level }) => ({
          name,
          minVersion: name === 'metadata.version' ? METADATA_VERSION_MIN : apiVersion >= 4 ? 0 : 1,
          maxVersion: level,
        })),
        finalizedFeaturesEpoch: 0,
        finalizedFeatures: features.map(({ name, level }) => ({
          name,
          minVersionLevel: level,
          maxVersionLevel: level,
        })),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
