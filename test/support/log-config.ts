/** Settings of a log for tests: it rolls by size alone and keeps everything. */
import type { LogConfig } from '../../broker/log/log-config.ts';

export function logConfig(over: Partial<LogConfig> = {}): LogConfig {
  return {
    segmentBytes: 2000,
    segmentMs: 1e12,
    indexIntervalBytes: 200,
    retentionMs: -1,
    retentionBytes: -1,
    deletes: true,
    compacts: false,
    minCleanableRatio: 0.5,
    minCompactionLagMs: 0,
    maxCompactionLagMs: Infinity,
    deleteRetentionMs: 1000,
    ...over,
  };
}
