/**
 * What went to and from topics, counted for each. Clients may name any topic: only one that exists has a
 * row of its own, and only so many of them do; all others share one. Pure.
 */

export interface TopicCounters {
  bytesIn: number;
  bytesOut: number;
  messagesIn: number;
  produceRequests: number;
  fetchRequests: number;
  failedProduce: number;
  failedFetch: number;
}

export const newCounters = (): TopicCounters => ({
  bytesIn: 0,
  bytesOut: 0,
  messagesIn: 0,
  produceRequests: 0,
  fetchRequests: 0,
  failedProduce: 0,
  failedFetch: 0,
});

/** No topic can be called that. */
export const OTHER = '(other)';
const TOPICS_MAX = 10_000;

export class TopicTraffic {
  private readonly topics = new Map<string, TopicCounters>();
  private readonly exists: (topic: string) => boolean;
  private readonly topicsMax: number;
  /** Of topics that do not exist (any more), and of those that there is no room for. */
  private readonly other = newCounters();

  constructor(exists: (topic: string) => boolean, topicsMax = TOPICS_MAX) {
    this.exists = exists;
    this.topicsMax = topicsMax;
  }

  /** The counters that what happens to a topic is added to. */
  of(topic: string): TopicCounters {
    return this.topics.get(topic) ?? this.newRow(topic);
  }

  private newRow(topic: string): TopicCounters {
    if (this.topics.size >= this.topicsMax || topic === '' || !this.exists(topic))
      return this.other;
    const counters = newCounters();
    this.topics.set(topic, counters);
    return counters;
  }

  /** Takes the rows of topics away that are gone. What they counted stays in the sum. */
  prune(): void {
    for (const [topic, counters] of this.topics) {
      if (this.exists(topic)) continue;
      this.topics.delete(topic);
      for (const field of Object.keys(counters) as (keyof TopicCounters)[])
        this.other[field] += counters[field];
    }
  }

  /** The sum of all first, without a name; then each topic, and what the others have in common. */
  *rows(field: keyof TopicCounters): Generator<readonly [topic: string | null, value: number]> {
    let sum = this.other[field];
    for (const counters of this.topics.values()) sum += counters[field];
    yield [null, sum];
    for (const [topic, counters] of this.topics) yield [topic, counters[field]];
    yield [OTHER, this.other[field]];
  }
}
