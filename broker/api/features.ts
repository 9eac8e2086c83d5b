/** Feature levels of Kafka 4.4 whose meaning holds here; clients choose their behaviour by them. */
export const features = [
  { name: 'metadata.version', level: 33 },
  { name: 'transaction.version', level: 2 },
  { name: 'group.version', level: 1 },
  { name: 'share.version', level: 2 },
  { name: 'streams.version', level: 1 },
  { name: 'eligible.leader.replicas.version', level: 1 },
] as const;
