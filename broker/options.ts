/** What a broker process is told by its pod: environment variables, checked at once. */

export interface BrokerOptions {
  readonly namespace: string;
  readonly cluster: string;
  readonly id: number;
  /** Of the pod; empty where there is none. */
  readonly podUid: string;
  /** Where the process listens. */
  readonly bindHost: string;
  /** The name or address that clients and brokers are told. */
  readonly advertisedHost: string;
  readonly kafkaPort: number;
  readonly replicationPort: number;
  readonly adminPort: number;
  readonly dataFolder: string;
  readonly rack: string | null;
  readonly serviceAccountFolder: string;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'text';
  readonly tailBytes: number;
  readonly openFilesMax: number;
  readonly shutdownTimeoutMs: number;
}

/** @throws Error with a sentence that names the variable. */
export function brokerOptions(env: NodeJS.ProcessEnv): BrokerOptions {
  const text = (name: string, preset?: string) => {
    const value = env[name] ?? preset;
    if (value === undefined || value === '') throw new Error(`${name} must be set`);
    return value;
  };
  const number = (name: string, preset: number, min = 0) => {
    const value = Number(env[name] ?? preset);
    if (!Number.isInteger(value) || value < min)
      throw new Error(`${name} must be a whole number of at least ${min}`);
    return value;
  };
  const podName = text('POD_NAME');
  const ordinal = Number(/-(\d+)$/.exec(podName)?.[1] ?? Number.NaN);
  if (!Number.isInteger(ordinal))
    throw new Error(`POD_NAME must end in an ordinal, it is ${podName}`);
  return {
    namespace: text('POD_NAMESPACE'),
    cluster: text('TENURE_CLUSTER'),
    id: number('TENURE_BROKER_ID', ordinal),
    podUid: env.POD_UID ?? '',
    bindHost: text('TENURE_BIND_HOST', env.POD_IP ?? '0.0.0.0'),
    advertisedHost: text('TENURE_ADVERTISED_HOST', env.POD_IP ?? podName),
    kafkaPort: number('TENURE_KAFKA_PORT', 9092),
    replicationPort: number('TENURE_REPLICATION_PORT', 9091),
    adminPort: number('TENURE_ADMIN_PORT', 9404),
    dataFolder: text('TENURE_DATA_DIR'),
    rack: env.TENURE_RACK || null,
    serviceAccountFolder: text(
      'TENURE_SERVICE_ACCOUNT_DIR',
      '/var/run/secrets/kubernetes.io/serviceaccount',
    ),
    logLevel: text('TENURE_LOG_LEVEL', 'info'),
    logFormat: env.TENURE_LOG_FORMAT === 'text' ? 'text' : 'json',
    tailBytes: number('TENURE_TAIL_BYTES', 32 * 1024 * 1024, 1024 * 1024),
    openFilesMax: number('TENURE_OPEN_FILES_MAX', 2000, 16),
    shutdownTimeoutMs: number('TENURE_SHUTDOWN_TIMEOUT_MS', 20_000),
  };
}
