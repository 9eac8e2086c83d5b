/** Grafana dashboards of the chart, from a table of panels. */

interface Panel {
  readonly title: string;
  readonly unit?: string;
  readonly queries: readonly (readonly [legend: string, query: string])[];
  /** Shown as one number. */
  readonly stat?: true;
}

const SELECT = 'namespace=~"$namespace",kafka_tenure_dev_cluster=~"$cluster"';

const rate = (metric: string, by: string) =>
  `sum by (${by}) (rate(${metric}{${SELECT}}[$__rate_interval]))`;
const sum = (metric: string) => `sum(${metric}{${SELECT}})`;
const topics = 'kafka_server_brokertopicmetrics';

const panels: readonly Panel[] = [
  {
    title: 'Brokers',
    stat: true,
    queries: [['', `count(kafka_server_kafkaserver_brokerstate{${SELECT}} == 3)`]],
  },
  {
    title: 'Offline partitions',
    stat: true,
    queries: [['', `max(kafka_controller_kafkacontroller_offlinepartitionscount{${SELECT}})`]],
  },
  {
    title: 'Under min.insync.replicas',
    stat: true,
    queries: [['', sum('kafka_server_replicamanager_underminisrpartitioncount')]],
  },
  {
    title: 'Under-replicated',
    stat: true,
    queries: [['', sum('kafka_server_replicamanager_underreplicatedpartitions')]],
  },
  {
    title: 'Bytes in',
    unit: 'Bps',
    queries: [['{{pod}}', rate(`${topics}_bytesin_total`, 'pod')]],
  },
  {
    title: 'Bytes out',
    unit: 'Bps',
    queries: [['{{pod}}', rate(`${topics}_bytesout_total`, 'pod')]],
  },
  {
    title: 'Records in, by topic',
    unit: 'cps',
    queries: [['{{topic}}', rate(`${topics}_messagesin_total`, 'topic')]],
  },
  {
    title: 'Replication',
    unit: 'Bps',
    queries: [
      ['in {{pod}}', rate(`${topics}_replicationbytesin_total`, 'pod')],
      ['out {{pod}}', rate(`${topics}_replicationbytesout_total`, 'pod')],
    ],
  },
  {
    title: 'Time of requests, 99th percentile',
    unit: 'ms',
    queries: [
      [
        '{{request}}',
        `max by (request) (kafka_network_requestmetrics_totaltimems{${SELECT},quantile="0.99"})`,
      ],
    ],
  },
  {
    title: 'Requests',
    unit: 'reqps',
    queries: [['{{request}}', rate('kafka_network_requestmetrics_requests_total', 'request')]],
  },
  {
    title: 'Errors in answers',
    unit: 'reqps',
    queries: [['{{error}}', rate('kafka_network_requestmetrics_errors_total', 'error')]],
  },
  {
    title: 'Connections',
    queries: [
      ['{{pod}}', `sum by (pod) (kafka_server_socket_server_metrics_connection_count{${SELECT}})`],
    ],
  },
  {
    title: 'Leaders',
    queries: [['{{pod}}', `sum by (pod) (kafka_server_replicamanager_leadercount{${SELECT}})`]],
  },
  {
    title: 'Log size, by topic',
    unit: 'bytes',
    queries: [['{{topic}}', `sum by (topic) (kafka_log_log_size{${SELECT}})`]],
  },
  {
    title: 'Resident memory',
    unit: 'bytes',
    queries: [['{{pod}}', `sum by (pod) (process_resident_memory_bytes{${SELECT}})`]],
  },
  {
    title: 'CPU',
    unit: 'percentunit',
    queries: [['{{pod}}', rate('process_cpu_seconds_total', 'pod')]],
  },
];

const variable = (name: string, label: string, query: string) => ({
  name,
  label,
  type: 'query',
  datasource: { type: 'prometheus', uid: '${datasource}' },
  query,
  refresh: 2,
  includeAll: true,
  multi: true,
  current: { text: 'All', value: '$__all' },
});

export function brokersDashboard(): string {
  let x = 0;
  let y = 0;
  const placed = panels.map(({ title, unit = 'short', queries, stat }, i) => {
    const [w, h] = stat ? [6, 4] : [12, 8];
    const gridPos = { x, y, w, h };
    x += w;
    if (x >= 24) {
      x = 0;
      y += h;
    }
    return {
      id: i + 1,
      type: stat ? 'stat' : 'timeseries',
      title,
      gridPos,
      datasource: { type: 'prometheus', uid: '${datasource}' },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(([legendFormat, expr], n) => ({
        refId: String.fromCharCode(65 + n),
        expr,
        legendFormat,
      })),
    };
  });
  const dashboard = {
    title: 'Tenure: brokers',
    uid: 'tenure-brokers',
    tags: ['kafka', 'tenure'],
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
        variable(
          'namespace',
          'Namespace',
          'label_values(kafka_server_kafkaserver_brokerstate, namespace)',
        ),
        variable(
          'cluster',
          'Cluster',
          'label_values(kafka_server_kafkaserver_brokerstate{namespace=~"$namespace"}, kafka_tenure_dev_cluster)',
        ),
      ],
    },
    panels: placed,
  };
  return `${JSON.stringify(dashboard, null, 1)}\n`;
}
