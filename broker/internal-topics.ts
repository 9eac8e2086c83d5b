/** The topics that brokers keep their own state in, made when somebody first needs them. */
import { KafkaError } from '../proto/kafka/errors.ts';
import type { Logger } from '../stdx/logger.ts';
import { OFFSETS_TOPIC, SHARE_TOPIC, TRANSACTIONS_TOPIC } from './api/ports.ts';
import type { BrokerConfig } from './config/config.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { TopicAdmin } from './metadata/topic-admin.ts';

export interface InternalShape {
  readonly partitions: number;
  /** As the settings say: there may be fewer brokers. */
  readonly replicas: number;
  /** Null: what the cluster says. */
  readonly minIsr: number | null;
  readonly policy: string;
  readonly segmentBytes: number;
}

/** What a topic of the brokers' own must be like; null of any other topic. */
export function internalShape(config: BrokerConfig, name: string): InternalShape | null {
  const number = (setting: string) => config.number(setting);
  switch (name) {
    case OFFSETS_TOPIC:
      return {
        partitions: number('offsets.topic.num.partitions'),
        replicas: number('offsets.topic.replication.factor'),
        minIsr: null,
        segmentBytes: number('offsets.topic.segment.bytes'),
        policy: 'compact',
      };
    case TRANSACTIONS_TOPIC:
      return {
        partitions: number('transaction.state.log.num.partitions'),
        replicas: number('transaction.state.log.replication.factor'),
        minIsr: number('transaction.state.log.min.isr'),
        segmentBytes: number('transaction.state.log.segment.bytes'),
        policy: 'compact',
      };
    case SHARE_TOPIC:
      return {
        partitions: number('share.coordinator.state.topic.num.partitions'),
        replicas: number('share.coordinator.state.topic.replication.factor'),
        minIsr: number('share.coordinator.state.topic.min.isr'),
        segmentBytes: number('share.coordinator.state.topic.segment.bytes'),
        policy: 'compact',
      };
    default:
      return null;
  }
}

/**
 * How many replicas it has to have: as many as the settings say, or as the cluster's spec has brokers.
 * Who happens to be there does not count.
 */
export function internalReplicas(
  config: BrokerConfig,
  image: Pick<MetadataImage, 'brokersInSpec'>,
  name: string,
): number | null {
  const shape = internalShape(config, name);
  return shape === null ? null : Math.min(shape.replicas, image.brokersInSpec() ?? shape.replicas);
}

export class InternalTopics {
  private readonly config: BrokerConfig;
  private readonly image: MetadataImage;
  private readonly admin: () => TopicAdmin;
  private readonly logger: Logger;
  private readonly creating = new Set<string>();
  /** What could not be made yet, so that it is told once. */
  private readonly waiting = new Set<string>();

  constructor(config: BrokerConfig, image: MetadataImage, admin: () => TopicAdmin, logger: Logger) {
    this.config = config;
    this.image = image;
    this.admin = admin;
    this.logger = logger;
  }

  /** Whether brokers enough are registered; clients ask again until there are. */
  private isDue(name: string, replicas: number): boolean {
    const brokers = this.image.stayingBrokers().length;
    if (brokers >= replicas) {
      this.waiting.delete(name);
      return true;
    }
    if (!this.waiting.has(name)) {
      this.waiting.add(name);
      const topic = { topic: name, replicas, brokers };
      this.logger.info('an internal topic waits until brokers enough are registered', topic);
    }
    return false;
  }

  /** Makes the topic if there is none and it can be; it is usable a moment later. */
  ensure(name: string): void {
    const shape = internalShape(this.config, name);
    const replicas = internalReplicas(this.config, this.image, name);
    if (shape === null || replicas === null || this.creating.has(name)) return;
    if (this.image.topicObjectNamed(name) !== null || !this.isDue(name, replicas)) return;
    this.creating.add(name);
    const config = {
      'cleanup.policy': shape.policy,
      'compression.type': 'producer',
      'segment.bytes': String(shape.segmentBytes),
      // The API takes none that is above the number of replicas; with those it is raised.
      ...(shape.minIsr === null
        ? {}
        : { 'min.insync.replicas': String(Math.min(shape.minIsr, replicas)) }),
    };
    this.admin()
      .create({ name, partitions: shape.partitions, replicas, config })
      .catch((cause: unknown) => {
        if (!(cause instanceof KafkaError)) throw cause;
        if (cause.error === 'TOPIC_ALREADY_EXISTS') return;
        this.logger.warn('an internal topic could not be created; the next request tries again', {
          topic: name,
          error: cause.error,
          cause,
        });
      })
      .finally(() => this.creating.delete(name));
  }
}
