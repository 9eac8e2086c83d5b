/**
 * UpdateFeatures (57). Features are finalized at the level that this release serves: asking for that
 * one changes nothing, another one is refused.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  updateFeaturesRequest,
  updateFeaturesResponse,
} from '../../proto/kafka/messages/57-update-features.ts';
import { features } from './features.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function updateFeatures(_ports: Ports) {
  const judge = (feature: string, level: number): { error: ErrorName; message: string | null } => {
    const known = features.find(({ name }) => name === feature);
    if (known === undefined)
      return { error: 'INVALID_UPDATE_VERSION', message: `feature ${feature} is not known` };
    if (known.level === level) return { error: 'NONE', message: null };
    const message = `${feature} is fixed at ${known.level} in this release`;
    return { error: 'INVALID_UPDATE_VERSION', message };
  };
  return api({
    key: 57,
    name: 'UpdateFeatures',
    request: updateFeaturesRequest,
    response: updateFeaturesResponse,
    handle({ featureUpdates }) {
      const results = featureUpdates.map(({ feature, maxVersionLevel }) => {
        const { error, message } = judge(feature, maxVersionLevel);
        return { feature, errorCode: codeOf(error), errorMessage: message };
      });
      // One that is wrong stands for all.
      const wrong = results.find(({ errorCode }) => errorCode !== 0);
      if (wrong === undefined) return { errorCode: 0, errorMessage: null, results };
      const { errorCode, errorMessage } = wrong;
      return { errorCode, errorMessage, results: [] };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
