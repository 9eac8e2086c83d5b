/** What a broker process is told by its pod: environment variables, checked at once. */
import type { PeerTlsMode } from '../kube/broker-identity.ts';

export interface BrokerOptions {
  readonly namespace: string;
  readonly cluster: string;
  readonly id: number;
  readonly podName: string;
  /** Of the pod; empty where there is none. */
  readonly podUid: string;
  /** Where the process listens. */
  readonly bindHost: string;
  /** The name or address that clients and brokers are told. */
  readonly advertisedHost: string;
  readonly kafkaPort: number;
  /** Where clients come in; names are shown in metrics and choose the addresses in answers. */
  readonly listeners: readonly ListenerOption[];
  readonly replicationPort: number;
  readonly adminPort: number;
  /** Log directories, each on a volume of its own. */
  readonly dataFolders: readonly string[];
  /** Where the certificate of listeners with TLS is. */
  readonly tlsFolder: string;
  /** Where the certificate for other brokers is; null: they speak plainly. */
  readonly peerTlsFolder: string | null;
  readonly peerTls: PeerTlsMode;
  readonly rack: string | null;
  /** The annotation of the pod that names the rack, written once the pod has a node; null: none is. */
  readonly rackAnnotation: string | null;
  readonly serviceAccountFolder: string;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'text';
  readonly tailBytes: number;
  /** What the process may have in all; the memory budget follows from it. */
  readonly memoryBytes: number;
  readonly openFilesMax: number;
  readonly shutdownTimeoutMs: number;
}

export interface ListenerOption {
  readonly name: string;
  readonly port: number;
  readonly tls?: boolean;
}

function listenersOf(text: string | undefined, kafkaPort: number): ListenerOption[] {
  if (text === undefined) return [{ name: 'internal', port: kafkaPort }];
  const isListener = (one: unknown): one is ListenerOption => {
    const { name, port } = (one ?? {}) as Partial<ListenerOption>;
    return typeof name === 'string' && Number.isInteger(port);
  };
  try {
    const list = JSON.parse(text) as unknown;
    if (Array.isArray(list) && list.length > 0 && list.every(isListener)) return list;
  } catch {
    // Said below.
  }
  throw new Error('TENURE_LISTENERS must be a JSON list of {"name", "port", "tls"}');
}

/** Kafka's `log.dirs`: paths with commas between them. */
function foldersOf(text: string): string[] {
  const folders = text.split(',').map((path) => path.trim().replace(/(?<=.)\/+$/, ''));
  if (folders.includes('') || new Set(folders).size < folders.length)
    throw new Error(
      'TENURE_DATA_DIR must be one or several different paths with commas between them',
    );
  return folders;
}

/** @throws Error with a sentence that names the variable. */
/** Who does not say takes no half measures. */
function peerTlsOf(text: string | undefined): PeerTlsMode {
  return text === 'accept' || text === 'dial' ? text : 'require';
}

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
    podName,
    podUid: env.POD_UID ?? '',
    bindHost: text('TENURE_BIND_HOST', env.POD_IP ?? '0.0.0.0'),
    advertisedHost: text('TENURE_ADVERTISED_HOST', env.POD_IP ?? podName),
    kafkaPort: number('TENURE_KAFKA_PORT', 9092),
    listeners: listenersOf(env.TENURE_LISTENERS, number('TENURE_KAFKA_PORT', 9092)),
    replicationPort: number('TENURE_REPLICATION_PORT', 9091),
    adminPort: number('TENURE_ADMIN_PORT', 9404),
    dataFolders: foldersOf(text('TENURE_DATA_DIR')),
    peerTlsFolder: env.TENURE_PEER_TLS_DIR || null,
    peerTls: peerTlsOf(env.TENURE_PEER_TLS),
    tlsFolder: text('TENURE_TLS_DIR', '/etc/tenure/tls'),
    rack: env.TENURE_RACK || null,
    rackAnnotation: env.TENURE_RACK_FROM || null,
    serviceAccountFolder: text(
      'TENURE_SERVICE_ACCOUNT_DIR',
      '/var/run/secrets/kubernetes.io/serviceaccount',
    ),
    logLevel: text('TENURE_LOG_LEVEL', 'info'),
    logFormat: env.TENURE_LOG_FORMAT === 'text' ? 'text' : 'json',
    tailBytes: number('TENURE_TAIL_BYTES', 16 * 1024 * 1024, 1024 * 1024),
    memoryBytes: number('TENURE_MEMORY_BYTES', 2 * 1024 * 1024 * 1024, 1),
    openFilesMax: number('TENURE_OPEN_FILES_MAX', 2000, 16),
    shutdownTimeoutMs: number('TENURE_SHUTDOWN_TIMEOUT_MS', 20_000),
  };
}
