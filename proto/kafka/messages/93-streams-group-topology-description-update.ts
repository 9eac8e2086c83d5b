/** StreamsGroupTopologyDescriptionUpdate, API key 93, versions 0. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

const topologyDescriptionNode = struct({
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: field(string, { nullable: 0, default: null }),
  stores: array(string),
  successors: array(string),
});
const topologyDescriptionSubtopology = struct({
  subtopologyId: string,
  nodes: array(topologyDescriptionNode),
});
const topologyDescriptionGlobalStore = struct({
  source: topologyDescriptionNode,
  processor: topologyDescriptionNode,
});
const topologyDescription = struct({
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
});
export const streamsGroupTopologyDescriptionUpdateRequest = message(
  { name: 'StreamsGroupTopologyDescriptionUpdateRequest', versions: [0, 0], flexibleSince: 0 },
  {
    groupId: string,
    memberId: string,
    topologyEpoch: int32,
    topologyDescription: topologyDescription,
  },
);
export type StreamsGroupTopologyDescriptionUpdateRequest = Infer<
  typeof streamsGroupTopologyDescriptionUpdateRequest
>;

export const streamsGroupTopologyDescriptionUpdateResponse = message(
  { name: 'StreamsGroupTopologyDescriptionUpdateResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
  },
);
export type StreamsGroupTopologyDescriptionUpdateResponse = Infer<
  typeof streamsGroupTopologyDescriptionUpdateResponse
>;
