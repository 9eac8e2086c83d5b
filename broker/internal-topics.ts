/** The topics that brokers keep their own state in, made when somebody first needs them. */
import { KafkaError } from '../proto/kafka/errors.ts';
import type { Logger } from '../stdx/logger.ts';
import { OFFSETS_TOPIC, SHARE_TOPIC, TRANSACTIONS_TOPIC } from './api/ports.ts';
import type { BrokerConfig } from './config/config.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { TopicAdmin } from './metadata/topic-admin.ts';

interface Shape {
  readonly partitions: number;
  readonly replicas: number;
  /** Null: what the cluster says. */
  readonly minIsr: number | null;
  readonly policy: string;
  readonly segmentBytes: number;
}

export class InternalTopics {
  private readonly config: BrokerConfig;
  private readonly image: MetadataImage;
  private readonly admin: () => TopicAdmin;
  private readonly logger: Logger;
  private readonly creating = new Set<string>();

  constructor(config: BrokerConfig, image: MetadataImage, admin: () => TopicAdmin, logger: Logger) {
    this.config = config;
    this.image = image;
    this.admin = admin;
    this.logger = logger;
  }

  private shapeOf(name: string): Shape | null {
    const number = (setting: string) => this.config.number(setting);
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

  /** Makes the topic if there is none; it is usable a moment later. */
  ensure(name: string): void {
    const shape = this.shapeOf(name);
    if (shape === null || this.creating.has(name) || this.image.topicObjectNamed(name) !== null)
      return;
    this.creating.add(name);
    const replicas = Math.min(shape.replicas, Math.max(this.image.liveBrokers().length, 1));
    const config = {
      'cleanup.policy': shape.policy,
      'compression.type': 'producer',
      'segment.bytes': String(shape.segmentBytes),
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
